"""The circuit breaker of runs, and the canary: what stops a run that goes wrong before it is much."""

from __future__ import annotations

import logging
from datetime import date

from sqlalchemy import Connection

from sms_service.db.statements import Statement

TRIP_RUN = Statement(__file__, "trip_run")
REFILL_CANARY = Statement(__file__, "refill_canary")
JUDGE_CANARY = Statement(__file__, "judge_canary")

# Many more texts than those by which an account is judged (controls/account_breaker.py).
RUN_TEXTS, RUN_LEAST = 1000, 500
BAD_SHARE = 0.5

CANARY_BAD_SHARE = 0.2
CANARY_RECEIPTS_MIN = 10  # minutes for which a canary's receipts are waited for, if the campaign asks
CANARY_DEADLINE_MIN = 30  # minutes from its first hand-over until a canary ends, whatever its texts have come to
# Seconds for which a canary's text may wait to go again at once, as half of its group, before another takes its place.
CANARY_MOMENT_S = 60.0

log = logging.getLogger(__name__)


def trip_run(connection: Connection, run_id: int) -> None:
    """Hold the run if too many of its last texts went wrong."""
    run = TRIP_RUN(connection, run_id=run_id, texts=RUN_TEXTS, least=RUN_LEAST, bad_share=BAD_SHARE).one_or_none()
    if run is not None:
        log.warning("run %s is held: %s", run_id, run.reason)


def judge_canaries(connection: Connection) -> None:
    """Let runs go on whose first texts went well, and hold those whose did not; what cannot leave is no first text."""
    runs = "SELECT id, month FROM runs WHERE status = 'running' AND canary IS NOT NULL ORDER BY id"
    for run in connection.exec_driver_sql(runs).all():
        judge_canary(connection, run.id, run.month)


def judge_canary(connection: Connection, run_id: int, month: date) -> None:
    """The same for one run, if it has a canary."""
    its = {"run_id": run_id, "month": month, "moment_s": CANARY_MOMENT_S}
    REFILL_CANARY(connection, **its)
    verdict = JUDGE_CANARY(
        connection,
        **its,
        bad_share=CANARY_BAD_SHARE,
        receipts_min=CANARY_RECEIPTS_MIN,
        deadline_min=CANARY_DEADLINE_MIN,
    ).one_or_none()
    if verdict is not None:
        level = logging.WARNING if verdict.status == "held" else logging.INFO
        log.log(level, "canary of run %s: %s", run_id, verdict.reason or verdict.status)
