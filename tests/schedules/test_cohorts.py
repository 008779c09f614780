"""People who join a series late and begin at its first item: each gets each item once, in order, and skips none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from sms_service.campaigns import control
from sms_service.campaigns.closing import end_finished
from sms_service.campaigns.models import Campaign, SeriesCohort
from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.dispatch import freeze
from sms_service.errors import Conflict
from sms_service.ledger.models import Run
from sms_service.schedules.correcting import change_item
from sms_service.schedules.fired_runs import Fired
from sms_service.schedules.firing import fire_due_items
from sms_service.schedules.scheduling import continue_campaign, end_schedule, suspend_campaign
from sms_service.schedules.series_editing import insert_text
from sms_service.schedules.series_planning import SeriesRow
from sms_service.schedules.viewing import view_schedule
from tests.examples import count_examples
from tests.schedules.eventful import EventTown, approve_event
from tests.schedules.late import begin_series, fire_day, items_had, join_branch, leave_branch
from tests.waiting import wait_until_blocked


def test_who_joins_late_begins_at_the_first_item_and_gets_one_a_day(database: Database) -> None:
    town = begin_series(database)
    assert fire_day(town, 1) == 1
    newcomer = join_branch(database, town, "新党员")
    assert [fire_day(town, day) for day in (2, 3, 4, 5, 6)] == [2, 2, 1, 0, 0]
    had = items_had(database, town.campaign_id)
    assert had.pop(newcomer) == [(2, 1), (3, 2), (4, 3)]
    assert list(had.values()) == [[(1, 1), (2, 2), (3, 3)]] * 2


def test_otherwise_they_begin_at_the_text_of_the_day(database: Database) -> None:
    town = begin_series(database, late="today")
    fire_day(town, 1)
    newcomer = join_branch(database, town, "新党员")
    assert [fire_day(town, day) for day in (2, 3, 4)] == [1, 1, 0]
    assert items_had(database, town.campaign_id)[newcomer] == [(2, 2), (3, 3)]


days = st.integers(1, 5)
crowds = st.lists(st.tuples(days, st.one_of(st.none(), days)), max_size=5)


@settings(max_examples=count_examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.integers(1, 3), crowd=crowds)
def test_nobody_gets_one_twice_and_nobody_skips_one(
    database: Database, texts: int, crowd: list[tuple[int, int | None]]
) -> None:
    """Of each person the day on which they join and that on which they leave, both before the texts of that day."""
    town = begin_series(database, 1, texts)
    people: dict[int, int] = {}
    for day in range(1, 8):
        for number, (joins, leaves) in enumerate(crowd):
            if joins == day:
                people[number] = join_branch(database, town, f"党员{number}")
            if leaves == day and number in people:
                leave_branch(database, people[number])
        fire_day(town, day)
    expected = {}
    for number, (joins, leaves) in enumerate(crowd):
        ends = 8 if leaves is None or leaves < joins else leaves
        items = [(joins + item - 1, item) for item in range(1, texts + 1) if joins + item - 1 < ends]
        if joins <= texts and items:  # after its last text, a series begins for nobody
            expected[people[number]] = items
    had = items_had(database, town.campaign_id)
    assert {person: had.get(person) for person in people.values()} == {
        person: expected.get(person) for person in people.values()
    }
    with database.session() as session:
        assert end_finished(database) == []
        assert session.scalars(select(SeriesCohort).where(SeriesCohort.next_at.is_not(None))).all() == []
        session.execute(update(Run).values(status="cancelled"))
        session.commit()
    assert end_finished(database) == [town.campaign_id]


def test_a_cohort_takes_in_who_joins_until_it_is_frozen_and_no_other_begins_before(
    database: Database, session: Session
) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    first = join_branch(database, town, "甲")
    with town.clock(1, "08:30") as later:  # no worker freezes what fires on day 2
        assert fire_due_items(later).runs == 2
    second = join_branch(database, town, "乙")
    assert fire_day(town, 3) == 2  # the third text, and the second one for the cohort, which takes in both
    held = session.scalars(select(Run).where(Run.held_for == "missed", Run.firing == 2)).one()
    with town.clock(2, "10:00") as later:
        with later.session() as own:
            control.resume_run(own, town.officer, held.id, "补发")
        for run_id in freeze.begin_due_runs(later):
            freeze.freeze_run(later, run_id)
    assert fire_day(town, 4) == 1
    had = items_had(database, town.campaign_id)
    assert had[first] == had[second] == [(3, 1), (3, 2), (4, 3)]


def test_of_two_first_runs_the_second_finds_the_members_of_the_first(database: Database) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    member = join_branch(database, town, "甲")
    for day in (1, 2):
        with town.clock(day, "08:30") as later:
            fire_due_items(later)
    with town.clock(2, "10:00") as later, town.clock(2, "10:00") as other:
        with later.session() as own:
            due = select(Run).where(Run.firing == 2).order_by(Run.item)
            first, second = own.scalars(due).all()
            own.execute(update(Run).where(Run.firing == 2).values(due_at=func.sms_now()))
        freeze.begin_due_runs(later)
        written, waits = threading.Event(), threading.Event()

        def hold(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "INSERT INTO messages" in statement:
                written.set()
                assert waits.wait(60)

        event.listen(later.engine, "after_cursor_execute", hold)
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(freeze.freeze_run, later, second.id)
            assert written.wait(60)
            two = pool.submit(freeze.freeze_run, other, first.id)
            wait_until_blocked(database, unless=two.done)
            join_branch(database, town, "乙")
            waits.set()
            assert (one.result(60), two.result(60)) == (1, 1)
    assert items_had(database, town.campaign_id)[member] == [(3, 1), (3, 2)]


class Killed(Exception):
    """The process ends here."""


def test_a_clock_that_dies_between_any_two_statements_fires_a_cohort_once(database: Database) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    join_branch(database, town, "甲")
    seen = set()
    with town.clock(1, "08:30") as later:
        count, die_at = 0, 0

        def before(*_: object) -> None:
            nonlocal count
            count += 1
            if count == die_at:
                raise Killed

        event.listen(later.engine, "before_cursor_execute", before)
        while True:
            count, die_at = 0, die_at + 1
            try:
                fire_due_items(later)
            except Killed:
                seen.add(standing(database, town))
                continue
            break
    none, waits, begun = (1, None), (2, False), (3, True)
    assert seen == {none, waits, begun}
    assert standing(database, town) == begun


def standing(database: Database, town: EventTown) -> tuple[int, bool | None]:
    """How many runs there are, and whether the cohort of the late has begun; None: it is not there."""
    with database.session() as session:
        runs = session.scalars(select(func.count()).select_from(Run)).one()
        cohort = session.get(SeriesCohort, (town.campaign_id, 2))
        return runs, None if cohort is None else cohort.fired_at is not None


def test_two_clocks_and_one_that_is_put_back_fire_a_cohort_once(database: Database) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    newcomer = join_branch(database, town, "甲")
    together = threading.Barrier(2)

    def tick(_: int) -> None:
        with town.clock(1, "08:30") as later:
            together.wait(30)
            fire_due_items(later)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(tick, range(2)))
    fire_day(town, 2)
    fire_day(town, 3)
    assert fire_day(town, 2) == fire_day(town, 3) == 0
    assert items_had(database, town.campaign_id)[newcomer] == [(2, 1), (3, 2)]


def test_a_pause_is_not_made_up_for_and_an_end_is_one_for_all(database: Database) -> None:
    town = begin_series(database, texts=4)
    fire_day(town, 1)
    newcomer = join_branch(database, town, "甲")
    fire_day(town, 2)
    with database.session() as session:
        suspend_campaign(session, town.officer, town.campaign_id, "放假")
    assert fire_day(town, 3) == 0
    with town.clock(2, "10:00") as later, later.session() as session:
        continue_campaign(session, town.officer, town.campaign_id, "开学")
    assert fire_day(town, 4) == 2
    with database.session() as session:
        end_schedule(session, town.officer, town.campaign_id, "结束")
    assert fire_day(town, 5) == 0
    assert items_had(database, town.campaign_id)[newcomer] == [(2, 1), (4, 2)]


def test_what_is_still_to_come_for_a_cohort_can_be_corrected(database: Database) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    newcomer = join_branch(database, town, "甲")
    fire_day(town, 2)
    with pytest.raises(Conflict), database.session() as session:  # all had it
        change_item(session, town.officer, town.campaign_id, 1, {"values": {"内容": "改过的"}})
    with database.session() as session:
        change_item(session, town.officer, town.campaign_id, 2, {"values": {"内容": "改过的"}})
        assert session.get_one(Campaign, town.campaign_id).undecided
    with town.clock(2, "08:30") as later:
        assert fire_due_items(later) == Fired(2, 1)
        with later.session() as session:
            approve_event(session, town)
        for run_id in freeze.begin_due_runs(later):
            freeze.freeze_run(later, run_id)
    assert items_had(database, town.campaign_id)[newcomer] == [(2, 1), (3, 2)]
    with database.session() as session:
        texts = {(run.item, run.firing): run.values["内容"] for run in session.scalars(select(Run))}
    assert texts == {
        (1, 1): "第1课，坚持学习。",
        (2, 1): "第2课，坚持学习。",
        (3, 1): "第3课，坚持学习。",
        (1, 2): "第1课，坚持学习。",
        (2, 2): "改过的",
    }


def test_what_is_skipped_later_a_cohort_does_not_get(database: Database) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    newcomer = join_branch(database, town, "甲")
    fire_day(town, 2)
    with database.session() as session:
        change_item(session, town.officer, town.campaign_id, 2, {"skipped": True})
    assert [fire_day(town, day) for day in (3, 4)] == [2, 0]
    assert items_had(database, town.campaign_id)[newcomer] == [(2, 1), (3, 3)]


def test_what_is_put_in_between_comes_to_a_cohort_in_its_place(database: Database) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    newcomer = join_branch(database, town, "甲")
    fire_day(town, 2)
    with database.session() as session:
        insert_text(session, town.officer, town.campaign_id, 2, SeriesRow(text="补充一课"))
        approve_event(session, town)
    assert [fire_day(town, day) for day in (3, 4, 5, 6)] == [2, 2, 1, 0]
    had = items_had(database, town.campaign_id)
    assert had.pop(newcomer) == [(2, 1), (3, 2), (4, 4), (5, 3)]
    assert list(had.values()) == [[(1, 1), (2, 2), (3, 4), (4, 3)]] * 2


def test_who_comes_back_goes_on_where_the_others_are(database: Database) -> None:
    town = begin_series(database, texts=4)
    wanderer = join_branch(database, town, "甲")
    fire_day(town, 1)
    leave_branch(database, wanderer)
    fire_day(town, 2)
    with database.session() as session:
        session.get_one(Person, wanderer).left_at = None
    assert [fire_day(town, day) for day in (3, 4, 5)] == [1, 1, 0]
    assert items_had(database, town.campaign_id)[wanderer] == [(1, 1), (3, 3), (4, 4)]


def test_one_sees_how_far_a_cohort_is(database: Database) -> None:
    town = begin_series(database)
    fire_day(town, 1)
    join_branch(database, town, "甲")
    with town.clock(1, "08:30") as later:
        fire_due_items(later)
    with database.session() as session:
        (cohort,) = view_schedule(session, town.officer, town.campaign_id)["cohorts"]
        assert (cohort.firing, cohort.began_at, cohort.people, cohort.had) == (2, town.at(1, "08:30"), None, 1)
        assert (cohort.next_item.number, cohort.next_at) == (2, town.at(2, "08:30"))
    for day in (2, 3, 4):
        fire_day(town, day)
    with database.session() as session:
        (cohort,) = view_schedule(session, town.officer, town.campaign_id)["cohorts"]
        assert (cohort.people, cohort.had, cohort.next_item, cohort.next_at) == (1, 3, None, None)


def test_where_the_first_texts_reach_nobody_those_who_come_are_a_cohort(database: Database) -> None:
    town = begin_series(database, people=0)
    fire_day(town, 1)
    newcomer = join_branch(database, town, "甲")
    fire_day(town, 2)
    assert items_had(database, town.campaign_id)[newcomer] == [(1, 1)]
