"""What people decide about texts that have ended: `/runs/<id>/retry`, `/runs/<id>/send-again`,
`/messages/settle`, `/messages/<id>/settle`.
"""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import ValidationError, fields, validate, validates_schema

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.messages import OneMessageOut
from sms_service.api.runs import OneRunOut, show_run
from sms_service.campaigns import resending
from sms_service.ledger.models import Run
from sms_service.ledger.resolving import RETRYABLE, GoneAgain
from sms_service.reports.messages import get_message
from sms_service.web.schemas import Id, Out, WhyIn
from sms_service.web.validators import ListLength, OneOfWords

blueprint = Blueprint(
    "resending",
    description="Refused texts can be retried once the reason has passed or was mended. Of unknown ones no program can "
    "tell whether they arrived: a person sends them again, or settles them by the provider's records.",
)


class RetryIn(WhyIn):
    """Which refused messages go again."""

    classes = fields.List(
        fields.String(validate=OneOfWords(RETRYABLE)),
        load_default=None,
        validate=ListLength(1),
        metadata={"description": "Only refusals of these error classes; by default of all that may be retried"},
    )


class SendAgainIn(WhyIn):
    """Which unknown messages go again: exactly one of the two."""

    messages = fields.List(
        Id(),
        validate=ListLength(1, resending.MOST_IDS),
        metadata={"description": f"The ids of messages of this run, at most {resending.MOST_IDS:,}"},
    )
    all = fields.Boolean(
        validate=validate.Equal(True, error="must be true"),
        metadata={"description": "Or `true`: all unknown messages of the run"},
    )

    @validates_schema
    def _exactly_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("messages" in data) == ("all" in data):
            raise ValidationError("give either messages or all", "messages")


class SettleIn(WhyIn):
    """What a person found out about an unknown message."""

    verdict = fields.String(
        data_key="as",
        required=True,
        validate=OneOfWords(["accepted", "refused"]),
        metadata={"description": "`accepted`: the gateway took it; `refused`: it surely did not, so it may be retried"},
    )


class SettleSeveralIn(SettleIn):
    """What a person found out about several unknown messages."""

    messages = fields.List(
        Id(),
        required=True,
        validate=ListLength(1, resending.MOST_SETTLED),
        metadata={"description": f"The messages' ids, at most {resending.MOST_SETTLED}, of whatever runs"},
    )


class SettledOut(Out):
    """What came of settling several messages."""

    settled = fields.Integer(metadata={"description": "How many messages were settled: all that were named"})


class GoneAgainOut(OneRunOut):
    """A run of which messages go again."""

    again = fields.Integer(metadata={"description": "Messages that wait again, with the run's whole validity from now"})
    untouched = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={
            "description": "Messages that stay as they are, by why: an error class that is not retried, the status "
            "that they have, `redacted` (the number is erased), `busy` (an outcome or receipt is just being "
            "written: ask again), `not_of_this_run`"
        },
    )


@blueprint.route("/runs/<int:run_id>/retry")
class Retry(MethodView):
    """Trying the refused again."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(RetryIn)
    @blueprint.response(200, GoneAgainOut)
    def post(self, body: dict[str, Any], run_id: int) -> dict[str, Any]:
        """Let refused messages go again if the reason was temporary or has been mended; a finished run runs again

        Messages that were refused for their number, their recipient or their text never go again.
        """
        return _gone(*resending.retry_run(g.session, g.actor, run_id, body["why"], body["classes"]))


@blueprint.route("/runs/<int:run_id>/send-again")
class SendAgain(MethodView):
    """Sending the unknown again."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(SendAgainIn)
    @blueprint.response(200, GoneAgainOut)
    def post(self, body: dict[str, Any], run_id: int) -> dict[str, Any]:
        """Let unknown messages go again, though they may have arrived; a finished run runs again

        If the delivery of a message is reported while it waits, it is not sent.
        """
        return _gone(*resending.send_run_again(g.session, g.actor, run_id, body["why"], body.get("messages")))


@blueprint.route("/messages/settle")
class Settlements(MethodView):
    """Settling several unknown messages."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(SettleSeveralIn)
    @blueprint.response(200, SettledOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Write down what became of several unknown messages, all or none

        If one of them is not unknown any more, nothing is settled, and the problem names each such message.
        """
        settled = resending.settle_attempts(g.session, g.actor, body["messages"], body["verdict"], body["why"])
        return {"settled": settled}


@blueprint.route("/messages/<int:message_id>/settle")
class Settlement(MethodView):
    """Settling the unknown."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(SettleIn)
    @blueprint.response(200, OneMessageOut)
    def post(self, body: dict[str, Any], message_id: int) -> dict[str, Any]:
        """Write down what became of an unknown message, as the provider's records say; a receipt may still follow"""
        resending.settle_attempt(g.session, g.actor, message_id, body["verdict"], body["why"])
        message, attempts = get_message(g.session, g.actor, message_id)
        return {"message": message, "attempts": attempts}


def _gone(run: Run, gone: GoneAgain) -> dict[str, Any]:
    return {**show_run(run), "again": len(gone.ids), "untouched": gone.left}
