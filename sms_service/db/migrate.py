"""Runs migrations while people work: as the owner, one at a time, and without waiting long for a lock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import APP_ROLE, OWNER_ROLE, connection_parameters, sqlalchemy_url
from sms_service.db.locks import LockKey

log = logging.getLogger(__name__)

_SCRIPTS = Path(__file__).parent / "migrations"
_ATTEMPTS = 60
# Seconds that a statement waits for a lock. Longer than deadlock_timeout (1 s by default), since only after that does
# PostgreSQL cancel an autovacuum that holds the lock.
_LOCK_TIMEOUT_S = 3.0
_TURN_S = 0.2  # how often a migration asks whether it is its turn


def upgrade_schema(url: str, revision: str = "head", *, pause_s: float = 1.0, attempts: int = _ATTEMPTS) -> None:
    """Bring the schema to `revision` as the role `sms_owner`.

    `url`: a login that is a member of `sms_owner`. A statement waits only a few seconds for a lock (_LOCK_TIMEOUT_S),
    so that nobody waits behind it for long; then the step is tried again, `attempts` times in all, with `pause_s`
    seconds between.
    Raises sqlalchemy.exc.DBAPIError with the server's reason.
    """
    _run(url, lambda config: command.upgrade(config, revision), pause_s, attempts)


def downgrade_schema(url: str, revision: str, *, pause_s: float = 1.0, attempts: int = _ATTEMPTS) -> None:
    """Take the schema back to `revision` ("base": nothing is left). Arguments and errors as for `upgrade`."""
    _run(url, lambda config: command.downgrade(config, revision), pause_s, attempts)


def current_revision(url: str) -> str | None:
    """The schema's revision; None if nothing was migrated. Any login that may read will do."""
    engine = create_engine(sqlalchemy_url(url), poolclass=pool.NullPool, connect_args=connection_parameters(url))
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def head_revision() -> str:
    """The revision that this code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise RuntimeError("the package holds no migrations")
    return revision


def _run(url: str, act: Callable[[Config], None], pause_s: float, attempts: int) -> None:
    with _locked_connection(url) as connection:
        for attempt in range(1, attempts + 1):
            try:
                act(_config(connection))
            except DBAPIError as error:
                connection.rollback()
                if not isinstance(error.orig, psycopg.errors.LockNotAvailable) or attempt == attempts:
                    raise
                log.warning("migration: a table is in use, attempt %d of %d", attempt, attempts)
                time.sleep(pause_s)
            else:
                break
        if connection.scalar(text("SELECT to_regclass('alembic_version')")):
            connection.execute(text(f"GRANT SELECT ON alembic_version TO {APP_ROLE}"))
        connection.commit()


@contextmanager
def _locked_connection(url: str) -> Iterator[Connection]:
    """A connection as the owner that holds the migrations' advisory lock."""
    engine = create_engine(
        sqlalchemy_url(url),
        poolclass=pool.NullPool,
        connect_args=connection_parameters(url) | {"application_name": "sms_service migrate"},
    )
    try:
        with engine.connect() as connection:
            connection.execute(text(f"SET ROLE {OWNER_ROLE}"))
            connection.execute(text("SET timezone = 'UTC'"))
            _wait_for_turn(connection)
            deadlock_ms = connection.scalar(
                text("SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout'")
            )
            connection.execute(text(f"SET lock_timeout = {max(int(_LOCK_TIMEOUT_S * 1000), 2 * int(deadlock_ms))}"))
            connection.commit()
            yield connection  # the end of the session releases the lock
    finally:
        engine.dispose()


def _wait_for_turn(connection: Connection) -> None:
    """Take the migrations' lock, however long it takes, by asking again and again. A statement that waits for it would
    be under way all the time; an index that the other migration builds CONCURRENTLY waits for every statement under
    way, and the two would wait for each other.
    """
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LockKey.migrate.value}):
        connection.commit()
        time.sleep(_TURN_S)
    connection.commit()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
