"""Quiet days: no text of the classes leaves on them, to nobody below the unit; texts go on the day after."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.controls.models import QuietDay
from sms_service.controls.quiet_days import (
    NamedDay,
    find_quiet_days,
    list_quiet_dates,
    read_calendar,
    remove_quiet_day,
    set_quiet_days,
)
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.errors import Forbidden, Invalid
from tests.dispatch.city import drain, make_city, make_run, messages, statuses
from tests.factories import make_actor, make_person, make_unit

ALWAYS_OPEN = {"window_opens": 0, "window_closes": 1440}


def today(session: Session) -> date:
    found: date = session.scalar(text("SELECT (sms_now() AT TIME ZONE 'Asia/Shanghai')::date"))
    return found


def make_quiet(database: Database, unit_id: int, classes: tuple[str, ...] = ("notice",), days: int = 1) -> date:
    """Today, and so many days in a row, are quiet; returns today."""
    with database.session() as session:
        first = today(session)
        named = [NamedDay(first + timedelta(days=n), "清明节") for n in range(days)]
        set_quiet_days(session, SYSTEM, unit_id, named, classes)
    return first


def test_texts_wait_for_the_day_after_and_then_leave(database: Database) -> None:
    city = make_city(database, 3, **ALWAYS_OPEN)
    first = make_quiet(database, city.unit.id)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"pending": 3}
    with database.session() as session:
        session.execute(text("DELETE FROM quiet_days"))
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 3}, f"{first} is quiet no more"


def test_the_gate_itself_holds_them_back_and_puts_them_off_until_the_first_day_that_is_not_quiet(
    database: Database,
) -> None:
    """Only a branch is quiet, so the run is not held up as a whole: its own texts reach the gate."""
    city = make_city(database, 2, freeze_now=False, **ALWAYS_OPEN)
    with database.session() as session:
        branch = make_unit(session, level="branch", parent=city.unit, **ALWAYS_OPEN)
        make_person(session, branch)
        branch_id = branch.id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    first = make_quiet(database, branch_id, days=3)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2, "pending": 1}
    (waiting,) = [row for row in messages(database, city.run_id) if row.status == "pending"]
    with database.session() as session:
        local = session.scalar(
            text("SELECT not_before AT TIME ZONE 'Asia/Shanghai' FROM messages WHERE id = :id"), {"id": waiting.id}
        )
    assert (local.date(), local.hour) == (first + timedelta(days=3), 0)
    assert waiting.attempts == 0


@pytest.mark.parametrize(("classes", "leave"), [(("study", "invitation"), True), (("study", "notice"), False)])
def test_only_the_classes_named_wait(database: Database, classes: tuple[str, ...], leave: bool) -> None:
    city = make_city(database, 2, **ALWAYS_OPEN)  # its run is of the class notice
    make_quiet(database, city.unit.id, classes)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == ({"accepted": 2} if leave else {"pending": 2})


def test_a_test_text_leaves_on_any_day(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False, **ALWAYS_OPEN)
    make_quiet(database, city.unit.id)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET kind = 'test'"))
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 1}


def test_a_quiet_branch_does_not_hold_up_the_canary(database: Database) -> None:
    city = make_city(database, 3, freeze_now=False, **ALWAYS_OPEN)
    with database.session() as session:
        branch = make_unit(session, level="branch", parent=city.unit, **ALWAYS_OPEN)
        for _ in range(3):
            make_person(session, branch)
        branch_id, run_id = branch.id, make_run(session, city.unit).id
    make_quiet(database, branch_id)
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    with database.transaction() as connection:
        ids = connection.execute(
            text("SELECT array_agg(id) FROM messages WHERE run_id = :run AND unit_id = :branch"),
            {"run": run_id, "branch": branch_id},
        ).scalar_one()
        connection.execute(text("UPDATE runs SET canary = :ids WHERE id = :run"), {"ids": ids, "run": run_id})
    drain(database, city.gateways)
    assert statuses(database, run_id)["accepted"] == 3


def test_a_day_set_again_takes_the_new_name(session: Session) -> None:
    unit = make_unit(session)
    day = today(session) + timedelta(days=1)
    set_quiet_days(session, SYSTEM, unit.id, [NamedDay(day, "清明")])
    (again,) = set_quiet_days(session, SYSTEM, unit.id, [NamedDay(day, "清明节")], ("notice", "study"))
    assert (again.name, again.classes) == ("清明节", ["study", "notice"])
    assert len(session.scalars(find_quiet_days([unit.path])).all()) == 1


def test_who_reads_sees_those_above_and_below_but_not_beside(session: Session) -> None:
    city = make_unit(session)
    one, two = (make_unit(session, level="branch", parent=city) for _ in range(2))
    day = today(session)
    for unit in (city, one, two):
        set_quiet_days(session, SYSTEM, unit.id, [NamedDay(day, unit.name)])
    found = {row.Unit.id for row in session.execute(find_quiet_days([one.path]))}
    assert found == {city.id, one.id}
    assert list_quiet_dates(session, one.path, "study") == {day: city.name}
    assert list_quiet_dates(session, one.path, "notice") == {}


def test_only_who_manages_the_directory_sets_and_removes(session: Session) -> None:
    unit = make_unit(session)
    (one,) = set_quiet_days(session, SYSTEM, unit.id, [NamedDay(today(session), "清明节")])
    officer = make_actor(session, unit)
    with pytest.raises(Forbidden):
        set_quiet_days(session, officer, unit.id, [NamedDay(today(session), "清明节")])
    with pytest.raises(Forbidden):
        remove_quiet_day(session, officer, one.id)
    remove_quiet_day(session, make_actor(session, unit, ("administrator",)), one.id)
    assert session.get(QuietDay, one.id) is None


@pytest.mark.parametrize(
    ("days", "classes", "field"),
    [
        ([], ("study",), "days"),
        ([NamedDay(date(2020, 1, 1), "早")], ("study",), "days[0].day"),
        ([NamedDay(date(2999, 1, 1), "一"), NamedDay(date(2999, 1, 1), "二")], ("study",), "days[1].day"),
        ([NamedDay(date(2999, 1, 1), " ")], ("study",), "days[0].name"),
        ([NamedDay(date(2999, 1, 1), "一")], (), "classes"),
        ([NamedDay(date(2999, 1, 1), "一")], ("advert",), "classes"),
    ],
)
def test_what_is_wrong_is_named(session: Session, days: list[NamedDay], classes: tuple[str, ...], field: str) -> None:
    unit = make_unit(session)
    with pytest.raises(Invalid) as error:
        set_quiet_days(session, SYSTEM, unit.id, days, classes)
    assert error.value.field == field


def test_a_calendar_is_read_as_people_write_it() -> None:
    written = "\n2027-4-5 清明节\n2027/02/05 至 2027-02-07  春节 放假\n"
    assert read_calendar(written) == [
        NamedDay(date(2027, 4, 5), "清明节"),
        *(NamedDay(date(2027, 2, 5 + n), "春节 放假") for n in range(3)),
    ]


@pytest.mark.parametrize("line", ["清明节", "2027-02-30 春节", "2027-02-07 至 2027-02-05 春节", "2027-04-05"])
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(Invalid, match="line 2"):
        read_calendar(f"2027-04-05 清明节\n{line}")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(written: str) -> None:
    try:
        days = read_calendar(written)
    except Invalid:
        return
    assert all(day.name for day in days)
