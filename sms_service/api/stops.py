"""`/stops`: *stop everything*, for a unit with all below it or for one gateway account, and its release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import ValidationError, fields, validates_schema

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls import stops
from sms_service.controls.models import Stop
from sms_service.directory.text import LONGEST_WHY
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedText, OneLine, Out, WhyIn, list_of

blueprint = Blueprint(
    "stops",
    description="Stop everything: from the next group of texts on, nothing leaves that a stop reaches, until a person "
    "releases it. Texts wait; their validity goes on running.",
)


class StopIn(WhyIn):
    """What to stop: exactly one of the two."""

    unit_id = Id(metadata={"description": "A unit: all texts of its campaigns, and all to people in it or below"})
    gateway_account = fields.String(
        metadata={"description": "Or a gateway account, by its name: all texts through it; administrators only"}
    )

    @validates_schema
    def _exactly_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("unit_id" in data) == ("gateway_account" in data):
            raise ValidationError("give either unit_id or gateway_account", "unit_id")


class ReleaseIn(In):
    """The reason for a release."""

    why = OneLine(LONGEST_WHY, required=True, metadata={"description": "Why texts may leave again"})


class StopQuery(ScopedPageQuery):
    """Filters."""

    released = fields.Boolean(load_default=False, metadata={"description": "True: also those that are released"})


class StopOut(Out):
    """A stop."""

    id = fields.Integer(metadata={"description": "The stop's id"})
    unit_id = fields.Integer(allow_none=True, metadata={"description": "The unit that is stopped, or null"})
    unit_code = fields.String(allow_none=True, metadata={"description": "The unit's code"})
    unit = fields.String(allow_none=True, metadata={"description": "The unit's name"})
    gateway_account = fields.String(
        allow_none=True, metadata={"description": "The gateway account that is stopped, or null"}
    )
    why = MaskedText(metadata={"description": "Why it was stopped"})
    stopped_by = fields.Integer(
        allow_none=True, metadata={"description": "The account that stopped it; null: the service itself, by its shell"}
    )
    stopped_by_login = fields.String(allow_none=True, metadata={"description": "That account's login"})
    stopped_at = fields.AwareDateTime(metadata={"description": "Since when"})
    released_by = fields.Integer(allow_none=True, metadata={"description": "The account that released it"})
    released_by_login = fields.String(allow_none=True, metadata={"description": "That account's login"})
    released_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it was released; null while it stands"}
    )
    release_why = MaskedText(allow_none=True, metadata={"description": "Why it was released"})


@blueprint.route("/stops")
class Stops(MethodView):
    """The stops."""

    @endpoint(Permission.read)
    @blueprint.arguments(StopQuery, location="query")
    @blueprint.response(200, list_of(StopOut, "StopList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the stops that reach into the scope, newest first: of units there or above, and of gateway accounts"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = stops.find_stops(scope.paths, released=query["released"])
        rows, following = fetch_page(g.session, statement, query, sort="id", key=Stop.id, id_=Stop.id, descending=True)
        return scope.answer([stops.describe_stop(row) for row in rows], following)

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(StopIn)
    @blueprint.response(201, StopOut)
    @blueprint.alt_response(200, schema=StopOut, description="It was stopped already: the stop that stands")
    def post(self, body: dict[str, Any]) -> tuple[Mapping[str, Any], int]:
        """Stop everything of a unit and below it, or through a gateway account

        A unit, also a whole city, needs the permission `operate_campaigns` over it; a gateway account needs
        `operate_service` over every city, since it carries everybody's texts.
        """
        if "unit_id" in body:
            stop_id, made = stops.stop_unit(g.session, g.actor, body["unit_id"], body["why"])
        else:
            stop_id, made = stops.stop_gateway_account(g.session, g.actor, body["gateway_account"], body["why"])
        return stops.get_stop(g.session, g.actor, stop_id), 201 if made else 200


@blueprint.route("/stops/<int:stop_id>")
class OneStop(MethodView):
    """One stop."""

    @endpoint(Permission.read)
    @blueprint.response(200, StopOut)
    def get(self, stop_id: int) -> Mapping[str, Any]:
        """Show a stop"""
        return stops.get_stop(g.session, g.actor, stop_id)


@blueprint.route("/stops/<int:stop_id>/release")
class Release(MethodView):
    """Letting texts leave again."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(ReleaseIn)
    @blueprint.response(200, StopOut)
    def post(self, body: dict[str, Any], stop_id: int) -> Mapping[str, Any]:
        """Release a stop: texts leave again, unless another stop reaches them"""
        stops.release_stop(g.session, g.actor, stop_id, body["why"])
        return stops.get_stop(g.session, g.actor, stop_id)
