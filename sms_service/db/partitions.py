"""Partitions that are detached and attached while people work: as the schema's owner, and without a lock that anybody
waits for longer than LOCK_MS.

Whoever changes the ledger locks the tables' parents weakly; a plain DETACH would lock them against everybody, and
everybody would queue behind it while it waits for one slow reader. DETACH … CONCURRENTLY does not; but at its end it
locks the partition and, for a moment, the tables that its foreign keys name (`runs`). So each statement waits for a
lock for LOCK_MS at most and is begun again later. One that is cut off leaves the partition *pending*, out of sight of
new statements already; FINALIZE ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sms_service.db.engine import OWNER_ROLE, connection_parameters, sqlalchemy_url
from sms_service.db.locks import LockKey
from sms_service.errors import Conflict
from sms_service.said import say

LOCK_MS = 100
PATIENCE_S = 3600.0  # by default, for those who read with an old snapshot
_AGAIN_S = 0.2
_ALONE_MS = 2_000

IN_USE = "transactions that began before are still under way; run the same command again later, and it goes on"

# Without autovacuum's workers, which belong to nobody.
_UNDER_WAY = text("""
    SELECT l.virtualxid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'virtualxid' AND a.datname = current_database() AND a.usesysid IS NOT NULL
      AND a.pid <> pg_backend_pid()
""")
_FIND = text("""
    SELECT c.relname AS partition, i.inhdetachpending AS pending, pg_get_expr(c.relpartbound, c.oid) AS bounds
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(:parent)
""")


class SchemaOwner:
    """Connections as the role that owns the schema. `patience_s`: for so long a statement is begun again."""

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        options = f"-c search_path=public -c role={OWNER_ROLE} -c timezone=UTC -c datestyle=ISO -c jit=off"
        self._engine = create_engine(
            sqlalchemy_url(url),
            poolclass=pool.NullPool,
            hide_parameters=True,
            connect_args=connection_parameters(url, options) | {"application_name": "sms_service archive"},
        )
        self._patience_s = patience_s

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Only one process archives at a time. Raises Conflict if another does; one that has just been killed is waited
        for until its server process has noticed that.
        """
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"SET lock_timeout = {_ALONE_MS}"))
            try:
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LockKey.archive_month.value})
            except DBAPIError as error:
                if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                    raise
                said = say("another command is archiving a month, or reading one back; wait until it has ended")
                raise Conflict(said) from None
            yield

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session in one transaction."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def one_snapshot(self) -> Iterator[Connection]:
        """A transaction whose statements see the data of one moment."""
        with (
            self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """A connection on which each statement is its own transaction and waits for no lock for longer than LOCK_MS."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"SET lock_timeout = {LOCK_MS}"))
            yield connection

    def repeat(self, next_statement: Callable[[Connection], str | None]) -> None:
        """Run the statements that `next_statement` says, each as its own transaction, until it says none. One that
        finds its lock taken is asked for again. Raises Conflict when patience is over: what was done stays.
        """
        until = time.monotonic() + self._patience_s
        while True:
            try:
                with self.at_once() as connection:
                    while (statement := next_statement(connection)) is not None:
                        connection.execute(text(statement))
                    return
            except DBAPIError as error:
                if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                    raise
            if time.monotonic() >= until:
                raise Conflict(say(IN_USE))
            time.sleep(_AGAIN_S)

    def wait_for_transactions(self) -> None:
        """Wait until all transactions of this database have ended that are under way now: whoever is in one may have
        read what was committed since as it was before. Nobody waits for this. Raises Conflict when patience is over.
        """
        until = time.monotonic() + self._patience_s
        with self.at_once() as connection:
            left = set(connection.scalars(_UNDER_WAY))
            while left := left & set(connection.scalars(_UNDER_WAY)):
                if time.monotonic() >= until:
                    raise Conflict(say(IN_USE))
                time.sleep(_AGAIN_S)


def find_partition(connection: Connection, parent: str, month: str) -> str | None:
    """The partition that has the rows of this month (2026-01-01) alone; None: there is none, or it has others, too."""
    rows = connection.execute(_FIND, {"parent": parent})
    return next((row.partition for row in rows if row.bounds == f"FOR VALUES IN ('{month}')"), None)


def next_to_detach(connection: Connection, parent: str, partition: str) -> str | None:
    """The statement that detaches it, or goes on with that; None: it is detached."""
    found = _find(connection, parent, partition)
    if found is None:
        return None
    return f"ALTER TABLE {parent} DETACH PARTITION {partition} {'FINALIZE' if found.pending else 'CONCURRENTLY'}"


def next_to_attach(connection: Connection, parent: str, partition: str, month: str) -> str | None:
    """The statement that makes the partition, or attaches the table that is there; None: it is attached."""
    found = _find(connection, parent, partition)
    if found is not None:
        # It was cut off on its way out, and has to be out before it can come back.
        return f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE" if found.pending else None
    if not has_table(connection, partition):
        like = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE"  # as `ensure_month`
        return f"CREATE TABLE {partition} (LIKE {parent} {like})"
    return f"ALTER TABLE {parent} ATTACH PARTITION {partition} FOR VALUES IN ('{month}')"


def has_table(connection: Connection, name: str) -> bool:
    """Whether there is such a table."""
    return bool(connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name}))


def _find(connection: Connection, parent: str, partition: str) -> Any:
    rows = connection.execute(_FIND, {"parent": parent})
    return next((row for row in rows if row.partition == partition), None)
