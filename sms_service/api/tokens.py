"""`/tokens`: logging in, and the tokens one has. The only route that accepts a login and a password (HTTP Basic)."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts import services, tokens
from sms_service.accounts.actors import require_power
from sms_service.accounts.models import Token
from sms_service.api.authentication import Own, endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.web.context import current_context
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import Id, In, OneLine, Out, list_of

blueprint = Blueprint("tokens", description="Bearer tokens: issued once in clear, kept as a digest, revocable.")

_LIFE = f"by default {tokens.DEFAULT_LIFE.days} days from now, at most {tokens.LONGEST_LIFE.days}"


class TokenQuery(PageQuery):
    """Whose tokens to list."""

    account = Id(
        load_default=None,
        metadata={
            "description": "An account that the caller manages and that holds no role above theirs; by default the "
            "caller's own"
        },
    )


class TokenIn(In):
    """A token to issue to the caller."""

    name = OneLine(required=True, metadata={"description": "What it is for, such as `laptop` or `nightly import`"})
    expires_at = fields.AwareDateTime(
        load_default=None, metadata={"description": f"When it ends, ISO 8601 with offset; {_LIFE}"}
    )


class TokenOut(Out):
    """A token without its secret."""

    id = fields.Integer(metadata={"description": "The token's id"})
    account_id = fields.Integer(metadata={"description": "Whose it is"})
    name = fields.String(metadata={"description": "What it is for"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was issued"})
    expires_at = fields.AwareDateTime(metadata={"description": "When it ends"})
    revoked_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was revoked, or null"})
    last_used_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it was last used, to the minute; null: never"}
    )


class IssuedToken(TokenOut):
    """A token with its secret, shown this once."""

    token = fields.String(
        allow_none=True,
        metadata={
            "description": "The secret, for the header `Authorization: Bearer …`. It is kept nowhere: the same request "
            "repeated with its Idempotency-Key shows null; revoke that token and issue another"
        },
    )


@blueprint.route("/tokens")
class Tokens(MethodView):
    """The tokens of an account."""

    @endpoint(Own.account)
    @blueprint.arguments(TokenQuery, location="query")
    @blueprint.response(200, list_of(TokenOut, "TokenList", scoped=False))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List tokens, newest first"""
        account_id = g.actor.account_id if query["account"] is None else query["account"]
        account = services.find_account(g.session, g.actor, account_id)
        if account.id != g.actor.account_id:
            require_power(g.session, g.actor, account)
        statement = select(Token).where(Token.account_id == account.id)
        items, following = fetch_page(
            g.session, statement, query, sort="id", key=Token.id, id_=Token.id, descending=True
        )
        return {"items": items, "next": following}

    @endpoint(Own.account, password=True, secret_fields=("token",))
    @blueprint.arguments(TokenIn)
    @blueprint.response(201, IssuedToken)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Log in: issue a token to oneself

        Send the login and the password (HTTP Basic), or a token that still works.
        """
        context = current_context()
        token, secret = tokens.issue_token(
            g.session,
            g.actor,
            g.actor.account_id,
            body["name"],
            now=context.clock(),
            random_bytes=context.random_bytes,
            expires_at=body["expires_at"],
        )
        return {"token": secret, **{name: getattr(token, name) for name in TokenOut().fields}}


@blueprint.route("/tokens/<int:token_id>")
class OneToken(MethodView):
    """One token."""

    @endpoint(Own.account)
    @blueprint.response(200, TokenOut)
    def delete(self, token_id: int) -> Token:
        """Revoke a token, an own one or one of an account in the caller's power

        That is an account of a unit, and with roles on units, over which the caller manages accounts.
        """
        return tokens.revoke_token(g.session, g.actor, token_id, now=current_context().clock())
