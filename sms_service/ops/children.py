"""One supervised process: start it, ask for its health, start it again when it ends by itself, stop it."""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sms_service.embedded.process import last_line, spawn_process, stop_process
from sms_service.ops.errors import OperationError

LOG_SIZE = 20 * 1024 * 1024  # bytes; a longer log is moved to another file
_LOGS_KEPT = 3
_SHORTEST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0  # after running so long a process counts as well, and its next end as the first


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process answers `GET /health`."""

    host: str
    port: int

    def healthy(self) -> bool:
        """Whether it answers 200 now."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(slots=True)
class Child:
    """One process. `health`: None if it cannot be asked. `patience_s`: seconds that it may take to end after TERM."""

    name: str
    command: list[str]
    log: Path
    cwd: Path
    environment: Mapping[str, str] = field(repr=False)
    health: Callable[[int], bool] | None = None
    patience_s: float = 10.0
    clock: Callable[[], float] = time.monotonic
    process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _due: float | None = None
    _ends: int = 0

    def start(self) -> None:
        """Start it, its output appended to its log. Raises OperationError if that is impossible."""
        try:
            self.process = spawn_process(self.command, log=self.log, cwd=self.cwd, env=self.environment)
        except OSError as error:
            raise OperationError(f"{self.name} cannot be started: {error.strerror or error}") from None
        self._started = self.clock()
        self._due = None

    def ready(self) -> bool:
        """Whether it is up. Raises OperationError, with the last line of its log, if it ended while starting."""
        assert self.process is not None, "ready() is asked of a started process"
        if self.process.poll() is not None:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-4000:]
            raise OperationError(f"{self.name} ended while starting: {last_line(tail)} (see {self.log})")
        return self.health is None or self.health(self.process.pid)

    def mend(self) -> str | None:
        """Start it again if it ended: at once if it had run for a steady time, else after a pause that doubles up to
        30 s. Rotate its log.

        Returns a line for the operator that says what happened, or None.
        """
        rotate_log(self.log)
        if self.process is None or self.process.poll() is None:
            return None
        now = self.clock()
        if self._due is None:
            steady = now - self._started >= _STEADY_S
            self._ends = 1 if steady else self._ends + 1
            pause = 0.0 if self._ends == 1 else min(_SHORTEST_PAUSE_S * 2 ** (self._ends - 2), _LONGEST_PAUSE_S)
            self._due = now + pause
            return f"{self.name} {_how(self.process.returncode)}; it starts again in {pause:g} s (see {self.log})"
        if now >= self._due:
            self.start()
        return None

    def ask_to_end(self) -> None:
        """Send TERM if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def end(self) -> bool:
        """Wait until it has ended after TERM; False if it had to be killed."""
        if self.process is None:
            return True
        stop_process(self.process, signal.SIGTERM, self.patience_s)
        return self.process.returncode != -signal.SIGKILL


def rotate_log(log: Path) -> None:
    """Move the content of a log of more than LOG_SIZE to `<name>.1`, and older ones to the next number. The processes
    that write the log go on.

    The file is copied and emptied in place: its writers append (`spawn_process`), so they need not be told. A line that
    is written in the microseconds between the last read and the emptying is lost.
    """
    if not log.exists() or log.stat().st_size < LOG_SIZE:
        return
    for number in range(_LOGS_KEPT, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    with log.open("rb+") as full, log.with_name(f"{log.name}.1").open("wb") as aside:
        shutil.copyfileobj(full, aside)
        full.truncate(0)


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
