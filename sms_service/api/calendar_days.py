"""`/calendar-days`: holidays and swapped working days, by which series know on which days people work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.directory.day_lines import Span
from sms_service.directory.models import Unit
from sms_service.schedules import calendar_days
from sms_service.schedules.calendar_days import FIRST_YEAR, LAST_YEAR, CalendarEntry
from sms_service.schedules.calendar_models import CalendarDay
from sms_service.schedules.calendar_years import CalendarYear, get_calendar_year
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, SaidMessage, Whole, list_of
from sms_service.web.validators import WithinRange

blueprint = Blueprint(
    "calendar-days",
    description="The calendar of working days: a unit's exceptions to Monday to Friday, which hold for it and all "
    "below it; where several units say something about a day, the nearest counts. Series follow it. Days on which "
    "texts do not leave are another thing, see quiet days.",
)

UNIT = {"description": "The unit that says it; it holds for all below it too"}
WORKS = "false: a holiday; true: people work though it is a Saturday or Sunday, or though a unit above says otherwise"


def year_field(**kw: Any) -> Whole:
    """A year of the calendar; `description`: which."""
    description = kw.pop("description")
    return Whole(validate=WithinRange(FIRST_YEAR, LAST_YEAR), metadata={"description": description}, **kw)


class CalendarDayIn(In):
    """A day."""

    day = fields.Date(required=True, metadata={"description": "The day, local to the unit"})
    works = fields.Boolean(required=True, metadata={"description": WORKS})
    name = OneLine(
        calendar_days.LONGEST_NAME, required=True, metadata={"description": "What day it is", "example": "春节"}
    )


class CalendarDaysIn(In):
    """Days to be set for a unit."""

    unit_id = Id(required=True, metadata=UNIT)
    days = fields.List(
        fields.Nested(CalendarDayIn),
        required=True,
        metadata={"description": "From 1 to 400 days; what the unit said about one of them is replaced"},
    )


class ClearIn(In):
    """Days whose entries are removed."""

    unit_id = Id(required=True, metadata={"description": "The unit; what units above say stays"})
    first = fields.Date(required=True, metadata={"description": "The first day"})
    last = fields.Date(required=True, metadata={"description": "The last day"})


class CalendarDayQuery(ScopedPageQuery):
    """Filters."""

    year = year_field(load_default=None, description="Of this year only")


class YearQuery(In):
    """Which year."""

    year = year_field(required=True, description="The year")


class CalendarDayOut(Out):
    """An entry of the calendar."""

    id = fields.Integer(metadata={"description": "The entry's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that says it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    day = fields.Date(metadata={"description": "The day, local to the unit"})
    works = fields.Boolean(metadata={"description": WORKS})
    name = fields.String(metadata={"description": "What day it is"})


class CalendarDayList(Out):
    """Entries that were set."""

    items = fields.List(fields.Nested(CalendarDayOut), metadata={"description": "The entries, by date"})


class ClearedOut(Out):
    """Entries that were removed."""

    number = fields.Integer(metadata={"description": "How many"})


class CalendarYearOut(Out):
    """A year as it holds for a unit."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    year = fields.Integer(metadata={"description": "The year"})
    working_days = fields.Integer(metadata={"description": "How many days of the year are working days"})
    known_until = fields.Date(
        allow_none=True,
        metadata={"description": "The last day of the year where its holidays are known; null where they are not"},
    )
    warning = fields.String(allow_none=True, metadata={"description": "What to know where they are not"})
    warning_message = SaidMessage(
        attribute="warning", metadata={"description": "The same, for saying it in another language"}
    )
    days = fields.List(
        fields.Nested(CalendarDayOut), metadata={"description": "The entries that hold for the unit, by date"}
    )


@blueprint.route("/calendar-days")
class CalendarDays(MethodView):
    """The entries."""

    @endpoint(Permission.read)
    @blueprint.arguments(CalendarDayQuery, location="query")
    @blueprint.response(200, list_of(CalendarDayOut, "CalendarDayPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the holidays and swapped working days that hold somewhere in the scope: of units there, or above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = calendar_days.find_calendar_days(scope.paths, query["year"])
        rows, following = fetch_page(g.session, statement, query, sort="day", key=CalendarDay.day, id_=CalendarDay.id)
        return scope.answer([_describe(row.CalendarDay, row.Unit.name) for row in rows], following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(CalendarDaysIn)
    @blueprint.response(200, CalendarDayList)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Set holidays and swapped working days of a unit; its other days stay"""
        entries = [CalendarEntry(one["day"], one["works"], one["name"]) for one in body["days"]]
        made = calendar_days.set_calendar_days(g.session, g.actor, body["unit_id"], entries)
        return answer_entries(made, body["unit_id"])


@blueprint.route("/calendar-days/<int:calendar_day_id>")
class OneCalendarDay(MethodView):
    """One entry."""

    @endpoint(Permission.manage_directory)
    @blueprint.response(204)
    def delete(self, calendar_day_id: int) -> None:
        """Remove an entry: a unit above or the day of the week says again what the day is"""
        calendar_days.remove_calendar_day(g.session, g.actor, calendar_day_id)


@blueprint.route("/calendar-days/clear")
class ClearedDays(MethodView):
    """Days without entries."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(ClearIn)
    @blueprint.response(200, ClearedOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Remove all entries of days in a row that the unit itself has, such as those of a year"""
        span = Span(body["first"], body["last"])
        return {"number": len(calendar_days.clear_calendar_days(g.session, g.actor, body["unit_id"], span))}


@blueprint.route("/units/<int:unit_id>/working-days")
class WorkingDaysOfUnit(MethodView):
    """A year of a unit."""

    @endpoint(Permission.read)
    @blueprint.arguments(YearQuery, location="query")
    @blueprint.response(200, CalendarYearOut)
    def get(self, query: dict[str, Any], unit_id: int) -> dict[str, Any]:
        """Show a year as it holds for a unit: what it says itself, and what units above it say"""
        return _describe_year(get_calendar_year(g.session, g.actor, unit_id, query["year"]))


def answer_entries(made: Sequence[CalendarDay], unit_id: int) -> dict[str, Any]:
    """The body that lists entries of a unit."""
    name = g.session.get_one(Unit, unit_id).name
    return {"items": [_describe(one, name) for one in made]}


def _describe(one: CalendarDay, unit: str) -> dict[str, Any]:
    found = {name: getattr(one, name) for name in ("id", "unit_id", "day", "works", "name")}
    return {**found, "unit": unit}


def _describe_year(found: CalendarYear) -> dict[str, Any]:
    days = [{**one.entry._asdict(), "id": one.id, "unit_id": one.unit.id, "unit": one.unit.name} for one in found.held]
    return {
        "unit_id": found.unit.id,
        "year": found.year,
        "working_days": found.working_days,
        "known_until": found.working.known_until,
        "warning": found.warning,
        "warning_message": found.warning,
        "days": days,
    }
