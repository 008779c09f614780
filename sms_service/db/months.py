"""The month in which something comes in, where the clock has not made it: after a long stop, what comes first is here
before the clock is.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database


def with_month(database: Database, write: Callable[[], object]) -> None:
    """`write`, which is transactions of its own; if this month's partition is not there, make it and write again.

    Raises sqlalchemy.exc.DBAPIError.
    """
    try:
        write()
    except DBAPIError as error:
        if not _lacks_month(error):
            raise
        with database.transaction() as connection:
            connection.exec_driver_sql("SELECT ensure_month((date_trunc('month', sms_now() AT TIME ZONE 'UTC'))::date)")
        write()


def _lacks_month(error: DBAPIError) -> bool:
    """Whether no partition takes the row. PostgreSQL says it as of a constraint, but names none."""
    return isinstance(error.orig, psycopg.errors.CheckViolation) and error.orig.diag.constraint_name is None
