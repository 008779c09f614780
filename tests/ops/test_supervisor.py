"""The whole service as children of one process: started, wounded, stopped, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from sms_service.embedded import Engines, with_running_engines
from sms_service.ops.children import Address
from sms_service.ops.doctor import examine
from sms_service.ops.supervisor import free_port
from sms_service.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90
RUN = """
import sys
from sms_service.ops.supervisor import Supervisor
from sms_service.settings import load
say = lambda line: print(line, flush=True)
with Supervisor(load(), say) as supervisor:
    supervisor.watch(lambda running: say("up at " + running.base_url))
say("ended")
"""


class Service:
    """One supervisor in a process of its own, on free ports and a folder of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.given = {
            "DATA_DIR": str(data_dir),
            "PORT": str(free_port()),
            "SIMULATOR_PORT": str(free_port()),
            "WORKERS": "1",
            "ENV_FILE": os.devnull,
        }
        self.settings: Settings = load(self.given, ROOT)
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
        self.process = self.start()
        assert self.process.stdout is not None
        said = []
        while not any(line.startswith("up at") for line in said):
            said.append(self.process.stdout.readline())
            assert said[-1], [*said, self.process.stderr and self.process.stderr.read()]

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
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)


def wait_for(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A running service, used by the tests below one after the other; the last ones stop and kill it."""
    with tempfile.TemporaryDirectory(prefix="sms_service-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        service = Service(Path(folder))
        try:
            service.up()
            yield service
        finally:
            if service.process is not None and service.process.poll() is None:
                service.process.terminate()
                service.process.communicate(timeout=PATIENCE_S)
            Engines(service.settings).destroy()


def test_the_doctor_finds_it_well(service: Service) -> None:
    wait_for(
        lambda: not [finding for finding in examine(service.settings) if finding.subject == "months" and finding.mend]
    )
    findings = list(examine(service.settings))
    assert [finding for finding in findings if finding.mend] == []
    assert len(findings) > 10


def test_a_second_one_on_the_same_folder_is_told_who_runs(service: Service) -> None:
    assert service.process is not None
    _, complaint = service.start().communicate(timeout=PATIENCE_S)
    assert f"already running in {service.settings.data_dir}, pid {service.process.pid}\n" in complaint


@pytest.mark.parametrize("setting", ["PORT", "SIMULATOR_PORT"])
def test_a_port_in_use_is_named_with_its_setting(service: Service, tmp_path: Path, setting: str) -> None:
    free = {"PORT": str(free_port()), "SIMULATOR_PORT": str(free_port()), setting: service.given[setting]}
    _, complaint = service.start(DATA_DIR=str(tmp_path), **free).communicate(timeout=PATIENCE_S)
    last = complaint.strip().splitlines()[-1]
    assert f"port {service.given[setting]}: Address already in use" in last
    assert last.endswith(setting)


@pytest.mark.parametrize("part", ["worker.py", "redis-server", "gunicorn", "gateways.simulator"])
def test_who_is_killed_is_started_again(service: Service, part: str) -> None:
    killed = service.child(part)
    assert killed is not None
    killed.kill()
    wait_for(lambda: (child := service.child(part)) is not None and child.pid != killed.pid)
    web = Address(service.settings.host, service.settings.port)
    simulator = Address("127.0.0.1", service.settings.simulator_port)
    wait_for(lambda: web.healthy() and simulator.healthy())
    named = with_running_engines(service.settings)
    wait_for(lambda: redis.Redis.from_url(named.redis_url or "").ping())


def test_a_killed_postgresql_comes_back_with_everything_committed(service: Service) -> None:
    url = with_running_engines(service.settings).migration_database_url or ""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    killed = service.child("postgres")
    assert killed is not None
    killed.kill()

    def back() -> bool:
        try:
            with psycopg.connect(url) as connection:
                return connection.execute("DROP TABLE kept").statusmessage == "DROP TABLE"
        except psycopg.OperationalError:
            return False

    wait_for(back)
    wait_for(Address(service.settings.host, service.settings.port).healthy)


def test_a_killed_parent_takes_all_along_and_the_next_start_works(service: Service) -> None:
    assert service.process is not None
    family = service.family()
    assert len(family) > 8
    service.process.kill()
    service.process.communicate()
    service.up()
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert alive == []


def test_term_ends_all_in_good_order(service: Service) -> None:
    assert service.process is not None
    family = service.family()
    service.process.send_signal(signal.SIGTERM)
    said, complaint = service.process.communicate(timeout=PATIENCE_S)
    assert (service.process.returncode, complaint) == (0, "")
    assert said.splitlines()[-1] == "ended"
    assert not [line for line in said.splitlines() if "killed" in line]
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    log = (service.settings.data_dir / "log" / "postgres.log").read_text()
    assert log.rstrip().endswith("database system is shut down")
