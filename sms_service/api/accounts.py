"""`/accounts`: who may log in, and the roles they hold. `/me`: the caller's own account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts import services
from sms_service.accounts.models import ROLES, Account, RoleGrant
from sms_service.accounts.passwords import LONGEST, SHORTEST
from sms_service.accounts.permissions import PERMISSIONS, Permission
from sms_service.accounts.uses import find_last_uses
from sms_service.api.authentication import Own, endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.directory.models import Unit
from sms_service.web import limits
from sms_service.web.context import current_context
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of
from sms_service.web.validators import OneOfWords, TextLength

blueprint = Blueprint(
    "accounts", description="Who may log in, and the roles they hold. A role held on a unit reaches its whole subtree."
)


def _password(what: str, **kwargs: Any) -> fields.String:
    return fields.String(
        load_only=True,
        validate=TextLength(SHORTEST, LONGEST),
        metadata={"description": f"{what}, {SHORTEST} to {LONGEST} characters", "format": "password"},
        **kwargs,
    )


class AccountQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    login = OneLine(load_default=None, metadata={"description": "Exactly this login"})
    role = fields.String(
        load_default=None, validate=OneOfWords(ROLES), metadata={"description": "Holds this role on some unit"}
    )
    disabled = fields.Boolean(load_default=None, metadata={"description": "Is disabled, or is not"})


class AccountIn(In):
    """A new account. It holds no role until one is granted."""

    login = OneLine(64, required=True, metadata={"description": "2 to 64 characters of a-z, 0-9 and . _ @ -; unique"})
    name = OneLine(required=True, metadata={"description": "The person's or the program's name"})
    unit_id = Id(required=True, metadata={"description": "The unit it belongs to: whoever manages accounts there may"})
    password = _password(
        "For POST /api/v1/tokens; null or left out: the account gets its tokens from the shell of the service",
        load_default=None,
        allow_none=True,
    )


class AccountChange(In):
    """What to change; what is left out stays."""

    name = OneLine(metadata={"description": "The person's or the program's name"})
    unit_id = Id(metadata={"description": "The unit it belongs to"})
    password = _password("A new password, which ends all tokens of the account")
    disabled = fields.Boolean(
        truthy={True},
        falsy={False},
        metadata={"description": "true: it cannot log in and its tokens do not work; false: they do again"},
    )


class AccountRoleIn(In):
    """A role to grant."""

    role = fields.String(required=True, validate=OneOfWords(ROLES), metadata={"description": "The role"})
    unit_id = Id(required=True, metadata={"description": "The unit on which it is held, with its whole subtree"})


class AccountRoleOut(Out):
    """A role that the account holds."""

    id = fields.Integer(metadata={"description": "The id by which it is revoked"})
    role = fields.String(metadata={"description": f"One of {', '.join(ROLES)}"})
    unit_id = fields.Integer(metadata={"description": "The unit on which it is held"})
    unit_code = fields.String(
        allow_none=True, metadata={"description": "That unit's code; null: the caller may not read that unit"}
    )
    unit_name = fields.String(allow_none=True, metadata={"description": "That unit's name; null likewise"})
    permissions = fields.List(
        fields.String(), metadata={"description": "What the role allows within that unit's subtree"}
    )


class AccountOut(Out):
    """An account."""

    id = fields.Integer(metadata={"description": "The account's id"})
    login = fields.String(metadata={"description": "What it logs in with"})
    name = fields.String(metadata={"description": "The person's or the program's name"})
    unit_id = fields.Integer(metadata={"description": "The unit it belongs to"})
    has_password = fields.Boolean(metadata={"description": "Whether it can log in with a password"})
    disabled_at = fields.AwareDateTime(allow_none=True, metadata={"description": "Since when it is disabled, or null"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was created"})
    last_used_at = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "When it was last used with a browser or a token; null: not since its tokens were issued, "
            "nor with a browser in the last 30 days"
        },
    )
    created_by = fields.Integer(
        allow_none=True,
        metadata={
            "description": "The account that created it, which cannot have a campaign of its own approved by this one; "
            "null: the service itself"
        },
    )
    password_set_by = fields.Integer(
        allow_none=True, metadata={"description": "The other account that last set its password; the same holds for it"}
    )
    roles = fields.List(fields.Nested(AccountRoleOut), metadata={"description": "The roles it holds"})


class PasswordIn(In):
    """A change of the own password."""

    current_password = fields.String(
        required=True, load_only=True, metadata={"description": "The present one", "format": "password"}
    )
    password = _password("The new one", required=True)


@blueprint.route("/accounts")
class Accounts(MethodView):
    """The accounts."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(AccountQuery, location="query")
    @blueprint.response(200, list_of(AccountOut, "AccountList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List accounts by login"""
        scope = scope_filter(g.session, g.actor, Permission.manage_accounts, query["unit"])
        statement = services.accounts_in(scope.paths, role=query["role"], disabled=query["disabled"])
        if query["login"] is not None:
            statement = statement.where(Account.login == query["login"])
        items, following = fetch_page(g.session, statement, query, sort="login", key=Account.login, id_=Account.id)
        return scope.answer(_shown(items), following)

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(AccountIn)
    @blueprint.response(201, AccountOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create an account"""
        return _shown([services.create_account(g.session, g.actor, **body)])[0]


@blueprint.route("/accounts/<int:account_id>")
class OneAccount(MethodView):
    """One account."""

    @endpoint(Permission.manage_accounts)
    @blueprint.response(200, AccountOut)
    def get(self, account_id: int) -> dict[str, Any]:
        """Show an account"""
        return _shown([services.find_account(g.session, g.actor, account_id)])[0]

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(AccountChange)
    @blueprint.response(200, AccountOut)
    def patch(self, body: dict[str, Any], account_id: int) -> dict[str, Any]:
        """Change, disable or enable an account

        The caller must manage accounts over its unit and over every unit on which it holds a role.
        """
        now = current_context().clock()
        return _shown([services.change_account(g.session, g.actor, account_id, now=now, **body)])[0]


@blueprint.route("/accounts/<int:account_id>/roles")
class AccountRoles(MethodView):
    """The roles of one account."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(AccountRoleIn)
    @blueprint.response(201, AccountRoleOut)
    def post(self, body: dict[str, Any], account_id: int) -> dict[str, Any]:
        """Grant a role on a unit within the own scope, never to oneself"""
        return _roles([services.grant_role(g.session, g.actor, account_id, **body)])[0]


@blueprint.route("/accounts/<int:account_id>/roles/<int:role_id>")
class OneAccountRole(MethodView):
    """One role of one account."""

    @endpoint(Permission.manage_accounts)
    @blueprint.response(204)
    def delete(self, account_id: int, role_id: int) -> None:
        """Revoke a role"""
        services.revoke_role(g.session, g.actor, account_id, role_id)


@blueprint.route("/me")
class Me(MethodView):
    """The caller's own account."""

    @endpoint(Own.account)
    @blueprint.response(200, AccountOut)
    def get(self) -> dict[str, Any]:
        """Show the own account and what its roles allow"""
        return _shown([services.find_account(g.session, g.actor, g.actor.account_id)])[0]


@blueprint.route("/me/password")
class MyPassword(MethodView):
    """The caller's own password."""

    @endpoint(Own.account)
    @blueprint.arguments(PasswordIn)
    @blueprint.response(204)
    def put(self, body: dict[str, Any]) -> None:
        """Change the own password; all tokens of the account end, this one too: log in again"""
        with limits.guesses_counted(limits.REFUSED_CHANGES_A_CALLER, f"password:{g.actor.account_id}"):
            services.change_own_password(g.session, g.actor, current=body["current_password"], new=body["password"])


def _shown(accounts: Sequence[Account]) -> list[dict[str, Any]]:
    held = select(RoleGrant).where(RoleGrant.account_id.in_([account.id for account in accounts]))
    grants = g.session.scalars(held.order_by(RoleGrant.id)).all()
    used = find_last_uses(g.session, [account.id for account in accounts])
    roles: dict[int, list[dict[str, Any]]] = {account.id: [] for account in accounts}
    for grant, role in zip(grants, _roles(grants), strict=True):
        roles[grant.account_id].append(role)
    return [
        {
            "id": account.id,
            "login": account.login,
            "name": account.name,
            "unit_id": account.unit_id,
            "has_password": account.password_hash is not None,
            "disabled_at": account.disabled_at,
            "created_at": account.created_at,
            "last_used_at": used.get(account.id),
            "created_by": account.created_by,
            "password_set_by": account.password_set_by,
            "roles": roles[account.id],
        }
        for account in accounts
    ]


def _roles(grants: Sequence[RoleGrant]) -> list[dict[str, Any]]:
    named = select(Unit.id, Unit.code, Unit.name, Unit.path).where(Unit.id.in_({grant.unit_id for grant in grants}))
    readable = {unit.id: unit for unit in g.session.execute(named) if g.actor.can(Permission.read, unit.path)}
    return [
        {
            "id": grant.id,
            "role": grant.role,
            "unit_id": grant.unit_id,
            "unit_code": readable[grant.unit_id].code if grant.unit_id in readable else None,
            "unit_name": readable[grant.unit_id].name if grant.unit_id in readable else None,
            "permissions": sorted(PERMISSIONS[grant.role]),
        }
        for grant in grants
    ]
