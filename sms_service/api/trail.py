"""`/trail`: who did what, within the caller's scope. It can be read and never changed."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audit import trail
from sms_service.audit.chain import ChainState, find_chain_state
from sms_service.audit.models import TrailEntry
from sms_service.masking import mask_values
from sms_service.reports.acts import name_entries
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, MaskedText, OneLine, Out, list_of

blueprint = Blueprint(
    "trail", description="Who did what to what, and when. Entries are added with every act and never change."
)


class TrailQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    act = OneLine(load_default=None, metadata={"description": "Only this act, such as `token.issue`"})
    account = Id(load_default=None, metadata={"description": "Only acts of this account"})
    target_kind = OneLine(
        load_default=None, metadata={"description": "Only acts on this kind of thing, such as `campaign`"}
    )
    target_id = OneLine(load_default=None, metadata={"description": "Only acts on the thing with this id"})
    since = fields.AwareDateTime(
        load_default=None, metadata={"description": "At or after this time (ISO 8601 with offset)"}
    )
    until = fields.AwareDateTime(load_default=None, metadata={"description": "Before this time (ISO 8601 with offset)"})


class TrailEntryOut(Out):
    """One act."""

    id = fields.Integer(attribute="entry.id", metadata={"description": "The entry's id"})
    at = fields.AwareDateTime(attribute="entry.at", metadata={"description": "When it was done"})
    account_id = fields.Integer(
        attribute="entry.account_id",
        allow_none=True,
        metadata={"description": "Who did it; null: the service itself"},
    )
    login = fields.String(allow_none=True, metadata={"description": "The login of who did it"})
    act = fields.String(attribute="entry.act", metadata={"description": "What was done, such as `token.issue`"})
    target_kind = fields.String(
        attribute="entry.target_kind", metadata={"description": "What kind of thing it was done to"}
    )
    target_id = fields.String(attribute="entry.target_id", metadata={"description": "The thing's id"})
    target = MaskedText(
        allow_none=True,
        metadata={"description": "Its present name; null: it has none, or lies outside what the caller may read"},
    )
    unit = fields.String(
        allow_none=True, metadata={"description": "The present name of the unit that it belonged to then, likewise"}
    )
    origin = fields.String(
        attribute="entry.origin",
        allow_none=True,
        metadata={
            "description": "Where it came from: the address of the request, `shell`, or `service` for the service's "
            "own processes; null: it was done before this was kept"
        },
    )
    changes = fields.Function(
        lambda named: mask_values(named.changes),
        metadata={
            "type": "object",
            "nullable": True,
            "additionalProperties": {"type": "array", "items": {}, "minItems": 2, "maxItems": 2},
            "description": "What it changed: each field's value before and after, phone numbers masked; null: nothing "
            "of which this is kept, or the caller may not read what it was done to, or the person was erased",
        },
    )
    details = fields.Function(
        lambda named: mask_values(named.entry.details),
        metadata={"type": "object", "description": "Ids, counts and words; phone numbers in them are masked"},
    )


class TrailHeadOut(Out):
    """How far the chain over the trail is."""

    head = fields.String(
        allow_none=True,
        metadata={
            "description": "The newest link, position and digest: noted elsewhere, it tells later whether any act "
            "before it was changed (`audit verify --head`); null: nothing is linked yet"
        },
    )
    at = fields.AwareDateTime(allow_none=True, metadata={"description": "When this link was made"})
    waiting = fields.Integer(metadata={"description": "Acts that have no link yet"})
    waiting_since = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the oldest of them was done; a clock links within seconds"}
    )


@blueprint.route("/trail/head")
class TrailHead(MethodView):
    """The chain's head."""

    @endpoint(Permission.read)
    @blueprint.response(200, TrailHeadOut)
    def get(self) -> ChainState:
        """Show the head of the chain over all acts, of every unit"""
        return find_chain_state(g.session)


@blueprint.route("/trail")
class Trail(MethodView):
    """The trail."""

    @endpoint(Permission.read)
    @blueprint.arguments(TrailQuery, location="query")
    @blueprint.response(200, list_of(TrailEntryOut, "TrailList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List acts, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = trail.find_entries(
            scope.paths,
            act=query["act"],
            account_id=query["account"],
            target_kind=query["target_kind"],
            target_id=query["target_id"],
            since=query["since"],
            until=query["until"],
        )
        items, following = fetch_page(
            g.session, statement, query, sort="id", key=TrailEntry.id, id_=TrailEntry.id, descending=True
        )
        return scope.answer(name_entries(g.session, g.actor, items), following)
