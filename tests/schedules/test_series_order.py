"""Whatever is done to a series while its days go by: its texts go in their order, one on each day that it may, each
once.
"""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.errors import ServiceError
from sms_service.ledger.models import Run
from sms_service.schedules import series_editing
from sms_service.schedules.firing import fire_due_items
from sms_service.schedules.series_planning import SeriesRow
from tests.examples import count_examples
from tests.schedules.eventful import EventTown, approve_event
from tests.schedules.recurrence import ZONE
from tests.schedules.serial import items_of, list_working_days, make_study_town, write_series

places = st.integers(0, 8)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), places, places),
        st.tuples(st.just("move"), places, places),
        st.tuples(st.just("skip"), places, st.booleans()),
        st.tuples(st.just("correct"), places, places),
        st.tuples(st.just("days"), st.integers(0, 4), st.booleans()),  # go by, the last with or without a clock
        st.tuples(st.just("back"), st.integers(1, 3), places),  # the clock is put back, for one firing
    ),
    min_size=3,
    max_size=12,
)


class Life:
    """A series that is under way, and what its items must be by what was done."""

    def __init__(self, town: EventTown) -> None:
        self.town, self.day = town, 0
        self.allowed = list_working_days(town, 90)
        self.numbers = {1, 2, 3, 4}
        self.fired: dict[int, int] = {}  # by number the position at which it was fired

    def change(self, act: str, one: int, other: int) -> None:
        town = self.town
        with town.clock(self.day, "12:00") as later, later.session() as session:
            given = (session, town.officer, town.campaign_id)
            try:
                if act == "insert":
                    self.numbers.add(series_editing.insert_text(*given, one, SeriesRow(text=f"补{other}")).number)
                elif act == "move":
                    series_editing.move_text(*given, one, other)
                elif act == "skip":
                    series_editing.skip_text(*given, one, bool(other))
                else:
                    series_editing.correct_text(*given, one, {"text": f"改{other}"})
            except ServiceError:
                session.rollback()

    def fire(self, back: int = 0) -> None:
        with self.town.clock(self.day - back, "08:31") as later:
            fire_due_items(later)

    def check(self, session: Session) -> None:
        items = items_of(session, self.town)
        assert {item.number for item in items} == self.numbers
        assert [item.position for item in items] == list(range(1, len(items) + 1))
        runs = session.scalars(select(Run).where(Run.campaign_id == self.town.campaign_id)).all()
        assert len({run.item for run in runs}) == len(runs)
        assert {run.item for run in runs} == {item.number for item in items if item.fired_at is not None}
        gone = [run.day for run in runs]
        for item in items:
            if item.fired_at is not None:
                assert self.fired.setdefault(item.number, item.position) == item.position
                assert item.next_at is None
        coming = [local(item.next_at) for item in items if item.next_at is not None]
        waiting = [item for item in items if item.fired_at is None and not item.skipped]
        assert len(coming) == len(waiting)
        assert coming == sorted(coming)
        assert len({*gone, *coming}) == len(gone) + len(coming)
        assert {*gone, *coming} <= set(self.allowed)


def local(at: object) -> date:
    return at.astimezone(ZONE).date()  # type: ignore[attr-defined, no-any-return]


@settings(
    max_examples=count_examples(5),
    deadline=timedelta(minutes=2),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps)
def test_in_order_one_a_day_each_once(database: Database, given_steps: list[tuple[str, int, int]]) -> None:
    town = make_study_town(database, people=1)
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 4)
        approve_event(session, town)
    life = Life(town)
    for act, one, other in given_steps:
        if act == "days":
            for number in range(one):
                life.day += 1
                if number < one - 1 or other:
                    life.fire()
        elif act == "back":
            life.fire(one)
        else:
            life.change(act, one, other)
        with database.session() as session:
            life.check(session)
    life.day += 80
    life.fire()
    with database.session() as session:
        life.check(session)
        assert all(item.skipped or item.fired_at is not None for item in items_of(session, town))
