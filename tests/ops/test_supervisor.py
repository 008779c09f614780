"""The whole service as children of one process: started, wounded, stopped, killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from sms_service.embedded import with_running_engines
from sms_service.ops.children import Address
from sms_service.ops.doctor import examine_installation
from sms_service.ops.supervisor import free_port
from tests.ops.whole_service import PATIENCE_S, WholeService, wait_for, whole_service


@pytest.fixture(scope="module")
def service() -> Iterator[WholeService]:
    """A running service, used by the tests below one after the other; the last ones stop and kill it."""
    with whole_service() as service:
        yield service


def test_the_doctor_finds_it_well(service: WholeService) -> None:
    wait_for(
        lambda: (
            not [
                finding
                for finding in examine_installation(service.settings)
                if finding.subject == "months" and finding.mend
            ]
        )
    )
    findings = list(examine_installation(service.settings))
    assert [finding for finding in findings if finding.mend] == []
    assert len(findings) > 10


def test_a_second_one_on_the_same_folder_is_told_who_runs(service: WholeService) -> None:
    assert service.process is not None
    _, complaint = service.start().communicate(timeout=PATIENCE_S)
    assert f"already running in {service.settings.data_dir}, pid {service.process.pid}\n" in complaint


@pytest.mark.parametrize("setting", ["PORT", "SIMULATOR_PORT"])
def test_a_port_in_use_is_named_with_its_setting(service: WholeService, tmp_path: Path, setting: str) -> None:
    free = {"PORT": str(free_port()), "SIMULATOR_PORT": str(free_port()), setting: service.given[setting]}
    _, complaint = service.start(DATA_DIR=str(tmp_path), **free).communicate(timeout=PATIENCE_S)
    last = complaint.strip().splitlines()[-1]
    assert f"port {service.given[setting]}: Address already in use" in last
    assert last.endswith(setting)


@pytest.mark.parametrize("part", ["worker.py", "redis-server", "gunicorn", "sms_service.simulator"])
def test_who_is_killed_is_started_again(service: WholeService, part: str) -> None:
    killed = service.child(part)
    assert killed is not None
    killed.kill()
    wait_for(lambda: (child := service.child(part)) is not None and child.pid != killed.pid)
    web = Address(service.settings.host, service.settings.port)
    simulator = Address("127.0.0.1", service.settings.simulator_port)
    wait_for(lambda: web.healthy() and simulator.healthy())
    named = with_running_engines(service.settings)
    wait_for(lambda: redis.Redis.from_url(named.redis_url or "").ping())


def test_a_killed_postgresql_comes_back_with_everything_committed(service: WholeService) -> None:
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


def test_a_killed_parent_takes_all_along_and_the_next_start_works(service: WholeService) -> None:
    family = service.family()
    assert len(family) > 8
    service.kill_parent()
    service.up()
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert alive == []


def test_term_ends_all_in_good_order(service: WholeService) -> None:
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
