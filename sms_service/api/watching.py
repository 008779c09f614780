"""`/runs/<id>/live`, `/waits`, `/failures`: a run as it goes, for a page that asks every few seconds."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.runs import RunOut
from sms_service.api.timelines import MeaningOut
from sms_service.dispatch.waiting import explain_wait
from sms_service.dispatch.waits import WaitReason
from sms_service.ledger.states import MessageStatus
from sms_service.reports.failures import FAILED, MOST_FAILURES, describe_failures
from sms_service.reports.watching import watch_run
from sms_service.said import to_json
from sms_service.web.context import current_context, current_pace, gateways_or_none
from sms_service.web.schemas import MESSAGE, VALUES, Out, ScopeUnit

blueprint = Blueprint("watching", description="A run as it goes: how far it is, how fast, and until when.")


class StatusCountOut(Out):
    """How many of a run's messages have one status."""

    status = fields.String(metadata={"description": "One of " + ", ".join(MessageStatus)})
    messages = fields.Integer(metadata={"description": "How many messages have it"})
    rows = fields.String(metadata={"description": "The request that lists them"})


class LiveOut(Out):
    """A run at one moment."""

    run = fields.Nested(RunOut, metadata={"description": "The run"})
    at = fields.AwareDateTime(metadata={"description": "The moment, by PostgreSQL's clock"})
    campaign = fields.String(metadata={"description": "The campaign's name"})
    unit = fields.Nested(ScopeUnit, metadata={"description": "The unit that the run belongs to"})
    route = fields.String(metadata={"description": "The route's name"})
    statuses = fields.List(
        fields.Nested(StatusCountOut), metadata={"description": "Its messages by status; those that there are"}
    )
    identity = fields.Boolean(
        attribute="holds",
        allow_none=True,
        metadata={"description": "Audience = the sum of all statuses; null before the freeze"},
    )
    waiting = fields.Integer(metadata={"description": "Messages that are not through: pending, claimed, submitting"})
    handed_over = fields.Integer(
        metadata={"description": "Texts that a gateway answered in the last minute, throttled ones not counted"}
    )
    per_minute = fields.Float(
        allow_none=True,
        metadata={"description": "The rate that follows, in texts a minute; null unless the run is running"},
    )
    through_at = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "When those that wait will have left at that rate, inside the unit's window; null where "
            "nothing has left in the last minute"
        },
    )
    changed_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When a message of it changed last"})
    moved_by = fields.String(
        allow_none=True,
        metadata={"description": "Who paused, resumed or cancelled it, by login; null: the service did it by itself"},
    )
    moved_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When that was"})


@blueprint.route("/runs/<int:run_id>/live")
class LiveRun(MethodView):
    """One run as it goes."""

    @endpoint(Permission.read)
    @blueprint.response(200, LiveOut)
    def get(self, run_id: int) -> dict[str, Any]:
        """Show how far a run is and how fast it goes

        All of one moment. It reads each message of the run once: ask again no sooner than after 2 seconds.
        """
        watch = watch_run(g.session, g.actor, run_id)
        names = [name for name in LiveOut().fields if name not in ("statuses", "identity")]
        return {
            **{name: getattr(watch, name) for name in names},
            "holds": watch.holds,
            "statuses": [
                {"status": status, "messages": number, "rows": rows_of_run(run_id, status=status)}
                for status, number in watch.statuses.items()
            ],
        }


class WaitOut(Out):
    """One thing that a run waits for."""

    reason = fields.String(metadata={"description": "One of " + ", ".join(WaitReason)})
    text = fields.String(attribute="said", metadata={"description": "The same in a sentence"})
    message = fields.String(metadata={"description": MESSAGE})
    values = fields.Dict(keys=fields.String(), metadata={"description": VALUES})
    until = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When that ends by itself; null: it does not, or nobody knows"}
    )


class WaitsOut(Out):
    """All that a run waits for."""

    items = fields.List(
        fields.Nested(WaitOut),
        metadata={"description": "None where no text waits; `slowed` and `pace` say that texts are leaving"},
    )


@blueprint.route("/runs/<int:run_id>/waits")
class WaitsOfRun(MethodView):
    """Why a run waits."""

    @endpoint(Permission.read)
    @blueprint.response(200, WaitsOut)
    def get(self, run_id: int) -> dict[str, Any]:
        """Show why a run's texts do not leave, or how fast they do

        By the conditions that the workers ask before they hand over.
        """
        context = current_context()
        gateways = gateways_or_none()
        pace = current_pace(gateways)
        waits = explain_wait(g.session, g.actor, run_id, gateways, pace, context.pace)
        return {
            "items": [
                {"reason": wait.reason, "said": wait.said, "until": wait.until, **to_json(wait.said)} for wait in waits
            ]
        }


class RemedyOut(Out):
    """What a reason means, and what can be done."""

    meaning = fields.String(metadata={"description": "What happened"})
    act = fields.String(metadata={"description": "What a person can do about it"})


class FailureOut(Out):
    """Messages of a run that did not arrive for one reason."""

    status = fields.String(metadata={"description": "One of " + ", ".join(FAILED)})
    reason = fields.String(allow_none=True, metadata={"description": "The reason, or the class of the failure"})
    code = fields.String(allow_none=True, metadata={"description": "The provider's own code"})
    account = fields.String(allow_none=True, metadata={"description": "The gateway account's name; null: none had it"})
    messages = fields.Integer(metadata={"description": "How many messages"})
    meaning = fields.Nested(
        MeaningOut, allow_none=True, metadata={"description": "What the code means; null where no table says"}
    )
    remedy = fields.Nested(RemedyOut, allow_none=True, metadata={"description": "What the reason means to us"})
    retryable = fields.Boolean(metadata={"description": "Whether a retry lets them go again"})
    rows = fields.String(metadata={"description": "The request that lists them"})


class FailuresOut(Out):
    """What of a run did not arrive, and why."""

    items = fields.List(
        fields.Nested(FailureOut), metadata={"description": f"The most frequent first, at most {MOST_FAILURES}"}
    )


@blueprint.route("/runs/<int:run_id>/failures")
class FailuresOfRun(MethodView):
    """What went wrong in a run."""

    @endpoint(Permission.read)
    @blueprint.response(200, FailuresOut)
    def get(self, run_id: int) -> dict[str, Any]:
        """Count what of a run did not arrive or was skipped, by status, reason, provider's code and gateway account"""
        found = describe_failures(g.session, g.actor, run_id, gateways_or_none())
        columns = ("status", "reason", "code", "account", "messages", "meaning", "remedy", "retryable")
        return {
            "items": [
                {**{name: getattr(line, name) for name in columns}, "rows": rows_of_run(run_id, **line.filters())}
                for line in found
            ]
        }


def rows_of_run(run_id: int, **filters: str) -> str:
    """The request that lists these messages of a run."""
    return f"/api/v1/messages?{urlencode({'run': run_id, **filters})}"
