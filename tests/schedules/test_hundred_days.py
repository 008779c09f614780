"""A hundred texts on working days over National Day, New Year and Spring Festival, with all that happens meanwhile."""

from __future__ import annotations

from collections import Counter, defaultdict

from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from sms_service.campaigns.closing import end_finished
from sms_service.campaigns.models import Campaign
from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.ledger.models import Message, Run
from sms_service.ledger.sweeps import finish_runs
from sms_service.schedules import series_editing
from sms_service.schedules.firing import fire_due_items
from tests.factories import make_person
from tests.schedules.eventful import EventTown, approve_event
from tests.schedules.serial import list_working_days, make_study_town, write_series

TEXTS = 100
STATEMENTS = 25  # of a clock that fires, at least; before each of them it dies once
JOINS, LEAVES, CORRECTED = 20, 40, 50  # the texts with which somebody joins and leaves, and one that is corrected


class Killed(Exception):
    """The process ends here."""


def fire_and_die(later: Database, statement: int) -> None:
    """A clock that dies before its statement of this number, if it comes to it."""
    count = 0

    def before(*_: object) -> None:
        nonlocal count
        count += 1
        if count == statement:
            raise Killed

    event.listen(later.engine, "before_cursor_execute", before)
    try:
        fire_due_items(later)
    except Killed:
        pass
    finally:
        event.remove(later.engine, "before_cursor_execute", before)


def received(session: Session, town: EventTown) -> dict[str, Counter[int]]:
    """By phone how often each item left for it."""
    found = defaultdict[str, Counter[int]](Counter)
    rows = session.execute(
        select(Message.phone, Run.item)
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .where(Run.campaign_id == town.campaign_id, Message.attempts > 0)
    )
    for phone, item in rows:
        found[str(phone)][item] += 1
    return found


def test_each_text_reaches_each_person_once(database: Database) -> None:
    town = make_study_town(database, people=2)
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, TEXTS)
        approve_event(session, town)
    newcomer = ""
    days = list_working_days(town, TEXTS)
    for number, day in enumerate(days, start=1):
        since = (day - town.today.date()).days
        if number == JOINS:
            with database.session() as session:
                newcomer = str(make_person(session, town.unit).phone)
        if number == LEAVES:
            with database.session() as session:
                gone = update(Person).where(Person.phone == town.phones[1])
                session.execute(gone.values(left_at=town.at(since)))
        if number <= STATEMENTS:
            with town.clock(since, "08:30") as later:
                fire_and_die(later, number)
        with town.clock(since, "08:31") as later:  # each day another process
            left = town.tick(later)
            assert left == (0 if number == CORRECTED else 2 + (number >= JOINS) - (number >= LEAVES)), (number, day)
            assert fire_due_items(later).runs == 0
            if number == CORRECTED - 1:
                with later.session() as session:
                    series_editing.correct_text(
                        session, town.officer, town.campaign_id, CORRECTED, {"text": "改好了。"}
                    )
            if number == CORRECTED:
                with later.session() as session:
                    approve_event(session, town)
                assert town.tick(later) == 2
                assert {text.body for text in town.adapter.handed[-2:]} == {"【云州先锋】每日一学：改好了。拒收请回复R"}
            with later.transaction() as connection:
                finish_runs(connection)
            ended = end_finished(later)
            assert ended == ([town.campaign_id] if number == TEXTS else [])
    with database.session() as session:
        everything = set(range(1, TEXTS + 1))
        stays, leaves = town.phones
        assert received(session, town) == {
            stays: Counter(everything),
            leaves: Counter(range(1, LEAVES)),
            newcomer: Counter(range(JOINS, TEXTS + 1)),
        }
        runs = session.scalars(select(Run).where(Run.campaign_id == town.campaign_id).order_by(Run.item)).all()
        assert [run.day for run in runs] == days
        assert session.get_one(Campaign, town.campaign_id).status == "ended"
