"""The servers that the tests share: started once, however many workers pytest has.

They are the tests' own, or those that TEST_DATABASE_URL and TEST_REDIS_URL name. Each worker has a Redis database of
its own, and copies its PostgreSQL databases from one that has been migrated.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql
from redis.connection import parse_url
from sqlalchemy.engine import make_url

from sms_service.db import bootstrap, migrate
from sms_service.embedded import PostgresServer, RedisServer

SMALL = {"shared_buffers": "64MB", "max_wal_size": "512MB"}
# Its databases live for a module each: what a plan is made from is what the test itself has had analysed.
SHARED = {**SMALL, "autovacuum": "off"}
# In memory, a commit waits for no disk, and a database is copied in a twentieth of the time.
_MEMORY = Path("/dev/shm")
_ROOM_IN_MEMORY = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Engines:
    """Where they are. `pg_url`: a superuser's; `template`: the migrated database, to which nobody connects."""

    pg_url: str
    redis_url: str
    template: str

    def for_worker(self, number: int) -> Engines:
        """The same for pytest's worker of this number, from 0 on: its Redis database counts from the URL's."""
        database = parse_url(self.redis_url).get("db", 0) + number
        url = make_url(self.redis_url).update_query_dict({"db": str(database)})
        return replace(self, redis_url=url.render_as_string(hide_password=False))


def binaries() -> Path | None:
    """Another PostgreSQL's binaries (`SMS_TEST_POSTGRES_BIN`), to run the same tests on another version."""
    value = os.environ.get("SMS_TEST_POSTGRES_BIN")
    return Path(value) if value else None


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder for engines' data, with a short path and open to the user that PostgreSQL runs as; in memory if there
    is room.
    """
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_IN_MEMORY
    parent = _MEMORY if roomy and os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="sms_service-tests-", ignore_cleanup_errors=True, dir=parent) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@contextmanager
def start_engines() -> Iterator[Engines]:
    """The engines, at work, with the template in them; nothing of it is left at the end."""
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        if not (pg_url := os.environ.get("TEST_DATABASE_URL")):
            postgres = PostgresServer(folder / "postgres", bin_dir=binaries(), configuration=SHARED)
            stack.callback(postgres.destroy)
            postgres.start()
            pg_url = postgres.url
        if not (redis_url := os.environ.get("TEST_REDIS_URL")):
            redis = RedisServer(folder / "redis")
            stack.callback(redis.destroy)
            redis.start()
            redis_url = redis.url
        template = f"sms_test_{secrets.token_hex(4)}"
        stack.callback(drop_database, pg_url, template)
        bootstrap.prepare_database(at_database(pg_url, template))
        migrate.upgrade_schema(at_database(pg_url, template))
        yield Engines(pg_url, redis_url, template)


def at_database(url: str, database: str) -> str:
    """The same server's URL with another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def drop_database(pg_url: str, database: str) -> None:
    """Drop it if it is there, whoever is connected to it."""
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
