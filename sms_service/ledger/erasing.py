"""A person is erased: their phone, texts and values leave the ledger. Rows, statuses and parts stay, so that no count
changes; `person_id` then is a number that names nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, true
from sqlalchemy.sql.selectable import LateralFromClause

from sms_service.controls.models import CapUse
from sms_service.db.statements import Statement
from sms_service.ledger.models import Attempt, Message, PhoneReport, ReceiptRow, Run
from sms_service.ledger.receipts import LOCK_ATTEMPTS
from sms_service.ledger.states import MessageStatus
from sms_service.vocabulary import MessageReason

CANCEL_PERSON = Statement(__file__, "cancel_person")
ERASE_MESSAGES = Statement(__file__, "erase_messages")
ERASE_ATTEMPTS = Statement(__file__, "erase_attempts")
ERASE_RECEIPTS = Statement(__file__, "erase_receipts")

# So long after the hand-over a receipt may need the phone to find its text.
AWAITED = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class PersonRows:
    """A person's rows: `ids` of messages by month, their attempts' ids, and the phones that they went to.

    `waiting`: how many wait to be sent. `awaited`: how many are on their way or may be reported on until
    `awaited_until` (None: they are being handed over at this moment).
    """

    ids: dict[date, list[int]] = field(default_factory=dict)
    attempt_ids: dict[date, list[int]] = field(default_factory=dict)
    phones: set[str] = field(default_factory=set)
    waiting: int = 0
    awaited: int = 0
    awaited_until: datetime | None = None

    @property
    def texts(self) -> int:
        """How many messages."""
        return sum(map(len, self.ids.values()))


def find_person_rows(connection: Connection, person_id: int) -> PersonRows:
    """The rows of the person, of all runs that there ever were: one look-up for each run, since no index has people."""
    rows = connection.execute(_rows_of(person_id)).all()
    attempts = connection.execute(_attempts_of(person_id)).all()
    ids, attempt_ids = defaultdict[date, list[int]](list), defaultdict[date, list[int]](list)
    for row in rows:
        ids[row.month].append(row.id)
    for attempt in attempts:
        attempt_ids[attempt.month].append(attempt.id)
    phones = {row.phone for row in (*rows, *attempts) if row.phone}
    return PersonRows(dict(ids), dict(attempt_ids), phones, *_still_open(connection, rows))


def erase_person_rows(connection: Connection, person_id: int) -> PersonRows:
    """Cancel the person's texts that wait, and empty what is personal in all their rows and attempts. If any is
    `awaited`, nothing is emptied: the caller takes back what was cancelled.
    """
    found = find_person_rows(connection, person_id)
    for month, ids in sorted(found.attempt_ids.items()):  # before their messages, as whoever writes both
        LOCK_ATTEMPTS(connection, month=month, ids=ids)
    for month, ids in sorted(found.ids.items()):
        CANCEL_PERSON(connection, month=month, ids=ids)
    now = find_person_rows(connection, person_id)
    if now.awaited:
        return now
    for month, ids in sorted(now.ids.items()):
        ERASE_ATTEMPTS(connection, month=month, ids=ids)
        ERASE_MESSAGES(connection, month=month, ids=ids)
    return PersonRows(now.ids, now.attempt_ids, found.phones | now.phones, waiting=found.waiting)


def erase_phone_traces(connection: Connection, rows: PersonRows, phones: Collection[str]) -> None:
    """Empty receipts of the person's attempts, and forget what is known of phones that nobody else has."""
    named = sorted(phones)
    attempt_ids = [id_ for ids in rows.attempt_ids.values() for id_ in ids]
    for in_month in connection.scalars(select(ReceiptRow.in_month).distinct().order_by(ReceiptRow.in_month)).all():
        ERASE_RECEIPTS(connection, in_month=in_month, attempt_ids=attempt_ids, phones=named)
    connection.execute(delete(PhoneReport).where(PhoneReport.phone.in_(named)))
    connection.execute(delete(CapUse).where(CapUse.phone.in_(named)))


def find_blacklisted(connection: Connection, phones: Collection[str]) -> set[str]:
    """Those of these phones that a provider has on its stop list."""
    reports = select(PhoneReport.phone).where(
        PhoneReport.phone.in_(phones), PhoneReport.kind == MessageReason.blacklisted
    )
    return set(connection.scalars(reports))


def _still_open(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[int, int, datetime | None]:
    now: datetime = connection.scalars(select(func.sms_now())).one()
    waiting = sum(row.status == MessageStatus.pending for row in rows)
    leaving = sum(row.status in (MessageStatus.claimed, MessageStatus.submitting) for row in rows)
    ends = [row.changed_at + AWAITED for row in rows if row.status == MessageStatus.accepted]
    reported = [end for end in ends if end > now]
    return waiting, leaving + len(reported), max(reported, default=None)


def join_own_messages(person_id: int) -> LateralFromClause:
    """The person's messages of each run, to be joined to a query of runs: one look-up for each, since no index has
    people.
    """
    statement = select(Message).where(
        Message.month == Run.month, Message.run_id == Run.id, Message.person_id == person_id
    )
    return statement.lateral("own")


def _rows_of(person_id: int) -> Select[*tuple[Any, ...]]:
    own = join_own_messages(person_id)
    rows: Select[*tuple[Any, ...]] = (
        select(Run.month, own.c.id, own.c.status, own.c.phone, own.c.changed_at).join(own, true()).order_by(own.c.id)
    )
    return rows


def _attempts_of(person_id: int) -> Select[*tuple[Any, ...]]:
    own = join_own_messages(person_id)
    attempts: Select[*tuple[Any, ...]] = (
        select(Attempt.month, Attempt.id, Attempt.phone)
        .select_from(Run)
        .join(own, true())
        .join(Attempt, (Attempt.month == Run.month) & (Attempt.message_id == own.c.id))
        .order_by(Attempt.id)
    )
    return attempts
