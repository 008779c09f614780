"""Waiting for another session of the test's own to wait."""

from __future__ import annotations

from collections.abc import Callable

from sms_service.db.engine import Database

# Of this database alone: other tests have theirs on the same server.
_BLOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
"""


def wait_until_blocked(database: Database, sessions: int = 1, *, unless: Callable[[], bool] = lambda: False) -> bool:
    """Return True once so many sessions of the database wait for a lock, or False once `unless` holds."""
    # Each look in a transaction of its own: within one PostgreSQL shows what it showed first.
    with database.at_once() as watcher:
        while watcher.exec_driver_sql(_BLOCKED).scalar_one() < sessions:
            if unless():
                return False
    return True
