"""What the clock repairs: leases and validity that ended, texts that stayed without a receipt, runs that are done.

Each is one statement a month, safe to run anywhere any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection

from sms_service.db.statements import Statement
from sms_service.ledger.quotas import mark_ended

OPEN_MONTHS = Statement(__file__, "open_months")
SWEEP_CLAIMED = Statement(__file__, "sweep_claimed")
SWEEP_SUBMITTING = Statement(__file__, "sweep_submitting")
SWEEP_EXPIRED = Statement(__file__, "sweep_expired")
SWEEP_CANCELLED = Statement(__file__, "sweep_cancelled")
SWEEP_NO_RECEIPT = Statement(__file__, "sweep_no_receipt")
FINISH_RUNS = Statement(__file__, "finish_runs")
REOPEN_RUNS = Statement(__file__, "reopen_runs")
PUT_OFF_ENDED = Statement(__file__, "put_off_ended")

SLICE = 5000


def open_months(connection: Connection) -> list[date]:
    """The months of the ledger in which something may wait or be awaited, oldest first."""
    return [row.month for row in OPEN_MONTHS(connection)]


def release_claimed(connection: Connection) -> int:
    """Rows whose worker died before the gate wait again; returns how many."""
    return _each_month(connection, SWEEP_CLAIMED)


def give_up_submitting(connection: Connection) -> dict[tuple[int, int], int]:
    """Rows whose worker died after the gate become `unknown`; returns how many, by gateway account and run."""
    return {
        (row.gateway_account_id, row.run_id): row.texts
        for month in open_months(connection)
        for row in SWEEP_SUBMITTING(connection, month=month)
    }


def expire_rows(connection: Connection) -> int:
    """Rows past their validity become `expired`; returns how many."""
    return _each_month(connection, SWEEP_EXPIRED)


def cancel_slice(connection: Connection) -> int:
    """The next slice (of each month) of the cancelled runs' pending rows becomes `cancelled`; returns how many, 0 when
    none is left.
    """
    return _each_month(connection, SWEEP_CANCELLED, size=SLICE)


def mark_silent(connection: Connection, reporting_accounts: Sequence[int], hours: int) -> int:
    """The next slice (of each month) of the rows that an account which sends receipts accepted `hours` ago, and that
    were silent since, becomes `no_receipt`; returns how many.
    """
    accounts = list(reporting_accounts)
    return _each_month(connection, SWEEP_NO_RECEIPT, reporting_accounts=accounts, hours=hours, size=SLICE)


def finish_runs(connection: Connection) -> dict[int, str]:
    """Finish and close the runs that are done; returns the run ids and their new status."""
    ended: dict[int, str] = {}
    for month in open_months(connection):
        done = {row.id: row.status for row in FINISH_RUNS(connection, month=month)}
        if done:
            for row in REOPEN_RUNS(connection, month=month, ids=list(done)):
                del done[row.id]
        ended |= done
    mark_ended(connection, ended)
    return ended


def put_off_ended(connection: Connection, reporting_accounts: Sequence[int], hours: int) -> int:
    """Settle when the runs that ended, and that were just looked at, are looked at again; returns how many it settled.
    Comes after all that looks at them. Arguments as for `mark_silent`.
    """
    accounts = list(reporting_accounts)
    return _each_month(connection, PUT_OFF_ENDED, reporting_accounts=accounts, hours=hours, size=SLICE)


def _each_month(connection: Connection, sweep: Statement, **parameters: Any) -> int:
    return sum(sweep(connection, month=month, **parameters).rowcount for month in open_months(connection))
