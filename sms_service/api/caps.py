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
from sms_service.errors import NotFound
from sms_service.vocabulary import TextClass
from sms_service.web.schemas import Out, Whole, WhyIn
from sms_service.web.validators import WithinRange

blueprint = Blueprint(
    "caps",
    description="How many texts of a class one phone may get on one local day, over all campaigns. What exceeds it is "
    "`skipped`, reason `capped`. A class without a cap is not limited.",
)


_PER_DAY = "Texts that one phone gets on one local day at most; null: any number"


class CapIn(WhyIn):
    """A cap, and why."""

    per_day = Whole(
        required=True,
        allow_none=True,
        validate=WithinRange(1, caps.LARGEST),
        metadata={"description": _PER_DAY, "example": 3},
    )


class CapOut(Out):
    """The cap of a class."""

    class_ = fields.String(data_key="class", metadata={"description": "What kind of text it limits"})
    per_day = fields.Integer(allow_none=True, metadata={"description": _PER_DAY})


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
    def put(self, body: dict[str, Any], class_: str) -> dict[str, Any]:
        """Set the cap of a class, or remove it, for all texts that have not left"""
        if class_ not in list(TextClass):
            raise NotFound("class", class_)
        caps.set_caps(g.session, g.actor, {class_: body["per_day"]}, body["why"])
        return {"class_": class_, "per_day": body["per_day"]}
