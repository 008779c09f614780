"""What came back from providers and could not be used: refused callbacks, codes that are in no table, receipts that
match no text.
"""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls.accounts import id_of
from sms_service.delivery.listing import find_unknown_codes, find_unmatched
from sms_service.delivery.models import RefusedCallbacks
from sms_service.delivery.refusals import REASON_PLACE, find_refused
from sms_service.directory.units import require_everywhere
from sms_service.gateways.config import BadGatewayConfig
from sms_service.ledger.models import ReceiptRow
from sms_service.web.context import current_context
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import MaskedPhone, OneLine, Out, list_of

blueprint = Blueprint("delivery reports", description="What providers sent back and nobody could take or understand.")


class RefusedCallbacksOut(Out):
    """Callbacks that were refused on one day for one reason."""

    day = fields.Date(metadata={"description": "The day, in UTC"})
    reason = fields.String(
        metadata={
            "description": "`forged`: not proved to be the provider's; `replayed`: genuine but too old; `malformed`: "
            "cannot be read, and the provider keeps it"
        }
    )
    number = fields.Integer(metadata={"description": "How many"})
    last_at = fields.AwareDateTime(metadata={"description": "When the last of them was counted, a few seconds late"})


class UnknownCodeOut(Out):
    """A provider's code that its table does not have."""

    code = fields.String(metadata={"description": "The code as the provider wrote it"})
    use = fields.String(metadata={"description": "Where it stood: in the `answer` to a hand-over, or in a `receipt`"})
    number = fields.Integer(metadata={"description": "How often"})
    first_at = fields.AwareDateTime(metadata={"description": "When it came first"})
    last_at = fields.AwareDateTime(metadata={"description": "When it came last"})


class UnmatchedQuery(PageQuery):
    """Filters; all that are given must hold."""

    account = OneLine(load_default=None, metadata={"description": "Only receipts of this gateway account, by its name"})


class UnmatchedReceiptOut(Out):
    """A receipt of which nobody knows the text."""

    id = fields.Integer(attribute="ReceiptRow.id", metadata={"description": "The receipt's id"})
    account = fields.String(metadata={"description": "The gateway account that sent it"})
    received_at = fields.AwareDateTime(attribute="ReceiptRow.received_at", metadata={"description": "When it came in"})
    reference = fields.String(
        attribute="ReceiptRow.reference",
        allow_none=True,
        metadata={"description": "Our name for the attempt, if echoed"},
    )
    provider_id = fields.String(
        attribute="ReceiptRow.provider_id",
        allow_none=True,
        metadata={"description": "The provider's name for the text"},
    )
    phone = MaskedPhone(attribute="ReceiptRow.phone", allow_none=True)
    part = fields.Integer(
        attribute="ReceiptRow.part", metadata={"description": "Which part of the text, from 1; 0: the whole"}
    )
    status = fields.String(
        attribute="ReceiptRow.status",
        metadata={"description": "One of delivered, undelivered, interim, unclassified"},
    )
    raw_code = fields.String(
        attribute="ReceiptRow.raw_code", allow_none=True, metadata={"description": "The provider's own code"}
    )
    tries = fields.Integer(
        attribute="ReceiptRow.tries",
        metadata={"description": "How often its text was looked for; it goes on for 7 days"},
    )
    note = fields.String(
        attribute="ReceiptRow.note", allow_none=True, metadata={"description": "Why it could not be applied"}
    )


@blueprint.route("/gateway-accounts/<name>/refused-callbacks")
class RefusedOfAccount(MethodView):
    """What was refused at a gateway account."""

    @endpoint(Permission.read)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(RefusedCallbacksOut, "RefusedCallbacksList", scoped=False))
    def get(self, query: dict[str, Any], name: str) -> dict[str, Any]:
        """List how many callbacks were refused, by day and reason, newest first"""
        items, following = fetch_page(
            g.session,
            find_refused(id_of(g.session, name)),
            query,
            sort="day",
            key=RefusedCallbacks.day,
            id_=REASON_PLACE,
            descending=True,
        )
        return {"items": items, "next": following}


@blueprint.route("/gateway-accounts/<name>/unknown-codes")
class UnknownCodesOfAccount(MethodView):
    """Codes to be added to the account's table."""

    @endpoint(Permission.read)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(UnknownCodeOut, "UnknownCodeList", scoped=False))
    def get(self, query: dict[str, Any], name: str) -> dict[str, Any]:
        """List the codes that the account's provider used and its table does not have"""
        statement = find_unknown_codes(id_of(g.session, name), _known_codes(name))
        columns = statement.selected_columns
        rows, following = fetch_page(g.session, statement, query, sort="code", key=columns.code, id_=columns.place)
        return {"items": [row._mapping for row in rows], "next": following}


@blueprint.route("/receipts")
class UnmatchedReceipts(MethodView):
    """Receipts that belong to nobody."""

    @endpoint(Permission.read)
    @blueprint.arguments(UnmatchedQuery, location="query")
    @blueprint.response(200, list_of(UnmatchedReceiptOut, "UnmatchedReceiptList", scoped=False))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List receipts that match no text so far, newest first; needs read over everything"""
        require_everywhere(g.session, g.actor, Permission.read)
        if query["account"] is not None:
            id_of(g.session, query["account"])
        rows, following = fetch_page(
            g.session,
            find_unmatched(query["account"]),
            query,
            sort="id",
            key=ReceiptRow.id,
            id_=ReceiptRow.id,
            descending=True,
        )
        return {"items": [row._mapping for row in rows], "next": following}


def _known_codes(name: str) -> frozenset[str]:
    try:
        return current_context().gateways.known_codes(name)
    except BadGatewayConfig:  # `doctor` says what is wrong with the file; codes can be listed all the same
        return frozenset()
