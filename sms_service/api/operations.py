"""`/gateway-accounts/health` and `/unknowns`: what an operator looks at."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.reports.account_health import MOST_CODES, AccountHealth, list_account_health
from sms_service.reports.unknowns import UnknownAge, UnknownGroup, group_unknown
from sms_service.web.context import current_pace, gateways_or_none
from sms_service.web.paging import scope_filter
from sms_service.web.schemas import Id, In, MaskedText, Out, SaidMessage, ScopeUnit

blueprint = Blueprint("operations", description="What an operator looks at: how accounts are, and what is unknown.")


class UnknownGroupOut(Out):
    """Unknown messages of one gateway account and age."""

    account = fields.String(metadata={"description": "The gateway account's name"})
    age = fields.String(
        metadata={
            "description": "How long nobody can tell: `hour` less than an hour, `day` up to a day, `days` up to three, "
            "`older`"
        }
    )
    messages = fields.Integer(metadata={"description": "How many messages"})
    oldest = fields.AwareDateTime(metadata={"description": "When the first of them became unknown"})
    looks_up = fields.Boolean(metadata={"description": "Whether the provider can be asked what became of a text"})
    asked = fields.Integer(metadata={"description": "For how many of them it was asked"})
    asked_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was asked last; null: never"})
    rows = fields.String(metadata={"description": "The request that lists them"})


class AccountHealthOut(Out):
    """How a gateway account is."""

    name = fields.String(metadata={"description": "Its name in gateways.toml"})
    adapter = fields.String(metadata={"description": "The kind of provider"})
    state = fields.String(metadata={"description": "`open`, `paused` or `removed`"})
    state_since = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Since when it is; null: nobody wrote that down"}
    )
    reason = MaskedText(allow_none=True, metadata={"description": "Why it is paused"})
    reason_message = SaidMessage(
        metadata={"description": "The reason, for saying it in another language; null where a person wrote it"}
    )
    paused_by = fields.String(allow_none=True, metadata={"description": "A `person`, the `breaker` or its `link`"})
    reopens_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it is tried again by itself; null: only once a person opens it"}
    )
    trips = fields.Integer(metadata={"description": "How often in a row the breaker has paused it"})
    simulated = fields.Boolean(metadata={"description": "It reaches no real phone"})
    stop_id = fields.Integer(allow_none=True, metadata={"description": "A stop of all that goes through it"})
    routes = fields.List(fields.String(), metadata={"description": "The routes that it belongs to"})
    others = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Of each route, the other accounts that take texts now; none: they would wait"},
    )
    accepted = fields.Integer(metadata={"description": "Texts that it took in the last minute"})
    refused = fields.Integer(metadata={"description": "Texts that it refused in the last minute"})
    unknown_ = fields.Integer(
        attribute="unknown",
        data_key="unknown",
        metadata={"description": "Texts of the last minute of which nobody can tell"},
    )
    rate = fields.Float(
        allow_none=True, metadata={"description": "Parts a second by gateways.toml; null if it lacks the account"}
    )
    rate_now = fields.Float(
        allow_none=True, metadata={"description": "Parts a second at present; less while it throttles; null: no Redis"}
    )
    link = fields.Boolean(
        allow_none=True, metadata={"description": "Whether a process holds its session; null: it is no link"}
    )
    refused_callbacks = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Callbacks refused today and yesterday (UTC), by reason"},
    )
    refused_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When the last of them came"})
    unknown_codes = fields.List(
        fields.String(), metadata={"description": f"Codes that no table has; of all accounts at most {MOST_CODES}"}
    )
    waiting = fields.List(
        fields.Nested(UnknownGroupOut), metadata={"description": "Its unknown messages by age, the oldest first"}
    )


class AccountHealthList(Out):
    """All gateway accounts."""

    items = fields.List(fields.Nested(AccountHealthOut), metadata={"description": "By name"})


class UnknownsQuery(In):
    """Which units."""

    unit = Id(
        load_default=None,
        metadata={"description": "Only this unit's subtree; by default everything that the caller may read"},
    )


class UnknownsOut(Out):
    """The unknown messages of some units."""

    scope = fields.List(
        fields.Nested(ScopeUnit), metadata={"description": "The units whose subtrees these numbers cover"}
    )
    ages = fields.List(fields.String(), metadata={"description": "All ages, the youngest first"})
    items = fields.List(fields.Nested(UnknownGroupOut), metadata={"description": "By account, the oldest first"})


@blueprint.route("/gateway-accounts/health")
class HealthOfAccounts(MethodView):
    """How the gateway accounts are."""

    @endpoint(Permission.read)
    @blueprint.response(200, AccountHealthList)
    def get(self) -> dict[str, Any]:
        """Show how all gateway accounts are: state, last minute, rate, link, and what nobody understood"""
        gateways = gateways_or_none()
        health = list_account_health(g.session, g.actor, gateways, current_pace(gateways))
        return {"items": [_shown(found) for found in health]}


@blueprint.route("/unknowns")
class Unknowns(MethodView):
    """What nobody can tell."""

    @endpoint(Permission.read)
    @blueprint.arguments(UnknownsQuery, location="query")
    @blueprint.response(200, UnknownsOut)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Count unknown messages by gateway account and age, each group with the way to its rows"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        unit = {} if query["unit"] is None else {"unit": str(query["unit"])}
        groups = group_unknown(g.session, scope.paths, gateways_or_none())
        return {
            "scope": scope.units,
            "ages": [*UnknownAge],
            "items": [{**_columns(group), "rows": _rows(group, unit)} for group in groups],
        }


def _shown(health: AccountHealth) -> dict[str, Any]:
    columns = ("name", "adapter", "state", "state_since", "reason", "paused_by", "reopens_at", "trips", "simulated")
    own = {name: getattr(health.account, name) for name in columns}
    rest = {name: getattr(health, name) for name in AccountHealth.__slots__ if name != "account"}
    waiting = [{**_columns(group), "rows": _rows(group, {})} for group in health.waiting]
    return {**own, **rest, "reason_message": health.account.said_reason, "waiting": waiting}


def _columns(group: UnknownGroup) -> dict[str, Any]:
    return {name: getattr(group, name) for name in UnknownGroup.__slots__}


def _rows(group: UnknownGroup, unit: dict[str, str]) -> str:
    return f"/api/v1/messages?{urlencode({**unit, **group.filters()})}"
