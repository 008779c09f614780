"""`/signatures`: the names in front of texts, who owns them, and how far the carriers are with them."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import signatures
from sms_service.content.models import FilingState, OwnedSignature
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "signatures",
    description="The 【signature】 in front of texts. A unit's may be used by it and all below it. A campaign carries "
    "the text; lint says if it is none of the unit's, or not usable yet at an account of the campaign's route.",
)

_STATE = "`draft`: not handed in; `filed`: handed in; `usable`: the carrier lets texts with it through"


class SignatureIn(In):
    """A new signature."""

    unit_id = Id(required=True, metadata={"description": "The unit whose signature it is"})
    text = fields.String(
        required=True, metadata={"description": "2 to 16 characters without brackets, spaces and invisible ones"}
    )


class FilingIn(In):
    """How far an account is with a signature."""

    account = fields.String(required=True, metadata={"description": "The gateway account's name"})
    state = fields.String(required=True, validate=OneOfWords(list(FilingState)), metadata={"description": _STATE})


class DefaultIn(In):
    """A unit's default."""

    signature_id = Id(
        required=True, allow_none=True, metadata={"description": "The signature; null: that of the unit above"}
    )


class SignatureOut(Out):
    """A signature."""

    id = fields.Integer(metadata={"description": "The signature's id"})
    unit_id = fields.Integer(metadata={"description": "The unit whose signature it is"})
    unit = fields.String(metadata={"description": "The unit's name"})
    text = fields.String(metadata={"description": "The text, without brackets"})
    filings = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": f"By gateway account: {_STATE}. An account that is not named: `draft`"},
    )
    defaults = fields.List(
        fields.String(), metadata={"description": "The units of the scope whose default it is, by name"}
    )
    created_at = fields.AwareDateTime(metadata={"description": "When it was added"})


@blueprint.route("/signatures")
class Signatures(MethodView):
    """The signatures."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(SignatureOut, "SignatureList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the signatures that may be used in the scope: its units' own and those of the units above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = signatures.find_signatures(scope.paths)
        rows, following = fetch_page(
            g.session, statement, query, sort="id", key=OwnedSignature.id, id_=OwnedSignature.id
        )
        return scope.answer([signatures.describe_signature(row) for row in rows], following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(SignatureIn)
    @blueprint.response(201, SignatureOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a signature; no carrier knows it yet"""
        made = signatures.add_signature(g.session, g.actor, body["unit_id"], body["text"])
        return _shown(made.id)


@blueprint.route("/signatures/<int:signature_id>")
class OneSignature(MethodView):
    """One signature."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(FilingIn)
    @blueprint.response(200, SignatureOut)
    def patch(self, body: dict[str, Any], signature_id: int) -> dict[str, Any]:
        """Write down how far a gateway account is with it"""
        state = FilingState(body["state"])
        signatures.set_filing(g.session, g.actor, signature_id, body["account"], state)
        return _shown(signature_id)

    @endpoint(Permission.manage_directory)
    @blueprint.response(204)
    def delete(self, signature_id: int) -> None:
        """Take it away; campaigns that carry its text keep it"""
        signatures.remove_signature(g.session, g.actor, signature_id)


@blueprint.route("/units/<int:unit_id>/signature")
class UnitSignature(MethodView):
    """A unit's default signature."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(DefaultIn)
    @blueprint.response(204)
    def put(self, body: dict[str, Any], unit_id: int) -> None:
        """Choose the signature that forms of the unit, and of those below without one, have already"""
        signatures.set_default_signature(g.session, g.actor, unit_id, body["signature_id"])


def _shown(signature_id: int) -> dict[str, Any]:
    statement = signatures.find_signatures(g.actor.scope(Permission.read)).where(OwnedSignature.id == signature_id)
    return signatures.describe_signature(g.session.execute(statement).one())
