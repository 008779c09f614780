"""`/quiet-days`: a calendar of days on which texts of some classes do not leave."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls import quiet_days
from sms_service.controls.models import QuietDay
from sms_service.controls.quiet_days import NamedDay
from sms_service.directory.models import Unit
from sms_service.vocabulary import TextClass
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "quiet-days",
    description="Days on which texts of some classes do not leave to people of a unit's subtree. They wait for the day "
    "after; their validity goes on running. Test texts are not kept back.",
)


class NamedDayIn(In):
    """A day."""

    day = fields.Date(required=True, metadata={"description": "The day, local to the people's units; not a past one"})
    name = OneLine(
        quiet_days.LONGEST_NAME, required=True, metadata={"description": "What day it is", "example": "清明节"}
    )


class QuietDaysIn(In):
    """Days to be quiet for a unit and all below it."""

    unit_id = Id(required=True, metadata={"description": "The unit"})
    days = fields.List(
        fields.Nested(NamedDayIn),
        required=True,
        metadata={"description": "From 1 to 400 days; one that the unit has takes the new name and classes"},
    )
    classes = fields.List(
        fields.String(validate=OneOfWords(tuple(TextClass))),
        load_default=list(quiet_days.USUAL_CLASSES),
        metadata={"description": "Texts of these classes do not leave; by default study, invitation and survey"},
    )


class QuietDayQuery(ScopedPageQuery):
    """Filters."""

    since = fields.Date(load_default=None, metadata={"description": "From this day on; by default from yesterday on"})


class QuietDayOut(Out):
    """A quiet day."""

    id = fields.Integer(metadata={"description": "The quiet day's id"})
    unit_id = fields.Integer(metadata={"description": "It holds for this unit and all below it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    day = fields.Date(metadata={"description": "The day, local to the people's units"})
    name = fields.String(metadata={"description": "What day it is"})
    classes = fields.List(fields.String(), metadata={"description": "Texts of these classes do not leave"})


class QuietDayList(Out):
    """Quiet days that were set."""

    items = fields.List(fields.Nested(QuietDayOut), metadata={"description": "The days, by date"})


@blueprint.route("/quiet-days")
class QuietDays(MethodView):
    """The quiet days."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuietDayQuery, location="query")
    @blueprint.response(200, list_of(QuietDayOut, "QuietDayPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the quiet days that hold somewhere in the scope, by date: of units there, above or below"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = quiet_days.find_quiet_days(scope.paths, query["since"])
        rows, following = fetch_page(g.session, statement, query, sort="day", key=QuietDay.day, id_=QuietDay.id)
        return scope.answer([_describe(row.QuietDay, row.Unit.name) for row in rows], following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(QuietDaysIn)
    @blueprint.response(200, QuietDayList)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Let days be quiet for a unit and all below it, at once for texts that have not left"""
        days = [NamedDay(one["day"], one["name"]) for one in body["days"]]
        made = quiet_days.set_quiet_days(g.session, g.actor, body["unit_id"], days, body["classes"])
        name = g.session.get_one(Unit, body["unit_id"]).name
        return {"items": [_describe(one, name) for one in made]}


@blueprint.route("/quiet-days/<int:quiet_day_id>")
class OneQuietDay(MethodView):
    """One quiet day."""

    @endpoint(Permission.manage_directory)
    @blueprint.response(204)
    def delete(self, quiet_day_id: int) -> None:
        """Let texts leave on that day again"""
        quiet_days.remove_quiet_day(g.session, g.actor, quiet_day_id)


def _describe(one: QuietDay, unit: str) -> dict[str, Any]:
    found = {name: getattr(one, name) for name in ("id", "unit_id", "day", "name", "classes")}
    return {**found, "unit": unit}
