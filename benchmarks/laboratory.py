"""The benchmarks' own engines: PostgreSQL as durable as in operation, Redis, and the service's real processes."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from rq import Worker
from sqlalchemy.engine import make_url

from benchmarks import city
from sms_service.db import bootstrap, migrate
from sms_service.db.engine import Database
from sms_service.embedded import PostgresServer, RedisServer

ROOT = Path(__file__).resolve().parent.parent
SECRET = "bench-pw"  # the longest that SMPP allows
READY_S = 60.0  # how long a process may take to start
_END_S = 90.0


class BenchmarkError(Exception):
    """A figure could not be measured, or would have been wrong; the message says why."""


class Laboratory:
    """A throw-away PostgreSQL and Redis; each measurement gets a database of its own, copied from a prepared one.

    Use as a context manager. Nothing is left behind.
    """

    def __enter__(self) -> Laboratory:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sms_bench-", ignore_cleanup_errors=True))
            self.folder = Path(folder)
            self.folder.chmod(0o711)  # root's PostgreSQL runs as another user, who has to pass
            postgres, cache = PostgresServer(self.folder / "postgres"), RedisServer(self.folder / "redis")
            stack.callback(postgres.destroy)
            postgres.start()
            stack.callback(cache.destroy)
            cache.start()
            assert postgres.process is not None
            self.server_pid = postgres.process.pid  # the first of PostgreSQL's processes, parent of all others
            self._admin_url, self.redis_url = postgres.url, cache.url
            self.redis = stack.enter_context(contextlib.closing(redis.Redis.from_url(cache.url)))
            self.versions = {"redis": str(self.redis.info("server")["redis_version"]), **self._check_durable()}
            self._prepared: set[str] = set()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _check_durable(self) -> dict[str, str]:
        with psycopg.connect(self._admin_url) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(setting))).fetchone()
                if row is None or row[0] != "on":
                    raise BenchmarkError(
                        f"{setting} is {row and row[0]}: figures of commits that may be lost mean nothing"
                    )
            return {"postgresql": connection.info.parameter_status("server_version") or ""}

    @contextmanager
    def city(self, people: int = city.PEOPLE) -> Iterator[Database]:
        """A database with the city of `benchmarks.city` and `people` members in it."""
        with self._copy(f"bench_city_{people}", lambda database: city.build(database, people)) as database:
            yield database

    @contextmanager
    def empty(self) -> Iterator[Database]:
        """A migrated database without a row."""
        with self._copy("bench_empty", lambda _: None) as database:
            yield database

    @contextmanager
    def schema_at(self, revision: str) -> Iterator[str]:
        """A database without a row, migrated to this revision and no further; a superuser's URL of it."""
        name = f"bench_{secrets.token_hex(4)}"
        try:
            bootstrap.prepare_database(self._at(name))
            migrate.upgrade_schema(self._at(name), revision)
            yield self._at(name)
        finally:
            self._drop(name)

    @contextmanager
    def _copy(self, original: str, fill: Callable[[Database], None]) -> Iterator[Database]:
        if original not in self._prepared:
            bootstrap.prepare_database(self._at(original))
            migrate.upgrade_schema(self._at(original))
            with contextlib.closing(Database(self._at(original))) as database:
                fill(database)
            self._prepared.add(original)
        name = f"bench_{secrets.token_hex(4)}"
        self.redis.flushall()
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER sms_owner").format(
                    sql.Identifier(name), sql.Identifier(original)
                )
            )
            connection.execute("CHECKPOINT")  # so that the copy's pages are not written during the measurement
        try:
            with contextlib.closing(Database(self._at(name), application_name="benchmarks")) as database:
                yield database
        finally:
            self._drop(name)

    def _drop(self, database: str) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def _at(self, database: str) -> str:
        return make_url(self._admin_url).set(database=database).render_as_string(hide_password=False)

    def variables(self, database: Database, gateways: Path, **more: str) -> dict[str, str]:
        """The environment of the service's processes on `database`, with nothing of an installation in it."""
        return {
            **os.environ,
            "ENV_FILE": os.devnull,
            "DATABASE_URL": database.url,
            "REDIS_URL": self.redis_url,
            "GATEWAYS_FILE": str(gateways),
            "SIMULATOR_SECRET": SECRET,
            "LOG_LEVEL": "WARNING",
            **more,
        }

    @contextmanager
    def workers(
        self, number: int, variables: Mapping[str, str], command: Sequence[str] = ("worker.py",)
    ) -> Iterator[list[int]]:
        """`number` processes of `worker.py`, or of another RQ worker, ready for work; yields their process ids."""
        with ExitStack() as stack:
            pids = [stack.enter_context(self.process(command, variables)).pid for _ in range(number)]
            wait_for(
                lambda: set(pids) <= {worker.pid for worker in Worker.all(connection=self.redis)},
                "the workers",
                READY_S,
            )
            yield pids

    def at_work(self, application_name: str) -> bool:
        """Whether a process with this application name is connected to PostgreSQL."""
        with psycopg.connect(self._admin_url) as connection:
            query = "SELECT FROM pg_stat_activity WHERE application_name = %s"
            return connection.execute(query, [application_name]).fetchone() is not None

    @contextmanager
    def process(
        self, arguments: Sequence[str], variables: Mapping[str, str], *, read_line: bool = False
    ) -> Iterator[subprocess.Popen[str]]:
        """`python <arguments>` in the project's folder, ended with TERM. `read_line`: its standard output is a pipe."""
        log_path = self.folder / f"{secrets.token_hex(4)}.log"
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=dict(variables),
                stdout=subprocess.PIPE if read_line else log,
                stderr=log,
                text=True,
            )
        try:
            yield process
            if process.poll() is not None:
                raise BenchmarkError(f"{' '.join(arguments)} ended by itself: {log_path.read_text()[-500:]}")
        finally:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def wait_for(condition: Callable[[], object], what: str, timeout_s: float, every_s: float = 0.1) -> None:
    """Return when `condition` holds; BenchmarkError naming `what` if it does not within `timeout_s`."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > give_up:
            raise BenchmarkError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(every_s)
