"""`/units/ID/caps`: how many texts of a class one phone of a unit may get on one day."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls import unit_caps
from sms_service.controls.caps import LARGEST
from sms_service.vocabulary import TextClass
from sms_service.web.schemas import Out, Whole, WhyIn
from sms_service.web.validators import OneOfWords, WithinRange

blueprint = Blueprint(
    "unit caps",
    description="How many texts of a class a phone of a unit and all below it gets on one local day at most. The "
    "smallest of a person's caps counts: their unit's, those of units above, and everybody's (`/caps`).",
)


class UnitCapsIn(WhyIn):
    """Caps of the unit's own, and why."""

    caps = fields.Dict(
        keys=fields.String(validate=OneOfWords(tuple(TextClass))),
        values=Whole(allow_none=True, validate=WithinRange(1, LARGEST)),
        required=True,
        metadata={"description": "By class, texts a day; null: no cap of its own. Other classes stay as they are"},
    )


class UnitCapOut(Out):
    """The cap of a class."""

    class_ = fields.String(data_key="class", metadata={"description": "What kind of text it limits"})
    own = fields.Integer(allow_none=True, metadata={"description": "The unit's own cap, or null"})
    per_day = fields.Integer(
        allow_none=True, metadata={"description": "The smallest of all that hold here; null: any number"}
    )


class UnitCapList(Out):
    """The caps that hold for a unit."""

    items = fields.List(fields.Nested(UnitCapOut), metadata={"description": "One for each class"})


@blueprint.route("/units/<int:unit_id>/caps")
class UnitCaps(MethodView):
    """The caps of one unit."""

    @endpoint(Permission.read)
    @blueprint.response(200, UnitCapList)
    def get(self, unit_id: int) -> dict[str, Any]:
        """List the caps that hold for a unit's people"""
        return {"items": unit_caps.list_unit_caps(g.session, g.actor, unit_id)}

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(UnitCapsIn)
    @blueprint.response(200, UnitCapList)
    def put(self, body: dict[str, Any], unit_id: int) -> dict[str, Any]:
        """Set caps of a unit, for all texts that have not left"""
        unit_caps.set_unit_caps(g.session, g.actor, unit_id, body["caps"], body["why"])
        return {"items": unit_caps.list_unit_caps(g.session, g.actor, unit_id)}
