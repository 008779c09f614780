"""A person's own data: everything that is held about them, whole, for whoever asks in their name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Select, case, null, or_, select, true, tuple_
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.audience.models import Suppression
from sms_service.audit import trail
from sms_service.audit.changes import read_changes
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.models import Campaign
from sms_service.controls.models import GatewayAccount
from sms_service.delivery.models import LostCheck
from sms_service.directory.erasing import find_findings_about
from sms_service.directory.models import Person, Unit
from sms_service.directory.people import get_person, roles_of
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.ledger.archived import list_archived_months
from sms_service.ledger.erasing import join_own_messages
from sms_service.ledger.models import Attempt, ReceiptRow, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.own_texts.models import OwnPhone
from sms_service.replies.models import AnswerRow, ReplyRow
from sms_service.schedules.attendance_models import Attendance

SECTIONS = (
    *("person", "roles", "suppressions", "texts", "replies", "answers", "lists", "events", "import_findings"),
    *("lost_checks", "own_phones", "acts", "archived"),
)
_SUPPRESSION = ("phone", "reason", "source", "proof_id", "note", "created_at", "lifted_at", "lift_why")
_MESSAGE = ("id", "run_id", "status", "reason", "raw_code", "phone", "text", "values", "parts", "changed_at")
_ATTEMPT = ("number", "status", "error", "raw_code", "detail", "phone", "started_at", "outcome_at", "final_at")
_RECEIPT = ("received_at", "occurred_at", "status", "error", "raw_code", "phone", "raw")
_ANSWER = ("at", "said", "choices", "people", "correct", "note", "voided_at")
_REPLY = ("received_at", "phone", "sender", "text", "meaning", "raw")


def collect_own_data(session: Session, actor: Actor, person_id: int, why: str) -> dict[str, Any]:
    """All that is held about the person, by SECTIONS, as values of JSON. Phones and texts are whole; the look and its
    reason go into the trail.

    Raises NotFound, Invalid, or Forbidden without see_phones over the person's unit.
    """
    person = get_person(session, actor, person_id)
    path = unit_path(session, person.unit_id)
    actor.require(Permission.see_phones, path)
    why = required_line("why", why, LONGEST_WHY)
    texts = _texts(session, person_id)
    phones = {text["phone"] for text in texts if text["phone"]} | ({person.phone} if person.phone else set())
    words = {word for word in (person.name, person.number) if word}
    findings = find_findings_about(session, words, phones)
    row = _columns(person, [column.key for column in Person.__mapper__.column_attrs])
    found: dict[str, Any] = {
        "person": {**row, "unit": session.get_one(Unit, person.unit_id).name},
        "roles": _roles(session, person_id),
        "suppressions": _suppressions(session, phones),
        "texts": texts,
        "replies": _replies(session, person_id, [text["id"] for text in texts]),
        "answers": _answers(session, person_id),
        "lists": _lists(session, person_id),
        "events": _events(session, person_id),
        "import_findings": [
            {"reason": str(one.said), **_columns(one, ("import_id", "row", "column", "value"))} for one in findings
        ],
        "lost_checks": [
            _columns(one, ("cause", "campaigns", "opened_at", "answer", "answered_at"))
            for one in session.scalars(select(LostCheck).where(LostCheck.person_id == person_id).order_by(LostCheck.id))
        ],
        "own_phones": _own_phones(session, person_id),
        "acts": _acts(session, person_id),
        "archived": [f"{month:%Y-%m}" for month in list_archived_months(session)],
    }
    trail.record_act(session, actor.account_id, "person.export", "person", person_id, path, people=[person_id], why=why)
    return found


def _columns(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value


def _roles(session: Session, person_id: int) -> list[dict[str, Any]]:
    held = roles_of(session, [person_id])[person_id]
    names = dict(session.execute(select(Unit.id, Unit.name).where(Unit.id.in_({one.unit_id for one in held}))).all())
    return [{"unit_id": one.unit_id, "unit": names[one.unit_id], "role": one.role} for one in held]


def _lists(session: Session, person_id: int) -> list[dict[str, Any]]:
    """What lists for campaigns say of the person."""
    rows = session.execute(
        select(RecipientList.id, RecipientList.name, RecipientRow.row, RecipientRow.values)
        .join(RecipientList, RecipientList.id == RecipientRow.list_id)
        .where(RecipientRow.person_id == person_id)
        .order_by(RecipientList.id)
    )
    return [{"list_id": row.id, "list": row.name, "row": row.row, "values": row[3]} for row in rows]


def _own_phones(session: Session, person_id: int) -> list[dict[str, Any]]:
    """The account that said that the phone is its own."""
    rows = session.execute(
        select(OwnPhone, Account.login)
        .join(Account, Account.id == OwnPhone.account_id)
        .where(OwnPhone.person_id == person_id)
    )
    return [{"login": row.login, **_columns(row.OwnPhone, ("created_at", "confirmed_at", "ended_at"))} for row in rows]


def _events(session: Session, person_id: int) -> list[dict[str, Any]]:
    """Of which events it was ticked off whether they came."""
    rows = session.execute(
        select(Campaign.name, Campaign.schedule["begins"].astext, Attendance.came)
        .join(Attendance, Attendance.campaign_id == Campaign.id)
        .where(Attendance.person_id == person_id)
        .order_by(Campaign.id)
    )
    return [{"campaign": row[0], "begins": row[1], "came": row[2]} for row in rows]


def _suppressions(session: Session, phones: Collection[str]) -> list[dict[str, Any]]:
    """All entries, lifted ones too; `unit`: for whose texts, `class` and `signature`: for which, None: for all."""
    statement = (
        select(Suppression, Unit.name.label("unit"))
        .outerjoin(Unit, Unit.id == Suppression.unit_id)
        .where(Suppression.phone.in_(phones))
        .order_by(Suppression.id)
    )
    return [
        {**_columns(one, _SUPPRESSION), "class": one.class_, "signature": one.signature, "unit": unit}
        for one, unit in session.execute(statement)
    ]


def _texts(session: Session, person_id: int) -> list[dict[str, Any]]:
    """The rows of all runs, one look-up for each run, with their attempts and receipts."""
    own = join_own_messages(person_id)
    statement: Select[*tuple[Any, ...]] = (
        select(
            *(Run.month, Run.day, Run.kind, Campaign.name.label("campaign")),
            *(own.c[name] for name in _MESSAGE if name != "text"),
            case((Run.hides_text, null()), else_=own.c.text).label("text"),  # a code, which only its receiver knows
        )
        .select_from(Run)
        .join(own, true())
        .outerjoin(Campaign, Campaign.id == Run.campaign_id)
        .order_by(own.c.id)
    )
    rows = session.execute(statement).all()
    attempts = _attempts(session, rows)
    return [
        {"campaign": row.campaign, "kind": row.kind, "day": _plain(row.day)}
        | {**_columns(row, _MESSAGE), "attempts": attempts[row.id]}
        for row in rows
    ]


def _attempts(session: Session, rows: Sequence[Row[Any]]) -> dict[int, list[dict[str, Any]]]:
    keys = [(row.month, row.id) for row in rows]
    statement: Select[*tuple[Any, ...]] = (
        select(Attempt, GatewayAccount.name.label("account"))
        .join(GatewayAccount, GatewayAccount.id == Attempt.gateway_account_id)
        .where(Attempt.month.in_({month for month, _ in keys}))
        .where(tuple_(Attempt.month, Attempt.message_id).in_(keys))
        .order_by(Attempt.message_id, Attempt.number)
    )
    found = session.execute(statement).all()
    receipts: dict[int, list[dict[str, Any]]] = defaultdict(list)
    named = select(ReceiptRow).where(ReceiptRow.attempt_id.in_([row.Attempt.id for row in found]))
    for receipt in session.scalars(named.order_by(ReceiptRow.id)):
        receipts[receipt.attempt_id or 0].append(_columns(receipt, _RECEIPT))
    by_message: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        attempt = row.Attempt
        shown = {"account": row.account, **_columns(attempt, _ATTEMPT), "receipts": receipts[attempt.id]}
        by_message[attempt.message_id].append(shown)
    return by_message


def _replies(session: Session, person_id: int, message_ids: Sequence[int]) -> list[dict[str, Any]]:
    of_person = or_(ReplyRow.person_id == person_id, ReplyRow.message_id.in_(message_ids))
    return [
        _columns(reply, _REPLY) for reply in session.scalars(select(ReplyRow).where(of_person).order_by(ReplyRow.id))
    ]


def _answers(session: Session, person_id: int) -> list[dict[str, Any]]:
    """What they answered to which question, by a reply or as somebody noted it."""
    rows = session.execute(
        select(AnswerRow, Campaign.name, QuestionRow.kind)
        .join(QuestionRow, QuestionRow.id == AnswerRow.question_id)
        .join(Campaign, Campaign.id == QuestionRow.campaign_id)
        .where(AnswerRow.person_id == person_id)
        .order_by(AnswerRow.id)
    )
    return [{"campaign": name, "kind": kind, **_columns(answer, _ANSWER)} for answer, name, kind in rows]


def _acts(session: Session, person_id: int) -> list[dict[str, Any]]:
    statement = (
        select(TrailEntry, Account.login)
        .outerjoin(Account, Account.id == TrailEntry.account_id)
        .where(TrailEntry.target_kind == "person", TrailEntry.target_id == str(person_id))
        .order_by(TrailEntry.id)
    )
    rows = session.execute(statement).all()
    changes = read_changes(session, [row[0] for row in rows])
    return [
        {"at": _plain(entry.at), "act": entry.act, "login": login, "details": entry.details}
        | {"changes": changes.get(entry.id)}
        for entry, login in rows
    ]
