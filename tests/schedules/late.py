"""A series of a branch that people join and leave, as tests begin with it: one text each day."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.dispatch import freeze
from sms_service.ledger.models import Message, Run
from sms_service.schedules.firing import fire_due_items
from tests.factories import fictional_phone, make_person, make_unit
from tests.schedules.eventful import EventTown, approve_event, make_town
from tests.schedules.serial import write_series


def begin_series(database: Database, people: int = 2, texts: int = 3, late: str = "first") -> EventTown:
    """An approved series to everybody of a branch, from `today` on."""
    town = make_town(database, people=people)
    with database.session() as session:
        write_series(session, town, texts, days="all", late=late)
        approve_event(session, town)
    return town


def make_readers_town(database: Database) -> EventTown:
    """A series of three texts for a street with two people of its own, one of whom has no phone, and its branch
    一支部 with one.
    """
    town = make_town(database, people=1)
    with database.session() as session:
        make_person(session, town.unit, name="无号码", phone=None)
        branch = make_unit(session, parent=session.merge(town.unit), name="一支部", level="branch")
        make_person(session, branch, name="支部党员")
        write_series(session, town, 3, days="all", late="first")
        approve_event(session, town)
    return town


def deliver_texts(session: Session, name: str) -> None:
    """All waiting texts leave: those to people of that name arrive, the others are accepted."""
    ids = select(Person.id).where(Person.name == name)
    waiting = update(Message).where(Message.status == "pending")
    session.execute(waiting.where(Message.person_id.in_(ids)).values(status="delivered", attempts=1))
    session.execute(waiting.values(status="accepted", attempts=1))


def fire_day(town: EventTown, day: int) -> int:
    """Fire and freeze what is due on that day, counted from 1; returns how many runs were made."""
    with town.clock(day - 1, "08:30") as later:
        made = fire_due_items(later).runs
        for run_id in freeze.begin_due_runs(later):
            freeze.freeze_run(later, run_id)
    return made


def join_branch(database: Database, town: EventTown, name: str) -> int:
    """Somebody new in the branch; returns their id."""
    with database.session() as session:
        return make_person(session, town.unit, name=name, phone=fictional_phone()).id


def leave_branch(database: Database, person_id: int) -> None:
    """Somebody leaves."""
    with database.session() as session:
        session.execute(update(Person).where(Person.id == person_id).values(left_at=func.sms_now()))


def items_had(database: Database, campaign_id: int) -> dict[int, list[tuple[int, int]]]:
    """By person what they were to get, in its order: the day, counted from the first on which somebody was, and the
    item.
    """
    with database.session() as session:
        rows = session.execute(
            select(Message.person_id, Run.item, Run.day)
            .join(Run, Run.id == Message.run_id)
            .where(Run.campaign_id == campaign_id)
            .order_by(Run.day, Run.item)
        ).all()
    if not rows:
        return {}
    eve = min(row.day for row in rows) - timedelta(days=1)
    had: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        had.setdefault(row.person_id, []).append(((row.day - eve).days, row.item))
    return had
