"""`/runs`: what was launched, how far it is, and stopping it."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields
from marshmallow.utils import get_value

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.messages import MessageList, message_page
from sms_service.api.stops import StopOut
from sms_service.campaigns import control
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.controls.stops import stops_of
from sms_service.directory.models import Unit
from sms_service.ledger.models import Run
from sms_service.ledger.states import HeldFor, Lane, MessageStatus, RunStatus
from sms_service.masking import mask_text
from sms_service.reports.counts import check_identity, tabulate_counts
from sms_service.reports.filters import Filter
from sms_service.web.paging import PageQuery, Scope, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.rates import read_prices
from sms_service.web.schemas import Id, Out, SaidMessage, WhyIn, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "runs",
    description="One firing of a campaign. Its audience is frozen at launch into one message for each recipient.",
)

_WHOLE_TREE = ("/",)


class RunQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    campaign = Id(load_default=None, metadata={"description": "Only runs of this campaign"})
    status = fields.String(
        load_default=None, validate=OneOfWords([*RunStatus]), metadata={"description": "Only runs of this status"}
    )


class ResumeIn(WhyIn):
    """The reason, and what is known after PostgreSQL became another server."""

    verdict = fields.String(
        load_default=None,
        validate=OneOfWords([*control.FailoverChoice]),
        metadata={
            "description": "For a run held for `cluster`, and only then: `nothing_lost`, or `go_on` though some people "
            "may get their text twice; the third answer, to drop the rest, is to cancel the run"
        },
    )


class RunMessagesQuery(PageQuery):
    """Filters; all that are given must hold."""

    unit = Id(load_default=None, metadata={"description": "Only this unit's subtree; by default the whole run"})
    status = fields.String(
        load_default=None,
        validate=OneOfWords([*MessageStatus]),
        metadata={"description": "Only messages of this status"},
    )


class RunOut(Out):
    """A run."""

    id = fields.Integer(metadata={"description": "The run's id"})
    campaign_id = fields.Integer(
        allow_none=True, metadata={"description": "The campaign; null of a test, an answer or a notice"}
    )
    unit_id = fields.Integer(metadata={"description": "The unit that sends it"})
    kind = fields.String(metadata={"description": "`campaign`, `test`, `answer` or `notice`"})
    status = fields.String(metadata={"description": "One of " + ", ".join(RunStatus)})
    reason = fields.Function(
        lambda run: _reason(get_value(run, "reason"), get_value(run, "held_for")),
        metadata={"type": "string", "nullable": True, "description": "Why it is paused, held or cancelled"},
    )
    reason_message = SaidMessage(
        attribute="said_reason",
        metadata={"description": "The reason, for saying it in another language; null where a person wrote it"},
    )
    held_for = fields.String(
        allow_none=True,
        metadata={"description": "What holds it until a person resumes or cancels it: one of " + ", ".join(HeldFor)},
    )
    lane = fields.String(metadata={"description": "Which runs go first: " + ", then ".join(Lane)})
    canary = fields.Boolean(
        attribute="in_canary",
        metadata={"description": "Only its first texts may leave now; the others wait until those have gone well"},
    )
    class_ = fields.String(data_key="class", metadata={"description": "What kind of text it is"})
    day = fields.Date(metadata={"description": "The local day of its launch, by which it is counted"})
    due_at = fields.AwareDateTime(metadata={"description": "When it is to be launched"})
    launched_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was launched"})
    expires_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When texts that have not left expire"})
    audience = fields.Integer(
        allow_none=True, metadata={"description": "Recipients, as counted by the segment at freeze; null before"}
    )
    frozen_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When its audience was frozen"})
    finished_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When its last text had left or was given up"}
    )
    closed_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the last word on all its texts was known"}
    )


class NamedRunOut(RunOut):
    """A run, and what its campaign and unit are called now."""

    campaign = fields.String(allow_none=True, metadata={"description": "The campaign's name; null if there is none"})
    unit = fields.String(metadata={"description": "The unit's present name"})


class OneRunOut(NamedRunOut):
    """A run and its numbers."""

    statuses = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "Messages by status, as of now"}
    )
    people = fields.Integer(metadata={"description": "Distinct persons in the audience"})
    messages = fields.Integer(metadata={"description": "Messages in the ledger"})
    parts = fields.Integer(metadata={"description": "SMS that gateways took"})
    cost_fen = fields.Integer(
        allow_none=True,
        metadata={"description": "What they cost by today's prices, in fen, as in `/counts`; null if it is not known"},
    )
    identity = fields.Boolean(
        allow_none=True, metadata={"description": "Audience = the sum of all statuses; null before the freeze"}
    )
    stops = fields.List(
        fields.Nested(StopOut),
        metadata={
            "description": "The stops that hold back its texts, or some of them: of units above or below its own, and "
            "of its route's gateway accounts"
        },
    )


class CancelledOut(OneRunOut):
    """A cancelled run."""

    left = fields.Integer(metadata={"description": "Messages that had already left and cannot be called back"})


_RUN_FIELDS = [field.attribute or name for name, field in RunOut().fields.items()]


@blueprint.route("/runs")
class Runs(MethodView):
    """The runs."""

    @endpoint(Permission.read)
    @blueprint.arguments(RunQuery, location="query")
    @blueprint.response(200, list_of(NamedRunOut, "RunList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List runs, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        if query["campaign"] is not None:
            require_on_campaign(g.session, g.actor, Permission.read, query["campaign"])
        statement = control.find_runs(scope.paths, campaign_id=query["campaign"], status=query["status"])
        rows, following = fetch_page(
            g.session, control.name_runs(statement), query, sort="id", key=Run.id, id_=Run.id, descending=True
        )
        items = [{**_columns(row.Run), "campaign": row.campaign, "unit": row.unit} for row in rows]
        return scope.answer(items, following)


@blueprint.route("/runs/<int:run_id>")
class OneRun(MethodView):
    """One run."""

    @endpoint(Permission.read)
    @blueprint.response(200, OneRunOut)
    def get(self, run_id: int) -> dict[str, Any]:
        """Show a run and its numbers"""
        return show_run(control.get_run(g.session, g.actor, run_id))


@blueprint.route("/runs/<int:run_id>/pause")
class Pause(MethodView):
    """Stopping for a while."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, OneRunOut)
    def post(self, body: dict[str, Any], run_id: int) -> dict[str, Any]:
        """Pause a running run: no further text leaves"""
        return show_run(control.pause_run(g.session, g.actor, run_id, body["why"]))


@blueprint.route("/runs/<int:run_id>/resume")
class Resumption(MethodView):
    """Going on."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(ResumeIn)
    @blueprint.response(200, OneRunOut)
    def post(self, body: dict[str, Any], run_id: int) -> dict[str, Any]:
        """Go on with a paused run, or release a held one"""
        return show_run(control.resume_run(g.session, g.actor, run_id, body["why"], body["verdict"]))


@blueprint.route("/runs/<int:run_id>/cancel")
class Cancellation(MethodView):
    """Ending it."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, CancelledOut)
    def post(self, body: dict[str, Any], run_id: int) -> dict[str, Any]:
        """Cancel a run for good; texts that wait are cancelled, those that had left are counted in `left`"""
        run, left = control.cancel_run(g.session, g.actor, run_id, body["why"])
        return {**show_run(run), "left": left}


@blueprint.route("/runs/<int:run_id>/messages")
class RunMessages(MethodView):
    """A run's rows in the ledger."""

    @endpoint(Permission.read)
    @blueprint.arguments(RunMessagesQuery, location="query")
    @blueprint.response(200, MessageList)
    def get(self, query: dict[str, Any], run_id: int) -> dict[str, Any]:
        """List a run's messages by person and unit; without `unit` all of them"""
        run = control.get_run(g.session, g.actor, run_id)
        if query["unit"] is None:
            scope = Scope(_WHOLE_TREE, (g.session.get_one(Unit, run.unit_id),))
        else:
            scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        return message_page(scope, Filter(scope.paths, run_id=run.id, status=query["status"]), query)


def _columns(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _RUN_FIELDS}


def _reason(reason: str | None, held_for: str | None) -> str | None:
    """A person's reason with phone numbers masked; what holds a run is in our own words."""
    return reason if reason is None or held_for is not None else mask_text(reason)


def show_run(run: Run) -> dict[str, Any]:
    """The run and its numbers, for OneRunOut."""
    found = check_identity(g.session, run.id) if run.audience is not None else None
    total = tabulate_counts(g.session, Filter(_WHOLE_TREE, run_id=run.id), (), read_prices()).total
    return {
        **_columns(run),
        "campaign": None if run.campaign_id is None else g.session.get_one(Campaign, run.campaign_id).name,
        "unit": g.session.get_one(Unit, run.unit_id).name,
        "statuses": found.statuses if found else {},
        "people": total.people,
        "messages": total.messages,
        "parts": total.parts,
        "cost_fen": total.cost_fen,
        "identity": found.holds if found else None,
        "stops": stops_of(g.session, run.unit_path, run.route_id),
    }
