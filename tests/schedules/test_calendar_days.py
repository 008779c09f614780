"""Entries of the calendar: who may set and remove them, what is refused, what the trail keeps, two at once."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.directory.day_lines import Span
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.schedules.calendar_days import (
    CalendarEntry,
    clear_calendar_days,
    entry_of,
    find_calendar_days,
    plan_calendar_days,
    remove_calendar_day,
    set_calendar_days,
    span_of_year,
)
from sms_service.schedules.calendar_models import CalendarDay
from sms_service.schedules.calendar_years import get_calendar_year
from sms_service.schedules.official_years import take_over_year
from tests.factories import make_actor, make_unit

HOLIDAY = CalendarEntry(date(2027, 2, 5), False, "春节")
SWAPPED = CalendarEntry(date(2027, 2, 14), True, "春节调休")


def acts(session: Session) -> list[tuple[str, dict[str, object]]]:
    return [(one.act, one.details) for one in session.scalars(select(TrailEntry).order_by(TrailEntry.id))]


def test_what_is_set_again_is_replaced_and_the_trail_says_it(session: Session) -> None:
    unit = make_unit(session)
    set_calendar_days(session, SYSTEM, unit.id, [SWAPPED, HOLIDAY, HOLIDAY._replace(day=date(2027, 2, 6))])
    plan = plan_calendar_days(
        session, SYSTEM, unit.id, [HOLIDAY, SWAPPED._replace(name="春节"), SWAPPED._replace(day=date(2027, 2, 20))]
    )
    assert [[one.day.day for one in part] for part in (plan.same, plan.changed, plan.added)] == [[5], [14], [20]]
    (changed,) = set_calendar_days(session, SYSTEM, unit.id, [SWAPPED._replace(works=False)])
    assert not changed.works
    gone = remove_calendar_day(session, SYSTEM, changed.id)
    assert gone == SWAPPED._replace(works=False)
    assert len(clear_calendar_days(session, SYSTEM, unit.id, span_of_year(2027))) == 2
    assert clear_calendar_days(session, SYSTEM, unit.id, span_of_year(2027)) == ()
    take_over_year(session, SYSTEM, unit.id, 2026)
    first = ["2027-02-05 至 2027-02-06 春节 放假", "2027-02-14 春节调休 上班"]
    changes = {"days": [["2027-02-14 春节调休 上班"], ["2027-02-14 春节调休 放假"]]}
    assert acts(session) == [
        ("calendar.set", {"days": first, "rows": 3, "changes": {"days": [[], first]}}),
        ("calendar.set", {"days": ["2027-02-14 春节调休 放假"], "rows": 1, "changes": changes}),
        ("calendar.remove", {"days": ["2027-02-14 春节调休 放假"], "rows": 1}),
        ("calendar.remove", {"days": ["2027-02-05 至 2027-02-06 春节 放假"], "rows": 2}),
        ("calendar.take_over", {"year": 2026, "rows": 39}),
    ]


def test_only_who_manages_the_directory_changes_what_all_below_can_read(session: Session) -> None:
    city = make_unit(session)
    one, two = (make_unit(session, level="branch", parent=city) for _ in range(2))
    (day,) = set_calendar_days(session, SYSTEM, city.id, [HOLIDAY])
    set_calendar_days(session, SYSTEM, two.id, [SWAPPED])
    below, officer = make_actor(session, one, ("administrator",)), make_actor(session, city)
    for actor, unit in ((below, city), (below, two), (officer, city)):
        for act in (
            lambda actor=actor, unit=unit: set_calendar_days(session, actor, unit.id, [HOLIDAY]),
            lambda actor=actor, unit=unit: plan_calendar_days(session, actor, unit.id, [HOLIDAY]),
            lambda actor=actor, unit=unit: clear_calendar_days(session, actor, unit.id, Span(*[HOLIDAY.day] * 2)),
            lambda actor=actor, unit=unit: take_over_year(session, actor, unit.id, 2026),
        ):
            with pytest.raises(Forbidden):
                act()
    with pytest.raises(Forbidden):
        remove_calendar_day(session, below, day.id)
    with pytest.raises(NotFound):
        remove_calendar_day(session, below, 999_999)
    assert [row.Unit.id for row in session.execute(find_calendar_days((one.path,), 2027))] == [city.id]
    assert session.execute(find_calendar_days((one.path,), 2026)).all() == []
    year = get_calendar_year(session, below, one.id, 2027)
    assert [(one.entry, one.unit.id) for one in year.held] == [(HOLIDAY, city.id)]
    with pytest.raises(Forbidden):
        get_calendar_year(session, below, two.id, 2027)


def test_a_year_of_a_unit_shows_who_says_what(session: Session) -> None:
    city = make_unit(session)
    branch = make_unit(session, level="branch", parent=city)
    take_over_year(session, SYSTEM, city.id, 2026)
    set_calendar_days(session, SYSTEM, branch.id, [CalendarEntry(date(2026, 10, 3), True, "值守")])
    year = get_calendar_year(session, SYSTEM, branch.id, 2026)
    assert (year.working_days, year.warning) == (248 + 1, None)
    october = [(span.write(), unit.id) for span, unit in year.spans if span.first.month == 10]
    assert october == [
        ("2026-10-01 至 2026-10-02 国庆节 放假", city.id),
        ("2026-10-03 值守 上班", branch.id),
        ("2026-10-04 至 2026-10-07 国庆节 放假", city.id),
        ("2026-10-10 国庆节调休 上班", city.id),
    ]
    assert "no holidays are known for 2027" in str(get_calendar_year(session, SYSTEM, branch.id, 2027).warning)


@pytest.mark.parametrize(
    ("entries", "field"),
    [
        ([], "days"),
        ([HOLIDAY] * 2, "days[1].day"),
        ([HOLIDAY._replace(name=" ")], "days[0].name"),
        ([HOLIDAY._replace(name="春" * 51)], "days[0].name"),
        ([HOLIDAY._replace(day=date(1999, 1, 1))], "days[0].day"),
        ([HOLIDAY._replace(day=date(2101, 1, 1))], "days[0].day"),
    ],
)
def test_what_is_wrong_is_named(session: Session, entries: list[CalendarEntry], field: str) -> None:
    unit = make_unit(session)
    with pytest.raises(Invalid) as error:
        set_calendar_days(session, SYSTEM, unit.id, entries)
    assert error.value.field == field
    assert session.scalars(select(CalendarDay)).all() == []


@pytest.mark.parametrize("year", [1999, 2003, 2100])
def test_a_year_that_the_library_does_not_know_is_refused(session: Session, year: int) -> None:
    unit = make_unit(session)
    with pytest.raises(Invalid, match="the library knows 2004 to"):
        take_over_year(session, SYSTEM, unit.id, year)


def test_two_who_set_the_same_days_wait_for_each_other_and_both_succeed(database: Database) -> None:
    with database.session() as session:
        unit_id = make_unit(session).id
    entries = [CalendarEntry(date(2027, 1, 1 + n), False, "假") for n in range(20)]
    failed: list[BaseException] = []

    def work(order: list[CalendarEntry]) -> None:
        try:
            for _ in range(10):
                with database.session() as session:
                    set_calendar_days(session, SYSTEM, unit_id, order)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failed.append(error)

    threads = [threading.Thread(target=work, args=(order,)) for order in (entries, entries[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with database.session() as session:
        assert len(session.scalars(select(CalendarDay)).all()) == 20


def test_of_two_who_remove_an_entry_one_is_told_that_it_is_gone(database: Database) -> None:
    with database.session() as session:
        unit_id = make_unit(session).id
        (day,) = set_calendar_days(session, SYSTEM, unit_id, [HOLIDAY])
        assert entry_of(day) == HOLIDAY
        day_id = day.id
    outcomes: list[str] = []
    reached = threading.Event()

    def second() -> None:
        with database.session() as session:
            session.scalar(select(CalendarDay.id).where(CalendarDay.id == day_id))
            reached.set()
            try:
                remove_calendar_day(session, SYSTEM, day_id)
                outcomes.append("removed")
            except NotFound:
                outcomes.append("gone")

    thread = threading.Thread(target=second)
    with database.session() as session:
        remove_calendar_day(session, SYSTEM, day_id)
        thread.start()
        assert reached.wait(30)
    thread.join(60)
    assert outcomes == ["gone"]
