"""Old replies are redacted: what was written, and from where, is emptied. What they meant stays: it is counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, cast, func, or_, select, update
from sqlalchemy.orm import aliased

from sms_service.db.statements import Statement
from sms_service.directory.models import Unit
from sms_service.replies.models import AnswerRow, ReadingRow, ReplyRow

REDACT_REPLIES = Statement(__file__, "redact_replies")


def find_redactable_replies(
    connection: Connection, in_month: date, since: datetime, until: datetime, days: int
) -> Sequence[Row[Any]]:
    """The replies of a month that came in this time, belong to units whose rows are emptied after so many days (0:
    those that say nothing of their own, and nobody's), and hold something personal.

    A part of a long one belongs where the whole does.
    """
    whole = aliased(ReplyRow)
    path = func.coalesce(ReplyRow.unit_path, whole.unit_path)
    unit_id = cast(func.split_part(func.rtrim(path, "/"), "/", -1), BigInteger)
    holds = or_(*(column.is_not(None) for column in (ReplyRow.phone, ReplyRow.sender, ReplyRow.text, ReplyRow.raw)))
    return connection.execute(
        select(ReplyRow.id)
        .outerjoin(whole, (whole.in_month == in_month) & (whole.id == ReplyRow.joined_to))
        .outerjoin(Unit, Unit.id == unit_id)
        .where(ReplyRow.in_month == in_month, ReplyRow.received_at >= since, ReplyRow.received_at < until, holds)
        .where(func.coalesce(Unit.redact_after_days, 0) == days)
        .order_by(ReplyRow.id)
    ).all()


def redact_replies(connection: Connection, in_month: date, ids: Collection[int]) -> list[int]:
    """Empty these replies of one month, except those that somebody still has to read; returns the ids of the others.
    Why they were read in another way than before is emptied too.
    """
    named = REDACT_REPLIES(connection, in_month=in_month, ids=sorted(ids), raw_only=False)
    redacted = [row.id for row in named]
    connection.execute(update(ReadingRow).where(ReadingRow.reply_id.in_(redacted)).values(why=None))
    return redacted


def redact_notes(connection: Connection, month: date, message_ids: Collection[int], people: Collection[int]) -> None:
    """Empty what was noted beside answers to these messages, which are these people's."""
    own = AnswerRow.person_id.in_(people), AnswerRow.month == month, AnswerRow.message_id.in_(message_ids)
    connection.execute(update(AnswerRow).where(*own, AnswerRow.note.is_not(None)).values(note=None))


def empty_raw_replies(connection: Connection, in_month: date, ids: Collection[int]) -> int:
    """Empty the records of these replies of one month as they came; what was said stays. Returns how many."""
    return len(REDACT_REPLIES(connection, in_month=in_month, ids=sorted(ids), raw_only=True).all())
