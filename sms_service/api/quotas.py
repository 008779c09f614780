"""`/quotas`: how many people, parts and how much money the runs of a unit's subtree may take in a month."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.campaigns import quota_setting, quotas
from sms_service.campaigns.quota_setting import LARGEST_LIMIT
from sms_service.campaigns.quotas import QuotaStanding
from sms_service.directory.models import LEVELS, Unit
from sms_service.directory.units import get_unit
from sms_service.ledger.models import Run
from sms_service.ledger.quota_models import ReservationState
from sms_service.ledger.quotas import QuotaKind
from sms_service.web.paging import PageQuery, Scope, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, Out, Whole, WhyIn, list_of
from sms_service.web.validators import OneOfWords, WithinRange

blueprint = Blueprint(
    "quotas",
    description="What the runs of a unit and all below it may take in a month: people who get a text, parts, and "
    "money. A run is counted by every quota of its line of units: estimated when it is planned, counted when its list "
    "is made, and by what was sent when it is over. A run for which one has not enough left is held for `quota`, until "
    "somebody who sends for the unit above that one's resumes it. Tests, answers and notices take nothing.",
)

_MONTH = "A month, as `2026-12`"


class QuotaQuery(ScopedPageQuery):
    """Which quotas."""

    month = fields.Date(
        format="%Y-%m", load_default=None, metadata={"description": f"{_MONTH}; by default the present one"}
    )


class QuotaRunQuery(PageQuery):
    """Whose runs."""

    unit = Id(required=True, metadata={"description": "The unit, with all below it"})
    month = fields.Date(
        format="%Y-%m", load_default=None, metadata={"description": f"{_MONTH}; by default the present one"}
    )


class QuotaMonthIn(WhyIn):
    """A unit's quota of one month or of all, and why."""

    unit_id = Id(required=True, metadata={"description": "The unit whose quota it is"})
    month = fields.Date(
        format="%Y-%m",
        load_default=None,
        allow_none=True,
        metadata={"description": f"{_MONTH}; null: every month that has no quota of its own"},
    )


class QuotaIn(QuotaMonthIn):
    """Limits; null: none."""

    people = Whole(
        load_default=None,
        allow_none=True,
        validate=WithinRange(0, LARGEST_LIMIT),
        metadata={"description": "People who get a text, counted once a run"},
    )
    parts = Whole(
        load_default=None,
        allow_none=True,
        validate=WithinRange(0, LARGEST_LIMIT),
        metadata={"description": "Parts of texts"},
    )
    fen = Whole(
        load_default=None,
        allow_none=True,
        validate=WithinRange(0, LARGEST_LIMIT),
        metadata={"description": "Money, in fen. Parts whose price gateways.toml does not say cost nothing"},
    )
    level = fields.String(
        load_default=None,
        validate=OneOfWords(LEVELS),
        metadata={"description": "Set it for each unit of this level below the unit, and not for the unit itself"},
    )


class QuotaKindOut(Out):
    """One kind of a quota."""

    limit = fields.Integer(allow_none=True, metadata={"description": "The limit; null: none"})
    planned = fields.Integer(metadata={"description": "What runs take that are not over"})
    used = fields.Integer(metadata={"description": "What was sent by runs that are over"})
    left = fields.Integer(allow_none=True, metadata={"description": "What may still be taken; null: without limit"})
    over = fields.Integer(metadata={"description": "What was taken beyond the limit"})


class QuotaOut(Out):
    """A unit's quota in a month. For each kind: limit + over = planned + used + left."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    unit = fields.String(metadata={"description": "The unit's name"})
    month = fields.Date(format="%Y-%m", metadata={"description": _MONTH})
    standing = fields.Boolean(metadata={"description": "It is that of every month, not this month's own"})
    people = fields.Nested(QuotaKindOut, metadata={"description": "People who get a text"})
    parts = fields.Nested(QuotaKindOut, metadata={"description": "Parts of texts"})
    fen = fields.Nested(QuotaKindOut, metadata={"description": "Money, in fen"})


class QuotaRunOut(Out):
    """What a run takes."""

    run_id = fields.Integer(metadata={"description": "The run"})
    campaign_id = fields.Integer(
        allow_none=True, metadata={"description": "The campaign; null: the run answers a reply"}
    )
    campaign = fields.String(allow_none=True, metadata={"description": "The campaign's name; null likewise"})
    unit_id = fields.Integer(metadata={"description": "The unit that sends it"})
    unit = fields.String(metadata={"description": "The unit's present name"})
    status = fields.String(metadata={"description": "The run's status"})
    state = fields.String(
        metadata={
            "description": "One of "
            + ", ".join(ReservationState)
            + ": `asked` takes only what it took before, until it is released"
        }
    )
    people = fields.Integer(metadata={"description": "People who get a text"})
    parts = fields.Integer(metadata={"description": "Parts of texts"})
    fen = fields.Integer(metadata={"description": "Money, in fen"})
    delivered = fields.Integer(metadata={"description": "Texts that arrived, of a run that is over"})
    released = fields.Boolean(metadata={"description": "Somebody above let it exceed a quota"})


class QuotasSetOut(Out):
    """What was set."""

    units = fields.Integer(metadata={"description": "For how many units"})


@blueprint.route("/quotas")
class Quotas(MethodView):
    """The quotas."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuotaQuery, location="query")
    @blueprint.response(200, list_of(QuotaOut, "QuotaList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the quotas that count in a month, and what is left of them, from the uppermost unit down"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        month = query["month"] or quotas.find_month(g.session, scope.units[0])
        statement = quotas.find_quotas(scope.paths, month)
        rows, following = fetch_page(g.session, statement, query, sort="path", key=Unit.path, id_=Unit.id)
        return scope.answer([_describe(quotas.read_standing(row)) for row in rows], following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(QuotaIn)
    @blueprint.response(200, QuotasSetOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Set a unit's quota of a month, or that of every month, which takes `manage_directory` over the unit above"""
        limits = {kind.value: body[kind] for kind in QuotaKind}
        number = quota_setting.set_quota(
            g.session, g.actor, body["unit_id"], body["month"], limits, body["why"], body["level"]
        )
        return {"units": number}


@blueprint.route("/quotas/removals")
class QuotaRemovals(MethodView):
    """Quotas that are to go."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(QuotaMonthIn)
    @blueprint.response(204)
    def post(self, body: dict[str, Any]) -> None:
        """Remove a unit's quota of a month, so that that of every month counts; or that of every month"""
        quota_setting.remove_quota(g.session, g.actor, body["unit_id"], body["month"], body["why"])


@blueprint.route("/quotas/runs")
class QuotaRuns(MethodView):
    """The runs behind the numbers of a quota."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuotaRunQuery, location="query")
    @blueprint.response(200, list_of(QuotaRunOut, "QuotaRunList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the runs of a unit's subtree that take something in a month, newest first"""
        unit = get_unit(g.session, g.actor, query["unit"])
        month = query["month"] or quotas.find_month(g.session, unit)
        statement = quotas.find_reserved_runs(unit, month, month)
        rows, following = fetch_page(g.session, statement, query, sort="run", key=Run.id, id_=Run.id, descending=True)
        return Scope((unit.path,), (unit,)).answer([_describe_run(row) for row in rows], following)


def _describe(one: QuotaStanding) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(one, name) for name in ("unit_id", "unit", "month", "standing")}
    for kind, limit, planned, used in zip(QuotaKind, one.most, one.planned, one.used, strict=True):
        numbers = {"limit": limit, "planned": planned, "used": used, "left": one.left(kind), "over": one.over(kind)}
        shown[kind.value] = numbers
    return shown


def _describe_run(row: Any) -> dict[str, Any]:
    taken, run = row.QuotaReservation, row.Run
    shown = {name: getattr(taken, name) for name in ("run_id", "state", "people", "parts", "fen", "delivered")}
    shown |= {"released": bool(taken.released), "campaign": row.campaign, "unit": row.unit}
    return shown | {name: getattr(run, name) for name in ("campaign_id", "unit_id", "status")}
