"""`/me/pushes`: of which tasks the caller is told, and how."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.api.authentication import Own, endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.own_texts import pushing
from sms_service.own_texts.models import PushWay
from sms_service.reports.tasks import TaskKind
from sms_service.web.schemas import Id, In, Out
from sms_service.web.validators import OneOfWords

blueprint = Blueprint("pushes", description="Being told of what waits for oneself.")

_WAY = "How: `none`, `text` (a text of kind `notice` to the own phone) or `webhook` (a post to a channel)"
_CHANNEL = "By which channel, of a webhook; the caller must hold `operate_campaigns` over its unit"
_KINDS = "Of which kinds of tasks: some of " + ", ".join(TaskKind)


class PushesIn(In):
    """What the caller wants to be told."""

    way = fields.String(required=True, validate=OneOfWords([*PushWay]), metadata={"description": _WAY})
    kinds = fields.List(
        fields.String(validate=OneOfWords([*TaskKind])), load_default=list, metadata={"description": _KINDS}
    )
    channel_id = Id(load_default=None, metadata={"description": _CHANNEL})


class PushesOut(Out):
    """What the caller is told."""

    way = fields.String(metadata={"description": _WAY})
    kinds = fields.List(fields.String(), metadata={"description": _KINDS})
    channel_id = fields.Integer(allow_none=True, metadata={"description": _CHANNEL})


@blueprint.route("/me/pushes")
class MyPushes(MethodView):
    """The caller's pushes."""

    @endpoint(Own.account)
    @blueprint.response(200, PushesOut)
    def get(self) -> Any:
        """Show of which tasks one is told, and how"""
        return pushing.get_pushes(g.session, g.actor.account_id)

    @endpoint(Own.account)
    @blueprint.arguments(PushesIn)
    @blueprint.response(200, PushesOut)
    def put(self, body: dict[str, Any]) -> Any:
        """Choose of which tasks one is told, and how

        A push tells what is new, names each kind at most once an hour, and comes within the window only.
        """
        kinds = [TaskKind(kind) for kind in body["kinds"]]
        return pushing.set_pushes(g.session, g.actor, PushWay(body["way"]), kinds, body["channel_id"])
