"""What the clock puts right: leases that ended, validity that ended, silence that lasted, runs that are done.

Each is one statement, safe to run anywhere any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sms_service.db.statements import Statement

SWEEP_CLAIMED = Statement(__file__, "sweep_claimed")
SWEEP_SUBMITTING = Statement(__file__, "sweep_submitting")
SWEEP_EXPIRED = Statement(__file__, "sweep_expired")
SWEEP_CANCELLED = Statement(__file__, "sweep_cancelled")
SWEEP_NO_RECEIPT = Statement(__file__, "sweep_no_receipt")
FINISH_RUNS = Statement(__file__, "finish_runs")
REOPEN_RUNS = Statement(__file__, "reopen_runs")

SLICE = 5000


def release_claimed(connection: Connection) -> int:
    """Rows whose worker died before the gate wait again; returns how many."""
    return SWEEP_CLAIMED(connection).rowcount


def give_up_submitting(connection: Connection) -> dict[tuple[int, int], int]:
    """Rows whose worker died after the gate become `unknown`; returns how many, by gateway account and run."""
    return {(row.account_id, row.run_id): row.texts for row in SWEEP_SUBMITTING(connection)}


def expire(connection: Connection) -> int:
    """Rows past their validity become `expired`; returns how many."""
    return SWEEP_EXPIRED(connection).rowcount


def cancel_slice(connection: Connection) -> int:
    """The next slice of the cancelled runs' pending rows becomes `cancelled`; returns how many, 0 when none is left."""
    return SWEEP_CANCELLED(connection, size=SLICE).rowcount


def mark_silent(connection: Connection, reporting_accounts: Sequence[int], hours: int) -> int:
    """The next slice of the rows that an account which sends receipts accepted `hours` ago, and that were silent since,
    becomes `no_receipt`; returns how many.
    """
    return SWEEP_NO_RECEIPT(connection, reporting_accounts=list(reporting_accounts), hours=hours, size=SLICE).rowcount


def finish_runs(connection: Connection) -> dict[int, str]:
    """Finish and close the runs that are done; returns the run ids and their new status."""
    ended = {row.id: row.status for row in FINISH_RUNS(connection)}
    if ended:
        for row in REOPEN_RUNS(connection, ids=list(ended)):
            del ended[row.id]
    return ended
