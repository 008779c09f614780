"""The end of what went to accounts' own phones: after 30 days, or because a person whose values it has is erased."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from sms_service.errors import Conflict
from sms_service.ledger.single import empty_single_texts
from sms_service.own_texts.models import OwnPhone, OwnText
from sms_service.said import say

KEPT_DAYS = 30  # for which a text to oneself can be read
_AT_ONCE = 100


def forget_own_texts(session: Session) -> int:
    """Empty texts that went out more than 30 days ago and forget whose they were; returns how many."""
    old = OwnText.created_at < func.sms_now() - timedelta(days=KEPT_DAYS)
    due = select(OwnText).where(old).order_by(OwnText.created_at).limit(_AT_ONCE).with_for_update(skip_locked=True)
    found = session.scalars(due).all()
    _empty(session, found)
    session.execute(delete(OwnText).where(OwnText.run_id.in_([one.run_id for one in found])))
    return len(found)


def erase_own_texts_of(session: Session, person_id: int) -> None:
    """A person is erased: test texts with their values are emptied, and it is no account's own phone any more.

    Raises Conflict while such a text is being handed over.
    """
    samples = session.scalars(select(OwnText).where(OwnText.sample_id == person_id)).all()
    if moving := _empty(session, samples):
        said = "{count} test texts with values of person {person_id} are being handed over; try again in a minute"
        raise Conflict(say(said, count=moving, person_id=person_id))
    session.execute(update(OwnText).where(OwnText.sample_id == person_id).values(sample_id=None))
    session.execute(delete(OwnPhone).where(OwnPhone.person_id == person_id))
    session.expire_all()


def _empty(session: Session, texts: Iterable[OwnText]) -> int:
    by_month: defaultdict[date, list[int]] = defaultdict(list)
    for one in texts:
        by_month[one.month].append(one.run_id)
    return sum(empty_single_texts(session.connection(), month, runs) for month, runs in sorted(by_month.items()))
