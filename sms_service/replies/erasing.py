"""A person is erased: what they wrote to us is emptied. The rows stay, so that replies are counted as before."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select, update

from sms_service.db.statements import Statement
from sms_service.replies.answer_models import AnswerUse
from sms_service.replies.models import AnswerRow, ReadingRow, ReplyRow

ERASE_REPLIES = Statement(__file__, "erase_replies")


def erase_replies(connection: Connection, person_id: int, message_ids: Collection[int], phones: Collection[str]) -> int:
    """Empty the person's replies, those to these messages of theirs, and those from these phones that were nobody's;
    returns how many. What somebody wrote beside their answers and readings is emptied, too, and how often such a phone
    was answered is forgotten. What they answered stays: it is counted.
    """
    connection.execute(delete(AnswerUse).where(AnswerUse.phone.in_(phones)))
    months = connection.scalars(select(ReplyRow.in_month).distinct().order_by(ReplyRow.in_month)).all()
    named = {"person_id": person_id, "message_ids": sorted(message_ids), "phones": sorted(phones)}
    erased = [row.id for month in months for row in ERASE_REPLIES(connection, in_month=month, **named)]
    connection.execute(update(AnswerRow).where(AnswerRow.person_id == person_id).values(note=None))
    connection.execute(update(ReadingRow).where(ReadingRow.reply_id.in_(erased)).values(why=None))
    return len(erased)
