"""Texts that answer a reply: at most one for each reply, each a run of kind `answer` that goes the way of every text.

What the service answers by itself cannot go round in a circle with another service: nothing goes to a number that no
person carries, or because of a text that a service wrote, and to one phone only so many go on a day. What keeps such a
text back is kept with the reply; the reply itself is never lost by it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from sqlalchemy import Date, Row, cast, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.audit import trail
from sms_service.content.compose import sign_text
from sms_service.db.locks import LockKey, share_lock
from sms_service.db.statements import Statement
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict
from sms_service.gateways.numbers import is_mobile
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quota_holds import describe_lacks, join_lacks
from sms_service.ledger.quotas import Lack, reserve_written
from sms_service.ledger.single import AnsweredReply, SingleText, WrittenText, write_answer_texts
from sms_service.parts import measure_text
from sms_service.replies.answer_models import AnswerObstacle, AnswerUse, WithheldAnswer
from sms_service.replies.automatic import is_automatic
from sms_service.replies.models import ReplyRow
from sms_service.said import say
from sms_service.vocabulary import TextClass

ADD_ANSWER_USES = Statement(__file__, "add_answer_uses")

VALIDITY_S = 86_400  # an answer to what came in after the window leaves on the next morning
KEPT_DAYS = 8  # for which it is known how many a phone got
WITHHELD_DAYS = 365  # for which it is known why a reply got none

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


@dataclass(frozen=True, slots=True, eq=False)
class NewAnswer:
    """A text that is to answer a reply, in the name of the unit: the signature is put in front. `answered`: what the
    text says that the reply answers, if that is known and no secret. `passes_opt_outs`: it confirms an opt-out, and
    nothing else of the opt-out list is passed.
    """

    reply: ReplyRow
    text: str
    signature: str
    route_id: int
    unit: Unit
    answered: str | None = None
    passes_opt_outs: bool = False


def answer_reply(session: Session, actor: Actor, answer: NewAnswer) -> WrittenText:
    """Write the actor's own words. Raises Conflict where no text can go, no quota is left, or the reply has an answer
    meanwhile.
    """
    reply, unit = answer.reply, answer.unit
    require_recipient(reply, None if reply.person_id is None else session.get(Person, reply.person_id))
    with session.begin_nested():  # a text for which no quota is left is as if it never was
        [written], lacks = _write(session, [answer], actor.account_id)
        if written is None:
            raise Conflict("somebody has answered this reply meanwhile; a reply gets one answer")
        if lacks:
            said = describe_lacks(session.connection(), lacks[written.run_id])
            raise Conflict(join_lacks(list(said.values())))
    trail.record_act(session, actor.account_id, "reply.answer", "reply", reply.id, unit.path, run=written.run_id)
    return written


def answer_replies(session: Session, answers: Collection[NewAnswer]) -> list[WrittenText]:
    """The service answers by itself, to one phone so many times on a local day (`limit_answers`). Returns what was
    written: nothing for a reply that has an answer. What keeps any other back is kept with its reply.

    All that a transaction answers is one call, after everything else that it locks: this locks the phones' days, and
    then quotas.
    """
    if not answers:
        return []
    share_lock(session, LockKey.erase_person)  # before the phones are read, and their days locked
    ordered = sorted(answers, key=lambda one: (one.reply.phone or "", one.reply.in_month, one.reply.id))
    known = select(Person).where(Person.id.in_({one.reply.person_id for one in ordered}))
    people = {one.id: one for one in session.scalars(known, execution_options={"populate_existing": True})}
    now: datetime = session.scalars(select(func.sms_now())).one()
    obstacles = [(one, _find_obstacle(one, people.get(one.reply.person_id or 0))) for one in ordered]
    withheld = [(one, why) for one, why in obstacles if why is not None]
    left = [one for one, why in obstacles if why is None]
    written: list[WrittenText] = []
    while left:
        # A text for which no quota is left is as if it never was: what it took of the phone's day is another's.
        attempt = session.begin_nested()
        placed = _take_places(session, left, now)
        found, lacks = _write(session, placed, None)
        texts = dict(zip(placed, found, strict=True))
        lacking = [one for one, text in texts.items() if text is not None and text.run_id in lacks]
        gone = {*lacking, *(one for one, text in texts.items() if text is None)}
        if not gone:
            attempt.commit()
            withheld += [(one, AnswerObstacle.often) for one in left if one not in texts]
            written = [text for text in found if text is not None]
            break
        attempt.rollback()
        withheld += [(one, AnswerObstacle.quota) for one in lacking]
        left = [one for one in left if one not in gone]
    _keep_obstacles(session, withheld, now)
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
    found = [run for run in runs if run.id in texts]  # that of an archived month was emptied long ago
    return {(run.reply_in_month, run.reply_id): AnswerText(texts[run.id], run.name) for run in found}


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
    deleted = delete(AnswerUse).where(AnswerUse.day < today - KEPT_DAYS).returning(AnswerUse.day)
    return len(session.scalars(deleted).all())


def forget_withheld_answers(session: Session) -> int:
    """Delete why replies of months a year ago got no answer; returns how many rows."""
    oldest = cast(func.date_trunc("month", func.sms_now() - timedelta(days=WITHHELD_DAYS)), Date)
    deleted = delete(WithheldAnswer).where(WithheldAnswer.in_month < oldest).returning(WithheldAnswer.reply_id)
    return len(session.scalars(deleted).all())


def _find_obstacle(answer: NewAnswer, person: Person | None) -> AnswerObstacle | None:
    """What keeps the service from answering by itself, whatever else it answers."""
    try:
        _, phone = require_recipient(answer.reply, person)
    except _Withheld as withheld:
        return withheld.why
    if not is_mobile(phone):
        return AnswerObstacle.no_mobile
    return AnswerObstacle.automatic if is_automatic(answer.reply.text or "", answer.answered) else None


def _take_places(session: Session, answers: Sequence[NewAnswer], now: datetime) -> list[NewAnswer]:
    """Those of the answers for which their phone has a place left on its day, the first ones; the places are taken."""
    days = [(str(now.astimezone(ZoneInfo(one.unit.timezone)).date()), one.reply.phone) for one in answers]
    uses = {(str(row.day), row.phone): row.used for row in _add_uses(session, dict.fromkeys(days, 0))}
    placed, taken = [], Counter[tuple[str, str | None]]()
    for one, day in zip(answers, days, strict=True):
        if uses[day] + taken[day] < _most_a_day:
            taken[day] += 1
            placed.append(one)
    _add_uses(session, taken)
    return placed


def _add_uses(session: Session, uses: Mapping[tuple[str, str | None], int]) -> Iterable[Row[Any]]:
    rows = [{"day": day, "phone": phone, "used": used} for (day, phone), used in uses.items()]
    return ADD_ANSWER_USES(session.connection(), uses=Jsonb(rows)).all()


def _write(
    session: Session, answers: Sequence[NewAnswer], written_by: int | None
) -> tuple[list[WrittenText | None], dict[int, list[Lack]]]:
    """Write the texts, and reserve quota for them. Returns what was written for each, None if its reply has an answer,
    and by run what quotas lack: the caller takes all back then.
    """
    texts = [_make_text(one) for one in answers]
    replies = [AnsweredReply(one.reply.in_month, one.reply.id, written_by, one.passes_opt_outs) for one in answers]
    written = write_answer_texts(session, texts, replies)
    by_month: defaultdict[date, list[int]] = defaultdict(list)
    for text in written:
        if text is not None:
            by_month[text.month].append(text.run_id)
    lacks: dict[int, list[Lack]] = {}
    for month, run_ids in sorted(by_month.items()):
        lacks |= reserve_written(session.connection(), month, run_ids)
    return written, lacks


def _make_text(answer: NewAnswer) -> SingleText:
    reply, signed = answer.reply, sign_text(answer.text, answer.signature)
    assert reply.person_id is not None
    assert reply.phone is not None
    return SingleText(
        kind="answer",
        class_=TextClass.answer.value,
        unit=answer.unit,
        person_id=reply.person_id,
        phone=reply.phone,
        text=signed,
        parts=measure_text(signed).parts,
        signature=answer.signature,
        route_id=answer.route_id,
        validity_s=VALIDITY_S,
    )


def _keep_obstacles(session: Session, withheld: Sequence[tuple[NewAnswer, AnswerObstacle]], now: datetime) -> None:
    rows = [
        {
            "in_month": one.reply.in_month,
            "reply_id": one.reply.id,
            "unit_path": one.unit.path,
            "why": why.value,
            "at": now,
        }
        for one, why in withheld
    ]
    if rows:
        session.execute(insert(WithheldAnswer).on_conflict_do_nothing(), rows)
