"""`/numbers/history`: every text to one phone, or why there was none, for complaints."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.messages import MessageOut
from sms_service.api.suppressions import ListedSuppressionOut, PhoneIn, describe_suppressions, read_phone_of
from sms_service.api.timelines import EventOut
from sms_service.directory.text import LONGEST_WHY
from sms_service.reports.number_history import MOST_REPLIES, MOST_TEXTS, NumberHistory, read_number_history
from sms_service.web.context import gateways_or_none
from sms_service.web.schemas import Id, MaskedPhone, MaskedText, OneLine, Out

blueprint = Blueprint("number histories", description="Every text to one phone, or why there was none, for complaints.")


class NumberIn(PhoneIn):
    """Whose number, and what for."""

    why = OneLine(
        LONGEST_WHY,
        required=True,
        metadata={"description": "What for, such as the complaint; goes into the trail, so no phone numbers"},
    )
    before = Id(
        load_default=None,
        metadata={"description": "The `before` of the answer before this one: the texts that are older than those"},
    )


class HolderOut(Out):
    """A person who has the number, or had it when a text was written."""

    person_id = fields.Integer(attribute="Person.id", metadata={"description": "The person"})
    name = MaskedText(attribute="Person.name", metadata={"description": "Their name"})
    unit_id = fields.Integer(attribute="Unit.id", metadata={"description": "Their unit"})
    unit = fields.String(attribute="Unit.name", metadata={"description": "Its name"})
    phone = MaskedPhone(attribute="Person.phone", allow_none=True)


class GivenApprovalOut(Out):
    """An approval that the campaign had when the text was launched."""

    account_id = fields.Integer(
        attribute="Decision.account_id", allow_none=True, metadata={"description": "Who; null: the service itself"}
    )
    name = fields.String(allow_none=True, metadata={"description": "Their name"})
    lender = fields.String(
        allow_none=True, metadata={"description": "Whoever lent the right to them; null: it is their own"}
    )
    self_service = fields.Boolean(
        attribute="Decision.self_service", metadata={"description": "True: by whoever wrote it, as a rule allows"}
    )
    at = fields.AwareDateTime(attribute="Decision.at", metadata={"description": "When"})


class TextOfNumberOut(Out):
    """One text, or why there was none."""

    message = fields.Nested(MessageOut, attribute="row", metadata={"description": "Its row in the ledger"})
    launched_at = fields.AwareDateTime(
        attribute="run.launched_at", allow_none=True, metadata={"description": "When its run was launched"}
    )
    sender_id = fields.Integer(attribute="run.unit_id", metadata={"description": "The unit that sent it"})
    sender = fields.String(metadata={"description": "Its name"})
    approvals = fields.List(
        fields.Nested(GivenApprovalOut),
        metadata={"description": "Who approved its campaign; empty for a text of none, such as an answer"},
    )
    events = fields.List(
        fields.Nested(EventOut), metadata={"description": "Hand-overs, the gateway's answers and receipts, in order"}
    )


class ReplyOfNumberOut(Out):
    """What came from the number."""

    id = fields.Integer(attribute="ReplyRow.id", metadata={"description": "The reply's id"})
    received_at = fields.AwareDateTime(attribute="ReplyRow.received_at", metadata={"description": "When it came in"})
    account = fields.String(metadata={"description": "The gateway account at which it came in"})
    text = MaskedText(
        attribute="ReplyRow.shown_text",
        allow_none=True,
        metadata={"description": "What it says, phone numbers in it masked; null once redacted"},
    )
    meaning = fields.String(
        attribute="ReplyRow.meaning", allow_none=True, metadata={"description": "What it was read as"}
    )
    message_id = fields.Integer(
        attribute="ReplyRow.message_id", allow_none=True, metadata={"description": "The text that it answers"}
    )


class _Stops(fields.List[Any]):
    def get_value(self, obj: NumberHistory, *_: Any, **__: Any) -> Any:
        return describe_suppressions(obj.stops)


class NumberHistoryOut(Out):
    """What the caller may read of one number."""

    phone = MaskedPhone()
    people = fields.List(
        fields.Nested(HolderOut),
        metadata={"description": "Who has the number, or had it when a text was written, within the caller's scope"},
    )
    number = fields.Integer(metadata={"description": "How many texts there are within the caller's scope"})
    outside = fields.Integer(metadata={"description": "How many more there are of units outside it"})
    texts = fields.List(
        fields.Nested(TextOfNumberOut), metadata={"description": f"The texts, the newest first, at most {MOST_TEXTS}"}
    )
    replies = fields.List(
        fields.Nested(ReplyOfNumberOut),
        metadata={"description": f"What came from it in the time of these texts, the newest {MOST_REPLIES}"},
    )
    stops = _Stops(
        fields.Nested(ListedSuppressionOut),
        metadata={
            "description": "Its entries on the opt-out list, lifted ones too, the newest first; of the first answer"
        },
    )
    archived = fields.List(
        fields.Date(), metadata={"description": "Months, by their first days, whose texts are archived and not here"}
    )
    before = fields.Integer(
        allow_none=True, metadata={"description": "Send it to get older texts; null: there are none"}
    )


@blueprint.route("/numbers/history")
class HistoryOfNumber(MethodView):
    """What one number got."""

    @endpoint(Permission.read)
    @blueprint.arguments(NumberIn)
    @blueprint.response(200, NumberHistoryOut)
    def post(self, body: dict[str, Any]) -> NumberHistory:
        """Show every text to a number, or why there was none; that somebody asked, and why, goes into the trail

        A POST, since an address must not name a number. Texts whose number was redacted since are found by the people
        who are known to have had it.
        """
        phone = read_phone_of(body)
        return read_number_history(g.session, g.actor, phone, body["why"], gateways_or_none(), before=body["before"])
