"""Who came to an event: ticked off once it has begun, thanked, counted, and erased with the person."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.closing import end_finished
from sms_service.campaigns.models import Campaign
from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Run
from sms_service.personal.erasure import erase_person
from sms_service.personal.own_data import collect_own_data
from sms_service.schedules.attendance import Participation, count_participation, list_expected, record_attendance
from sms_service.schedules.attendance_models import Attendance
from sms_service.schedules.event import THANKS
from tests.factories import make_actor, make_person, make_unit
from tests.schedules.eventful import EventTown, approve_event, make_town, write_event


@pytest.fixture
def held(session: Session, database: Database) -> EventTown:
    """An event of day 5 to which all are invited; the person of number 3 has no phone, the one of number 0 declined."""
    town = make_town(database, people=3)
    make_person(session, town.unit, name="党员3", phone=None)
    write_event(session, town)
    approve_event(session, town)
    session.commit()
    with town.clock(2) as later:
        town.tick(later)
    with town.clock(2, "09:30") as later:
        town.answer(later, 0, "请假")
    with town.clock(4) as later:
        town.tick(later)
    return town


def people_of(session: Session, town: EventTown) -> list[int]:
    return list(session.scalars(select(Person.id).where(Person.unit_id == town.unit.id).order_by(Person.name)))


def record(town: EventTown, days: int, clock: str, *numbers: int) -> tuple[int, int]:
    with town.clock(days, clock) as later, later.session() as session:
        ids = people_of(session, town)
        return record_attendance(session, town.officer, town.campaign_id, [ids[number] for number in numbers])


def test_those_who_came_are_thanked_once(held: EventTown) -> None:
    town = held
    with town.clock(5, "08:00") as later, later.session() as session, pytest.raises(Conflict, match="not taken place"):
        record_attendance(session, town.officer, town.campaign_id, [])
    assert record(town, 5, "11:00", 1, 3) == (2, 4)
    with town.clock(6, "10:00") as later:
        assert town.tick(later) == 1
    assert town.people_of(THANKS) == {town.phones[1]}
    assert record(town, 6, "11:00", 1, 2, 3) == (3, 4)
    with town.clock(6, "11:01") as later:
        assert town.tick(later) == 1
    assert town.people_of(THANKS) == {town.phones[1], town.phones[2]}
    assert record(town, 6, "12:00", 1, 2) == (2, 4)
    with town.clock(6, "12:01") as later:
        assert town.tick(later) == 0
    assert [one[1] for one in town.runs() if one[0] == THANKS] == [1, 2]


def test_ticked_off_after_its_end_the_thanks_go_at_once(session: Session, held: EventTown) -> None:
    town = held
    with town.clock(6, "10:00") as later:
        assert town.tick(later) == 0
    session.execute(update(Run).where(Run.campaign_id == town.campaign_id).values(status="closed"))
    session.commit()
    assert end_finished(town.database) == [town.campaign_id]
    assert record(town, 8, "10:00", 2) == (1, 4)
    with town.clock(8, "10:01") as later:
        assert town.tick(later) == 1
    session.expire_all()
    assert session.get_one(Campaign, town.campaign_id).status == "active"


def test_everybody_of_the_invitation_is_listed_with_what_is_known(held: EventTown) -> None:
    town = held
    record(town, 5, "11:00", 1)
    with town.clock(5, "12:00") as later, later.session() as session:
        found = list_expected(session, town.officer, town.campaign_id)
    assert [(one.person, one.invited, one.declined, one.came) for one in found] == [
        ("党员0", True, True, False),
        ("党员1", True, False, True),
        ("党员2", True, False, False),
        ("党员3", False, False, False),
    ]


def test_only_its_unit_ticks_off_and_only_those_who_were_to_come(session: Session, held: EventTown) -> None:
    town = held
    other = make_unit(session)
    stranger = make_person(session, other)
    session.commit()
    with town.clock(5, "11:00") as later, later.session() as own:
        with pytest.raises(Forbidden):
            record_attendance(own, make_actor(own, own.merge(other)), town.campaign_id, [])
        with pytest.raises(Invalid, match="nobody to whom"):
            record_attendance(own, town.officer, town.campaign_id, [stranger.id])


def test_participation_is_counted_by_unit_and_ends_with_the_person(session: Session, held: EventTown) -> None:
    town = held
    record(town, 5, "11:00", 1, 3)
    path = town.unit.path
    assert count_participation(session, [path]) == Participation(1, 4, 2)
    assert count_participation(session, [path], since=town.at(5, "12:00")) == Participation(0, 0, 0)
    assert count_participation(session, [path], until=town.at(5, "12:00")) == Participation(1, 4, 2)
    assert count_participation(session, []) == Participation(0, 0, 0)
    person = people_of(session, town)[3]
    (found,) = collect_own_data(session, SYSTEM, person, "本人要求")["events"]
    assert (found["campaign"], found["came"]) == ("重温入党誓词", True)
    erase_person(session, SYSTEM, person, "本人要求")
    assert session.scalars(select(Attendance.person_id).where(Attendance.person_id == person)).all() == []
    assert count_participation(session, [path]) == Participation(1, 3, 1)
