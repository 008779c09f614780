"""Two real sessions in an order that the test decides: one is not committed yet, the other waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Queue
from typing import TypeVar

from sqlalchemy import Connection, text

from sms_service.db.engine import Database

T = TypeVar("T")


@contextmanager
def while_open(database: Database, first: Callable[[Connection], object]) -> Iterator[Connection]:
    """`first` is done and not committed; the commit comes at the end."""
    with database.transaction() as connection:
        first(connection)
        yield connection


def waiting(database: Database, act: Callable[[Connection], T], pool: ThreadPoolExecutor) -> Future[T]:
    """Begin `act` in a session of its own; returns once PostgreSQL says that it waits for another session."""
    process = Queue[int]()

    def run() -> T:
        with database.transaction() as connection:
            process.put(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
            return act(connection)

    future = pool.submit(run)
    pid = process.get(timeout=30)
    with database.at_once() as watcher:
        blockers = text("SELECT cardinality(pg_blocking_pids(:pid))")
        while not watcher.execute(blockers, {"pid": pid}).scalar_one():
            assert not future.done(), "it did not wait"
    return future
