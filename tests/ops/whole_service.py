"""The whole service under its supervisor, in a process and a folder of its own, for tests that wound it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import psutil

from sms_service.embedded import Engines
from sms_service.ops.supervisor import free_port
from sms_service.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90
RUN = """
import sys
from sms_service.ops.supervisor import Supervisor
from sms_service.settings import load_settings
say = lambda line: print(line, flush=True)
with Supervisor(load_settings(), say) as supervisor:
    supervisor.watch(lambda running: say("up at " + running.base_url))
say("ended")
"""


class WholeService:
    """One supervisor in a process of its own, on free ports and a folder of its own; `given` are its settings."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str]) -> None:
        self.given = {
            "DATA_DIR": str(data_dir),
            "PORT": str(free_port()),
            "SIMULATOR_PORT": str(free_port()),
            "WORKERS": "1",
            "ENV_FILE": os.devnull,
            **settings,
        }
        self.settings: Settings = load_settings(self.given, ROOT)
        self.process: subprocess.Popen[str] | None = None

    def start(self, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=ROOT,
            env={"PATH": os.defpath, **self.given, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def up(self) -> None:
        """Start it and wait until everything answers."""
        self.process = self.start()
        assert self.process.stdout is not None
        said = []
        while not any(line.startswith("up at") for line in said):
            said.append(self.process.stdout.readline())
            assert said[-1], [*said, self.process.stderr and self.process.stderr.read()]

    def kill_parent(self) -> None:
        """kill -9 of the supervisor alone; what its children do then is their own business."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def child(self, part: str) -> psutil.Process | None:
        """The process whose command line has `part`, among the supervisor's own children."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            try:
                if any(part in argument for argument in child.cmdline()):
                    return child
            except psutil.NoSuchProcess:
                continue
        return None

    def family(self) -> list[psutil.Process]:
        """All processes below the supervisor."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def whole_service(settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[WholeService]:
    """A running service with these settings; ended, and its data removed, afterwards."""
    with tempfile.TemporaryDirectory(prefix="sms_service-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        service = WholeService(Path(folder), settings)
        try:
            service.up()
            yield service
        finally:
            if service.process is not None and service.process.poll() is None:
                service.process.terminate()
                service.process.communicate(timeout=PATIENCE_S)
            Engines(service.settings).destroy()


def wait_for(holds: Callable[[], object]) -> None:
    """Until it holds; fails after a minute and a half."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)
