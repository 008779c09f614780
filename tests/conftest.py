"""What tests are given: databases on real engines (`tests/engines.py`), sessions, servers of a test's own."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import psycopg
import pytest
import redis
from flask import Flask
from jinja2.bccache import Bucket
from psycopg import sql
from sqlalchemy.orm import Session

import sms_service.tables  # noqa: F401 - as every process does
from sms_service.db import bootstrap
from sms_service.db.engine import Database
from sms_service.embedded import PostgresServer, RedisServer
from tests.applications import take_apps_back
from tests.engines import SMALL, Engines, at_database, binaries, drop_database, open_folder, start_engines
from tests.examples import load_profile

# An installation's own engines are out of reach of its tests, whatever the shell or `.env` says.
for _name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "DATA_DIR", "SIMULATOR_URL", "SIMULATOR_SECRET"):
    os.environ.pop(_name, None)
os.environ["ENV_FILE"] = os.devnull

load_profile()

_LONG = re.compile("tests/(system|browser)/")
_SERVERS = {"pg_url", "own_postgres", "engines_dir"}  # fixtures that a test with a PostgreSQL of any kind needs
_ENGINES = pytest.StashKey[Engines]()


class _KeptBytecode(jinja2.BytecodeCache):
    """Templates as they were compiled for the first application of this process: each test makes one of its own."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._kept.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {"bytecode_cache": _KeptBytecode()}

# A TRUNCATE costs a new file for each table and each index, several times what it costs to delete a few rows. Of those
# no foreign key is asked and no trigger: in the end every table is empty.
EMPTY = """
DO $$
DECLARE
    used record;
    large TEXT[] := '{}';
BEGIN
    SET LOCAL session_replication_role = 'replica';
    FOR used IN SELECT oid::regclass::text AS name, pg_relation_size(oid) AS bytes FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ('alembic_version', 'cluster')
            AND pg_relation_size(oid) > 0
    LOOP
        IF used.bytes < 250000 THEN
            EXECUTE format('DELETE FROM %s', used.name);
        ELSE
            large := large || used.name;
        END IF;
    END LOOP;
    IF large <> '{}' THEN
        EXECUTE 'TRUNCATE ' || array_to_string(large, ', ') || ' CASCADE';
    END IF;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence
        JOIN pg_class ON oid = seqrelid AND relnamespace = 'public'::regnamespace;
END
$$
"""


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> Iterator[Engines]:
    """Those that pytest's workers share, or this process's own if it is the only one."""
    if shared := getattr(request.config, "workerinput", None):
        yield Engines(**shared["engines"])
        return
    with start_engines() as own:
        yield own


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which engines there are; the first one has them started."""
    if _ENGINES not in node.config.stash:
        stack = ExitStack()
        node.config.add_cleanup(stack.close)
        node.config.stash[_ENGINES] = stack.enter_context(start_engines())
    number = int(node.workerinput["workerid"].removeprefix("gw"))
    node.workerinput["engines"] = asdict(node.config.stash[_ENGINES].for_worker(number))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests that take longest first: no worker shall be alone with them at the end. On another PostgreSQL, only
    those that use one: the rest knows nothing of its version.
    """
    if binaries():
        kept, left_out = [], []
        for item in items:
            (left_out if _SERVERS.isdisjoint(getattr(item, "fixturenames", ())) else kept).append(item)
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept
    items.sort(key=lambda item: not (_LONG.search(item.nodeid) or item.get_closest_marker("slow")))


@pytest.fixture(scope="session")
def engines_dir() -> Iterator[Path]:
    """A folder for engines of single tests, with a short path and open to the user that PostgreSQL runs as."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def pg_url(engines: Engines) -> str:
    """A superuser's URL of a real PostgreSQL server."""
    return engines.pg_url


@pytest.fixture(scope="session")
def redis_url(engines: Engines) -> str:
    """A real Redis, in it a database of this worker's own: what is in that may be flushed at any time."""
    return engines.redis_url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of `redis_url`; the database is emptied first."""
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture(scope="module")
def database_url(pg_url: str, engines: Engines) -> Iterator[str]:
    """A migrated database of the module's own."""
    name = f"{engines.template}_{secrets.token_hex(4)}"
    with psycopg.connect(pg_url, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER sms_owner STRATEGY FILE_COPY")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(engines.template)))
    try:
        yield at_database(pg_url, name)
    finally:
        drop_database(pg_url, name)


@pytest.fixture
def empty_database_url(pg_url: str) -> Iterator[str]:
    """A prepared database without a schema, for tests of the migrations themselves."""
    name = f"sms_test_{secrets.token_hex(4)}"
    try:
        bootstrap.prepare_database(at_database(pg_url, name))
        yield at_database(pg_url, name)
    finally:
        drop_database(pg_url, name)


@pytest.fixture(scope="module")
def _pool(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=10, application_name="tests")
    yield database
    database.close()


@pytest.fixture(scope="module")
def _emptying(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that stays open: a new one has to learn of all tables first, which takes longer than emptying."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def database(_pool: Database, _emptying: psycopg.Connection[Any]) -> Database:
    """The module's database with every table empty and every number starting at 1 again."""
    _emptying.execute(EMPTY)
    return _pool


@pytest.fixture(autouse=True)
def _apps_come_back() -> Iterator[None]:
    yield
    take_apps_back()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """An open session on `database`, rolled back at the end; `session.commit()` shows its rows to others."""
    with Session(database.engine, expire_on_commit=False) as session:
        yield session
        session.rollback()


@pytest.fixture
def own_postgres(engines_dir: Path) -> Iterator[PostgresServer]:
    """A server for one test that restarts or kills it; started, with nothing in it."""
    server = PostgresServer(engines_dir / secrets.token_hex(4), bin_dir=binaries(), configuration=SMALL)
    try:
        server.start()
        yield server
    finally:
        server.destroy()


@pytest.fixture
def own_redis(engines_dir: Path) -> Iterator[RedisServer]:
    """A Redis for one test that restarts or kills it; started."""
    server = RedisServer(engines_dir / secrets.token_hex(4))
    try:
        server.start()
        yield server
    finally:
        server.destroy()
