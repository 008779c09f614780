"""Opens a file for reading. The parsing runs in a process of its own (`worker`), limited in memory and time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sms_service
from sms_service.directory.reading.limits import LIMITS, Limits
from sms_service.directory.reading.tables import (
    Layout,
    ReadChoices,
    ReadRow,
    Table,
    Totals,
    pack_columns,
    refuse_file,
    unpack_finding,
)
from sms_service.said import from_json, say

if TYPE_CHECKING:
    from sms_service.directory.columns import Column  # which names Cells of this package

_LARGEST_ANSWER = 64 * 2**20  # bytes of one batch of rows
_SOURCES = str(Path(sms_service.__file__).parents[1])


@contextmanager
def open_table(
    path: Path, choices: ReadChoices, columns: Mapping[str, Column], limits: Limits = LIMITS
) -> Iterator[Table]:
    """The file at `path` as a table whose rows are read as they are asked for, in bounded memory.

    `columns` are those the import knows; their headers help to find the header row and the delimiter. Raises
    Invalid("file", …) saying why the file cannot be read, here or while the rows are read.
    """
    # -P: the directory it is started in is not searched for modules. Its environment holds no secrets and no settings.
    command = [sys.executable, "-P", "-m", "sms_service.directory.reading.worker"]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": _SOURCES, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": tempfile.gettempdir()},
        cwd="/",
    )
    try:
        answers = _Answers(child, limits)
        answers.ask(
            {
                "path": str(path.resolve()),
                "choices": asdict(choices),
                "columns": pack_columns(columns),
                "limits": asdict(limits),
            }
        )
        table = Table(_read_layout(answers.read_answer()["layout"]), iter(()))
        table.rows = _read_rows(answers, table)
        yield table
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


class _Answers:
    """What the process writes, line by line; a process that fails becomes Invalid."""

    def __init__(self, child: subprocess.Popen[bytes], limits: Limits) -> None:
        assert child.stdout is not None
        self._child, self._limits = child, limits
        self._descriptor = child.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer that hold no line end

    def ask(self, request: Mapping[str, Any]) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._why_it_died() from None

    def read_answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._read_line())
        if "invalid" in answer:
            raise refuse_file(from_json(**answer["invalid"]))
        if "memory" in answer:
            raise self._needs_memory()
        return answer

    def _read_line(self) -> bytes:
        deadline = time.monotonic() + self._limits.patience
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            waiting = deadline - time.monotonic()
            if waiting <= 0 or not self._poll.poll(waiting * 1000):
                raise refuse_file("takes too long to read; split it, or save it as CSV")
            chunk = os.read(self._descriptor, 2**18)
            if not chunk:
                raise self._why_it_died()
            self._buffer += chunk
            if len(self._buffer) > _LARGEST_ANSWER:
                raise self._needs_memory()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _why_it_died(self) -> Exception:
        status = self._child.wait()
        if status in (-24, -9):  # SIGXCPU, SIGKILL: its limit of computing time, the kernel's of memory
            return refuse_file("takes too long to read; split it, or save it as CSV")
        return self._needs_memory()

    def _needs_memory(self) -> Exception:
        most = self._limits.memory // 2**20
        return refuse_file(say("needs more than {most} MB of memory; split it, or save it as CSV", most=most))


def _read_layout(packed: dict[str, Any]) -> Layout:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in packed.items()
    }
    return Layout(**fields)


def _read_rows(answers: _Answers, table: Table) -> Iterator[ReadRow]:
    while True:
        answer = answers.read_answer()
        if "totals" in answer:
            table.totals = Totals(**answer["totals"])
            return
        for number, cells, findings in answer["rows"]:
            yield ReadRow(number, cells, tuple(map(unpack_finding, findings)) if findings else ())
