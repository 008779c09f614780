"""Makes the partition of the present month if the clock has not made it: after a long stop, the first data may come in
before the clock runs.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database


def with_month(database: Database, write: Callable[[], object]) -> None:
    """Call `write`, which has its own transactions. If this month's partition is missing, make it and write again.

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
    """Whether no partition takes the row. PostgreSQL reports this like a constraint, but without a constraint's
    name.
    """
    return isinstance(error.orig, psycopg.errors.CheckViolation) and error.orig.diag.constraint_name is None
