"""Inbound texts on their way in: stored before they are acknowledged, and a wish to stop heeded in the same
transaction.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from sms_service.audience import suppression
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.dispatch.accounts import id_of
from sms_service.gateways.base import Reply
from sms_service.replies.meaning import is_stop
from sms_service.replies.models import ReplyRow

STORE_REPLIES = Statement(__file__, "store_replies")
JOIN_PARTS = Statement(__file__, "join_parts")

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def store(database: Database, account: str, replies: Sequence[Reply]) -> int:
    """Store what came in at a gateway account, in one durable transaction; acknowledge only after this has returned.

    A phone whose text is a stop word is suppressed in that transaction: from its commit on no gate lets the phone pass.
    Returns how many were new. Raises NotFound for an account that the database does not know, and DBAPIError.
    """
    if not replies:
        return 0
    with database.session() as session:
        account_id = id_of(session, account)
        for phone in sorted({reply.phone for reply in replies}):  # in one order, so that two never wait for each other
            session.connection().exec_driver_sql(
                "SELECT pg_advisory_xact_lock(hashtextextended(%(phone)s, 0))", {"phone": f"reply {phone}"}
            )
        rows = [{"place": place, **_row(reply)} for place, reply in enumerate(replies)]
        stored = STORE_REPLIES(
            session.connection(), account_id=account_id, replies=json.dumps(rows, ensure_ascii=False)
        ).all()
        stops = {row["fingerprint"] for row, reply in zip(rows, replies, strict=True) if reply.stop}
        for row in sorted(stored, key=lambda row: (row.phone, row.id)):  # whoever suppresses many goes by phone
            whole = row if row.parts == 1 else _joined(session, account_id, row)
            if whole is not None and (row.fingerprint in stops or is_stop(whole.text)):
                _stop(session, whole.id, row.phone)
        # A repetition means what it says too: somebody may have been texted again meanwhile, on a person's word.
        known = {row.fingerprint for row in stored}
        for reply, said in sorted(zip(replies, rows, strict=True), key=lambda pair: pair[0].phone):
            again = said["fingerprint"] not in known and reply.parts == 1
            if again and (reply.stop or is_stop(reply.text)):
                suppression.suppress_by_itself(session, said["phone"], "opted_out", "reply")
        return len(stored)


def _row(reply: Reply) -> dict[str, Any]:
    said = json.dumps([reply.phone, reply.to, reply.text, reply.series, reply.part, reply.parts])
    return {
        "occurred_at": reply.occurred_at and reply.occurred_at.isoformat(),
        "provider_id": _mended(reply.provider_id),
        "phone": _mended(reply.phone),
        "sent_to": _mended(reply.to),
        "text": _mended(reply.text),
        "raw": _mended(reply.raw),
        "fingerprint": hashlib.sha256(said.encode()).hexdigest(),
        "part": reply.part,
        "parts": reply.parts,
        "series": _mended(reply.series),
    }


def _joined(session: Session, account_id: int, row: Any) -> Any:
    """The whole text that this part completes, or None."""
    joined = JOIN_PARTS(
        session.connection(), account_id=account_id, phone=row.phone, series=row.series, parts=row.parts
    ).all()
    return next((part for part in joined if part.is_whole), None)


def _stop(session: Session, reply_id: int, phone: str) -> None:
    session.execute(update(ReplyRow).where(ReplyRow.id == reply_id).values(meaning="stop"))
    suppression.suppress_by_itself(session, phone, "opted_out", "reply", reply=reply_id)


def _mended(text: str | None) -> str | None:
    """The text as PostgreSQL takes it: what handsets send may hold NUL, or half a pair where a long text was cut."""
    return text and _UNSTORABLE.sub("\ufffd", text)
