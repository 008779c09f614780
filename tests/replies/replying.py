"""People who answer, for tests of what becomes of replies."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.gateways.base import Reply
from sms_service.replies import matching
from sms_service.replies.models import ReplyRow
from sms_service.replies.storing import store_replies

ACCOUNT = "main"  # at which they come in


def write_in(database: Database, phone: str, *texts: str) -> list[int]:
    """The phone sends these texts; returns the ids of the replies, which are matched."""
    with database.session() as session:
        last = max(session.scalars(select(ReplyRow.id)).all(), default=0)
    store_replies(database, ACCOUNT, [Reply(phone, text, "{}") for text in texts])
    while matching.match_waiting(database):
        pass
    with database.session() as session:
        return list(session.scalars(select(ReplyRow.id).where(ReplyRow.id > last).order_by(ReplyRow.id)))


def find_reply(session: Session, reply_id: int) -> ReplyRow:
    """The reply's row."""
    return session.scalars(select(ReplyRow).where(ReplyRow.id == reply_id)).one()
