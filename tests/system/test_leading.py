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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sms_service.db.engine import Database
from sms_service.embedded.process import die_with_parent
from sms_service.ledger.models import Run
from tests.clocks import end_lease
from tests.dispatch.city import make_city, run_of

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
def clock_process(database_url: str, redis_url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m sms_service clock`, with what it says in `log`."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "sms_service", "clock"],
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
            yield process
        finally:
            process.kill()
            process.wait()


def test_a_stopped_clock_is_replaced_and_does_nothing_when_it_is_continued(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with (
        clock_process(database_url, redis_url, logs[0]) as first,
        clock_process(database_url, redis_url, logs[1]) as second,
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
