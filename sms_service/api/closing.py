"""`/units/<id>/closing`, `/close`, `/reopen`: a unit is closed, alone or merged into another."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.units import UnitOut
from sms_service.controls import mergers
from sms_service.directory.models import Unit
from sms_service.web.schemas import Id, Out, WhyIn

blueprint = Blueprint(
    "closing units",
    description="A unit is closed, alone or merged into another one. Past counts stay what they were; what is known of "
    "phones goes with the people.",
)


class CloseIn(WhyIn):
    """Why the unit is closed, and which one takes what is in it."""

    into = Id(
        load_default=None,
        metadata={
            "description": "The unit that takes its people, roles and the units below; left out: only if it has none"
        },
    )


class ClosingOut(Out):
    """What closing a unit is about."""

    people = fields.Integer(metadata={"description": "Its own people who have not left"})
    units = fields.Integer(metadata={"description": "Open units directly below it"})
    roles = fields.Integer(metadata={"description": "Roles that people hold in it"})
    caps = fields.Integer(metadata={"description": "Its own caps, which then hold for nobody"})
    quiet_days = fields.Integer(metadata={"description": "Its own quiet days, likewise"})
    grants = fields.Integer(metadata={"description": "Roles of accounts on it, which then reach nobody"})
    is_stopped = fields.Boolean(metadata={"description": "A stop stands on it: it cannot be closed"})
    needs_another = fields.Boolean(metadata={"description": "Another unit has to take what is in it"})


@blueprint.route("/units/<int:unit_id>/closing")
class Closing(MethodView):
    """What closing a unit is about."""

    @endpoint(Permission.manage_directory)
    @blueprint.response(200, ClosingOut)
    def get(self, unit_id: int) -> mergers.ClosingOutlook:
        """Show what lies in the unit and would move"""
        return mergers.foresee_closing(g.session, g.actor, unit_id)


@blueprint.route("/units/<int:unit_id>/close")
class Close(MethodView):
    """Closing a unit."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(CloseIn)
    @blueprint.response(200, UnitOut)
    def post(self, body: dict[str, Any], unit_id: int) -> Unit:
        """Close a unit, alone or merged into another one; past counts stay"""
        return mergers.close_unit(g.session, g.actor, unit_id, body["why"], body["into"])


@blueprint.route("/units/<int:unit_id>/reopen")
class Reopen(MethodView):
    """Opening it again."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, UnitOut)
    def post(self, body: dict[str, Any], unit_id: int) -> Unit:
        """Open a closed unit again; who was moved does not come back"""
        return mergers.reopen_unit(g.session, g.actor, unit_id, body["why"])
