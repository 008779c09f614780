"""A run of one text to one phone, which belongs to no campaign: what somebody tries on themself, what the service tells
an account, and what answers a reply.

Nothing is to be found or rendered, so the run is born running, with its row and its text. From then on it goes the way
of every text: claimed, through the gate, handed over, and its outcome and receipts are those of any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from sms_service.db.locks import LockKey, share_lock
from sms_service.db.statements import Statement
from sms_service.directory.models import Unit
from sms_service.ledger.models import Message
from sms_service.ledger.states import MessageStatus

CANCEL_SINGLE_TEXTS = Statement(__file__, "cancel_single_texts")
EMPTY_SINGLE_TEXTS = Statement(__file__, "empty_single_texts")
WRITE_SINGLE_TEXTS = Statement(__file__, "write_single_texts")

_MOVING = (MessageStatus.pending, MessageStatus.claimed, MessageStatus.submitting)


@dataclass(frozen=True, slots=True)
class SingleText:
    """A text to one phone. `kind` and `class_` are those of the run; `parts` is how many SMS the text takes.

    `template_version_id`, with the campaign's `values` and the recipient's `own`: what it was rendered from, for
    gateway accounts that take registered templates alone; without them such an account never gets it. `hides_text`:
    nobody reads it in the ledger, since it holds a secret.
    """

    kind: str
    class_: str
    unit: Unit
    person_id: int
    phone: str
    text: str
    parts: int
    signature: str
    route_id: int
    validity_s: int
    template_version_id: int | None = None
    values: Mapping[str, Any] | None = None
    own: Mapping[str, Any] | None = None
    hides_text: bool = False


@dataclass(frozen=True, slots=True)
class AnsweredReply:
    """The reply that a text answers, by the month in which it lies. `written_by`: the account whose words they are;
    None: the service's. `passes_opt_outs`: the text confirms an opt-out.
    """

    in_month: date
    reply_id: int
    written_by: int | None = None
    passes_opt_outs: bool = False


@dataclass(frozen=True, slots=True)
class WrittenText:
    """The run and the row of a text that waits to leave."""

    run_id: int
    message_id: int
    month: date


def write_single_text(session: Session, text: SingleText) -> WrittenText:
    """Write the run and its row. Nothing is asked here that the gate asks."""
    [written] = _write(session, [text], [{"passes_opt_outs": False}])
    assert written is not None, "only the answer to a reply can be there already"
    return written


def write_answer_texts(
    session: Session, texts: Sequence[SingleText], replies: Sequence[AnsweredReply]
) -> list[WrittenText | None]:
    """The same of texts that answer replies, of kind `answer`, each with its reply. None for a reply that has an
    answer. Of two sessions that answer one at once the second waits for the first, so each gives the replies of several
    in one order: by phone, then by reply.
    """
    return _write(session, texts, [_about(reply) for reply in replies])


def _write(
    session: Session, texts: Sequence[SingleText], about: Sequence[Mapping[str, Any]]
) -> list[WrittenText | None]:
    share_lock(session, LockKey.erase_person)
    now: datetime = session.scalars(select(func.sms_now())).one()
    rows = [
        {"place": place, **_row(text, now), **more} for place, (text, more) in enumerate(zip(texts, about, strict=True))
    ]
    connection = session.connection()
    for month in sorted({row["month"] for row in rows}):
        connection.exec_driver_sql("SELECT ensure_month(%(month)s::date)", {"month": month})
    found = WRITE_SINGLE_TEXTS(connection, texts=Jsonb(rows), now=now)
    written = {row.place: WrittenText(row.run_id, row.id, row.month) for row in found}
    return [written.get(place) for place in range(len(rows))]


def _row(text: SingleText, now: datetime) -> dict[str, Any]:
    day = now.astimezone(ZoneInfo(text.unit.timezone)).date()
    return {
        "kind": text.kind,
        "class": text.class_,
        "unit_id": text.unit.id,
        "unit_path": text.unit.path,
        "demonstration": text.unit.demonstration,
        "person_id": text.person_id,
        "phone": text.phone,
        "text": text.text,
        "parts": text.parts,
        "signature": text.signature,
        "route_id": text.route_id,
        "validity_s": text.validity_s,
        "template_version_id": text.template_version_id,
        "values": dict(text.values or {}),
        "own": None if text.own is None else dict(text.own),
        "hides_text": text.hides_text,
        "month": str(day.replace(day=1)),
        "day": str(day),
    }


def _about(reply: AnsweredReply) -> dict[str, Any]:
    return {
        "reply_in_month": str(reply.in_month),
        "reply_id": reply.reply_id,
        "written_by": reply.written_by,
        "passes_opt_outs": reply.passes_opt_outs,
    }


def empty_single_texts(connection: Connection, month: date, run_ids: Sequence[int]) -> int:
    """Empty what these runs of one month said; returns how many of their texts are still moving, which keep theirs.

    Those that wait are cancelled before.
    """
    runs = sorted(run_ids)
    CANCEL_SINGLE_TEXTS(connection, month=month, run_ids=runs)
    EMPTY_SINGLE_TEXTS(connection, month=month, run_ids=runs)
    own = (Message.month == month, Message.run_id.in_(runs), Message.status.in_(_MOVING))
    return connection.scalars(select(func.count()).select_from(Message).where(*own)).one()
