"""Texts that answer a reply: at most one for each reply, each a run of kind `answer` that goes the way of every text.

What the service answers by itself cannot go round in a circle with another service: nothing goes to a number that no
person carries, or because of a text that a service wrote, and to one phone only so many go on a day. What keeps such a
text back is kept with the reply; the reply itself is never lost by it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Date, cast, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.audit import trail
from sms_service.content.compose import sign_text
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict
from sms_service.gateways.numbers import is_mobile
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quota_holds import describe_lacks, join_lacks
from sms_service.ledger.quotas import reserve_written
from sms_service.ledger.single import AnsweredReply, SingleText, WrittenText, write_answer_text
from sms_service.parts import measure_text
from sms_service.replies.answer_models import AnswerObstacle, AnswerUse, WithheldAnswer
from sms_service.replies.automatic import is_automatic
from sms_service.replies.models import ReplyRow
from sms_service.said import say
from sms_service.vocabulary import TextClass

VALIDITY_S = 86_400  # an answer to what came in after the window leaves on the next morning
_KEPT_DAYS = 8  # for which it is known how many a phone got

ReplyKey = tuple[date, int]  # in which month it lies, and its id

_most_a_day = 5  # that the service answers by itself to one phone; each process sets it once


def limit_answers(most_a_day: int) -> None:
    """A process that answers calls this once when it starts: to so many of a phone's replies of one local day the
    service answers by itself.
    """
    global _most_a_day
    _most_a_day = most_a_day


class _Withheld(Conflict):
    """`said`: what a person is told whose own answer this keeps back, too."""

    def __init__(self, why: AnswerObstacle, said: str = "") -> None:
        super().__init__(said)
        self.why = why


class AnswerText(NamedTuple):
    """The text that answers a reply, and what became of it. `author`: who wrote it; None: the service itself."""

    message: Message
    author: str | None


def answer_reply(
    session: Session,
    reply: ReplyRow,
    text: str,
    *,
    signature: str,
    route_id: int,
    unit: Unit,
    automatic: bool,
    class_: str = TextClass.answer.value,
    passes_opt_outs: bool = False,
    actor: Actor | None = None,
    validity_s: int = VALIDITY_S,
) -> WrittenText | None:
    """Write the text that answers the reply, in the name of the unit: the signature is put in front. `actor`: whose
    words they are. `passes_opt_outs`: it confirms an opt-out, and nothing else of the opt-out list is passed.

    `automatic`: the service answers by itself, to a phone so many times on a local day (`limit_answers`). What keeps
    that back is kept with the reply, and None is returned, as it is if the reply has an answer. Whoever answers several
    in one transaction does so in the order of their phones. For a person's own answer each of these raises Conflict.
    """
    signed = sign_text(text, signature)
    about = AnsweredReply(reply.in_month, reply.id, None if actor is None else actor.account_id, passes_opt_outs)
    try:
        person = None if reply.person_id is None else session.get(Person, reply.person_id)
        person_id, phone = require_recipient(reply, person)
        if automatic:
            _require_person(session, reply, phone)
        single = SingleText(
            kind="answer",
            class_=class_,
            unit=unit,
            person_id=person_id,
            phone=phone,
            text=signed,
            parts=measure_text(signed).parts,
            signature=signature,
            route_id=route_id,
            validity_s=validity_s,
        )
        with session.begin_nested():  # a text for which no quota is left is as if it never was
            written = write_answer_text(session, single, about)
            if written is not None:
                if automatic:
                    _count_use(session, phone, unit)
                _reserve(session, written)
    except _Withheld as withheld:
        if not automatic:
            raise
        _keep_obstacle(session, reply, unit, withheld.why)
        return None
    if written is None and not automatic:
        raise Conflict("somebody has answered this reply meanwhile; a reply gets one answer")
    if written is not None and actor is not None:
        trail.record_act(session, actor.account_id, "reply.answer", "reply", reply.id, unit.path, run=written.run_id)
    return written


def find_answer_texts(session: Session, keys: Collection[ReplyKey]) -> dict[ReplyKey, AnswerText]:
    """The texts that answer these replies, with what became of them."""
    if not keys:
        return {}
    runs = session.execute(
        select(Run.reply_in_month, Run.reply_id, Run.id, Run.month, Account.name)
        .outerjoin(Account, Account.id == Run.written_by)
        .where(tuple_(Run.reply_in_month, Run.reply_id).in_(sorted(keys)))
    ).all()
    if not runs:
        return {}
    months, ids = {run.month for run in runs}, [run.id for run in runs]
    rows = session.scalars(select(Message).where(Message.month.in_(months), Message.run_id.in_(ids)))
    texts = {message.run_id: message for message in rows}
    return {(run.reply_in_month, run.reply_id): AnswerText(texts[run.id], run.name) for run in runs}


def find_withheld(session: Session, keys: Collection[ReplyKey]) -> dict[ReplyKey, AnswerObstacle]:
    """Why the service did not answer these replies by itself; those that it would not have answered are left out."""
    own = tuple_(WithheldAnswer.in_month, WithheldAnswer.reply_id).in_(sorted(keys))
    rows = session.scalars(select(WithheldAnswer).where(own)) if keys else ()
    return {(row.in_month, row.reply_id): AnswerObstacle(row.why) for row in rows}


def find_answered_text(session: Session, reply: ReplyRow) -> str | None:
    """What the text says that the reply answers; None: it answers none, or what it said is hidden or taken out."""
    if reply.message_id is None:
        return None
    own = select(Message.text).join(Run, (Run.month == Message.month) & (Run.id == Message.run_id))
    return session.scalar(own.where(Message.month == reply.month, Message.id == reply.message_id, ~Run.hides_text))


def require_recipient(reply: ReplyRow, person: Person | None) -> tuple[int, str]:
    """Who gets the answer, and at which phone: whoever wrote the reply, if they are known and have the phone still.
    Raises Conflict otherwise, since no text goes elsewhere.
    """
    if person is None or reply.phone is None:
        raise _Withheld(AnswerObstacle.nobody, say("nobody is known to have written this reply: no text can answer it"))
    if person.phone != reply.phone:
        said = say("the reply came from a phone that is not the person's own now: no text goes there")
        raise _Withheld(AnswerObstacle.other_phone, said)
    return person.id, person.phone


def forget_old_answer_uses(session: Session) -> int:
    """Delete how many texts phones got on days that are over everywhere; returns how many rows."""
    today = cast(func.sms_now(), Date)
    deleted = delete(AnswerUse).where(AnswerUse.day < today - _KEPT_DAYS).returning(AnswerUse.day)
    return len(session.scalars(deleted).all())


def _require_person(session: Session, reply: ReplyRow, phone: str) -> None:
    if not is_mobile(phone):
        raise _Withheld(AnswerObstacle.no_mobile)
    if is_automatic(reply.text or "", find_answered_text(session, reply)):
        raise _Withheld(AnswerObstacle.automatic)


def _count_use(session: Session, phone: str, unit: Unit) -> None:
    """Take a place of those that the phone has on this day; of two that want the last one, one waits for the other."""
    day = cast(func.timezone(unit.timezone, func.sms_now()), Date)
    first = insert(AnswerUse).values(day=day, phone=phone, used=1)
    more = first.on_conflict_do_update(
        index_elements=[AnswerUse.day, AnswerUse.phone],
        set_={"used": AnswerUse.used + 1},
        where=AnswerUse.used < _most_a_day,
    )
    if _most_a_day < 1 or session.scalar(more.returning(AnswerUse.used)) is None:
        raise _Withheld(AnswerObstacle.often)


def _reserve(session: Session, written: WrittenText) -> None:
    connection = session.connection()
    lacks = reserve_written(connection, written.month, [written.run_id]).get(written.run_id)
    if lacks:
        said = describe_lacks(connection, lacks)
        raise _Withheld(AnswerObstacle.quota, join_lacks([said[lack] for lack in lacks]))


def _keep_obstacle(session: Session, reply: ReplyRow, unit: Unit, why: AnswerObstacle) -> None:
    now: datetime = session.scalars(select(func.sms_now())).one()
    row = insert(WithheldAnswer).values(
        in_month=reply.in_month, reply_id=reply.id, unit_path=unit.path, why=why.value, at=now
    )
    session.execute(row.on_conflict_do_nothing())
