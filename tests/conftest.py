"""The engines that tests run on: real PostgreSQL and Redis, their own or TEST_DATABASE_URL's and TEST_REDIS_URL's."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from sms_service.db import bootstrap, migrate
from sms_service.db.engine import Database
from sms_service.embedded import PostgresServer, RedisServer

# An installation's own engines are out of reach of its tests, whatever the shell or `.env` says.
for _name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "DATA_DIR", "SIMULATOR_URL", "SIMULATOR_SECRET"):
    os.environ.pop(_name, None)
os.environ["ENV_FILE"] = os.devnull

# Only what was used is emptied: a TRUNCATE costs a new file for each table and each index.
EMPTY = """
DO $$
DECLARE
    name TEXT;
    used BOOLEAN;
    names TEXT[] := '{}';
BEGIN
    FOR name IN SELECT oid::regclass::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ('alembic_version', 'cluster')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO used;
        IF used THEN
            names := names || name;
        END IF;
    END LOOP;
    IF names <> '{}' THEN
        EXECUTE 'TRUNCATE ' || array_to_string(names, ', ') || ' CASCADE';
    END IF;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence
        JOIN pg_class ON oid = seqrelid AND relnamespace = 'public'::regnamespace;
END
$$
"""

SMALL = {"shared_buffers": "64MB", "max_wal_size": "512MB"}


def binaries() -> Path | None:
    """Another PostgreSQL's binaries (`SMS_TEST_POSTGRES_BIN`), to run the same tests on another version."""
    value = os.environ.get("SMS_TEST_POSTGRES_BIN")
    return Path(value) if value else None


@pytest.fixture(scope="session")
def engines_dir() -> Iterator[Path]:
    """A folder for the engines' data, with a short path and open to the user that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="sms_service-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="session")
def pg_url(engines_dir: Path) -> Iterator[str]:
    """A superuser's URL of a real PostgreSQL server."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    server = PostgresServer(engines_dir / "postgres", bin_dir=binaries(), configuration=SMALL)
    try:
        server.start()
        yield server.url
    finally:
        server.destroy()


@pytest.fixture(scope="session")
def redis_url(engines_dir: Path) -> Iterator[str]:
    """A real Redis of the tests' own: what is in it may be flushed at any time."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    server = RedisServer(engines_dir / "redis")
    try:
        server.start()
        yield server.url
    finally:
        server.destroy()


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of `redis_url`; the database is emptied first."""
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture(scope="session")
def template_database(pg_url: str) -> Iterator[str]:
    """The name of a migrated database from which the others are copied; nobody connects to it."""
    name = f"sms_test_{secrets.token_hex(4)}"
    bootstrap.prepare(_at(pg_url, name))
    try:
        migrate.upgrade(_at(pg_url, name))
        yield name
    finally:
        _drop(pg_url, name)


@pytest.fixture(scope="module")
def database_url(pg_url: str, template_database: str) -> Iterator[str]:
    """A migrated database of the module's own."""
    name = f"{template_database}_{secrets.token_hex(4)}"
    with psycopg.connect(pg_url, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER sms_owner")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template_database)))
    try:
        yield _at(pg_url, name)
    finally:
        _drop(pg_url, name)


@pytest.fixture
def empty_database_url(pg_url: str) -> Iterator[str]:
    """A prepared database without a schema, for tests of the migrations themselves."""
    name = f"sms_test_{secrets.token_hex(4)}"
    try:
        bootstrap.prepare(_at(pg_url, name))
        yield _at(pg_url, name)
    finally:
        _drop(pg_url, name)


@pytest.fixture(scope="module")
def _pool(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=10, application_name="tests")
    yield database
    database.close()


@pytest.fixture
def database(_pool: Database, database_url: str) -> Database:
    """The module's database with every table empty and every number starting at 1 again."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(EMPTY)
    return _pool


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


def _at(url: str, database: str) -> str:
    """The same server's URL with another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _drop(pg_url: str, database: str) -> None:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
