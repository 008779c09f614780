"""The end of a list for one campaign: guests are erased and rows deleted when nobody needs them, and not before."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.audience.recipient_lists import erase_listed
from sms_service.campaigns.list_uses import find_list_use, list_campaigns_of_list
from sms_service.campaigns.models import Campaign
from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.errors import Conflict, Forbidden
from sms_service.ledger.models import Message, Run
from sms_service.personal.erasure import erase_person
from sms_service.personal.list_endings import end_lists, let_list_go
from sms_service.personal.own_data import collect_own_data
from tests.audience.listing import bring_list
from tests.clocks import ahead_by
from tests.dispatch.city import make_city, make_run
from tests.factories import make_actor, make_person, make_segment, make_unit

ROWS = "编号,姓名,手机号,座位\nP1,,,1排\n,来宾一,13975840241,2排\n,来宾二,13975840242,3排\n"


def make_list(database: Database, **run: object) -> tuple[int, int]:
    """A list with two guests, and a run to it; their ids."""
    with database.session() as session:
        unit = make_unit(session)
        make_person(session, unit, number="P1")
        found = bring_list(session, unit, ROWS)
        made = make_run(session, unit, segment_rule={"list": found.id}, **run)
        session.execute(
            update(Campaign).where(Campaign.id == made.campaign_id).values(segment_id=found.segment_id, status="ended")
        )
        return found.id, made.id


def counts(database: Database, list_id: int) -> tuple[int, int]:
    """The list's rows, and the guests that there are."""
    with database.session() as session:
        rows = session.scalar(select(func.count()).where(RecipientRow.list_id == list_id))
        return rows or 0, session.scalar(select(func.count()).where(Person.kind == "guest")) or 0


def test_rows_and_guests_go_some_time_after_the_last_run(database: Database) -> None:
    make_city(database, 1)
    list_id, run_id = make_list(database, status="running", audience=3, frozen_at=func.sms_now())
    assert end_lists(database, 30) == 0  # not looked at yet
    with ahead_by(database.url, "40 days") as ahead:
        assert end_lists(ahead, 30) == 0  # the run is under way
        with ahead.session() as session:
            assert find_list_use(session, list_id).waits
            finished = {"status": "finished", "finished_at": func.sms_now()}
            session.execute(update(Run).where(Run.id == run_id).values(**finished))
    with ahead_by(database.url, "60 days") as ahead:
        assert end_lists(ahead, 30) == 0  # looked at; 20 days after its end
        assert counts(ahead, list_id) == (3, 2)
    with ahead_by(database.url, "71 days") as ahead:
        assert end_lists(ahead, 30) == 2
        assert counts(ahead, list_id) == (1, 0)
        assert end_lists(ahead, 30) == 1
        assert end_lists(ahead, 30) == 0
        with ahead.session() as session:
            found = session.get_one(RecipientList, list_id)
            assert (found.emptied_at is not None, found.look_at, found.people, found.guests) == (True, None, 3, 2)
            assert session.scalar(select(func.count()).where(Person.number == "P1")) == 1
    assert counts(database, list_id) == (0, 0)


def test_a_guest_with_a_text_on_its_way_is_erased_later(database: Database) -> None:
    city = make_city(database, 1)
    list_id, _ = make_list(database, status="closed", audience=3, frozen_at=func.sms_now())
    with ahead_by(database.url, "40 days") as ahead, ahead.session() as session:
        guest = session.scalars(select(Person).where(Person.kind == "guest").order_by(Person.id)).first()
        assert guest is not None
        under_way = {"person_id": guest.id, "status": "accepted", "attempts": 1, "changed_at": func.sms_now()}
        session.execute(update(Message).where(Message.run_id == city.run_id).values(**under_way))
    with ahead_by(database.url, "40 days") as ahead:
        assert end_lists(ahead, 30) == 0
        assert end_lists(ahead, 30) == 0
        assert counts(ahead, list_id) == (3, 2)
    with ahead_by(database.url, "44 days") as ahead:
        assert [end_lists(ahead, 30) for _ in range(3)] == [2, 1, 0]


def test_who_may_lets_an_unused_list_go_at_once(database: Database) -> None:
    make_city(database, 1)
    list_id, run_id = make_list(database, status="planned")
    with database.session() as session:
        unit_id = session.get_one(RecipientList, list_id).unit_id
        unit = session.get_one(Run, run_id).unit_id
        assert unit_id == unit
        place = make_unit(session)
        with pytest.raises(Forbidden):
            let_list_go(session, make_actor(session, place), list_id)
        with pytest.raises(Conflict, match="submitted, approved or being sent"):
            let_list_go(session, SYSTEM, list_id)
        session.execute(update(Run).where(Run.id == run_id).values(status="cancelled"))
        assert [one["name"] for one in list_campaigns_of_list(session, SYSTEM, list_id)] == ["学习"]
        let_list_go(session, SYSTEM, list_id)
        let_list_go(session, SYSTEM, list_id)
    assert [end_lists(database, 30) for _ in range(3)] == [2, 1, 0]
    assert counts(database, list_id) == (0, 0)


def test_a_campaign_that_is_submitted_keeps_its_list_also_by_other_segments(database: Database) -> None:
    make_city(database, 1)
    list_id, run_id = make_list(database, status="closed", audience=3, frozen_at=func.sms_now())
    with database.session() as session:
        found = session.get_one(RecipientList, list_id)
        run = session.get_one(Run, run_id)
        rule = {"all": [{"segment": found.segment_id}, {"everyone": True}]}
        by = make_segment(session, session.get_one(type(make_unit(session)), run.unit_id), rule)
        assert not find_list_use(session, list_id).waits
        other = make_run(session, make_unit(session), status="planned")
        session.execute(
            update(Campaign).where(Campaign.id == other.campaign_id).values(segment_id=by.id, status="submitted")
        )
        session.execute(update(Run).where(Run.id == other.id).values(status="cancelled"))
        assert find_list_use(session, list_id).waits


def test_an_erasure_takes_a_person_off_lists_and_their_own_data_has_them(database: Database) -> None:
    make_city(database, 1)
    list_id, _ = make_list(database, status="closed", audience=3, frozen_at=func.sms_now())
    with database.session() as session:
        person = session.scalars(select(Person).where(Person.number == "P1")).one()
        found = collect_own_data(session, SYSTEM, person.id, "本人要求")
        assert found["lists"] == [{"list_id": list_id, "list": "名单", "row": 2, "values": {"座位": "1排"}}]
        digest = session.get_one(RecipientList, list_id).digest
        erase_person(session, SYSTEM, person.id, "本人要求")
        assert erase_listed(session, person.id) == 0
        assert session.get_one(RecipientList, list_id).digest == digest
    assert counts(database, list_id) == (2, 2)
