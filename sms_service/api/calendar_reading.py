"""`/calendar-days/text`, `/file`, `/take-over`: a calendar of a year from lines, a file, or what the service knows."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.calendar_days import UNIT, WORKS, CalendarDayList, answer_entries, year_field
from sms_service.schedules import calendar_days
from sms_service.schedules.calendar_files import ReadCalendar, read_calendar_file, read_calendar_text
from sms_service.schedules.official_years import take_over_year
from sms_service.web.schemas import Id, In, MaskedText, Out, SaidMessage

blueprint = Blueprint(
    "reading calendars",
    description="The calendar of working days of a year, from lines as people write them, from a file, or as the "
    "service knows the official one. Nothing is set where a row cannot be read.",
)

_OF_YEAR = "The year of days that name none, such as 2月5日"
_DRY = "Only say what would be set; nothing changes"


class CalendarTextIn(In):
    """Lines of a calendar."""

    unit_id = Id(required=True, metadata=UNIT)
    text = fields.String(
        required=True,
        metadata={
            "description": "A line each, as people write them or as in the notice of the year: days, what they are, "
            "and 放假 or 上班",
            "example": "2027-02-05 至 2027-02-11 春节 放假\n2027-02-07 春节 上班",
        },
    )
    year = year_field(load_default=None, allow_none=True, description=_OF_YEAR)
    dry_run = fields.Boolean(load_default=False, metadata={"description": _DRY})


class CalendarFileForm(In):
    """For whom a file is."""

    unit_id = Id(required=True, metadata=UNIT)
    year = year_field(load_default=None, description=_OF_YEAR)
    dry_run = fields.Boolean(load_default=False, metadata={"description": _DRY})


class CalendarFile(In):
    """The file."""

    file = Upload(
        required=True,
        metadata={
            "description": "xlsx or CSV (UTF-8 or GB18030) with the columns 日期, 名称, 安排 (放假 or 上班) and, "
            "where a row is for several days, 结束日期; or a text file (.txt) of lines"
        },
    )


class UnitYearIn(In):
    """A unit and a year."""

    unit_id = Id(required=True, metadata=UNIT)
    year = year_field(required=True, description="The year")


class PlannedDayOut(Out):
    """A day that was read."""

    day = fields.Date(metadata={"description": "The day"})
    works = fields.Boolean(metadata={"description": WORKS})
    name = fields.String(metadata={"description": "What day it is"})
    state = fields.String(
        metadata={"description": "`added`, `changed` (the unit said something else about it) or `same`"}
    )


class RefusedDayOut(Out):
    """A row or line that cannot be read."""

    row = fields.Integer(metadata={"description": "Its number in the file or text"})
    value = MaskedText(metadata={"description": "What it holds"})
    reason = fields.String(metadata={"description": "Why not, and what would be right"})
    reason_message = SaidMessage(
        attribute="reason", metadata={"description": "The same, for saying it in another language"}
    )


class CalendarPlanOut(Out):
    """What was read, and what became of it."""

    is_set = fields.Boolean(metadata={"description": "Whether it is set; false: a dry run, or a row was refused"})
    days = fields.List(fields.Nested(PlannedDayOut), metadata={"description": "Each day once, by date"})
    refused = fields.List(
        fields.Nested(RefusedDayOut),
        metadata={"description": "Rows that cannot be read; nothing is set if there is one"},
    )


@blueprint.route("/calendar-days/text")
class CalendarTexts(MethodView):
    """Lines of a calendar."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(CalendarTextIn)
    @blueprint.response(200, CalendarPlanOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Read lines of a calendar and set them, all of them or, where one cannot be read, none"""
        return _bring(read_calendar_text(body["text"], body["year"]), body)


@blueprint.route("/calendar-days/file")
class CalendarFiles(MethodView):
    """A file of a calendar."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(CalendarFileForm, location="form")
    @blueprint.arguments(CalendarFile, location="files")
    @blueprint.response(200, CalendarPlanOut)
    def post(self, form: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
        """Read a file of a calendar (multipart/form-data) and set all of it or, where a row cannot be read, nothing"""
        calendar_days.own_calendar(g.session, g.actor, form["unit_id"])
        file = files["file"]
        return _bring(read_calendar_file(file.stream.read(), file.filename or "", form["year"]), form)


@blueprint.route("/calendar-days/take-over")
class OfficialYears(MethodView):
    """The official calendar of a year."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(UnitYearIn)
    @blueprint.response(200, CalendarDayList)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Set the official holidays and swapped working days of a year that the service knows; other days stay"""
        return answer_entries(take_over_year(g.session, g.actor, body["unit_id"], body["year"]), body["unit_id"])


def _bring(read: ReadCalendar, wanted: dict[str, Any]) -> dict[str, Any]:
    """The answer about what was read; set, unless it is a dry run or something cannot be read."""
    refused = [
        {"row": one.row, "value": one.value, "reason": one.reason, "reason_message": one.reason} for one in read.refused
    ]
    plan = calendar_days.plan_calendar_days(g.session, g.actor, wanted["unit_id"], read.entries)
    states = {entry.day: "added" for entry in plan.added} | {entry.day: "changed" for entry in plan.changed}
    does = not (refused or wanted["dry_run"])
    if does:
        calendar_days.set_calendar_days(g.session, g.actor, wanted["unit_id"], read.entries)
    days = [{**entry._asdict(), "state": states.get(entry.day, "same")} for entry in read.entries]
    return {"is_set": does, "days": days, "refused": refused}
