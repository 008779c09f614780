"""`/units`: the tree of organisations. Whole trees come in by `/imports`."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.directory import units
from sms_service.directory.models import LEVELS, Unit
from sms_service.directory.unit_rows import LONGEST_CODE, LONGEST_UNIT_NAME
from sms_service.personal.redaction import FEWEST_DAYS, MOST_DAYS, set_redaction
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, Whole, WhyIn, list_of
from sms_service.web.validators import OneOfWords, WithinRange

blueprint = Blueprint("units", description="City, districts, streets and branches. A role held on a unit reaches down.")

_CLOSES = "Local time until which texts may leave, that minute excluded, HH:MM; 24:00 is the end of the day"


class UnitQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    name = OneLine(load_default=None, metadata={"description": "Part of the name"})
    code = OneLine(load_default=None, metadata={"description": "Exactly this code"})
    level = fields.String(
        load_default=None, validate=OneOfWords(LEVELS), metadata={"description": "Only units of this level"}
    )
    has_contact = fields.Boolean(
        load_default=None, metadata={"description": "Somebody holds a role in it, or nobody does"}
    )
    closed = fields.Boolean(
        load_default=False, metadata={"description": "True: the units that were closed, instead of the others"}
    )
    parent = Id(load_default=None, metadata={"description": "Only units directly below the unit with this id"})


class UnitIn(In):
    """A new unit. It starts with the time zone and the sending window of the unit above."""

    code = OneLine(LONGEST_CODE, required=True, metadata={"description": "The office's own number for it, unique"})
    name = OneLine(LONGEST_UNIT_NAME, required=True, metadata={"description": "Its name"})
    level = fields.String(
        required=True,
        validate=OneOfWords(LEVELS),
        metadata={"description": "Its level, lower than that of the unit above"},
    )
    parent_id = Id(required=True, metadata={"description": "The unit above it"})


class UnitChange(In):
    """What to change; what is left out stays."""

    name = OneLine(LONGEST_UNIT_NAME, metadata={"description": "The unit's name"})
    timezone = OneLine(metadata={"description": "IANA time zone of the unit and everything below it"})
    window_opens = fields.String(
        metadata={"description": "Local time from which texts may leave, HH:MM; set for everything below it too"}
    )
    window_closes = fields.String(metadata={"description": _CLOSES + "; set for everything below it too"})


class RedactionIn(WhyIn):
    """How long phones and texts are kept, and why."""

    redact_after_days = Whole(
        required=True,
        allow_none=True,
        validate=WithinRange(FEWEST_DAYS, MOST_DAYS),
        metadata={
            "description": "Days after which phone and text of messages and replies of the unit and everything below "
            "it are emptied; null: as the installation says. What is emptied stays empty"
        },
    )


class UnitOut(Out):
    """A unit."""

    id = fields.Integer(metadata={"description": "The unit's id"})
    parent_id = fields.Integer(allow_none=True, metadata={"description": "The unit above; null for the top"})
    code = fields.String(metadata={"description": "The office's own number for it"})
    name = fields.String(metadata={"description": "Its name"})
    level = fields.String(metadata={"description": "city, district, street or branch"})
    timezone = fields.String(metadata={"description": "IANA time zone of its sending window"})
    window_opens = fields.Function(
        lambda unit: units.format_clock(unit.window_opens),
        metadata={"type": "string", "description": "Local time from which texts may leave, HH:MM"},
    )
    window_closes = fields.Function(
        lambda unit: units.format_clock(unit.window_closes), metadata={"type": "string", "description": _CLOSES}
    )
    redact_after_days = fields.Integer(
        allow_none=True,
        metadata={
            "description": "After so many days phone and text of messages and replies of its people are emptied; null: "
            "as the installation says"
        },
    )
    demonstration = fields.Boolean(
        metadata={"description": "Its people are invented; only simulated gateways take their texts"}
    )
    created_at = fields.AwareDateTime(metadata={"description": "When it was created"})
    closed_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was closed; null: it is open"})
    merged_into = fields.Integer(
        allow_none=True, metadata={"description": "The id of the unit that took its people when it was closed"}
    )


@blueprint.route("/units")
class Units(MethodView):
    """The units."""

    @endpoint(Permission.read)
    @blueprint.arguments(UnitQuery, location="query")
    @blueprint.response(200, list_of(UnitOut, "UnitList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List units by code"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = units.find_units(
            scope.paths,
            name=query["name"],
            code=query["code"],
            level=query["level"],
            parent_id=query["parent"],
            has_contact=query["has_contact"],
            closed=query["closed"],
        )
        items, following = fetch_page(g.session, statement, query, sort="code", key=Unit.code, id_=Unit.id)
        return scope.answer(items, following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(UnitIn)
    @blueprint.response(201, UnitOut)
    def post(self, body: dict[str, Any]) -> Unit:
        """Create a unit"""
        return units.create_unit(g.session, g.actor, **body)


@blueprint.route("/units/<int:unit_id>")
class OneUnit(MethodView):
    """One unit."""

    @endpoint(Permission.read)
    @blueprint.response(200, UnitOut)
    def get(self, unit_id: int) -> Unit:
        """Show a unit"""
        return units.get_unit(g.session, g.actor, unit_id)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(UnitChange)
    @blueprint.response(200, UnitOut)
    def patch(self, body: dict[str, Any], unit_id: int) -> Unit:
        """Change a unit; time zone and sending window are set for everything below it too"""
        return units.change_unit(g.session, g.actor, unit_id, **body)


@blueprint.route("/units/<int:unit_id>/redaction")
class UnitRedaction(MethodView):
    """How long phones and texts of a unit's people are kept."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(RedactionIn)
    @blueprint.response(200, UnitOut)
    def put(self, body: dict[str, Any], unit_id: int) -> Unit:
        """Set after how many days phones and texts are emptied, for the unit and everything below it"""
        return set_redaction(g.session, g.actor, unit_id, body["redact_after_days"], body["why"])
