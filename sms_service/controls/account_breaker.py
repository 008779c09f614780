"""The circuit breaker of gateway accounts: an account on which most texts fail is paused, and tried again later."""

from __future__ import annotations

import logging

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from sms_service.db.locks import close_gate_of_gateway_account
from sms_service.db.statements import Statement
from sms_service.said import Said, to_json

TRIP_ACCOUNT = Statement(__file__, "trip_account")
PAUSE_ACCOUNT = Statement(__file__, "pause_account")
REOPEN_ACCOUNTS = Statement(__file__, "reopen_accounts")
FORGET_TALLIES = Statement(__file__, "forget_tallies")

# An account is judged by far fewer texts than a run is (dispatch/breaker.py). So if the gateway fails, its account is
# paused first, and opens again by itself; a run that is held has to be released by a person.
ACCOUNT_TEXTS, ACCOUNT_LEAST = 100, 20
BAD_SHARE = 0.5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 600.0

# A text is valid for three days at most, and a person may let it go again for three more.
KEPT_DAYS = 8
SLICE = 5000  # tallies that are deleted at once

log = logging.getLogger(__name__)


def trip_account(connection: Connection, gateway_account_id: int) -> None:
    """Pause the account if too many of its last texts went wrong."""
    account = TRIP_ACCOUNT(
        connection,
        gateway_account_id=gateway_account_id,
        texts=ACCOUNT_TEXTS,
        least=ACCOUNT_LEAST,
        bad_share=BAD_SHARE,
        first_s=FIRST_PAUSE_S,
        longest_s=LONGEST_PAUSE_S,
    ).one_or_none()
    if account is not None:
        log.warning("gateway account %s is paused: %s", account.name, account.reason)


def pause_account(connection: Connection, gateway_account_id: int, reason: Said) -> None:
    """Pause an open account until a person opens it."""
    close_gate_of_gateway_account(connection, gateway_account_id)
    paused = PAUSE_ACCOUNT(
        connection, gateway_account_id=gateway_account_id, reason=reason, message=Jsonb(to_json(reason))
    ).one_or_none()
    if paused is not None:
        log.error("gateway account %s is paused until a person opens it: %s", paused.name, reason)


def reopen_rested_accounts(connection: Connection) -> list[str]:
    """Open the accounts that the breaker paused and whose pause is over; returns their names."""
    return [row.name for row in REOPEN_ACCOUNTS(connection)]


def forget_old_tallies(connection: Connection) -> int:
    """Delete some of the tallies that are too old to be counted; returns how many."""
    return FORGET_TALLIES(connection, days=KEPT_DAYS, size=SLICE).rowcount
