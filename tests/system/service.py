"""Real worker processes, a real simulator and a clock in this process, for tests that kill and flush."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from sms_service import clock
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.embedded.process import die_with_parent
from sms_service.gateways.registry import Gateways
from sms_service.ledger import sweeps
from sms_service.ops.agreement import disagreements
from sms_service.reports.counts import check_identity
from tests.clocks import ahead_by
from tests.dispatch.city import statuses
from tests.gateways.simulator_process import SECRET, SimulatorProcess

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


class Service:
    """Workers over one database, one Redis and one simulator."""

    def __init__(self, database: Database, database_url: str, redis_url: str, simulator: SimulatorProcess) -> None:
        self.database, self.simulator = database, simulator
        self.variables = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SIMULATOR_URL": simulator.url,
            "SIMULATOR_SECRET": SECRET,
            "GATEWAYS_FILE": str(ROOT / "gateways.toml"),
            "PUBLIC_URL": "http://127.0.0.1:9",  # receipts are not asked for
            "ENV_FILE": os.devnull,
        }
        self.gateways = Gateways.from_file(ROOT / "gateways.toml", "http://127.0.0.1:9", self.variables)
        self.workers: list[subprocess.Popen[bytes]] = []
        with database.session() as session:
            synchronise_gateways(session, self.gateways)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """One more worker process."""
        environment = {**os.environ, **self.variables}
        worker = subprocess.Popen(
            [sys.executable, str(ROOT / "worker.py")],
            cwd=ROOT,
            env=environment,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self.workers.append(worker)
        return worker

    @property
    def most_under_way(self) -> int:
        """How many texts one worker's death can make unknown: all groups that it may have under way at once."""
        return self.gateways.in_flight("simulator") * self.gateways.group_size("simulator")

    def tick(self) -> None:
        """What the clock does every second; like the clock, it tries again later if PostgreSQL is away."""
        with suppress(DBAPIError):
            clock.tick(self.database, None, self.gateways)

    def wait(self, until: Callable[[], object]) -> None:
        """Tick until `until()` holds; fails after two minutes and says what it looks like then."""
        end = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < end, f"it does not come to its end: {self.describe_state()}"
            self.tick()

    def describe_state(self) -> str:
        """What there is to wait for: texts by run and status and since when, runs, and workers that ended."""
        with self.database.transaction() as connection:
            statement = """
                SELECT run_id, status, reason, count(*), max(sms_now() - changed_at)::text FROM messages
                GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """
            texts = [tuple(row) for row in connection.exec_driver_sql(statement)]
            runs = [tuple(row) for row in connection.exec_driver_sql("SELECT id, status, reason, held_for FROM runs")]
        ended = [worker.returncode for worker in self.workers if worker.poll() is not None]
        return f"texts {texts}, runs {runs}, workers that ended {ended}"

    def wait_for_end(self, run_id: int) -> None:
        """Until nothing waits to leave, then stop. Leases that dead workers left behind are swept two minutes ahead."""

        def only_leases_left() -> bool:
            found = statuses(self.database, run_id)
            return not found.get("pending") and (self.idle() or not {"claimed", "submitting"} & found.keys())

        self.wait(only_leases_left)
        self.stop()
        sweep_ahead(self.variables["DATABASE_URL"])

    def check(self, run_id: int, people: int, *, most_unknown: int) -> None:
        """The identity holds, both ledgers agree, and nobody was lost or texted twice."""
        with self.database.session() as session:
            found = check_identity(session, run_id)
            assert found.holds
            assert disagreements(session, self.simulator.ledger(), [run_id]) == []
        assert found.statuses.get("unknown", 0) <= most_unknown
        assert found.statuses.get("accepted", 0) + found.statuses.get("unknown", 0) == people
        handed = Counter(line["to"] for line in self.simulator.ledger() if line["id"])
        assert set(handed.values()) == {1}

    def idle(self) -> bool:
        """Whether no living worker holds rows: what is leased, dead ones left behind."""
        with self.database.transaction() as connection:
            statement = "SELECT count(*) FROM messages WHERE changed_at > sms_now() - interval '5 seconds'"
            return not connection.exec_driver_sql(statement).scalar()

    def stop(self) -> None:
        """Ask every worker to end, and wait."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait(timeout=60)
        self.gateways.close()


def sweep_ahead(url: str) -> None:
    """End every lease by sweeping as if it were two minutes later."""
    with ahead_by(url, "2 minutes") as ahead:
        for sweep in (sweeps.give_up_submitting, sweeps.release_claimed):
            with ahead.transaction() as transaction:
                sweep(transaction)


@contextmanager
def service(
    database: Database, database_url: str, redis_url: str, simulator: SimulatorProcess, workers: int = 2
) -> Iterator[Service]:
    """The service with its workers, stopped at the end."""
    running = Service(database, database_url, redis_url, simulator)
    try:
        for _ in range(workers):
            running.start_worker()
        yield running
    finally:
        running.stop()
