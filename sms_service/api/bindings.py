"""`/templates/<id>/bindings`: what the providers of gateway accounts call a template version, and how far they are."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import bindings
from sms_service.content.bindings import BindingChange
from sms_service.content.library import get_numbered_version
from sms_service.controls.models import BindingState
from sms_service.directory.text import LONGEST_WHY
from sms_service.web.schemas import In, OneLine, Out, VersionNumber
from sms_service.web.validators import ListLength, OneOfWords

blueprint = Blueprint(
    "bindings",
    description="Some providers let only templates through that they have registered. A gateway account of such a "
    "provider gets texts of a version only while its binding is `usable`; if no account of a campaign's route may get "
    "them, lint refuses the campaign.",
)

MOST_PARAMETERS = 50
_STATE = (
    "`draft`: not handed in; `filed`: handed in; `usable`: the provider lets texts of it through; `refused`: it does "
    "not register it"
)


class BindingQuery(In):
    """Which version."""

    version = VersionNumber(load_default=None, metadata={"description": "The version's number; by default the newest"})


class BindingIn(In):
    """How far an account's provider is with a version."""

    version = VersionNumber(load_default=None, metadata={"description": "The version's number; by default the newest"})
    state = fields.String(required=True, validate=OneOfWords(list(BindingState)), metadata={"description": _STATE})
    provider_template_id = OneLine(
        bindings.LONGEST_ID,
        load_default=None,
        allow_none=True,
        metadata={"description": "What the provider calls it; needed once it is `usable`"},
    )
    parameters = fields.List(
        fields.String(),
        load_default=None,
        allow_none=True,
        validate=ListLength(0, MOST_PARAMETERS),
        metadata={
            "description": "Each variable of the text once, in the order in which the provider has its places; by "
            "default the order of the text"
        },
    )
    note = OneLine(
        LONGEST_WHY,
        load_default=None,
        allow_none=True,
        metadata={"description": "Needed if it is `refused`: why, in the provider's words"},
    )


class BindingOut(Out):
    """How far an account's provider is with a version."""

    account = fields.String(metadata={"description": "The gateway account's name"})
    needed = fields.Boolean(metadata={"description": "Whether the account lets only registered templates through"})
    state = fields.String(metadata={"description": _STATE})
    provider_template_id = fields.String(allow_none=True, metadata={"description": "What the provider calls it"})
    parameters = fields.List(
        fields.String(),
        allow_none=True,
        metadata={"description": "The variables in the provider's order; null where nobody has written a binding down"},
    )
    note = fields.String(allow_none=True, metadata={"description": "Why it is refused, or what else is to be known"})
    changed_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was changed last"})


class BindingList(Out):
    """The bindings of a version."""

    version = fields.Integer(metadata={"description": "The version's number"})
    places = fields.List(
        fields.String(),
        allow_none=True,
        metadata={
            "description": "Its variables in the order of their places; null where no provider can register it, since "
            "a place has several variables, or a variable is written in two ways"
        },
    )
    items = fields.List(
        fields.Nested(BindingOut),
        metadata={"description": "By account: all that let only registered templates through, and others with one"},
    )


@blueprint.route("/templates/<int:template_id>/bindings")
class Bindings(MethodView):
    """The bindings of a version."""

    @endpoint(Permission.read)
    @blueprint.arguments(BindingQuery, location="query")
    @blueprint.response(200, BindingList)
    def get(self, query: dict[str, Any], template_id: int) -> dict[str, Any]:
        """List how far each gateway account's provider is with a version"""
        return _shown(template_id, query["version"])


@blueprint.route("/templates/<int:template_id>/bindings/<name>")
class OneBinding(MethodView):
    """The binding of a version to one account."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(BindingIn)
    @blueprint.response(200, BindingList)
    def put(self, body: dict[str, Any], template_id: int, name: str) -> dict[str, Any]:
        """Write down how far a gateway account's provider is with a version; `name` is the account's"""
        number = body.pop("version")
        change = BindingChange(**{**body, "state": BindingState(body["state"])})
        version = bindings.set_binding(g.session, g.actor, template_id, number, name, change)
        return _shown(template_id, version.number)


def _shown(template_id: int, number: int | None) -> dict[str, Any]:
    _, version = get_numbered_version(g.session, g.actor, template_id, number)
    return {
        "version": version.number,
        "places": bindings.list_places(version.body),
        "items": bindings.list_bindings(g.session, version.id),
    }
