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
from sms_service.gateways.config import BadGatewayConfig
from sms_service.web.context import current_context
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import MaskedText, Out, SaidMessage, WhyIn, list_of

blueprint = Blueprint(
    "gateways", description="The accounts at providers and the routes over them, as gateways.toml has them."
)


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
        rates = _rates()
        return {"items": [_shown(account, rates) for account in items], "next": following}


@blueprint.route("/gateway-accounts/<name>/pause")
class AccountPause(MethodView):
    """Handing it nothing more."""

    @endpoint(Permission.operate_service)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, GatewayAccountOut)
    def post(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """Pause a gateway account: texts take the other accounts of their route, or wait, until a person opens it"""
        return _shown(account_state.pause_gateway_account(g.session, g.actor, name, body["why"]), _rates())


@blueprint.route("/gateway-accounts/<name>/open")
class AccountOpening(MethodView):
    """Handing it texts again."""

    @endpoint(Permission.operate_service)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, GatewayAccountOut)
    def post(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """Open a paused gateway account, whoever or whatever paused it; its refusals are counted anew"""
        return _shown(account_state.reopen_gateway_account(g.session, g.actor, name, body["why"]), _rates())


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


def _shown(account: GatewayAccount, rates: Mapping[str, float]) -> dict[str, Any]:
    columns = ("name", "adapter", "state", "reason", "paused_by", "reopens_at", "simulated")
    shown = {name: getattr(account, name) for name in columns}
    return {**shown, "reason_message": account.said_reason, "rate": rates.get(account.name)}


def _rates() -> Mapping[str, float]:
    try:
        return current_context().gateways.rates()
    except BadGatewayConfig:  # `doctor` says what is wrong with the file; states can be read and changed all the same
        return {}
