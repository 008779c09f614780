"""`/messages`: the rows behind every number, and how each hand-over ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields, post_dump

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.ledger.states import AttemptStatus, MessageStatus
from sms_service.reports.filters import Filter
from sms_service.reports.messages import get_message
from sms_service.web.ledger_rows import MessageFilter, fetch_messages, scope_messages
from sms_service.web.paging import PageQuery, Scope
from sms_service.web.rates import read_prices
from sms_service.web.schemas import MaskedPhone, MaskedText, Out, list_of

blueprint = Blueprint(
    "messages", description="The ledger: one row for every recipient of every run, whatever became of it."
)


class MessageQuery(PageQuery, MessageFilter):
    """Filters and the page; all filters that are given must hold."""


def cost_of_message(row: Any) -> float | None:
    """Fen; None where the price of the account that had it last is not known."""
    if not row.parts_taken:
        return 0.0
    price = read_prices().get(row.account)
    return None if price is None else price * float(row.parts_taken)


class MessageOut(Out):
    """One recipient of one run."""

    id = fields.Integer(attribute="Message.id", metadata={"description": "The message's id"})
    campaign_id = fields.Integer(
        allow_none=True, metadata={"description": "The campaign; null of a test, an answer or a notice"}
    )
    campaign = fields.String(allow_none=True, metadata={"description": "The campaign's name; null if there is none"})
    kind = fields.String(metadata={"description": "Of its run: `campaign`, `test`, `answer` or `notice`"})
    run_id = fields.Integer(attribute="Message.run_id", metadata={"description": "The run"})
    person_id = fields.Integer(attribute="Message.person_id", metadata={"description": "The person"})
    person = MaskedText(allow_none=True, metadata={"description": "The person's present name"})
    unit_id = fields.Integer(
        attribute="Message.unit_id", metadata={"description": "The unit for which the person was found, at launch"}
    )
    unit = fields.String(allow_none=True, metadata={"description": "The unit's present name"})
    phone = MaskedPhone(attribute="Message.phone", allow_none=True)
    status = fields.String(attribute="Message.status", metadata={"description": "One of " + ", ".join(MessageStatus)})
    reason = fields.String(
        attribute="Message.reason",
        allow_none=True,
        metadata={"description": "Why it was skipped, or the class of the refusal or of the failure"},
    )
    raw_code = fields.String(
        attribute="Message.raw_code", allow_none=True, metadata={"description": "The provider's own code"}
    )
    duplicate_of = fields.Integer(
        attribute="Message.duplicate_of",
        allow_none=True,
        metadata={"description": "The message that this phone number got instead"},
    )
    text = MaskedText(
        allow_none=True,
        metadata={
            "description": "What was sent, phone numbers in it masked; null until it is rendered, and where it holds "
            "a code"
        },
    )
    parts = fields.Integer(
        attribute="Message.parts", allow_none=True, metadata={"description": "How many SMS the text takes"}
    )
    parts_taken = fields.Integer(
        metadata={"description": "Parts that a gateway took, over all attempts: what counts add up as `parts`"}
    )
    cost_fen = fields.Function(
        cost_of_message,
        metadata={
            "type": ["number", "null"],
            "description": "What these parts cost, in fen, by today's price of the account that had it last; null if "
            "that is not known",
        },
    )
    attempts = fields.Integer(
        attribute="Message.attempts", metadata={"description": "How often it was handed to a gateway"}
    )
    account = fields.String(allow_none=True, metadata={"description": "The gateway account that had it last"})
    not_before = fields.AwareDateTime(
        attribute="Message.not_before", metadata={"description": "It does not leave before"}
    )
    expires_at = fields.AwareDateTime(
        attribute="Message.expires_at", metadata={"description": "It does not leave after"}
    )
    changed_at = fields.AwareDateTime(
        attribute="Message.changed_at", metadata={"description": "When its status changed last"}
    )

    @post_dump(pass_original=True)
    def _hide_from_former_units(self, shown: dict[str, Any], row: Any, **_: Any) -> dict[str, Any]:
        """Hide the person, phone and text of a row if its unit has moved out of the caller's scope. The row still
        counts where it was counted, but whom the unit texted is seen only where the unit is now.
        """
        if not g.actor.can(Permission.read, row.unit_now):
            shown |= dict.fromkeys(("person", "phone", "text"))
        return shown


class AttemptOut(Out):
    """One hand-over of a message to a gateway."""

    number = fields.Integer(attribute="Attempt.number", metadata={"description": "1 for the first, and so on"})
    account = fields.String(metadata={"description": "The gateway account's name"})
    status = fields.String(attribute="Attempt.status", metadata={"description": "One of " + ", ".join(AttemptStatus)})
    parts = fields.Integer(attribute="Attempt.parts", metadata={"description": "How many SMS it takes"})
    provider_id = fields.String(
        attribute="Attempt.provider_id", allow_none=True, metadata={"description": "The provider's name for it"}
    )
    settled_by = fields.Integer(
        attribute="Attempt.settled_by",
        allow_none=True,
        metadata={"description": "The account of the person who settled it when it was unknown"},
    )
    error = fields.String(
        attribute="Attempt.error", allow_none=True, metadata={"description": "The class of the error"}
    )
    raw_code = fields.String(
        attribute="Attempt.raw_code", allow_none=True, metadata={"description": "The provider's own code"}
    )
    detail = MaskedText(attribute="Attempt.detail", allow_none=True, metadata={"description": "What the provider said"})
    started_at = fields.AwareDateTime(
        attribute="Attempt.started_at", metadata={"description": "When it passed the gate"}
    )
    outcome_at = fields.AwareDateTime(
        attribute="Attempt.outcome_at", allow_none=True, metadata={"description": "When the gateway answered"}
    )
    final_at = fields.AwareDateTime(
        attribute="Attempt.final_at", allow_none=True, metadata={"description": "When the network's last word came"}
    )


class OneMessageOut(Out):
    """A message and its hand-overs."""

    message = fields.Nested(MessageOut, metadata={"description": "The message"})
    attempts = fields.List(fields.Nested(AttemptOut), metadata={"description": "Its hand-overs, first to last"})


MessageList = list_of(MessageOut, "MessageList")


@blueprint.route("/messages")
class Messages(MethodView):
    """The rows of the ledger."""

    @endpoint(Permission.read)
    @blueprint.arguments(MessageQuery, location="query")
    @blueprint.response(200, MessageList)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List messages, oldest month first: the rows that /counts counts for the same filters

        Within a month they come by id; with `run`, its rows come by person and unit. Rows of a unit that has moved out
        of the caller's scope since come without person, phone and text.
        """
        scope, rows = scope_messages(g.session, g.actor, query)
        return message_page(scope, rows, query)


@blueprint.route("/messages/<int:message_id>")
class OneMessage(MethodView):
    """One row of the ledger."""

    @endpoint(Permission.read)
    @blueprint.response(200, OneMessageOut)
    def get(self, message_id: int) -> dict[str, Any]:
        """Show a message and its attempts"""
        message, attempts = get_message(g.session, g.actor, message_id)
        return {"message": message, "attempts": attempts}


def message_page(scope: Scope, rows: Filter, query: Mapping[str, Any]) -> dict[str, Any]:
    """One page of the rows, for MessageList."""
    return scope.answer(*fetch_messages(g.session, rows, query))
