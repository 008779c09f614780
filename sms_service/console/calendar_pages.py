"""工作日历: on which days people work, a year of a unit on one page."""

from __future__ import annotations

import calendar
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Response, g, request
from marshmallow import fields
from sqlalchemy import func, select

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.day_lines import Span
from sms_service.directory.models import CITY_ZONE, Unit
from sms_service.errors import Invalid
from sms_service.said import say
from sms_service.schedules import calendar_days
from sms_service.schedules.calendar_days import FIRST_YEAR, LAST_YEAR, CalendarEntry
from sms_service.schedules.calendar_files import ReadCalendar, read_calendar_file, read_calendar_text
from sms_service.schedules.calendar_years import CalendarYear, get_calendar_year
from sms_service.schedules.official_years import list_official_years, take_over_year
from sms_service.web.schemas import Id, In, Whole
from sms_service.web.validators import WithinRange


def _year(**kw: Any) -> Whole:
    return Whole(validate=WithinRange(FIRST_YEAR, LAST_YEAR), **kw)


class CalendarQuery(UnitQuery):
    """Whose year."""

    year = _year(load_default=None)


class ReadForm(In):
    """Lines, or a file beside them, for a unit; `year`: of days that name none."""

    unit_id = Id(required=True)
    year = _year(required=True)
    text = fields.String(load_default="")


class CheckedDaysForm(In):
    """What was read, as the page before showed it."""

    unit_id = Id(required=True)
    year = _year(required=True)
    days = fields.String(required=True)


class YearForm(In):
    """A unit and a year."""

    unit_id = Id(required=True)
    year = _year(required=True)


class SpanForm(YearForm):
    """Days in a row of the unit; `year` is the page's."""

    first = fields.Date(required=True)
    last = fields.Date(required=True)


class CalendarCell(NamedTuple):
    """A day of a small month. `name`: what day it is, where it is not as its day of the week says."""

    day: date
    works: bool
    name: str | None


@page_view("/working-days", Permission.read)
def show_calendar() -> str:
    """A year of a unit: holidays, days on which people work instead, and the forms for more."""
    query = read_query(CalendarQuery)
    unit_id = query["unit"] or request.form.get("unit_id", type=int)
    choice = choose_unit(g.session, g.actor, Permission.read, unit_id, top=True)
    if choice.unit is None:
        return render_page("calendar_unit.html", choice=choice)
    this_year = _this_year()
    found = get_calendar_year(g.session, g.actor, choice.unit.id, query["year"] or _sent_year() or this_year)
    official = list_official_years()
    return render_page(
        "calendar.html",
        found=found,
        choice=choice,
        this_year=this_year,
        years=[year for year in range(found.year - 1, found.year + 2) if FIRST_YEAR <= year <= LAST_YEAR],
        months=[(date(found.year, month, 1), list(_weeks(found, month))) for month in range(1, 13)],
        week=[date(2024, 1, day) for day in range(1, 8)],  # from Monday
        may_change=g.actor.can(Permission.manage_directory, choice.unit.path),
        is_official=found.year in official,
        last_official=official[-1],
        from_above=any(one.unit.id != choice.unit.id for one in found.held),
        own_days=sum(one.unit.id == choice.unit.id for one in found.held),
    )


@page_view("/working-days/check", Permission.manage_directory, methods=("POST",), again=show_calendar)
def check_calendar() -> str:
    """What lines or a file would set; nothing is set."""
    form = read_form(ReadForm)
    unit = g.session.get(Unit, form["unit_id"])
    calendar_days.own_calendar(g.session, g.actor, form["unit_id"])
    assert unit is not None
    read = _read(form)
    plan = calendar_days.plan_calendar_days(g.session, g.actor, unit.id, read.entries)
    return render_page(
        "calendar_check.html",
        unit=unit,
        year=form["year"],
        text=form["text"],
        refused=read.refused,
        plan=plan,
        spans=[
            (word, span)
            for word, entries in (("added", plan.added), ("changed", plan.changed))
            for span in calendar_days.group_entries(entries)
        ],
        packed=json.dumps([[day.isoformat(), works, name] for day, works, name in read.entries], ensure_ascii=False),
    )


@act_view("/working-days", Permission.manage_directory)
def set_some_calendar_days() -> Response:
    """Set what was read."""
    form = read_form(CheckedDaysForm)
    made = calendar_days.set_calendar_days(g.session, g.actor, form["unit_id"], _unpack(form["days"]))
    said = say("{count} days are set in the calendar of working days.", count=len(made))
    return go_to("console.show_calendar", said=said, unit=form["unit_id"], year=made[0].day.year)


@act_view("/working-days/take-over", Permission.manage_directory, again=show_calendar)
def take_over_official_year() -> Response:
    """Set the official holidays and swapped working days of a year."""
    form = read_form(YearForm)
    made = take_over_year(g.session, g.actor, form["unit_id"], form["year"])
    off = sum(not one.works for one in made)
    message = "The official calendar of {year} is taken over: {off} days off, {on} swapped working days."
    said = say(message, year=str(form["year"]), off=off, on=len(made) - off)
    return go_to("console.show_calendar", said=said, unit=form["unit_id"], year=form["year"])


@act_view("/working-days/remove", Permission.manage_directory)
def remove_some_calendar_days() -> Response:
    """Remove what a unit says about days in a row."""
    form = read_form(SpanForm)
    span = Span(form["first"], form["last"])
    gone = calendar_days.clear_calendar_days(g.session, g.actor, form["unit_id"], span)
    said = say("{count} days are removed from the calendar of working days.", count=len(gone))
    return go_to("console.show_calendar", said=said, unit=form["unit_id"], year=form["year"])


def _this_year() -> int:
    now: datetime = g.session.scalars(select(func.sms_now())).one()
    return now.astimezone(ZoneInfo(CITY_ZONE)).year


def _sent_year() -> int | None:
    year = request.form.get("year", type=int)
    return year if year is not None and FIRST_YEAR <= year <= LAST_YEAR else None


def _weeks(found: CalendarYear, month: int) -> Iterator[list[CalendarCell | None]]:
    """The weeks of a month from Monday; None where a day is of the month before or after."""
    names = {one.entry.day: one.entry.name for one in found.held}
    for week in calendar.Calendar().monthdatescalendar(found.year, month):
        yield [
            CalendarCell(day, found.working.works(day), names.get(day)) if day.month == month else None for day in week
        ]


def _read(form: dict[str, Any]) -> ReadCalendar:
    file = request.files.get("file")
    if file is not None and file.filename:
        return read_calendar_file(file.stream.read(), file.filename, form["year"])
    if not form["text"].strip():
        raise Invalid("text", None, "write lines, or choose a file")
    return read_calendar_text(form["text"], form["year"])


def _unpack(packed: str) -> list[CalendarEntry]:
    """The entries that the page carries. Raises Invalid: it carries what we wrote, or somebody changed it."""
    try:
        return [
            CalendarEntry(date.fromisoformat(day), bool(works), str(name)) for day, works, name in json.loads(packed)
        ]
    except (ValueError, TypeError, RecursionError):
        raise Invalid("days", None, "is not the list that was checked; begin again") from None
