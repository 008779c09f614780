"""A link, a worker and a clock over one account that speaks SMPP, for tests that cut and kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from sqlalchemy.exc import DBAPIError

from sms_service import clock
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.embedded.process import die_with_parent
from sms_service.gateways.registry import Gateways
from tests.clocks import end_lease

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "secret"
LINK = "link carrier"  # what its process leads in
PATIENCE_S = 150


class LinkService:
    """`with LinkService(database, url, redis_url, folder, port) as service: …`; further keys are the account's options.

    `worker` freezes runs and applies receipts; `link` holds the session. The clock ticks in this process, in `wait`.
    """

    def __init__(
        self, database: Database, database_url: str, redis_url: str, folder: Path, port: int, **options: object
    ) -> None:
        self.database = database
        file = folder / "gateways.toml"
        options = {"system_id": "city", "source_addr": "10690000", "throughput": 100_000, "in_flight": 2, **options}
        lines = [
            f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
            for key, value in options.items()
        ]
        file.write_text(
            "[accounts.carrier]\n"
            'adapter = "smpp"\n'
            'host = "127.0.0.1"\n'
            f"port = {port}\n"
            'password = "${CARRIER_PASSWORD}"\n' + "\n".join(lines) + '\n[routes]\ndefault = ["carrier"]\n'
        )
        self.variables = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "GATEWAYS_FILE": str(file),
            "CARRIER_PASSWORD": PASSWORD,
            "ENV_FILE": os.devnull,
        }
        self.gateways = Gateways.from_file(file, "http://127.0.0.1:9", self.variables)
        with database.session() as session:
            synchronise_gateways(session, self.gateways)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.stops_at: tuple[str, ...] = ()  # see tests.system.pointed_worker: what the first link does to itself

    def __enter__(self) -> LinkService:
        self.worker = self.start()
        stops = (*self.stops_at, "carrier")
        pointed = [sys.executable, "-m", "tests.system.pointed_worker", *stops] if self.stops_at else None
        self.link = self.start("--link", "carrier", command=pointed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM if error is None else signal.SIGKILL)
                process.send_signal(signal.SIGCONT)
        for process in self.processes:
            process.wait(timeout=60)
        self.gateways.close()

    def start(self, *arguments: str, command: Sequence[str] | None = None) -> subprocess.Popen[bytes]:
        """One more process of worker.py, or of another command."""
        process = subprocess.Popen(
            command or [sys.executable, str(ROOT / "worker.py"), *arguments],
            cwd=ROOT,
            env={**os.environ, **self.variables},
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self.processes.append(process)
        return process

    def kill_link(self) -> None:
        """kill -9 of the link, at whatever moment this is, and another one in its place, its lease over."""
        self.link.kill()
        self.link.wait()
        end_lease(self.database, LINK)
        self.link = self.start("--link", "carrier")

    def wait(self, until: Callable[[], object]) -> None:
        """Tick until `until()` holds; fails after two and a half minutes."""
        end = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < end, "it does not come to its end"
            with suppress(DBAPIError):
                clock.tick(self.database, None, self.gateways)
            time.sleep(0.05)

    def count(self, query: str) -> int:
        """One number out of the database."""
        with self.database.transaction() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())
