"""Who leads, with real processes: clocks and links that are stopped in the middle, and continued when another leads.

A stopped process cannot prove that it leads, and its lease ends by PostgreSQL's clock; these tests end it, instead of
waiting for that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from sms_service.db.engine import Database
from sms_service.delivery import reconcile
from sms_service.dispatch.points import Point
from sms_service.embedded.process import die_with_parent
from sms_service.ledger.models import Run
from sms_service.reports.counts import check_identity
from tests.clocks import end_lease
from tests.dispatch.city import account, make_city, run_of, statuses
from tests.gateways.simulator_process import SimulatorProcess
from tests.system.link_service import LINK, PASSWORD, LinkService

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def wait(until: Callable[[], object]) -> None:
    """Until it holds; fails after a minute."""
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end, "it does not come to its end"
        time.sleep(0.02)


def leader(database: Database, name: str) -> str:
    """Who leads, as people read it, or an empty text."""
    with database.transaction() as connection:
        query = "SELECT holder FROM leaderships WHERE name = %(name)s AND until > clock_timestamp()"
        return str(connection.exec_driver_sql(query, {"name": name}).scalar() or "")


def leads(database: Database, name: str, process: subprocess.Popen[bytes]) -> bool:
    return f"process {process.pid} " in leader(database, name)


@contextmanager
def process(database_url: str, redis_url: str, log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m sms_service clock`, or another command of Python, with what it says in `log`."""
    with log.open("wb") as file:
        started = subprocess.Popen(
            [sys.executable, *(command or ("-m", "sms_service", "clock"))],
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "GATEWAYS_FILE": str(ROOT / "gateways.toml"),
                "SIMULATOR_URL": "http://127.0.0.1:9",
                "SIMULATOR_SECRET": "secret",
                "PUBLIC_URL": "http://127.0.0.1:9",
                "ENV_FILE": os.devnull,
            },
            stderr=file,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait()


def test_a_stopped_clock_is_replaced_and_does_nothing_when_it_is_continued(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with (
        process(database_url, redis_url, logs[0]) as first,
        process(database_url, redis_url, logs[1]) as second,
    ):
        wait(lambda: leader(database, "clock"))
        if leads(database, "clock", second):
            first, second, logs = second, first, logs[::-1]
        first.send_signal(signal.SIGSTOP)
        end_lease(database)
        wait(lambda: leads(database, "clock", second))
        city = make_city(database, 1, freeze_now=False)
        wait(lambda: run_of(database, city.run_id).status == "freezing")

        first.send_signal(signal.SIGCONT)
        wait(lambda: "leads no longer" in logs[0].read_text() or "another clock leads" in logs[0].read_text())
        assert leads(database, "clock", second)

        # What the second one leaves when it is told to end, the first takes up at once.
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=PATIENCE_S) == 0
        with database.session() as session:
            run = session.get_one(Run, city.run_id)
            run.status, run.launched_at = "planned", None
        wait(lambda: run_of(database, city.run_id).status == "freezing")
        assert leads(database, "clock", first)


def test_a_stopped_worker_that_asks_providers_is_replaced(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    logs, name = [tmp_path / "first.log", tmp_path / "second.log"], reconcile.LEADERSHIP
    with (
        process(database_url, redis_url, logs[0], "worker.py") as first,
        process(database_url, redis_url, logs[1], "worker.py") as second,
    ):
        wait(lambda: leader(database, name))
        if leads(database, name, second):
            first, second, logs = second, first, logs[::-1]
        first.send_signal(signal.SIGSTOP)
        end_lease(database, name)
        wait(lambda: leads(database, name, second))

        first.send_signal(signal.SIGCONT)
        wait(lambda: "look-up: this process leads no longer" in logs[0].read_text())
        assert leads(database, name, second)

        # The second one is told to end, and leaves it to the first.
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=PATIENCE_S) == 0
        wait(lambda: leads(database, name, first))


@pytest.fixture
def smsc(tmp_path: Path) -> Iterator[SimulatorProcess]:
    """An SMSC that lets its customer log in once."""
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--system-id", "city", smpp=True, secret=PASSWORD) as process:
        process.behave(smpp_binds="one", answer_delay_s=[0.0, 0.02])
        yield process


@pytest.fixture
def links(database: Database, database_url: str, redis_url: str, tmp_path: Path, smsc: SimulatorProcess) -> LinkService:
    return LinkService(database, database_url, redis_url, tmp_path, smsc.smpp_port)


def is_stopped(process: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def ends_well(database: Database, links: LinkService, smsc: SimulatorProcess, run_id: int, people: int) -> None:
    """Everybody has the text once, by the SMSC's ledger and by ours."""
    links.wait(lambda: statuses(database, run_id) == {"delivered": people})
    parts = Counter((part["to"], part["seq"]) for part in smsc.parts() if part["outcome"] == "accepted")
    assert set(parts.values()) == {1}
    assert len({to for to, _ in parts}) == people
    with database.session() as session:
        assert check_identity(session, run_id).holds


def test_a_stopped_link_hands_over_nothing_when_it_is_continued_and_leaves_the_line(
    database: Database, links: LinkService, smsc: SimulatorProcess, tmp_path: Path
) -> None:
    ahead = tmp_path / "ahead"
    links.stops_at = (str(Point.checked), "2", "SIGSTOP", str(ahead))  # about to hand over its second group
    with links as service:
        wait(lambda: leads(database, LINK, service.link))
        city = make_city(database, 250, gateways=service.gateways, freeze_now=False)
        service.wait(lambda: is_stopped(service.link))
        held = statuses(database, city.run_id)["submitting"]
        assert held
        second = service.start("--link", "carrier")
        ahead.write_text("13")  # so long it has been away when it goes on
        end_lease(database, LINK)
        wait(lambda: leads(database, LINK, second))
        assert len(smsc.smpp_state()["sessions"]) == 1  # still the stopped one's
        handed = len(smsc.parts())

        service.link.send_signal(signal.SIGCONT)
        ends_well(database, service, smsc, city.run_id, 250)
        assert leads(database, LINK, second)
        assert service.link.poll() is None  # it waits for its turn
        # What the first had under way when it was stopped went again, through the second.
        assert service.count("SELECT count(*) FROM messages WHERE attempts = 2") > 0
        assert handed < 250
        assert account(database, "carrier").state == "open"


def test_a_link_whose_database_sessions_are_ended_keeps_the_line(
    database: Database, links: LinkService, smsc: SimulatorProcess, pg_url: str
) -> None:
    with links as service, psycopg.connect(pg_url, autocommit=True) as administrator:
        wait(lambda: leads(database, LINK, service.link))
        second = service.start("--link", "carrier")
        service.wait(lambda: account(database, "carrier").state == "open" and smsc.smpp_state()["sessions"])
        city = make_city(database, 600, gateways=service.gateways, freeze_now=False)
        for share in (100, 250, 400):
            service.wait(lambda share=share: len(smsc.parts()) >= share)  # type: ignore[misc]
            administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'sms_service link carrier'"
            )
            assert account(database, "carrier").state == "open"
        ends_well(database, service, smsc, city.run_id, 600)
        assert leads(database, LINK, service.link)
        assert second.poll() is None
        assert account(database, "carrier").state == "open"


def test_a_stopped_link_is_no_link(database: Database, links: LinkService, smsc: SimulatorProcess) -> None:
    """Though it is connected, to PostgreSQL and to the SMSC: its account's texts are others'."""
    with links as service:
        service.wait(lambda: account(database, "carrier").state == "open" and smsc.smpp_state()["sessions"])
        service.link.send_signal(signal.SIGSTOP)
        end_lease(database, LINK)
        service.wait(lambda: account(database, "carrier").state == "paused")
        assert account(database, "carrier").reason == "the link is down: no process holds it (worker.py --link)"
