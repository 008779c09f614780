"""What somebody answers to a reply of an inbox: what would become of the text, said before it is sent, and the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Date, cast, func, literal, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns.quotas import find_month, foresee_lacks, list_line_quotas
from sms_service.campaigns.suggestions import list_signatures
from sms_service.content.comparing import CannotRender
from sms_service.content.compose import Composed, sign_text
from sms_service.content.findings import require_clean
from sms_service.content.lint import lint_texts
from sms_service.content.wordlists import load_lists
from sms_service.controls.models import CapUse, GatewayAccount, Route, RouteMember
from sms_service.controls.stops import is_stopped
from sms_service.directory.models import GUEST, Person, Unit
from sms_service.errors import Conflict, Invalid
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quotas import Amounts
from sms_service.ledger.single import WrittenText
from sms_service.parts import measure_text
from sms_service.replies.answering import NewAnswer, answer_reply, require_recipient
from sms_service.replies.inbox import OPEN, change_in_inbox, get_inbox_reply, require_on_reply
from sms_service.replies.models import ReplyRow
from sms_service.said import Said, say
from sms_service.vocabulary import InboxStatus, MessageReason, TextClass

LONGEST_ANSWER = 500  # characters
_CLASS, _KIND = TextClass.answer.value, "answer"


@dataclass(frozen=True, slots=True)
class AnswerOutlook:
    """What would become of an answer. `against`: why none would leave, so that none can be written. Otherwise
    `signature` stands in front of it, and it leaves at `leaves_at`, None: at once, unless it `waits` for more.
    """

    against: Said | None
    signature: str | None = None
    route_id: int | None = None
    leaves_at: datetime | None = None
    waits: Said | None = None


def foresee_answer(session: Session, row: Any) -> AnswerOutlook:
    """The same of a row of `get_inbox_reply`. The gate asks all of it again when the text leaves."""
    reply: ReplyRow = row.ReplyRow
    try:
        require_recipient(reply, row.Person)
    except Conflict as error:
        return AnswerOutlook(error.said)
    unit: Unit = row.Unit
    signature, route_id = _find_sender(session, reply, unit)
    if signature is None or route_id is None:
        missing = "{unit} has no signature or no route yet; without them no text can leave"
        return AnswerOutlook(say(missing, unit=unit.name))
    now = _ask_gate(session, reply, unit, signature, route_id)
    against = next(_list_against(session, row.Person, unit, now), None)
    if against is not None:
        return AnswerOutlook(against)
    leaves_at = None if now.is_open and not now.is_quiet else now.opens_at
    waits = say("a stop holds it back until somebody releases that") if now.is_stopped else None
    return AnswerOutlook(None, signature, route_id, leaves_at, waits)


def answer_from_inbox(session: Session, actor: Actor, reply_id: int, text: str, seen: str) -> WrittenText:
    """Answer the reply by a text in the name of its unit, with the signature and over the route of the text that it
    answers, if it answers one.

    Raises NotFound, Forbidden, Invalid (`text`), or Conflict where no text would leave, or somebody else was faster.
    """
    row = get_inbox_reply(session, actor, reply_id)
    require_on_reply(session, actor, row)
    change_in_inbox(session, row, seen, OPEN, inbox_status=InboxStatus.answered.value)
    words = text.strip()
    if not 1 <= len(words) <= LONGEST_ANSWER:
        raise Invalid("text", None, say("must have 1 to {most} characters", most=LONGEST_ANSWER))
    outlook = foresee_answer(session, row)
    if outlook.against is not None:
        raise Conflict(outlook.against)
    assert outlook.signature is not None
    assert outlook.route_id is not None
    try:
        signed = sign_text(words, outlook.signature)
    except CannotRender as error:
        raise Invalid("text", None, error.said) from None
    made = Composed(signed, *measure_text(signed))
    require_clean(lint_texts([("", made)], _CLASS, load_lists(session, row.Unit.path)))
    return answer_reply(session, actor, NewAnswer(row.ReplyRow, words, outlook.signature, outlook.route_id, row.Unit))


def _find_sender(session: Session, reply: ReplyRow, unit: Unit) -> tuple[str | None, int | None]:
    """Signature and route: those of the text that it answers, or else the unit's own and the usual one."""
    answered = session.execute(
        select(Run.signature, Run.route_id)
        .join(Message, (Message.month == Run.month) & (Message.run_id == Run.id))
        .where(Message.month == reply.month, Message.id == reply.message_id)
    ).one_or_none()
    if answered is not None:
        return answered.signature, answered.route_id
    signature = next(iter(list_signatures(session, unit.path)), None)
    return signature, session.scalar(select(Route.id).where(Route.name == DEFAULT_ROUTE))


def _ask_gate(session: Session, reply: ReplyRow, unit: Unit, signature: str, route_id: int) -> Any:
    """What the gate would ask of the text, and whether there is one, in one statement."""
    today = cast(func.timezone(Unit.timezone, func.sms_now()), Date)
    had = select(CapUse.used).where(CapUse.phone == reply.phone, CapUse.class_ == _CLASS, CapUse.day == today)
    takers = select(GatewayAccount.id).join(RouteMember, RouteMember.gateway_account_id == GatewayAccount.id)
    answered = select(Run.id).where(Run.reply_in_month == reply.in_month, Run.reply_id == reply.id)
    takers = takers.where(RouteMember.route_id == route_id, ~GatewayAccount.needs_binding)
    return session.execute(
        select(
            func.sms_now().label("now"),
            func.window_is_open(Unit.timezone, Unit.window_opens, Unit.window_closes).label("is_open"),
            func.is_quiet(Unit.path, Unit.timezone, _CLASS, _KIND).label("is_quiet"),
            func.next_opening(Unit.path, Unit.timezone, Unit.window_opens, _CLASS, _KIND).label("opens_at"),
            is_stopped(literal(unit.path), literal(route_id)).label("is_stopped"),
            func.find_suppression(reply.phone, Unit.path, _CLASS, signature).label("suppressed"),
            (had.scalar_subquery() >= func.find_cap(Unit.path, _CLASS)).label("is_capped"),
            takers.exists().label("is_taken"),
            answered.exists().label("is_answered"),
        )
        .select_from(Unit)
        .where(Unit.id == unit.id)
    ).one()


def _list_against(session: Session, person: Person, unit: Unit, now: Any) -> Iterator[Said]:
    """Why no answer would leave, one after another."""
    if now.is_answered:
        yield say("it has an answer; a reply gets one")
    if person.left_at is not None and person.kind != GUEST:
        yield _say_no_text(MessageReason.left)
    if person.lost_contact:
        yield _say_no_text(MessageReason.lost_contact)
    if now.suppressed is not None:
        yield _say_no_text(MessageReason(now.suppressed))
    if not now.is_taken:
        yield say("the accounts of its route take only texts that are registered with them")
    if now.is_capped:
        yield _say_no_text(MessageReason.capped)
    line = list_line_quotas(session, unit.path, find_month(session, unit, now.now))
    yield from foresee_lacks(line, Amounts(1, 1, 0))


def _say_no_text(reason: MessageReason) -> Said:
    return say("this person gets no text: {reason}", reason=reason)
