"""Waits for the children of a supervisor that was killed. The kernel has told them to end; the next supervisor waits
until they have ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil

PATIENCE_S = 60.0


def remember_children(register: Path, pids: Iterable[int]) -> None:
    """Write down our children's pids and start times; the start time tells a child from a later process with its
    pid.
    """
    lines = []
    for pid in pids:
        try:
            lines.append(f"{pid} {psutil.Process(pid).create_time()}\n")
        except psutil.NoSuchProcess:
            continue
    fresh = register.with_name(f"{register.name}.new")
    fresh.write_text("".join(lines), encoding="ascii")
    fresh.replace(register)


def wait_for(register: Path, patience_s: float = PATIENCE_S) -> None:
    """Wait until all processes in the register have ended; after `patience_s` seconds, end them."""
    alive = list(_alive(register))
    for process in alive:
        process.terminate()
    _, stubborn = psutil.wait_procs(alive, timeout=patience_s)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn)


def _alive(register: Path) -> Iterable[psutil.Process]:
    if not register.exists():
        return
    for line in register.read_text(encoding="ascii").splitlines():
        pid, _, started = line.partition(" ")
        try:
            process = psutil.Process(int(pid))
            if f"{process.create_time()}" == started:
                yield process
        except (psutil.NoSuchProcess, ValueError):
            continue
