"""`/counts`: how many people, messages and parts, by what the caller asks for, each with the request for its rows."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import g
from flask.views import MethodView
from marshmallow import fields
from webargs.fields import DelimitedList

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.ledger.archived import find_archived_months
from sms_service.reports.counts import Count, drill_down, tabulate_counts
from sms_service.reports.filters import DIMENSIONS
from sms_service.reports.identity import sum_identity
from sms_service.reports.sealed_days import count_amendments
from sms_service.reports.sources import NO_ROLL_UPS, choose_source
from sms_service.said import translate
from sms_service.web.answer_language import answer_catalogue
from sms_service.web.ledger_rows import MessageFilter, scope_messages
from sms_service.web.rates import read_prices
from sms_service.web.schemas import Out, ScopeUnit
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word

blueprint = Blueprint(
    "counts",
    description="Delivery counts from the ledger. *People* are distinct persons, *messages* rows of the ledger, "
    "*parts* the SMS that gateways took.",
)


class CountsQuery(MessageFilter):
    """What to count by, and filters; all filters that are given must hold."""

    by = DelimitedList(
        fields.String(validate=OneOfWords(DIMENSIONS)),
        load_default=(),
        metadata={
            "description": f"Some of {', '.join(DIMENSIONS)}, with commas. `unit`: the units right below the one that "
            "is covered, and that one itself for what is its own; with several, those"
        },
    )


class UnitName(Out):
    """A unit by name."""

    id = fields.Integer(metadata={"description": "The unit's id"})
    code = fields.String(metadata={"description": "The office's own number for the unit"})
    name = fields.String(metadata={"description": "The unit's name"})


class ByOut(Out):
    """What a line counts; only what was asked for in `by` is there."""

    unit = fields.Nested(UnitName, metadata={"description": "The unit with its subtree"})
    status = fields.String(metadata={"description": "The status"})
    reason = fields.String(allow_none=True, metadata={"description": "The reason; null: none"})
    code = fields.String(allow_none=True, metadata={"description": "The provider's own code; null: none"})
    class_ = fields.String(attribute="class", data_key="class", metadata={"description": "What kind of text it is"})
    kind = fields.String(metadata={"description": "`campaign`, `test`, `answer` or `notice`"})
    campaign = fields.Integer(metadata={"description": "The campaign's id"})
    run = fields.Integer(metadata={"description": "The run's id"})
    sender = fields.Nested(UnitName, metadata={"description": "The unit that sent, without those below it"})
    item = fields.Integer(allow_none=True, metadata={"description": "Which text of a campaign; null: of no campaign"})
    template = fields.Integer(allow_none=True, metadata={"description": "The template's id; null: none"})
    category = fields.Integer(allow_none=True, metadata={"description": "The template's category's id; null: none"})
    day = fields.Date(metadata={"description": "The local day of launch"})
    week = fields.Date(metadata={"description": "The Monday of the week of launch"})
    month = fields.Date(metadata={"description": "The first day of the month of launch"})
    year = fields.Date(metadata={"description": "The first day of the year of launch"})
    carrier = fields.String(
        allow_none=True,
        metadata={"description": "Who gave the number out: `mobile`, `unicom`, `telecom`, `broadnet`; null: not told"},
    )
    account = fields.String(allow_none=True, metadata={"description": "The gateway account's name; null: none"})


class TotalOut(Out):
    """Three separate counts."""

    people = fields.Integer(
        allow_none=True,
        metadata={
            "description": "Distinct persons. Null if too many rows would have to be read to tell: over long times "
            "people are known by unit, sender, campaign, class, kind, status, reason and period"
        },
    )
    messages = fields.Integer(metadata={"description": "Rows of the ledger"})
    left = fields.Integer(
        metadata={
            "description": "Of the messages, those that a gateway took or may have taken: `accepted`, `unknown`, "
            "`delivered`, `undelivered`, `no_receipt`"
        }
    )
    delivered = fields.Integer(metadata={"description": "Of the messages, those that arrived"})
    delivery_rate = fields.Float(
        allow_none=True, metadata={"description": "delivered / left, from 0 to 1; null if none left"}
    )
    reach_rate = fields.Float(
        allow_none=True,
        metadata={"description": "delivered / messages, also those that were skipped; null if there is none"},
    )
    parts = fields.Integer(metadata={"description": "SMS that gateways took"})
    cost_fen = fields.Integer(
        allow_none=True,
        metadata={
            "description": "What the parts cost by the prices that gateways.toml has now, in fen; a text costs what "
            "the account takes that had it last. Null unless all these prices are known"
        },
    )
    rows = fields.String(metadata={"description": "The request that lists the rows behind these numbers"})


class LineOut(TotalOut):
    """One line of the table."""

    by = fields.Nested(ByOut, metadata={"description": "What the line counts"})
    names = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={
            "description": "What the campaign is called, or that of the run, the template, its category or the "
            "carrier, where lines are by these; the carrier's name in the language that Accept-Language asks for"
        },
    )


class SharedIdentityOut(Out):
    """Audience = the sum of all statuses, over whole runs."""

    runs = fields.Integer(metadata={"description": "How many frozen runs"})
    audience = fields.Integer(metadata={"description": "The sum of their audiences, as counted at freeze"})
    messages = fields.Integer(metadata={"description": "The sum of all statuses: their rows in the ledger"})
    holds = fields.Boolean(metadata={"description": "Whether both are the same"})


class CountsOut(Out):
    """A table of counts, all from one moment."""

    scope = fields.List(
        fields.Nested(ScopeUnit), metadata={"description": "The units whose subtrees these counts cover"}
    )
    items = fields.List(
        fields.Nested(LineOut), metadata={"description": "The lines; without `by` there are none, only the total"}
    )
    total = fields.Nested(
        TotalOut,
        metadata={"description": "Over all lines. Messages and parts add up to it; a person may be in several lines"},
    )
    people = fields.String(
        allow_none=True,
        metadata={"description": "Why the lines' people add up to more than the total; null if they do not"},
    )
    amendments = fields.Integer(
        allow_none=True,
        metadata={
            "description": "How often rows of these days changed after they were sealed, if `since` and `until` are "
            "given and all days between are sealed; null if they are not (`/api/v1/seals`)"
        },
    )
    archived = fields.List(
        fields.Date(),
        metadata={
            "description": "Months, by their first days, whose rows are counted here and archived: the roll-ups have "
            "them, and `/messages` lists them once they are read back"
        },
    )
    identity = fields.Nested(
        SharedIdentityOut,
        allow_none=True,
        metadata={
            "description": "Over all runs of the units covered, where whole runs are asked for; null where status, "
            "reason, code, account, `under`, `subtree` or times narrow their rows"
        },
    )


@blueprint.route("/counts")
class Counts(MethodView):
    """The counts."""

    @endpoint(Permission.read)
    @blueprint.arguments(CountsQuery, location="query")
    @blueprint.response(200, CountsOut)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Count people, messages and parts"""
        scope, rows = scope_messages(g.session, g.actor, query)
        source = choose_source(g.session, rows, query["by"]) or NO_ROLL_UPS
        table = tabulate_counts(g.session, rows, query["by"], read_prices(), source)
        given = {
            field.data_key or name: _word(query[name])
            for name, field in MessageFilter().fields.items()
            if query[name] is not None
        }
        for name in ("subtree", "sender_subtree"):
            if query[name]:
                del given[name]

        def line(count: Count) -> dict[str, Any]:
            wanted = {**given, **drill_down(rows, count)}
            address = "/api/v1/messages" + (f"?{urlencode(wanted)}" if wanted else "")
            carrier = count.by.get("carrier")
            named = {"carrier": translate(name_word("Carrier", carrier), answer_catalogue())} if carrier else {}
            return {
                "by": count.by,
                "names": count.names | named,
                "people": count.people,
                "messages": count.messages,
                "left": count.left,
                "delivered": count.delivered,
                "delivery_rate": count.delivery_rate,
                "reach_rate": count.reach_rate,
                "parts": count.parts,
                "cost_fen": count.cost_fen,
                "rows": address,
            }

        return {
            "scope": scope.units,
            "items": [line(count) for count in table.lines],
            "total": line(table.total),
            "people": table.explain_people(),
            "amendments": count_amendments(g.session, rows.since, rows.until) if rows.since and rows.until else None,
            "archived": find_archived_months(g.session, *rows.of_runs()),
            "identity": sum_identity(g.session, rows, source),
        }


def _word(value: Any) -> str:
    """The value as a query string has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)
