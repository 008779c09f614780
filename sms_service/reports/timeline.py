"""One text from the freeze to the network's last word: all that happened to it, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Text, and_, cast, literal, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.models import TrailEntry
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.gateways.base import CodeMeaning
from sms_service.gateways.registry import Gateways
from sms_service.ledger.models import Attempt, AttemptPart, Message, ReceiptRow, Run
from sms_service.ledger.states import AttemptStatus, MessageStatus
from sms_service.masking import mask_phone, mask_text
from sms_service.replies.models import ReplyRow
from sms_service.reports.failures import find_code_meaning
from sms_service.reports.messages import get_message
from sms_service.reports.remedies import find_remedy
from sms_service.said import Said, as_said, say
from sms_service.vocabulary import Words

# Acts on the run that are shown beside what happened to the text.
MOST_ACTS = 200


class EventKind(Words):
    """What happened to a text."""

    frozen = "frozen"  # it was written down for its recipient
    skipped = "skipped"  # it was decided that it is not sent
    handed_over = "handed_over"  # it passed the gate
    answered = "answered"  # the gateway answered
    receipt = "receipt"  # the network said something
    reply = "reply"  # who got it answered
    ended = "ended"  # it expired, was cancelled, or nothing was heard of it
    act = "act"  # a person, or the service, did something with the text or its run


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `code` is the provider's own, `meaning` what its table says of it. `attempt`: the number
    of the hand-over that it belongs to. `act` and `login` are of the trail; without a login the service did it. `at` is
    by our clock; `occurred_at` is when it was by the provider's.
    """

    at: datetime
    kind: EventKind
    said: Said
    attempt: int | None = None
    account: str | None = None
    code: str | None = None
    meaning: CodeMeaning | None = None
    act: str | None = None
    login: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A row as `find_messages` gives it, its attempts, (Attempt, account), what the provider calls their parts, by
    attempt's number, and all events, the first first.
    """

    row: Row[Any]
    attempts: Sequence[Row[Any]]
    part_ids: Mapping[int, Sequence[str]]
    events: Sequence[Event]


def trace_message(session: Session, actor: Actor, message_id: int, gateways: Gateways) -> Timeline:
    """All that is known of one text. Phones are masked, also within what people and providers wrote.

    Raises NotFound or Forbidden.
    """
    row, attempts = get_message(session, actor, message_id)
    message: Message = row.Message
    events = [*begin_line(message, session.get_one(Run, message.run_id))]
    events += [event for _, event in trace_attempts(session, attempts, gateways)]
    events += _of_replies(session, message)
    events += _of_trail(session, message)
    numbers = {attempt.Attempt.id: attempt.Attempt.number for attempt in attempts}
    return Timeline(row, attempts, _part_ids(session, message.month, numbers), sort_events(events))


def begin_line(message: Message, run: Run) -> Iterator[Event]:
    """That the text was written down, and that it ended without leaving, where it did."""
    if run.frozen_at is not None:
        phone = mask_phone(message.phone) if message.phone else None
        said = say("it was written down for {phone}", phone=phone) if phone else as_said("it was written down")
        yield Event(run.frozen_at, EventKind.frozen, said)
    remedy = find_remedy(message.status, message.reason)
    match message.status:
        case MessageStatus.skipped if remedy is not None:
            yield Event(message.changed_at, EventKind.skipped, say("it is not sent: {why}", why=remedy.meaning))
        case MessageStatus.expired | MessageStatus.no_receipt if remedy is not None:
            yield Event(message.changed_at, EventKind.ended, remedy.meaning)
        case MessageStatus.cancelled:
            yield Event(message.changed_at, EventKind.ended, as_said("it was cancelled before it left"))


def trace_attempts(session: Session, attempts: Sequence[Row[Any]], gateways: Gateways) -> Iterator[tuple[int, Event]]:
    """The hand-overs, (Attempt, account), with the gateway's answers and the receipts, each with its message's id."""
    for row in attempts:
        for event in _of_attempt(row.Attempt, row.account, gateways):
            yield row.Attempt.message_id, event
    yield from _of_receipts(session, attempts, gateways)


def sort_events(events: Iterable[Event]) -> list[Event]:
    """The events in the order of time, the first first."""
    return sorted(events, key=lambda event: (event.at, list(EventKind).index(event.kind)))


def reveal_message_phone(session: Session, actor: Actor, message_id: int, why: str) -> str | None:
    """The whole phone, in E.164, that the text goes to, for whoever says what for; the look and its reason go into the
    trail. None: it was redacted, or there was none.

    Raises NotFound, Forbidden without see_phones over the unit where it is now, or Invalid (`why`).
    """
    row, _ = get_message(session, actor, message_id)
    actor.require(Permission.see_phones, row.unit_now)
    why = required_line("why", why, LONGEST_WHY)
    people = [row.Message.person_id]
    trail.record_act(
        session, actor.account_id, "people.see_phones", "message", message_id, row.unit_now, people=people, why=why
    )
    return row.Message.phone  # type: ignore[no-any-return]


def _of_attempt(attempt: Attempt, account: str, gateways: Gateways) -> Iterator[Event]:
    handed = {"parts": attempt.parts, "account": account, "number": attempt.number}
    said = say("{parts} parts were handed to {account}, attempt {number}", **handed)
    if attempt.parts == 1:
        said = say("1 part was handed to {account}, attempt {number}", account=account, number=attempt.number)
    yield Event(attempt.started_at, EventKind.handed_over, said, attempt.number, account)
    if attempt.outcome_at is None:
        return
    status = _first_answer(attempt)
    failed = status in (AttemptStatus.refused, AttemptStatus.throttled, AttemptStatus.undelivered)
    yield Event(
        attempt.outcome_at,
        EventKind.answered,
        _answer(status, attempt, account),
        attempt.number,
        account,
        attempt.raw_code if failed else None,
        find_code_meaning(gateways, account, status, attempt.raw_code) if failed else None,
    )


def _first_answer(attempt: Attempt) -> AttemptStatus:
    """What the gateway's answer came to, whatever a person or a receipt made of the attempt since."""
    # The phone is kept where the answer never came, or where a text was taken in part without a name.
    if attempt.settled_by is not None:
        return AttemptStatus.unknown
    if attempt.status == AttemptStatus.undelivered and attempt.final_at == attempt.outcome_at:
        return AttemptStatus.undelivered
    if attempt.status in (AttemptStatus.delivered, AttemptStatus.undelivered, AttemptStatus.no_receipt):
        return AttemptStatus.accepted if attempt.phone is None else AttemptStatus.unknown
    return AttemptStatus(attempt.status)


def _answer(status: AttemptStatus, attempt: Attempt, account: str) -> Said:
    remedy = find_remedy(MessageStatus.refused, attempt.error) if attempt.error else None
    match status:
        case AttemptStatus.throttled:
            return say("{account} said that texts come too fast", account=account)
        case AttemptStatus.refused | AttemptStatus.undelivered if remedy is not None:
            return say("{account} refused it: {why}", account=account, why=remedy.meaning)
        case AttemptStatus.refused | AttemptStatus.undelivered:
            return say("{account} refused it", account=account)
        case AttemptStatus.unknown | AttemptStatus.submitting:
            return say("nobody can tell whether {account} took it", account=account)
    return say("{account} took it", account=account)


def _of_receipts(session: Session, attempts: Sequence[Row[Any]], gateways: Gateways) -> Iterator[tuple[int, Event]]:
    if not attempts:
        return
    made = {row.Attempt.id: row for row in attempts}
    months = {row.Attempt.month for row in attempts}
    rows = session.scalars(
        select(ReceiptRow).where(
            ReceiptRow.attempt_id.in_(made), ReceiptRow.month.in_(months), ReceiptRow.in_month >= min(months)
        )
    )
    for receipt in rows:
        assert receipt.attempt_id is not None, "by this it was found"
        attempt, account = made[receipt.attempt_id].Attempt, made[receipt.attempt_id].account
        meaning = gateways.find_meaning(account, "receipt", receipt.raw_code) if receipt.raw_code else None
        yield (
            attempt.message_id,
            Event(
                receipt.received_at,
                EventKind.receipt,
                _report(receipt),
                attempt.number,
                account,
                receipt.raw_code,
                meaning,
                occurred_at=receipt.occurred_at,
            ),
        )


def _report(receipt: ReceiptRow) -> Said:
    remedy = find_remedy(MessageStatus.undelivered, receipt.error) if receipt.error else None
    match receipt.status:
        case "delivered" if receipt.part:
            return say("the network: part {part} was delivered", part=receipt.part)
        case "delivered":
            return as_said("the network: it was delivered")
        case "undelivered" if remedy is not None:
            return say("the network: it was not delivered, since {why}", why=remedy.meaning)
        case "undelivered":
            return as_said("the network: it was not delivered")
        case "interim":
            return as_said("the network: it is on its way")
    return as_said("the network: a code that no table explains")


def _of_replies(session: Session, message: Message) -> Iterator[Event]:
    # By the months in which replies came in: a reply comes after its text, and no index has the text that it answers.
    rows = session.scalars(
        select(ReplyRow).where(
            ReplyRow.in_month >= message.month,
            ReplyRow.month == message.month,
            ReplyRow.message_id == message.id,
            ReplyRow.joined_to.is_(None),
        )
    )
    for reply in rows:
        words = mask_text(reply.shown_text or "")
        said = say("a reply: {text}", text=words)
        if reply.meaning == "stop":
            said = say("a reply, no more texts: {text}", text=words)
        yield Event(reply.received_at, EventKind.reply, said, occurred_at=reply.occurred_at)


def _of_trail(session: Session, message: Message) -> Iterator[Event]:
    """What people did with the run and with this text. A send-again that names texts is of those only."""
    of_run = and_(TrailEntry.target_kind == "run", TrailEntry.target_id == cast(literal(message.run_id), Text))
    of_text = and_(TrailEntry.target_kind == "message", TrailEntry.target_id == cast(literal(message.id), Text))
    rows = session.execute(
        select(TrailEntry, Account.login)
        .outerjoin(Account, Account.id == TrailEntry.account_id)
        .where(or_(of_run, of_text))
        .order_by(TrailEntry.id.desc())
        .limit(MOST_ACTS)
    )
    for row in rows:
        entry: TrailEntry = row.TrailEntry
        if entry.act == "run.send_again" and message.id not in entry.details.get("messages", ()):
            continue
        who, why = row.login or as_said("the service"), mask_text(str(entry.details.get("why", "")))
        said = say("{who}: {act}", who=who, act=as_said(_ACTS.get(entry.act, entry.act)))
        if why:
            said = say("{who}: {act}: {why}", who=who, act=as_said(_ACTS.get(entry.act, entry.act)), why=why)
        yield Event(entry.at, EventKind.act, said, act=entry.act, login=row.login)


_ACTS: Mapping[str, Said] = {
    "run.paused": say("paused the run"),
    "run.running": say("let the run go on"),
    "run.planned": say("let the run begin anew"),
    "run.cancelled": say("cancelled the run"),
    "run.held": say("held the run"),
    "run.test": say("sent it to themself, to try it"),
    "run.retry": say("let refused texts of the run go again"),
    "run.send_again": say("let it go again, though it may have arrived"),
    "message.settle": say("settled what became of it"),
    "people.see_phones": say("looked at the whole phone number"),
}


def _part_ids(session: Session, month: date, numbers: Mapping[int, int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    if not numbers:
        return found
    parts = session.scalars(
        select(AttemptPart)
        .where(AttemptPart.month == month, AttemptPart.attempt_id.in_(numbers))
        .order_by(AttemptPart.attempt_id, AttemptPart.part)
    )
    for part in parts:
        found.setdefault(numbers[part.attempt_id], []).append(part.provider_id)
    return found
