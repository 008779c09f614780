"""`/messages/<id>/timeline` and its phone: one text from the freeze to the last word."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.messages import MessageOut
from sms_service.directory.text import LONGEST_WHY
from sms_service.reports.timeline import EventKind, Timeline, reveal_message_phone, trace_message
from sms_service.said import to_json
from sms_service.web.context import gateways_or_none
from sms_service.web.schemas import MESSAGE, VALUES, In, OneLine, Out

blueprint = Blueprint("timelines", description="One text from the freeze to the last word.")


class MeaningOut(Out):
    """What a provider's code means, by its table."""

    en = fields.String(metadata={"description": "In English"})
    zh = fields.String(metadata={"description": "In Chinese; empty where the table has it in English only"})


class EventOut(Out):
    """One thing that happened to a message."""

    at = fields.AwareDateTime(metadata={"description": "When, by the service's clock"})
    occurred_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When, by the provider's clock, where it says so"}
    )
    kind = fields.String(metadata={"description": "One of " + ", ".join(EventKind)})
    text = fields.String(attribute="said", metadata={"description": "What happened, in a sentence"})
    message = fields.Function(
        lambda event: to_json(event.said)["message"], metadata={"type": "string", "description": MESSAGE}
    )
    values = fields.Function(
        lambda event: to_json(event.said)["values"], metadata={"type": "object", "description": VALUES}
    )
    attempt = fields.Integer(allow_none=True, metadata={"description": "The number of the hand-over it belongs to"})
    account = fields.String(allow_none=True, metadata={"description": "The gateway account's name"})
    code = fields.String(allow_none=True, metadata={"description": "The provider's own code"})
    meaning = fields.Nested(
        MeaningOut, allow_none=True, metadata={"description": "What the code means; null where no table says"}
    )
    act = fields.String(allow_none=True, metadata={"description": "Of the trail: what was done"})
    login = fields.String(allow_none=True, metadata={"description": "Who did it; null: the service"})


class TimelineOut(Out):
    """All that happened to a message, the first first."""

    message = fields.Nested(MessageOut, attribute="row", metadata={"description": "The message"})
    part_ids = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What the provider calls its parts, by the number of the attempt"},
    )
    items = fields.List(fields.Nested(EventOut), attribute="events", metadata={"description": "The events"})


class WhyPhoneIn(In):
    """What the whole phone number is needed for; it goes into the trail."""

    why = OneLine(LONGEST_WHY, required=True, metadata={"description": "What for, for whoever reads it later"})


class WholePhoneOut(Out):
    """A whole phone number."""

    phone = fields.String(
        allow_none=True, metadata={"description": "In E.164; null: there was none, or it was redacted"}
    )


@blueprint.route("/messages/<int:message_id>/timeline")
class TimelineOfMessage(MethodView):
    """What happened to one message."""

    @endpoint(Permission.read)
    @blueprint.response(200, TimelineOut)
    def get(self, message_id: int) -> Timeline:
        """Show all that happened to a message: hand-overs, answers, receipts, replies, and what people did"""
        return trace_message(g.session, g.actor, message_id, gateways_or_none())


@blueprint.route("/messages/<int:message_id>/phone")
class PhoneOfMessage(MethodView):
    """The whole phone number of one message."""

    @endpoint(Permission.see_phones)
    @blueprint.arguments(WhyPhoneIn)
    @blueprint.response(200, WholePhoneOut)
    def post(self, body: dict[str, Any], message_id: int) -> dict[str, Any]:
        """Show the whole phone number that a message goes to; who asked, and why, goes into the trail"""
        return {"phone": reveal_message_phone(g.session, g.actor, message_id, body["why"])}
