"""Connections: one pool per process, every session as the role `sms_app`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from sms_service.keepalive import LIBPQ_PARAMETERS, POSTGRES_SETTINGS

APP_ROLE = "sms_app"
OWNER_ROLE = "sms_owner"
_BY_KEY = " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
# If a process or its machine is stopped in the middle of a transaction, it keeps no locks for longer than its lease.
_IDLE_S = 60


class Database:
    """The process's connections to PostgreSQL.

    `url` is a libpq URL (`postgresql://…`; Unix sockets as `postgresql:///name?host=/dir`). Whatever the login, the
    session works as `sms_app`, which may not alter the schema, the trail or a template's version.
    `pool_size` is the number of connections kept; as many again may be opened for a moment. `by_key`: all statements on
    these connections look rows up by key, and the planner is forced to; otherwise it would read a whole month that has
    no statistics yet (docs/performance.md). `patience_s`: a session waits no longer than this for a lock, and is ended
    if it does nothing for so long in a transaction; by default it waits for ever, and may be idle for 60 s.
    `statement_timeout_s`: a statement that takes longer is ended; by default there is no limit.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        application_name: str = "sms_service",
        by_key: bool = False,
        patience_s: int | None = None,
        statement_timeout_s: int = 0,
    ) -> None:
        self.url = url
        options = (
            f"-c idle_in_transaction_session_timeout={patience_s or _IDLE_S}s"
            f" -c statement_timeout={statement_timeout_s}s"
            # No JIT: compiling costs more than running these statements. Tables are those of `public`, whatever the
            # login says of itself (`ALTER ROLE … SET search_path`).
            f" -c jit=off -c search_path=public {_own_options(url)}"
            f" -c role={APP_ROLE} -c timezone=UTC{_BY_KEY if by_key else ''}"
            f"{'' if patience_s is None else f' -c lock_timeout={patience_s}s'}"
        )
        self.engine: Engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            hide_parameters=True,  # they contain phones and texts, and errors are logged
            connect_args=connection_parameters(url, options) | {"application_name": application_name},
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._require: Callable[[Connection], None] | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back by an exception."""
        with self._sessions.begin() as session:
            if self._require is not None:
                self._require(session.connection())
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The same for hand-written SQL: a Core connection in one transaction."""
        with self.engine.begin() as connection:
            if self._require is not None:
                self._require(connection)
            yield connection

    @contextmanager
    def one_snapshot(self) -> Iterator[Connection]:
        """The same, all of whose statements see the data of one moment, that of the first of them."""
        with (
            self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
            connection.begin(),
        ):
            if self._require is not None:
                self._require(connection)
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """A connection on which each statement is its own transaction, so that no transaction stays open between two
        statements even if the process is stopped there.
        """
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def guarded(self, require: Callable[[Connection], None]) -> Database:
        """The same connections for a process that may lose a right: each transaction begins with `require`, which
        raises an error if the right is lost.
        """
        guarded = copy(self)
        guarded._require = require
        return guarded

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def plan_anew(session: Session) -> None:
    """Have PostgreSQL plan each further statement of the session's transaction for the values that it is given.

    By itself it plans a statement that is repeated once for all values (PostgreSQL, `plan_cache_mode`), and knows then
    neither how many days an array names nor how many rows are a unit's. For what reads much and is asked seldom.
    """
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))


def first_line(error: DBAPIError) -> str:
    """PostgreSQL's message for the log, without the statement, its parameters and the details, which quote rows."""
    lines = str(error.orig).splitlines()
    return lines[0] if lines else type(error.orig).__name__


def connection_parameters(url: str, options: str | None = None) -> dict[str, Any]:
    """The parameters of every connection to PostgreSQL beside `url`, with which both ends notice a peer that vanished.
    What the URL itself says takes precedence. `options`: the session's options, by default the URL's.
    """
    own = make_url(url).query
    settings = "".join(f"-c {name}={value} " for name, value in POSTGRES_SETTINGS.items())
    ours = {"connect_timeout": 10, **LIBPQ_PARAMETERS}
    return {name: value for name, value in ours.items() if name not in own} | {
        "options": settings + (_own_options(url) if options is None else options)
    }


def _own_options(url: str) -> str:
    return str(make_url(url).query.get("options", ""))


def sqlalchemy_url(url: str) -> str:
    """The same URL with psycopg 3 named as its driver."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
