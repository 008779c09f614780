"""How many parts of a message were taken: those of its attempts that a gateway accepted, whatever came of them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, case, func, select

from sms_service.ledger.models import Attempt, Message
from sms_service.ledger.states import AttemptStatus, MessageStatus

TAKEN = (AttemptStatus.accepted, AttemptStatus.no_receipt, AttemptStatus.undelivered, AttemptStatus.delivered)
# With these a message that was handed over once was not taken, as far as is known.
NOT_TAKEN = (MessageStatus.submitting, MessageStatus.unknown, MessageStatus.refused)


def parts_taken() -> ColumnElement[int]:
    """SQL for the parts of a message's accepted attempts, 0 if there are none.

    Most messages have one attempt, whose status goes with the message's and whose parts are the message's: then no
    attempt is looked up (tests/ledger/test_state_machine.py holds that this is the same).
    """
    taken = (
        select(func.sum(Attempt.parts))
        .where(Attempt.month == Message.month, Attempt.message_id == Message.id, Attempt.status.in_(TAKEN))
        .correlate(Message)
        .scalar_subquery()
    )
    once = Message.attempts == 1
    return case(
        (Message.attempts == 0, 0),
        (once & Message.status.in_(TAKEN) & Message.parts.is_not(None), Message.parts),
        (once & Message.status.in_(NOT_TAKEN), 0),
        else_=func.coalesce(taken, 0),
    )
