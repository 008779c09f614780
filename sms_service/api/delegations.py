"""`/delegations`: the right to approve, lent to another account until the end of a day."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.models import Delegation
from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.campaign_shapes import NothingIn
from sms_service.campaigns import delegations
from sms_service.campaigns.delegations import LONGEST_DAYS, DelegationState, NamedDelegation, find_delegations
from sms_service.directory.text import LONGEST_WHY
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedText, OneLine, Out, list_of

blueprint = Blueprint(
    "delegations",
    description="Somebody who may approve lends that right to another account, over a unit and all below it, to the "
    "end of a day. Whoever has it reads and approves there, and is named as acting for the lender. It gives no more "
    "than the lender holds at the moment, and nobody lends it on.",
)


class DelegationIn(In):
    """What is lent to whom."""

    unit_id = Id(required=True, metadata={"description": "The unit; the right reaches all below it too"})
    login = fields.String(required=True, metadata={"description": "The login of who approves meanwhile"})
    until = fields.Date(
        required=True,
        metadata={"description": f"The last day, local to the unit, at most {LONGEST_DAYS} days ahead"},
    )
    why = OneLine(LONGEST_WHY, required=True, metadata={"description": "Why; it is kept and shown to both"})


class DelegationOut(Out):
    """A delegation."""

    id = fields.Integer(metadata={"description": "The delegation's id"})
    unit_id = fields.Integer(metadata={"description": "The unit"})
    unit = fields.String(metadata={"description": "The unit's name"})
    lender_id = fields.Integer(metadata={"description": "The account whose right it is"})
    lender = fields.String(metadata={"description": "The name of its person"})
    account_id = fields.Integer(metadata={"description": "The account that approves meanwhile"})
    delegate = fields.String(metadata={"description": "The name of its person"})
    until = fields.Date(metadata={"description": "The last day, local to the unit"})
    why = MaskedText(metadata={"description": "Why"})
    state = fields.String(
        metadata={
            "description": "One of " + ", ".join(DelegationState) + "; idle: its lender or its holder may not now"
        }
    )
    created_at = fields.AwareDateTime(metadata={"description": "Since when"})
    ended_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When somebody ended it early"})
    ended_by = fields.Integer(allow_none=True, metadata={"description": "The account that did"})


@blueprint.route("/delegations")
class Delegations(MethodView):
    """The delegations."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(DelegationOut, "DelegationList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List delegations over units in the scope, newest first; without `unit` also what the caller lent or got"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = find_delegations(scope.paths, g.actor.account_id if query["unit"] is None else None)
        rows, following = fetch_page(
            g.session, statement, query, sort="id", key=Delegation.id, id_=Delegation.id, descending=True
        )
        return scope.answer([_describe(delegations.name_delegation(row)) for row in rows], following)

    @endpoint(Permission.approve_campaigns)
    @blueprint.arguments(DelegationIn)
    @blueprint.response(201, DelegationOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Lend the right to approve; 403 without a role that gives it over the unit"""
        return _describe(delegations.lend_approval(g.session, g.actor, **body))


@blueprint.route("/delegations/<int:delegation_id>")
class OneDelegation(MethodView):
    """One delegation."""

    @endpoint(Permission.approve_campaigns)
    @blueprint.response(204)
    def delete(self, delegation_id: int) -> None:
        """End a delegation at once, as its lender or as who has it; it stays in the list. 409 if it is over"""
        delegations.end_delegation(g.session, g.actor, delegation_id)


@blueprint.route("/delegations/<int:delegation_id>/end")
class DelegationEnd(MethodView):
    """The end of another's."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(NothingIn)
    @blueprint.response(204)
    def post(self, body: dict[str, Any], delegation_id: int) -> None:
        """End a delegation at once, as an administrator of its unit; 409 if it is over"""
        delegations.end_delegation(g.session, g.actor, delegation_id)


def _describe(one: NamedDelegation) -> dict[str, Any]:
    kept = ("id", "unit_id", "lender_id", "account_id", "until", "why", "created_at", "ended_at", "ended_by")
    own = {name: getattr(one.delegation, name) for name in kept}
    return {**own, "lender": one.lender, "delegate": one.delegate, "unit": one.unit, "state": one.state}
