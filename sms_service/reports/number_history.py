"""One number's history, for complaints: every text to a phone, or why there was none, what came back, and its stops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audience.suppression_list import list_history
from sms_service.audit import trail
from sms_service.campaigns.models import Decision
from sms_service.db.statements import Statement
from sms_service.directory.models import Person, Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import top_paths
from sms_service.errors import NotFound
from sms_service.gateways.registry import Gateways
from sms_service.ledger.archived import list_archived_months
from sms_service.ledger.models import Run
from sms_service.masking import mask_phone
from sms_service.replies.listing import find_replies, may_read_strangers
from sms_service.replies.models import ReplyRow
from sms_service.reports.messages import list_attempts, read_messages
from sms_service.reports.timeline import Event, begin_line, sort_events, trace_attempts

ROWS_OF_NUMBER = Statement(__file__, "rows_of_number")
MOST_TEXTS = 20  # of one answer
MOST_REPLIES = 100


@dataclass(frozen=True, slots=True)
class TextOfNumber:
    """One text: its row as `find_messages` gives it, its run, the name of the unit that sent it (`sender`), who
    approved its campaign before it was launched, (Decision, name, lender), and its events, the first first.
    """

    row: Row[Any]
    run: Run
    sender: str
    approvals: Sequence[Row[Any]]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class NumberHistory:
    """What the actor may read of a phone (E.164, whole): `people`, (Person, unit), who have it or had it when texts
    were written; `texts`, the newest first, of `number` in all; `replies` as `find_replies` gives them, of the time of
    these texts; the entries of the opt-out list, lifted ones too (`stops`). `outside`: how many more texts there are of
    units that the actor may not read. `archived`: months whose texts are in files, and not here. `before`: the text
    before which the next ones come, None on the last page.
    """

    phone: str
    people: Sequence[Row[Any]]
    number: int
    texts: Sequence[TextOfNumber]
    replies: Sequence[Row[Any]]
    stops: Sequence[Row[Any]]
    outside: int
    before: int | None
    archived: Sequence[date]


def read_number_history(
    session: Session, actor: Actor, phone: str, why: str, gateways: Gateways, *, before: int | None = None
) -> NumberHistory:
    """The texts to the phone (E.164), the newest first and MOST_TEXTS at a time, with all that belongs to them. That
    somebody looked, and why, goes into the trail.

    Raises Invalid (`why`), Forbidden without read over any unit, or NotFound for a text `before` that is none of them.
    """
    actor.require_somewhere(Permission.read)
    why = required_line("why", why, LONGEST_WHY)
    everybody, rows = _find_rows(session, phone)
    readable = [row for row in rows if actor.can(Permission.read, row.unit_now)]
    people = _name_people(session, actor, everybody)
    _record_look(session, actor, phone, why, people)

    first, newest = 0, None
    if before is not None:
        first = next((place for place, row in enumerate(readable, 1) if row.id == before), 0)
        if not first:
            raise NotFound("text of this number with the id", before)
        newest = readable[first - 1].launched_at
    page = readable[first : first + MOST_TEXTS]
    is_last = first + MOST_TEXTS >= len(readable)
    oldest = None if is_last else page[-1].launched_at
    return NumberHistory(
        phone=phone,
        people=people,
        number=len(readable),
        texts=_tell_texts(session, page, gateways),
        replies=_find_replies(session, actor, phone, everybody, oldest, newest),
        stops=list_history(session, actor, phone) if before is None else (),
        outside=len(rows) - len(readable),
        before=None if is_last else page[-1].id,
        archived=list_archived_months(session),
    )


def _find_rows(session: Session, phone: str) -> tuple[set[int], Sequence[Row[Any]]]:
    """The ids of all who have the phone or had it when a text was written, and the keys of the rows about it, the
    newest first. Who has it no longer and was only ever skipped at it is not found.
    """
    connection = session.connection()
    months = session.scalars(select(Run.month).distinct().order_by(Run.month.desc())).all()

    def look(people: Collection[int]) -> list[Row[Any]]:
        return [
            row
            for month in months
            for row in ROWS_OF_NUMBER(connection, month=month, phone=phone, people=sorted(people))
        ]

    people = {row.person_id for row in look(())} | set(session.scalars(select(Person.id).where(Person.phone == phone)))
    return people, sorted(look(people), key=lambda row: -row.id)


def _name_people(session: Session, actor: Actor, ids: Collection[int]) -> Sequence[Row[Any]]:
    statement: Select[*tuple[Any, ...]] = select(Person, Unit).join(Unit, Unit.id == Person.unit_id)
    found = session.execute(statement.where(Person.id.in_(ids)).order_by(Person.id))
    return [row for row in found if actor.can(Permission.read, row.Unit.path)]


def _record_look(session: Session, actor: Actor, phone: str, why: str, people: Sequence[Row[Any]]) -> None:
    """By whom the number is, since an id says nothing once they are erased; masked where it is nobody's."""
    targets = [(row.Person.id, row.Unit.path) for row in people]
    trail.record_acts(session, actor.account_id, "number.history", "person", targets, why=why)
    if not targets:
        held = actor.scope(Permission.read)[0]
        path = top_paths(session)[0] if held == "/" else held
        trail.record_act(session, actor.account_id, "number.history", "number", mask_phone(phone), path, why=why)


def _tell_texts(session: Session, page: Sequence[Row[Any]], gateways: Gateways) -> list[TextOfNumber]:
    keys = [(row.month, row.id) for row in page]
    rows = read_messages(session, keys)
    runs = {
        run.id: (run, sender)
        for run, sender in session.execute(
            select(Run, Unit.name)
            .join(Unit, Unit.id == Run.unit_id)
            .where(Run.id.in_({row.Message.run_id for row in rows}))
        )
    }
    events: dict[int, list[Event]] = defaultdict(list)
    for message_id, event in trace_attempts(session, list_attempts(session, keys), gateways):
        events[message_id].append(event)
    approvals = _find_approvals(session, {run.campaign_id for run, _ in runs.values() if run.campaign_id})
    texts = []
    for row in rows:
        run, sender = runs[row.Message.run_id]
        happened = sort_events([*begin_line(row.Message, run), *events[row.Message.id]])
        texts.append(TextOfNumber(row, run, sender, _choose_approvals(approvals[run.campaign_id], run), happened))
    return texts


def _find_approvals(session: Session, campaign_ids: Collection[int]) -> dict[int | None, list[Row[Any]]]:
    lender = aliased(Account)
    statement: Select[*tuple[Any, ...]] = (
        select(Decision, Account.name.label("name"), lender.name.label("lender"))
        .outerjoin(Account, Account.id == Decision.account_id)
        .outerjoin(lender, lender.id == Decision.lender_id)
        .where(Decision.campaign_id.in_(campaign_ids), Decision.decided == "approved")
        .order_by(Decision.id)
    )
    found = defaultdict[int | None, list[Row[Any]]](list)
    for row in session.execute(statement):
        found[row.Decision.campaign_id].append(row)
    return found


def _choose_approvals(approvals: Sequence[Row[Any]], run: Run) -> list[Row[Any]]:
    """Those of the last submission that was approved before the run was launched."""
    given = [row for row in approvals if run.launched_at is None or row.Decision.at <= run.launched_at]
    return [row for row in given if row.Decision.submission == given[-1].Decision.submission]


def _find_replies(
    session: Session,
    actor: Actor,
    phone: str,
    people: Collection[int],
    since: datetime | None,
    until: datetime | None,
) -> Sequence[Row[Any]]:
    paths, strangers = actor.scope(Permission.read), may_read_strangers(session, actor)
    redacted = and_(ReplyRow.phone.is_(None), ReplyRow.person_id.in_(people))
    return session.execute(
        find_replies(paths, strangers=strangers, since=since, until=until)
        .where(or_(ReplyRow.phone == phone, redacted))
        .order_by(ReplyRow.received_at.desc(), ReplyRow.id.desc())
        .limit(MOST_REPLIES)
    ).all()
