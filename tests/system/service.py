"""Real worker processes, a real simulator and a clock in this process, for tests that kill and flush."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sms_service.db.engine import Database
from sms_service.dispatch import clock
from sms_service.dispatch.accounts import synchronise
from sms_service.gateways.registry import Gateways
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
            synchronise(session, self.gateways)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """One more worker process."""
        environment = {**os.environ, **self.variables}
        worker = subprocess.Popen([sys.executable, str(ROOT / "worker.py")], cwd=ROOT, env=environment)
        self.workers.append(worker)
        return worker

    def tick(self) -> None:
        """What the clock does every second."""
        clock.tick(self.database, None, self.gateways)

    def wait(self, until: object) -> None:
        """Tick until `until()` holds; fails after two minutes."""
        end = time.monotonic() + PATIENCE_S
        while not until():  # type: ignore[operator]
            assert time.monotonic() < end, "it does not come to its end"
            self.tick()

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
