"""The circuit breaker of accounts and runs, and the canary: what stops sending that goes wrong before it is much."""

from __future__ import annotations

import logging
from datetime import date

from sqlalchemy import Connection

from sms_service.db.locks import close_gate_of_gateway_account
from sms_service.db.statements import Statement

TRIP_ACCOUNT = Statement(__file__, "trip_account")
TRIP_RUN = Statement(__file__, "trip_run")
PAUSE_ACCOUNT = Statement(__file__, "pause_account")
REOPEN_ACCOUNTS = Statement(__file__, "reopen_accounts")
REFILL_CANARY = Statement(__file__, "refill_canary")
JUDGE_CANARY = Statement(__file__, "judge_canary")
FORGET_TALLIES = Statement(__file__, "forget_tallies")

# An account is judged by its last 100 texts, a run by its last 1,000: a fault of the gateway pauses the account, which
# opens by itself, before it holds a run, which a person has to release.
ACCOUNT_TEXTS, ACCOUNT_LEAST = 100, 20
RUN_TEXTS, RUN_LEAST = 1000, 500
BAD_SHARE = 0.5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 600.0

# A text lives three days at most, and a person may give it three more.
KEPT_DAYS = 8
SLICE = 5000  # tallies that are deleted at once

CANARY_BAD_SHARE = 0.2
CANARY_RECEIPTS_MIN = 10  # minutes for which a canary's receipts are waited for, if the campaign asks
CANARY_DEADLINE_MIN = 30  # minutes from its first hand-over until a canary ends, whatever its texts have come to
# Seconds for which a canary's text may wait to go again at once, as half of its group, before another takes its place.
CANARY_MOMENT_S = 60.0

log = logging.getLogger(__name__)


def trip_account(connection: Connection, account_id: int) -> None:
    """Pause the account if too many of its last texts went wrong."""
    account = TRIP_ACCOUNT(
        connection,
        account_id=account_id,
        texts=ACCOUNT_TEXTS,
        least=ACCOUNT_LEAST,
        bad_share=BAD_SHARE,
        first_s=FIRST_PAUSE_S,
        longest_s=LONGEST_PAUSE_S,
    ).one_or_none()
    if account is not None:
        log.warning("gateway account %s is paused: %s", account.name, account.reason)


def trip_run(connection: Connection, run_id: int) -> None:
    """Hold the run if too many of its last texts went wrong."""
    run = TRIP_RUN(connection, run_id=run_id, texts=RUN_TEXTS, least=RUN_LEAST, bad_share=BAD_SHARE).one_or_none()
    if run is not None:
        log.warning("run %s is held: %s", run_id, run.reason)


def pause_account(connection: Connection, account_id: int, reason: str) -> None:
    """Pause an open account until a person opens it."""
    close_gate_of_gateway_account(connection, account_id)
    paused = PAUSE_ACCOUNT(connection, account_id=account_id, reason=reason).one_or_none()
    if paused is not None:
        log.error("gateway account %s is paused until a person opens it: %s", paused.name, reason)


def reopen(connection: Connection) -> list[str]:
    """Open what the breaker paused and whose time has come; returns the accounts' names."""
    return [row.name for row in REOPEN_ACCOUNTS(connection)]


def forget_old(connection: Connection) -> int:
    """Delete some of the tallies that are too old to be counted; returns how many."""
    return FORGET_TALLIES(connection, days=KEPT_DAYS, size=SLICE).rowcount


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
