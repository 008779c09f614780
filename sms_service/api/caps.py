"""`/caps`: how many texts of a class one phone may get on one day."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls import caps
from sms_service.controls.models import Cap
from sms_service.web.schemas import In, Out, Whole
from sms_service.web.validators import WithinRange

blueprint = Blueprint(
    "caps",
    description="How many texts of a class one phone may get on one local day, over all campaigns. What exceeds it is "
    "`skipped`, reason `capped`. A class without a cap is not limited.",
)


class CapIn(In):
    """A cap."""

    per_day = Whole(
        required=True,
        validate=WithinRange(1, caps.LARGEST),
        metadata={"description": "Texts that one phone gets on one local day at most", "example": 3},
    )


class CapOut(Out):
    """The cap of a class."""

    class_ = fields.String(data_key="class", metadata={"description": "What kind of text it limits"})
    per_day = fields.Integer(metadata={"description": "Texts that one phone gets on one local day at most"})


class CapList(Out):
    """All caps."""

    items = fields.List(fields.Nested(CapOut), metadata={"description": "The caps; other classes have none"})


@blueprint.route("/caps")
class Caps(MethodView):
    """The caps."""

    @endpoint(Permission.read)
    @blueprint.response(200, CapList)
    def get(self) -> dict[str, Any]:
        """List the caps by class"""
        return {"items": g.session.scalars(caps.find_caps().order_by(Cap.class_)).all()}


@blueprint.route("/caps/<class_>")
class OneCap(MethodView):
    """The cap of one class."""

    @endpoint(Permission.operate_service)
    @blueprint.arguments(CapIn)
    @blueprint.response(200, CapOut)
    def put(self, body: dict[str, Any], class_: str) -> Cap:
        """Set the cap of a class, for all texts that have not left"""
        return caps.set_cap(g.session, g.actor, class_, body["per_day"])

    @endpoint(Permission.operate_service)
    @blueprint.response(204)
    def delete(self, class_: str) -> None:
        """Remove the cap of a class: its texts are not limited any more"""
        caps.remove_cap(g.session, g.actor, class_)
