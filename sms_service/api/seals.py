"""`/seals`: the days that are sealed, with digest, and what was sealed of a unit, amended since, and is now."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.reports.sealed_days import Seal, list_seals, read_sealed_day
from sms_service.web.days import read_day_in_address
from sms_service.web.paging import scope_filter
from sms_service.web.schemas import MAX_ID, Id, In, Out, ScopeUnit, Whole
from sms_service.web.validators import WithinRange

blueprint = Blueprint(
    "seals",
    description="Sealed days. Four days after a day is over its counts are kept, with a digest over them and the "
    "digest of the sealed day before. Whatever changes in its rows later is an amendment: what was sealed and the "
    "amendments since make what the ledger says now.",
)


class SealsQuery(In):
    """Which seals."""

    unit = Id(load_default=None, metadata={"description": "Count amendments of this unit's subtree only"})
    before = fields.Date(load_default=None, metadata={"description": "Only days before this one: the next page"})
    limit = Whole(load_default=50, validate=WithinRange(1, 200), metadata={"description": "How many at most, 1 to 200"})


class SealQuery(In):
    """Of what in one day."""

    unit = Id(load_default=None, metadata={"description": "Only this unit's subtree; by default all one may read"})
    after = Whole(
        load_default=0,
        validate=WithinRange(0, MAX_ID),
        metadata={"description": "Only amendments after the one with this id: the next page"},
    )


class SealOut(Out):
    """A sealed day."""

    day = fields.Date(metadata={"description": "The local day of launch"})
    digest = fields.String(
        metadata={
            "description": "SHA-256, in hexadecimal, over the digest of the sealed day before (32 zero bytes for the "
            "first), the day, and the counts by unit, kind and status; docs/auditing.md has the bytes"
        }
    )
    sealed_at = fields.AwareDateTime(metadata={"description": "When it was sealed"})
    archived = fields.Boolean(
        metadata={"description": "Whether its rows are archived: then `now` is what the roll-up of the day says"}
    )
    amendments = fields.Integer(metadata={"description": "How often rows of these units changed since"})


class SealLineOut(Out):
    """Messages of one kind of run and status."""

    kind = fields.String(metadata={"description": "`campaign`, `test`, `answer` or `notice`"})
    status = fields.String(metadata={"description": "The status"})
    sealed = fields.Integer(metadata={"description": "As sealed"})
    amended = fields.Integer(metadata={"description": "What amendments since added, or took if below zero"})
    now = fields.Integer(metadata={"description": "What the ledger says now"})
    holds = fields.Boolean(metadata={"description": "Whether sealed + amended = now"})


class AmendmentOut(Out):
    """A change of a row whose day was sealed."""

    id = fields.Integer(metadata={"description": "The amendment's id, in the order of the changes"})
    message_id = fields.Integer(metadata={"description": "The row (`/api/v1/messages/{id}`)"})
    run_id = fields.Integer(metadata={"description": "Its run"})
    from_status = fields.String(allow_none=True, metadata={"description": "Before; null: only parts changed"})
    from_reason = fields.String(allow_none=True, metadata={"description": "The reason before; null: none"})
    to_status = fields.String(allow_none=True, metadata={"description": "Since; null: only parts changed"})
    to_reason = fields.String(allow_none=True, metadata={"description": "The reason since; null: none"})
    parts = fields.Integer(metadata={"description": "How many more of its parts were taken"})
    cause = fields.String(
        metadata={"description": "`receipt`, `silence`, `settled`, `sent_again` or `dispatch`: what changed it"}
    )
    at = fields.AwareDateTime(metadata={"description": "When"})


class SealsOut(Out):
    """Sealed days, the newest first."""

    scope = fields.List(fields.Nested(ScopeUnit), metadata={"description": "The units whose amendments are counted"})
    items = fields.List(fields.Nested(SealOut), metadata={"description": "The days"})


class SealedDayOut(SealOut):
    """A sealed day with what it says of the units covered."""

    scope = fields.List(fields.Nested(ScopeUnit), metadata={"description": "The units that these numbers cover"})
    lines = fields.List(fields.Nested(SealLineOut), metadata={"description": "By kind of run and status"})
    items = fields.List(
        fields.Nested(AmendmentOut), metadata={"description": "The amendments since, the oldest first, at most 200"}
    )


@blueprint.route("/seals")
class Seals(MethodView):
    """The sealed days."""

    @endpoint(Permission.read)
    @blueprint.arguments(SealsQuery, location="query")
    @blueprint.response(200, SealsOut)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the sealed days"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        seals = list_seals(g.session, scope.paths, query["before"], query["limit"])
        return {"scope": scope.units, "items": [_shown(seal) for seal in seals]}


@blueprint.route("/seals/<day>")
class OneSeal(MethodView):
    """One sealed day."""

    @endpoint(Permission.read)
    @blueprint.arguments(SealQuery, location="query")
    @blueprint.response(200, SealedDayOut)
    def get(self, query: dict[str, Any], day: str) -> dict[str, Any]:
        """Show a sealed day: what was sealed of the units, what was amended since, and what the ledger says now"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        found = read_sealed_day(g.session, scope.paths, read_day_in_address(day), query["after"])
        shown = {"scope": scope.units, "lines": found.lines, "items": found.amendments}
        return _shown(found.seal) | shown


def _shown(seal: Seal) -> dict[str, Any]:
    return {**seal._asdict(), "digest": seal.digest.hex()}
