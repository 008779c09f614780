"""`/replies`: what people answered."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls.accounts import id_of
from sms_service.replies.listing import find_replies, may_read_strangers
from sms_service.replies.models import ReplyRow
from sms_service.vocabulary import InboxStatus, Meaning, ReadingRule
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, MaskedPhone, MaskedText, OneLine, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint("replies", description="What people answered, and which text they answered.")


class ReplyQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    meaning = fields.String(
        load_default=None,
        validate=OneOfWords([*Meaning]),
        metadata={"description": "Only replies that were read as this"},
    )
    campaign = Id(load_default=None, metadata={"description": "Only replies that answer a text of this campaign"})
    account = OneLine(
        load_default=None, metadata={"description": "Only replies that came in at this gateway account, by its name"}
    )
    has_phone = fields.Boolean(
        load_default=None, metadata={"description": "False: only replies whose sender cannot be read as a phone number"}
    )
    since = fields.AwareDateTime(
        load_default=None, metadata={"description": "At or after this time (ISO 8601 with offset)"}
    )
    until = fields.AwareDateTime(load_default=None, metadata={"description": "Before this time (ISO 8601 with offset)"})


class ReplyOut(Out):
    """One reply."""

    id = fields.Integer(attribute="ReplyRow.id", metadata={"description": "The reply's id"})
    received_at = fields.AwareDateTime(attribute="ReplyRow.received_at", metadata={"description": "When it came in"})
    occurred_at = fields.AwareDateTime(
        attribute="ReplyRow.occurred_at",
        allow_none=True,
        metadata={"description": "When it was written, by the provider's clock"},
    )
    account = fields.String(metadata={"description": "The gateway account at which it came in"})
    phone = MaskedPhone(attribute="ReplyRow.phone", allow_none=True)
    sender = MaskedPhone(
        attribute="ReplyRow.sender",
        allow_none=True,
        metadata={
            "description": "What the gateway wrote where that is no phone number, masked; nobody is suppressed then"
        },
    )
    sent_to = fields.String(
        attribute="ReplyRow.sent_to", allow_none=True, metadata={"description": "The service's number it was sent to"}
    )
    text = MaskedText(
        attribute="ReplyRow.shown_text",
        allow_none=True,
        metadata={"description": "What it says, phone numbers in it masked; null once redacted"},
    )
    part = fields.Integer(
        attribute="ReplyRow.part", metadata={"description": "Which part of a long reply, while others are missing"}
    )
    parts = fields.Integer(attribute="ReplyRow.parts", metadata={"description": "How many parts a long reply came in"})
    complete = fields.Boolean(metadata={"description": "False: parts of it are missing, and this is one of them"})
    meaning = fields.String(
        attribute="ReplyRow.meaning",
        allow_none=True,
        metadata={
            "description": f"What it was read as, one of {', '.join(Meaning)}; `stop`: its phone number gets no texts "
            "from then on; null: it is not read yet, or parts of it are missing"
        },
    )
    rule = fields.String(
        attribute="ReplyRow.rule",
        allow_none=True,
        metadata={"description": f"What made this reading: one of {', '.join(ReadingRule)}"},
    )
    question_id = fields.Integer(
        attribute="ReplyRow.question_id", allow_none=True, metadata={"description": "The question that it answers"}
    )
    inbox_status = fields.String(
        attribute="ReplyRow.inbox_status",
        allow_none=True,
        metadata={
            "description": f"Of one that a person has to read: one of {', '.join(InboxStatus)}; null: of any other"
        },
    )
    repeated = fields.Boolean(
        attribute="ReplyRow.repeated",
        metadata={
            "description": "The same came from the same number within ten minutes before, from a gateway that names no "
            "reply: it may be one that was delivered twice"
        },
    )
    person_id = fields.Integer(
        attribute="ReplyRow.person_id",
        allow_none=True,
        metadata={"description": "Who got the text that it answers, else who has the number; null: nobody known"},
    )
    person = MaskedText(allow_none=True, metadata={"description": "The person's present name"})
    message_id = fields.Integer(
        attribute="ReplyRow.message_id",
        allow_none=True,
        metadata={"description": "The text that it answers: the last one to the number within 14 days before"},
    )


@blueprint.route("/replies")
class Replies(MethodView):
    """The replies."""

    @endpoint(Permission.read)
    @blueprint.arguments(ReplyQuery, location="query")
    @blueprint.response(200, list_of(ReplyOut, "ReplyList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List replies, newest first; those that match nobody only for whoever may read everything"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        if query["account"] is not None:
            id_of(g.session, query["account"])
        statement = find_replies(
            scope.paths,
            strangers=query["unit"] is None and may_read_strangers(g.session, g.actor),
            **{name: query[name] for name in ("meaning", "campaign", "account", "has_phone", "since", "until")},
        )
        rows, following = fetch_page(
            g.session,
            statement,
            query,
            sort="received_at",
            key=ReplyRow.received_at,
            id_=ReplyRow.id,
            descending=True,
        )
        return scope.answer([{**row._mapping, "complete": row.ReplyRow.is_complete} for row in rows], following)
