"""The circuit breaker of runs, and the canary: both stop a run that goes wrong before many texts have left."""

from __future__ import annotations

import logging
from datetime import date

from sqlalchemy import Connection

from sms_service.ledger import runs
from sms_service.ledger.states import RunStatus

# Many more texts than those by which an account is judged (controls/account_breaker.py).
RUN_TEXTS, RUN_LEAST = 1000, 500
BAD_SHARE = 0.5

CANARY_BAD_SHARE = 0.2
CANARY_RECEIPTS_MIN = 10  # minutes for which a canary's receipts are waited for, if the campaign asks
CANARY_DEADLINE_MIN = 30  # minutes from its first hand-over until a canary ends, whatever its texts have come to
# Seconds for which a canary's text may wait to go again at once, as half of its group, before another takes its place.
CANARY_MOMENT_S = 60.0

log = logging.getLogger(__name__)


def check_run_breaker(connection: Connection, run_id: int) -> None:
    """Hold the run if too many of its last texts went wrong."""
    why = runs.trip_run(connection, run_id, texts=RUN_TEXTS, least=RUN_LEAST, bad_share=BAD_SHARE)
    if why is not None:
        log.warning("run %s is held: %s", run_id, why)


def check_canaries(connection: Connection) -> None:
    """Let a run go on if its first texts went well, else hold it. A text that cannot leave does not count as a first
    text.
    """
    on_trial = "SELECT id, month FROM runs WHERE status = 'running' AND canary IS NOT NULL ORDER BY id"
    for run in connection.exec_driver_sql(on_trial).all():
        check_canary(connection, run.id, run.month)


def check_canary(connection: Connection, run_id: int, month: date) -> None:
    """The same for one run, if it has a canary."""
    runs.refill_canary(connection, run_id, month, CANARY_MOMENT_S)
    judged = runs.judge_canary(
        connection,
        run_id,
        month,
        moment_s=CANARY_MOMENT_S,
        bad_share=CANARY_BAD_SHARE,
        receipts_min=CANARY_RECEIPTS_MIN,
        deadline_min=CANARY_DEADLINE_MIN,
    )
    if judged is not None:
        level = logging.WARNING if judged.status == RunStatus.held else logging.INFO
        log.log(level, "canary of run %s: %s", run_id, judged.reason or judged.status)
