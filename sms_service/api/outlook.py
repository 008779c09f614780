"""`/campaigns/<id>/outlook`: what will happen if a campaign is sent."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.campaign_shapes import OFFSET
from sms_service.api.findings import FindingOut
from sms_service.api.segments import UnitReachOut
from sms_service.campaigns.outlook import Caution, Outlook, foresee_run
from sms_service.vocabulary import MessageReason
from sms_service.web.rates import read_rates_and_prices
from sms_service.web.schemas import In, MaskedText, Out, SaidMessage

blueprint = Blueprint(
    "outlook", description="What will happen if a campaign is sent, said before it is sent; asking changes nothing."
)


class OutlookQuery(In):
    """When it would be sent."""

    at = fields.AwareDateTime(
        load_default=None,
        error_messages={"invalid": OFFSET, "invalid_awareness": OFFSET},
        metadata={"description": "ISO 8601 with offset; left out: its planned time; past: now"},
    )


class SkippedOut(Out):
    """Somebody who would get no text."""

    person_id = fields.Integer(metadata={"description": "The person"})
    name = MaskedText(metadata={"description": "The person's name"})
    unit_id = fields.Integer(metadata={"description": "The unit they are found for"})
    unit = fields.String(metadata={"description": "The unit's name"})


class SkippedByReasonOut(Out):
    """The people who would get no text for one reason."""

    reason = fields.String(metadata={"description": "Why: one of the reasons of a skipped message"})
    count = fields.Integer(metadata={"description": "How many"})
    people = fields.List(
        fields.Nested(SkippedOut),
        metadata={"description": "The first 30 of them; empty if the audience has more than 1,000 recipients"},
    )


class ShownTextOut(Out):
    """What a real person would get."""

    person_id = fields.Integer(metadata={"description": "The person"})
    person = MaskedText(metadata={"description": "The person's name"})
    unit_id = fields.Integer(metadata={"description": "The unit they are found for"})
    unit = fields.String(metadata={"description": "The unit's name"})
    text = MaskedText(metadata={"description": "The whole text"})
    parts = fields.Integer(metadata={"description": "SMS that it takes"})


class SimilarOut(Out):
    """A run of the last seven days that sent people of this audience the like."""

    run_id = fields.Integer(metadata={"description": "The run"})
    campaign_id = fields.Integer(
        allow_none=True, metadata={"description": "Its campaign; null: the caller may not read it"}
    )
    campaign = fields.String(allow_none=True, metadata={"description": "The campaign's name; null likewise"})
    unit = fields.String(metadata={"description": "The name of the unit that sent it"})
    launched_at = fields.AwareDateTime(metadata={"description": "When it was launched"})
    same_template = fields.Boolean(
        metadata={"description": "It has the same template; otherwise only the text is the same"}
    )


class WarningOut(Out):
    """What to know before sending."""

    caution = fields.String(metadata={"description": "One of " + ", ".join(Caution)})
    text = MaskedText(metadata={"description": "The sentence"})
    said = SaidMessage(attribute="text", metadata={"description": "The sentence for saying it in another language"})


class ItemOutlookOut(Out):
    """What one text of a campaign with a schedule will do."""

    number = fields.Integer(metadata={"description": "The item's number"})
    label = fields.String(metadata={"description": "What people call it"})
    at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it goes, local to the unit; null: it waits for what may happen"}
    )
    phones = fields.Integer(metadata={"description": "Texts, one for each phone, before caps"})
    text = MaskedText(
        allow_none=True, metadata={"description": "The longest that a person would get; null: it cannot be made"}
    )
    parts = fields.Integer(allow_none=True, metadata={"description": "SMS that the longest takes"})
    total = fields.Integer(
        allow_none=True, metadata={"description": "SMS in all; an estimate where people have values of their own"}
    )
    cost_fen = fields.Integer(
        allow_none=True, metadata={"description": "What they cost, in fen, as far as it is known"}
    )
    findings = fields.List(
        fields.Nested(FindingOut), metadata={"description": "What is odd about it, and not about all items"}
    )


class OutlookOut(Out):
    """What will happen. `phones` and the counts of `skipped` add up to `people`."""

    at = fields.AwareDateTime(metadata={"description": "When it would be sent"})
    people = fields.Integer(metadata={"description": "Recipients in all"})
    phones = fields.Integer(metadata={"description": "Texts, one for each phone, before caps"})
    skipped = fields.List(
        fields.Nested(SkippedByReasonOut), metadata={"description": "Who would get no text, by reason"}
    )
    units = fields.List(
        fields.Nested(UnitReachOut),
        metadata={
            "description": "Recipients by the units right below; who belongs to the campaign's unit itself stands "
            "under it; at most 500, those with the most"
        },
    )
    texts = fields.List(
        fields.Nested(ShownTextOut),
        metadata={"description": "The shortest, the median and the longest text; one alone if all are the same"},
    )
    parts = fields.Integer(allow_none=True, metadata={"description": "SMS in all; null: no text can be made"})
    exact = fields.Boolean(
        metadata={"description": "Whether `parts` is counted; otherwise it is estimated from the texts tried"}
    )
    tried = fields.Integer(metadata={"description": "Texts that were made to know this"})
    cost_fen = fields.Integer(
        allow_none=True,
        metadata={"description": "What the parts cost, in fen; null unless gateways.toml says the price"},
    )
    price_fen = fields.Float(
        allow_none=True, metadata={"description": "What a part costs, in fen, on average of the accounts; or null"}
    )
    begins = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the first text leaves; null: none would"}
    )
    through = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "When the last text leaves, at the accounts' full rate and if no other run is under way"
        },
    )
    similar = fields.List(
        fields.Nested(SimilarOut),
        metadata={"description": "Runs of the last seven days that sent people of this audience the like"},
    )
    warnings = fields.List(fields.Nested(WarningOut), metadata={"description": "What to know before sending"})
    findings = fields.List(
        fields.Nested(FindingOut), metadata={"description": "What is odd about the text, what is refused first"}
    )
    items = fields.List(
        fields.Nested(ItemOutlookOut),
        metadata={
            "description": "Of a campaign with a schedule: each text that is still to go, in their order. All else is "
            "about the one that goes next, but for `findings`, which are those of all"
        },
    )


@blueprint.route("/campaigns/<int:campaign_id>/outlook")
class CampaignOutlook(MethodView):
    """What will happen."""

    @endpoint(Permission.read)
    @blueprint.arguments(OutlookQuery, location="query")
    @blueprint.response(200, OutlookOut)
    def get(self, query: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Foresee what happens if the campaign is sent now or at a time

        Of more than 1,000 recipients with values of their own, the parts are estimated from about 1,000 texts that are
        made for some of them, the shortest and the longest among these. Similar texts are looked for by samples of some
        hundred people.
        """
        rates, prices = read_rates_and_prices()
        return _shown(foresee_run(g.session, g.actor, campaign_id, rates, prices, query["at"]))


def _shown(outlook: Outlook) -> dict[str, Any]:
    skipped = [
        {"reason": reason, "count": outlook.skipped[reason], "people": outlook.named.get(reason, ())}
        for reason in MessageReason
        if reason in outlook.skipped
    ]
    kept = (
        *("at", "people", "phones", "units", "texts", "parts", "exact", "tried"),
        *("cost_fen", "price_fen", "begins", "through", "similar", "warnings", "findings", "items"),
    )
    return {**{name: getattr(outlook, name) for name in kept}, "skipped": skipped}
