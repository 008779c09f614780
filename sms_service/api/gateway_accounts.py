"""`/gateway-accounts` and `/routes`: how texts leave. What they are is written in gateways.toml; here they are read."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.paging import PageQuery, page
from sms_service.api.schemas import Out, list_of
from sms_service.dispatch.accounts import find_accounts, find_routes
from sms_service.dispatch.models import GatewayAccount, Route

blueprint = Blueprint(
    "gateways", description="The accounts at providers and the routes over them, as gateways.toml has them."
)


class GatewayAccountOut(Out):
    """One set of credentials at one provider."""

    name = fields.String(metadata={"description": "Its name in gateways.toml"})
    adapter = fields.String(metadata={"description": "The kind of provider"})
    state = fields.String(metadata={"description": "`open`, `paused` or `removed`; only an open one is handed texts"})
    reason = fields.String(allow_none=True, metadata={"description": "Why it is in this state"})
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
        items, following = page(
            g.session, find_accounts(), query, sort="name", key=GatewayAccount.name, id_=GatewayAccount.id
        )
        return {"items": items, "next": following}


@blueprint.route("/routes")
class Routes(MethodView):
    """The routes."""

    @endpoint(Permission.read)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(RouteOut, "RouteList", scoped=False))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the routes by name"""
        rows, following = page(g.session, find_routes(), query, sort="name", key=Route.name, id_=Route.id)
        items = [
            {
                "name": row.Route.name,
                "accounts": [member["name"] for member in row.members],
                "members": row.members,
            }
            for row in rows
        ]
        return {"items": items, "next": following}
