"""`/gateway-accounts` and `/routes`: how texts leave. gateways.toml defines them; here they are listed, and accounts
are paused and opened again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls import account_state
from sms_service.controls.accounts import find_accounts, find_routes
from sms_service.controls.models import GatewayAccount, Route
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.rates import read_rates_and_prices
from sms_service.web.schemas import MaskedText, Out, SaidMessage, WhyIn, list_of

blueprint = Blueprint(
    "gateways", description="The accounts at providers and the routes over them, as gateways.toml has them."
)


class PolicyOut(Out):
    """The content policy of an account, as gateways.toml has it."""

    refused_words = fields.List(
        fields.String(), dump_default=[], metadata={"description": "No text with one of these is let through"}
    )
    longest_text = fields.Integer(
        dump_default=None, allow_none=True, metadata={"description": "Characters of a text at most; null: any number"}
    )
    suffix = fields.String(
        dump_default=None, allow_none=True, metadata={"description": "What every text has to end with; null: anything"}
    )
    window = fields.List(
        fields.String(),
        dump_default=[],
        metadata={
            "description": "The hours in which it takes texts, from and to; empty: all. They are said, not enforced",
            "example": ["08:00", "20:00"],
        },
    )
    no_links = fields.Boolean(dump_default=False, metadata={"description": "No text with a link is let through"})


class GatewayAccountOut(Out):
    """One set of credentials at one provider."""

    name = fields.String(metadata={"description": "Its name in gateways.toml"})
    adapter = fields.String(metadata={"description": "The kind of provider"})
    state = fields.String(metadata={"description": "`open`, `paused` or `removed`; only an open one is handed texts"})
    reason = MaskedText(allow_none=True, metadata={"description": "Why it is paused"})
    reason_message = SaidMessage(
        metadata={"description": "The reason, for saying it in another language; null where a person wrote it"}
    )
    paused_by = fields.String(
        allow_none=True,
        metadata={
            "description": "Who paused it: a `person`, the `breaker` (its texts went wrong) or its `link` (it is down)"
        },
    )
    reopens_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it is tried again by itself; null: only once a person opens it"}
    )
    rate = fields.Float(
        allow_none=True,
        metadata={
            "description": "Parts per second that all workers together hand over; null if gateways.toml lacks it"
        },
    )
    simulated = fields.Boolean(metadata={"description": "It reaches no real phone"})
    price_fen = fields.Float(
        allow_none=True, metadata={"description": "What a part costs, in fen; null unless gateways.toml says the price"}
    )
    needs_templates = fields.Boolean(
        attribute="needs_binding",
        metadata={"description": "It lets only registered templates through: see `/templates/{template_id}/bindings`"},
    )
    shared = fields.Boolean(
        metadata={"description": "Others send over it too: a stop that comes in there holds for every signature"}
    )
    policy = fields.Nested(
        PolicyOut, metadata={"description": "What else its provider lets through; lint compares each text with it"}
    )


class RouteMemberOut(Out):
    """The place of an account in a route."""

    name = fields.String(metadata={"description": "The account's name in gateways.toml"})
    priority = fields.Integer(
        metadata={"description": "From 1; the open accounts with the lowest are used", "example": 1}
    )
    weight = fields.Integer(
        metadata={"description": "Its share among the accounts of this priority, 1 to 100", "example": 1}
    )


class RouteOut(Out):
    """An ordered set of gateway accounts."""

    name = fields.String(metadata={"description": "Its name in gateways.toml"})
    accounts = fields.List(
        fields.String(), metadata={"description": "Its accounts, in the order in which they are tried"}
    )
    members = fields.List(
        fields.Nested(RouteMemberOut), metadata={"description": "The same accounts, with priority and weight"}
    )


@blueprint.route("/gateway-accounts")
class GatewayAccounts(MethodView):
    """The gateway accounts."""

    @endpoint(Permission.read)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(GatewayAccountOut, "GatewayAccountList", scoped=False))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the gateway accounts by name"""
        items, following = fetch_page(
            g.session, find_accounts(), query, sort="name", key=GatewayAccount.name, id_=GatewayAccount.id
        )
        rates, prices = read_rates_and_prices()
        return {"items": [_shown(account, rates, prices) for account in items], "next": following}


@blueprint.route("/gateway-accounts/<name>/pause")
class AccountPause(MethodView):
    """Handing it nothing more."""

    @endpoint(Permission.operate_service)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, GatewayAccountOut)
    def post(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """Pause a gateway account: texts take the other accounts of their route, or wait, until a person opens it"""
        paused = account_state.pause_gateway_account(g.session, g.actor, name, body["why"])
        return _shown(paused, *read_rates_and_prices())


@blueprint.route("/gateway-accounts/<name>/open")
class AccountOpening(MethodView):
    """Handing it texts again."""

    @endpoint(Permission.operate_service)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, GatewayAccountOut)
    def post(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """Open a paused gateway account, whoever or whatever paused it; its refusals are counted anew"""
        opened = account_state.reopen_gateway_account(g.session, g.actor, name, body["why"])
        return _shown(opened, *read_rates_and_prices())


@blueprint.route("/routes")
class Routes(MethodView):
    """The routes."""

    @endpoint(Permission.read)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(RouteOut, "RouteList", scoped=False))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the routes by name"""
        rows, following = fetch_page(g.session, find_routes(), query, sort="name", key=Route.name, id_=Route.id)
        items = [
            {
                "name": row.Route.name,
                "accounts": [member["name"] for member in row.members],
                "members": row.members,
            }
            for row in rows
        ]
        return {"items": items, "next": following}


def _shown(account: GatewayAccount, rates: Mapping[str, float], prices: Mapping[str, float]) -> dict[str, Any]:
    columns = ("name", "adapter", "state", "reason", "paused_by", "reopens_at", "simulated", "needs_binding")
    shown = {name: getattr(account, name) for name in (*columns, "shared", "policy")}
    name = account.name
    shown |= {"rate": rates.get(name), "price_fen": prices.get(name)}
    return {**shown, "reason_message": account.said_reason}
