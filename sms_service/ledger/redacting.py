"""Old rows of the ledger are redacted: phone, text and values are emptied. Rows, statuses, parts and carriers stay, so
that no count changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import Connection, Row, select

from sms_service.db.statements import Statement
from sms_service.ledger.erasing import ERASE_ATTEMPTS
from sms_service.ledger.models import Attempt
from sms_service.ledger.receipts import LOCK_ATTEMPTS

FIND_REDACTABLE = Statement(__file__, "find_redactable")
REDACT_MESSAGES = Statement(__file__, "redact_messages")
REDACT_RECEIPTS = Statement(__file__, "redact_receipts")
EMPTY_RAW_RECEIPTS = Statement(__file__, "empty_raw_receipts")

# Receipts come in the month of the hand-over or the next, by UTC. One that comes later is emptied as a raw record.
_MONTHS = range(-1, 3)


def find_redactable(
    connection: Connection, month: date, run_ids: Collection[int], days: int, after: Sequence[int], size: int
) -> Sequence[Row[Any]]:
    """The next `size` rows of these runs behind the key `after` (run, person, unit), whatever their unit."""
    run_id, person_id, unit_id = after
    return FIND_REDACTABLE(
        connection,
        month=month,
        run_ids=sorted(run_ids),
        days=days,
        run_id=run_id,
        person_id=person_id,
        unit_id=unit_id,
        size=size,
    ).all()


def redact_messages(connection: Connection, month: date, ids: Collection[int]) -> list[int]:
    """Empty these messages, with their attempts and receipts, except those that have moved meanwhile; returns the ids
    of those that are empty now.
    """
    own = select(Attempt.id).where(Attempt.month == month, Attempt.message_id.in_(ids))
    attempt_ids = sorted(connection.scalars(own).all())
    LOCK_ATTEMPTS(connection, month=month, ids=attempt_ids)  # before their messages, as whoever writes both
    redacted = [row.id for row in REDACT_MESSAGES(connection, month=month, ids=sorted(ids))]
    ERASE_ATTEMPTS(connection, month=month, ids=redacted)
    kept = set(ids) - set(redacted)
    if kept:
        own = select(Attempt.id).where(Attempt.month == month, Attempt.message_id.in_(redacted))
        attempt_ids = sorted(connection.scalars(own).all())
    for months in _MONTHS:
        in_month = month + relativedelta(months=months)
        REDACT_RECEIPTS(connection, in_month=in_month, attempt_ids=attempt_ids)
    return redacted


def empty_raw_receipts(connection: Connection, in_month: date, ids: Collection[int]) -> int:
    """Empty these receipts of one month; returns how many had something in them."""
    return EMPTY_RAW_RECEIPTS(connection, in_month=in_month, ids=sorted(ids)).rowcount
