"""Working days as a value: which days they are, the next one, so many in a row, and up to when they are known."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.schedules.calendar_days import CalendarEntry, set_calendar_days
from sms_service.schedules.official_years import list_official_years, read_official_year, take_over_year
from sms_service.schedules.working_days import WorkingDays, load_working_days
from tests.factories import make_unit

FIRST, LAST = date(2027, 1, 1), date(2027, 12, 31)
in_2027 = st.dates(FIRST, LAST)
calendars = st.dictionaries(in_2027, st.booleans(), max_size=60).map(
    lambda exceptions: WorkingDays(FIRST, LAST, exceptions, None)
)


@given(calendars, in_2027)
def test_an_exception_decides_else_the_day_of_the_week(working: WorkingDays, day: date) -> None:
    assert working.works(day) == working.exceptions.get(day, day.isoweekday() <= 5)


@given(calendars, in_2027)
def test_the_next_one_is_the_first_that_works(working: WorkingDays, day: date) -> None:
    found = working.next_on_or_after(day)
    end = found or LAST + timedelta(days=1)
    assert not any(working.works(day + timedelta(days=n)) for n in range((end - day).days))
    assert found is None or working.works(found)


@given(calendars, in_2027, st.integers(0, 400))
def test_a_list_goes_from_one_to_the_next(working: WorkingDays, first: date, count: int) -> None:
    days = working.list_from(first, count)
    all_days = [first + timedelta(days=n) for n in range((LAST - first).days + 1)]
    assert days == [day for day in all_days if working.works(day)][:count]


def test_a_day_outside_is_refused_and_a_list_ends_with_it() -> None:
    working = WorkingDays(FIRST, LAST, {}, None)
    with pytest.raises(ValueError, match="2028-01-03 is not between"):
        working.works(date(2028, 1, 3))
    assert working.next_on_or_after(date(2028, 1, 3)) is None
    assert working.next_on_or_after(date(2026, 12, 1)) == FIRST
    assert working.list_from(date(2027, 12, 30), 5) == [date(2027, 12, 30), date(2027, 12, 31)]


def test_the_nearer_unit_counts_in_one_statement(session: Session) -> None:
    city = make_unit(session)
    district = make_unit(session, parent=city)
    branch, beside = make_unit(session, level="branch", parent=district), make_unit(session, parent=city)
    monday, saturday = date(2027, 3, 1), date(2027, 3, 6)
    set_calendar_days(
        session, SYSTEM, city.id, [CalendarEntry(monday, False, "市庆"), CalendarEntry(saturday, True, "补")]
    )
    set_calendar_days(session, SYSTEM, district.id, [CalendarEntry(monday, True, "照常上班")])
    set_calendar_days(session, SYSTEM, beside.id, [CalendarEntry(saturday, False, "休息")])
    asked: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))
    working = load_working_days(session, branch.path, FIRST, LAST)
    assert len(asked) == 1
    assert working.exceptions == {monday: True, saturday: True}
    assert load_working_days(session, beside.path, FIRST, LAST).exceptions == {monday: False, saturday: False}
    assert load_working_days(session, city.path, monday, monday).exceptions == {monday: False}


def test_up_to_when_the_holidays_are_known(session: Session) -> None:
    city = make_unit(session)
    branch = make_unit(session, level="branch", parent=city)
    take_over_year(session, SYSTEM, city.id, 2025)
    take_over_year(session, SYSTEM, city.id, 2026)
    known = load_working_days(session, branch.path, date(2025, 9, 1), date(2027, 8, 31))
    assert known.known_until == date(2026, 12, 31)
    assert known.warn_unknown(date(2026, 12, 31)) is None
    assert str(known.warn_unknown(date(2027, 1, 4))).startswith("no holidays are known for 2027: Monday to Friday")
    # One day of its own does not make a year known.
    set_calendar_days(session, SYSTEM, branch.id, [CalendarEntry(date(2027, 3, 1), False, "建支部日")])
    again = load_working_days(session, branch.path, date(2027, 1, 1), date(2028, 8, 31))
    assert again.known_until is None
    assert "2027, 2028" in str(again.warn_unknown(date(2028, 1, 4)))
    # A gap is not jumped over.
    assert load_working_days(session, branch.path, date(2024, 1, 1), date(2026, 8, 31)).known_until is None


def test_the_year_2026_is_that_of_the_notice(session: Session) -> None:
    """The State Council's notice of November 2025."""
    unit = make_unit(session)
    made = take_over_year(session, SYSTEM, unit.id, 2026)
    assert (sum(not one.works for one in made), sum(one.works for one in made)) == (33, 6)
    working = load_working_days(session, unit.path, date(2026, 2, 1), date(2026, 12, 31))
    assert working.list_from(date(2026, 2, 13), 4) == [
        date(2026, 2, 13),
        date(2026, 2, 14),
        date(2026, 2, 24),
        date(2026, 2, 25),
    ]
    assert {one.name for one in made if one.works} == {"元旦调休", "春节调休", "劳动节调休", "国庆节调休"}
    assert {one.name for one in made if one.day == date(2026, 4, 6)} == {"清明节"}


def test_every_year_that_the_library_knows_counts_as_known() -> None:
    for year in list_official_years():
        entries = read_official_year(year)
        assert sum(not one.works and one.day.year == year for one in entries) >= 11
        assert all(one.name for one in entries)
