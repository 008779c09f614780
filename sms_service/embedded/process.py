"""Child processes that never outlive their parent, and the lock that decides who owns a data folder."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_libc = ctypes.CDLL(None, use_errno=True)


class EngineError(Exception):
    """An engine cannot be started or reached; the message is one line that says why and what to do."""


def last_line(text: str) -> str:
    """The line of a tool's output that says what went wrong: the first error, else the last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "error:" in line.lower() or "fatal:" in line.lower()]
    return (wrong or lines[-1:] or ["it said nothing"])[0]


def die_with_parent(signal_number: int, parent: int | None = None) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the child `signal_number` when the thread that started it ends.

    Start children from a thread that lives as long as they should, such as the main one. Linux only; elsewhere it does
    nothing.
    """
    parent = parent or os.getpid()

    def arrange() -> None:
        if sys.platform == "linux":
            _libc.prctl(_PR_SET_PDEATHSIG, signal_number)
            if os.getppid() != parent:  # the parent ended before this was set
                os._exit(1)

    return arrange


def spawn_process(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    on_parent_death: int = signal.SIGTERM,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    uid: int | None = None,
    gid: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group with its output appended to `log`; it dies with this process.

    A terminal's Ctrl-C does not reach it: its parent stops it in the right order. `uid`, `gid`: work as that user.
    Raises OSError as Popen does.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            user=uid,
            group=gid,
            extra_groups=[] if uid is not None else None,
            process_group=0,
            preexec_fn=die_with_parent(on_parent_death),  # only system calls: safe between fork and exec
        )


def stop_process(
    process: subprocess.Popen[bytes], signal_number: int, patience_s: float, then: int = signal.SIGKILL
) -> None:
    """Ask a child to end, wait, and kill it after `patience_s` seconds."""
    if process.poll() is None:
        process.send_signal(signal_number)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.send_signal(then)
        process.wait()


def stop_leftover(pid: int, name: str, folder: Path, signal_number: int, patience_s: float) -> None:
    """End a server of an earlier parent that still works in `folder`. If another process has its pid now, leave it.

    Raises EngineError if it is still there after `patience_s` seconds.
    """
    try:
        process = psutil.Process(pid)
        if not process.name().startswith(name) or Path(process.cwd()).resolve() != folder.resolve():
            return
        process.send_signal(signal_number)
        process.wait(patience_s)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise EngineError(f"{folder} may be in use by process {pid} of another user: stop it first") from None
    except psutil.TimeoutExpired:
        raise EngineError(
            f"an earlier {name} (pid {pid}) still works in {folder} and does not stop: end it first"
        ) from None


def at_work_in(folder: Path, name: str) -> list[int]:
    """The pids of processes named `name`… whose working folder is `folder`, as far as we may see them."""
    found = []
    for process in psutil.process_iter(["name", "cwd"]):
        if (process.info["name"] or "").startswith(name) and process.info["cwd"] == str(folder.resolve()):
            found.append(process.pid)
    return found


class FolderLock:
    """The lock that says who owns a data folder. An open file holds it, so the kernel releases it however we end."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises EngineError, naming the owner's pid, if another process holds it."""
        make_folder(self.path.parent)
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise EngineError(f"cannot write to {self.path.parent}: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(file, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise EngineError(f"already running in {self.path.parent}, pid {pid}") from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def make_folder(path: Path) -> None:
    """Create a folder and its parents. Raises EngineError in one line if that is impossible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"cannot create {path}: {error.strerror}") from None
