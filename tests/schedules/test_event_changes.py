"""An event that is moved and called off: who was invited learns of it, nobody else, and nothing goes unapproved."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import event as listening
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.campaigns.closing import end_finished
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.campaigns.resending import send_run_again
from sms_service.campaigns.rule_acts import add_approval_rule
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.ledger.models import Message, Run
from sms_service.ledger.sweeps import finish_runs
from sms_service.schedules.event import CANCELLATION, INVITATION, MOVE_NOTICE, REMINDER
from sms_service.schedules.event_changes import EventChange, cancel_event, move_event
from sms_service.schedules.firing import fire_due_items
from tests.dispatch.city import unknown
from tests.factories import make_actor, make_unit
from tests.schedules.eventful import EventTown, approve_event, make_town, write_event


@pytest.fixture
def town(database: Database) -> EventTown:
    return make_town(database)


@pytest.fixture
def planned(session: Session, town: EventTown) -> EventTown:
    """An approved event five days from `today`; its invitation goes on day 2, its reminder on day 4."""
    write_event(session, town)
    approve_event(session, town)
    session.commit()
    return town


def move(town: EventTown, later: Database, days: int, **kw: object) -> EventChange:
    with later.session() as session:
        given = {"begins": town.at(days), "why": "场地另有安排", **kw}
        return move_event(session, town.officer, town.campaign_id, **given)  # type: ignore[arg-type]


def call_off(town: EventTown, later: Database) -> EventChange:
    with later.session() as session:
        return cancel_event(session, town.officer, town.campaign_id, "讲师生病")


def approve(town: EventTown, later: Database) -> None:
    with later.session() as session:
        approve_event(session, town)


def campaign_of(town: EventTown) -> Campaign:
    with town.database.session() as session:
        return session.get_one(Campaign, town.campaign_id)


def test_one_that_moves_twice_and_is_called_off_tells_exactly_whom_it_invited(planned: EventTown) -> None:
    town = planned

    def answer(handed: object) -> Outcome:
        reference, phone = handed.reference, handed.phone  # type: ignore[attr-defined]
        if phone == town.phones[0]:
            return Outcome(reference, OutcomeKind.refused, error=ErrorClass.bad_number)
        return unknown(handed) if phone == town.phones[1] else Outcome(reference, OutcomeKind.accepted, f"p{reference}")  # type: ignore[arg-type]

    town.adapter.answer = answer
    with town.clock(2) as later:
        assert town.tick(later) == 4
    with town.clock(2, "15:00") as later:
        assert move(town, later, 8).told == 3
        assert campaign_of(town).undecided
        assert town.tick(later) == 0
        assert town.runs()[-1] == (MOVE_NOTICE, 1, "held", "changed")
        approve(town, later)
        assert town.tick(later) == 3
        assert "改为" in town.adapter.handed[-1].body
    with town.clock(7) as later:
        assert town.tick(later) == 3
        assert town.people_of(REMINDER) == set(town.phones[1:])
    with town.clock(7, "10:00") as later:
        assert move(town, later, 12, values={"地点": "新礼堂"}).told == 3
        approve(town, later)
        assert town.tick(later) == 3
        assert "新礼堂" in town.adapter.handed[-1].body
    with town.clock(9, "10:00") as later:
        assert town.tick(later) == 0, "the invitation had left all people"
    with town.clock(11) as later:
        assert town.tick(later) == 3, "the reminder comes before the new day"
    with town.clock(11, "12:00") as later:
        assert call_off(town, later).told == 3
        assert not campaign_of(town).undecided, "its notice was approved with the invitation"
        assert town.tick(later) == 3
        assert "取消" in town.adapter.handed[-1].body
        assert town.people_of(CANCELLATION) == set(town.phones[1:])
    with town.clock(30) as later:
        assert town.tick(later) == 0
        assert [item for item, *_ in town.runs()].count(CANCELLATION) == 1


def test_before_anybody_is_invited_it_moves_and_ends_without_a_word(planned: EventTown) -> None:
    town = planned
    with town.clock(1) as later:
        assert move(town, later, 9).told == 0
        approve(town, later)
        assert town.tick(later) == 0
    with town.clock(2) as later:
        assert town.tick(later) == 0
    with town.clock(3) as later:
        assert call_off(town, later).told == 0
        with pytest.raises(Conflict):
            call_off(town, later)
    assert (campaign_of(town).status, town.runs(), town.adapter.handed) == ("ended", [], [])


def test_a_move_that_nobody_approved_is_taken_back_when_it_is_called_off(planned: EventTown) -> None:
    town = planned
    with town.clock(2) as later:
        town.tick(later)
    with town.clock(2, "12:00") as later:
        known = campaign_of(town).values["时间"]
        move(town, later, 8)
        assert town.tick(later) == 0
        assert call_off(town, later).told == 4
        assert town.tick(later) == 4
        assert known in town.adapter.handed[-1].body
    assert [run for run in town.runs() if run[0] == MOVE_NOTICE] == [(MOVE_NOTICE, 1, "cancelled", None)]


@pytest.mark.parametrize("change", ["move", "cancel"])
def test_texts_that_say_what_is_not_so_any_more_do_not_go_again(planned: EventTown, change: str) -> None:
    town = planned

    def answer(handed: object) -> Outcome:
        if town.phones.index(handed.phone) == 0:  # type: ignore[attr-defined]
            return Outcome(handed.reference, OutcomeKind.refused, error=ErrorClass.account)  # type: ignore[attr-defined]
        return unknown(handed)  # type: ignore[arg-type]

    town.adapter.answer = answer
    with town.clock(2) as later:
        town.tick(later)
        with later.transaction() as connection:
            finish_runs(connection)
        with later.session() as session:
            (run_id,) = session.scalars(select(Run.id).where(Run.campaign_id == town.campaign_id))
            session.execute(update(Run).where(Run.id == run_id).values(status="finished"))
    with town.clock(2, "10:00") as later:
        if change == "move":
            move(town, later, 9)
        else:
            call_off(town, later)
        with later.session() as session, pytest.raises(Conflict, match="not so any more"):
            send_run_again(session, town.officer, run_id, "再发一次", None)


def test_an_invitation_under_way_goes_to_the_others_with_the_new_time(planned: EventTown) -> None:
    """Two have left when it is moved; these two get the notice, the other two an invitation to the new day."""
    town = planned
    with town.clock(2) as later:
        fire_due_items(later)
        (run_id,) = freeze.begin_due_runs(later)
        freeze.freeze_run(later, run_id)
        with later.session() as session:
            # Two of them have left.
            ids = session.scalars(select(Message.id).where(Message.run_id == run_id).order_by(Message.id)).all()
            run = session.get_one(Run, run_id)
            left = update(Message).where(Message.month == run.month, Message.id.in_(ids[:2]))
            session.execute(left.values(status="unknown", attempts=1))
        assert move(town, later, 9).told == 2
        approve(town, later)
        assert town.tick(later) == 2
        assert {text.phone for text in town.adapter.handed} == set(town.phones[:2])
    with town.clock(6) as later:
        assert town.tick(later) == 2
    assert town.people_of(INVITATION) == set(town.phones)
    assert {text.phone for text in town.adapter.handed[2:]} == set(town.phones[2:])
    with town.clock(8) as later:
        assert town.tick(later) == 4


def test_only_who_may_change_and_operate_it_moves_one_that_is_to_come(session: Session, planned: EventTown) -> None:
    town, stranger = planned, make_actor(session, make_unit(session))
    for act in (
        lambda: move_event(session, stranger, town.campaign_id, town.at(7), why="x"),
        lambda: cancel_event(session, stranger, town.campaign_id, "x"),
        lambda: move_event(session, town.approver, town.campaign_id, town.at(7), why="x"),
    ):
        with pytest.raises(Forbidden):
            act()
    for field, given in (("why", {"why": " "}), ("begins", {}), ("schedule.begins", {"begins": town.at(-9)})):
        with pytest.raises(Invalid) as refused:
            move_event(session, town.officer, town.campaign_id, **{"begins": town.at(5), "why": "换", **given})
        assert refused.value.field == field
        session.rollback()
    with town.clock(6) as later, pytest.raises(Conflict, match="has begun"):
        call_off(town, later)


def test_who_moved_it_may_not_approve_that(session: Session, planned: EventTown) -> None:
    town = planned
    both = make_actor(session, town.unit, ("officer", "approver"))
    move_event(session, both, town.campaign_id, town.at(8), why="换")
    with pytest.raises(Forbidden):
        approve_event(session, replace_approver(town, both))


def test_where_self_service_covers_it_a_move_is_approved_with_it(session: Session, planned: EventTown) -> None:
    town = planned
    top = session.get_one(Unit, town.unit.parent_id)
    chief = make_actor(session, top, ("administrator",))
    add_approval_rule(session, chief, unit_id=top.id, level="branch", up_to=10, approvals=0)
    session.commit()
    with town.clock(2) as later:
        town.tick(later)
    with town.clock(2, "12:00") as later:
        assert move(town, later, 8).told == 4
        assert not campaign_of(town).undecided
        assert town.tick(later) == 4
    with town.clock(3) as later:
        move(town, later, 9)
        assert call_off(town, later).told == 4
        assert town.tick(later) == 4


def replace_approver(town: EventTown, actor: object) -> EventTown:
    return replace(town, approver=actor)  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["move", "fire"])
def test_a_move_and_a_firing_at_once_tell_the_new_time_or_both(planned: EventTown, first: str) -> None:
    """Whoever is second waits, and acts on what the first left."""
    town = planned
    with town.clock(2) as later:
        inside, go_on = threading.Event(), threading.Event()

        def wait(connection: object, cursor: object, statement: str, *_: object) -> None:
            if threading.current_thread().name.startswith("first") and "trail" in statement and "INSERT" in statement:
                inside.set()
                assert go_on.wait(30)

        listening.listen(later.engine, "before_cursor_execute", wait)

        def fire() -> int:
            return fire_due_items(later).runs

        def shift() -> int:
            return move(town, later, 9).told

        acts = (shift, fire) if first == "move" else (fire, shift)
        with (
            ThreadPoolExecutor(1, thread_name_prefix="first") as one,
            ThreadPoolExecutor(1, thread_name_prefix="second") as two,
        ):
            begun = one.submit(acts[0])
            assert inside.wait(30)
            second = two.submit(acts[1])
            if first == "move":
                assert second.result(30) == 0, "the clock leaves what somebody is changing"
            go_on.set()
            begun.result(30)
            second.result(30)
        listening.remove(later.engine, "before_cursor_execute", wait)
        assert town.tick(later) == 0
    live = [run for run in town.runs() if run[2] not in ("cancelled",)]
    assert live == []
    with town.database.session() as session:
        item = session.get_one(CampaignItem, (town.campaign_id, INVITATION))
        assert (item.next_at, item.fired_at) == (town.at(6), None)
        assert item.next_firing == (1 if first == "move" else 2)
    with town.clock(6) as later:
        approve(town, later)
        assert town.tick(later) == 4
    assert end_finished(town.database) == []
