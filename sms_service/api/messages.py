"""`/messages`: the rows behind every number, and what became of each hand-over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields, post_dump, validate
from sqlalchemy import Row

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.ledger.models import KINDS, Message
from sms_service.ledger.states import AttemptStatus, MessageStatus
from sms_service.reports.counts import Filter
from sms_service.reports.messages import check_named, find_messages, get_message, month_of_run
from sms_service.vocabulary import TextClass
from sms_service.web.paging import PageQuery, Scope, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, Out, list_of

blueprint = Blueprint(
    "messages", description="The ledger: one row for every recipient of every run, whatever became of it."
)


class MessageFilter(In):
    """Filters; all that are given must hold."""

    unit = Id(
        load_default=None,
        metadata={"description": "Only this unit's subtree; by default everything that the caller may read"},
    )
    subtree = fields.Boolean(
        load_default=True, metadata={"description": "False: the rows of the units themselves, not of those below"}
    )
    under = Id(
        load_default=None,
        metadata={
            "description": "Only what was within this unit's subtree at launch; `unit` may then be one that has moved "
            "out since"
        },
    )
    campaign = Id(load_default=None, metadata={"description": "Only this campaign"})
    run = Id(load_default=None, metadata={"description": "Only this run"})
    since = fields.Date(
        load_default=None,
        metadata={"description": "Only runs launched on this local day or later, such as 2026-12-01"},
    )
    until = fields.Date(load_default=None, metadata={"description": "Only runs launched on this local day or earlier"})
    status = fields.String(
        load_default=None,
        validate=validate.OneOf([*MessageStatus]),
        metadata={"description": "Only messages of this status"},
    )
    reason = fields.String(
        load_default=None, metadata={"description": "Only messages with this reason; empty: with none"}
    )
    code = fields.String(
        load_default=None,
        metadata={"description": "Only messages with this code of the provider's own; empty: with none"},
    )
    class_ = fields.String(
        data_key="class",
        load_default=None,
        validate=validate.OneOf([*TextClass]),
        metadata={"description": "Only texts of this class"},
    )
    kind = fields.String(
        load_default=None,
        validate=validate.OneOf(KINDS),
        metadata={"description": "Only runs of this kind: those of campaigns, test sends, answers or notices"},
    )
    account = fields.String(
        load_default=None,
        metadata={"description": "Only messages that this gateway account had last, by its name; empty: none had"},
    )


class MessageQuery(PageQuery, MessageFilter):
    """Filters and the page; all filters that are given must hold."""


class MessageOut(Out):
    """One recipient of one run."""

    id = fields.Integer(attribute="Message.id", metadata={"description": "The message's id"})
    campaign_id = fields.Integer(metadata={"description": "The campaign"})
    run_id = fields.Integer(attribute="Message.run_id", metadata={"description": "The run"})
    person_id = fields.Integer(attribute="Message.person_id", metadata={"description": "The person"})
    person = MaskedText(allow_none=True, metadata={"description": "The person's present name"})
    unit_id = fields.Integer(
        attribute="Message.unit_id", metadata={"description": "The unit for which the person was found, at launch"}
    )
    unit = fields.String(allow_none=True, metadata={"description": "The unit's present name"})
    phone = MaskedPhone(attribute="Message.phone", allow_none=True)
    status = fields.String(attribute="Message.status", metadata={"description": "One of " + ", ".join(MessageStatus)})
    reason = fields.String(
        attribute="Message.reason",
        allow_none=True,
        metadata={"description": "Why it was skipped, or the class of the refusal or of the failure"},
    )
    raw_code = fields.String(
        attribute="Message.raw_code", allow_none=True, metadata={"description": "The provider's own code"}
    )
    duplicate_of = fields.Integer(
        attribute="Message.duplicate_of",
        allow_none=True,
        metadata={"description": "The message that this phone number got instead"},
    )
    text = MaskedText(
        attribute="Message.text",
        allow_none=True,
        metadata={"description": "What was sent, phone numbers in it masked; null until it is rendered"},
    )
    parts = fields.Integer(
        attribute="Message.parts", allow_none=True, metadata={"description": "How many SMS the text takes"}
    )
    parts_taken = fields.Integer(
        metadata={"description": "Parts that a gateway took, over all attempts: what counts add up as `parts`"}
    )
    attempts = fields.Integer(
        attribute="Message.attempts", metadata={"description": "How often it was handed to a gateway"}
    )
    account = fields.String(allow_none=True, metadata={"description": "The gateway account that had it last"})
    not_before = fields.AwareDateTime(
        attribute="Message.not_before", metadata={"description": "It does not leave before"}
    )
    expires_at = fields.AwareDateTime(
        attribute="Message.expires_at", metadata={"description": "It does not leave after"}
    )
    changed_at = fields.AwareDateTime(
        attribute="Message.changed_at", metadata={"description": "When its status changed last"}
    )

    @post_dump(pass_original=True)
    def _hide_from_former_units(self, shown: dict[str, Any], row: Any, **_: Any) -> dict[str, Any]:
        """A unit's past numbers stay where they were counted; whom it texted goes with the unit."""
        if not g.actor.can(Permission.read, row.unit_now):
            shown |= dict.fromkeys(("person", "phone", "text"))
        return shown


class AttemptOut(Out):
    """One hand-over of a message to a gateway."""

    number = fields.Integer(attribute="Attempt.number", metadata={"description": "1 for the first, and so on"})
    account = fields.String(metadata={"description": "The gateway account's name"})
    status = fields.String(attribute="Attempt.status", metadata={"description": "One of " + ", ".join(AttemptStatus)})
    parts = fields.Integer(attribute="Attempt.parts", metadata={"description": "How many SMS it takes"})
    provider_id = fields.String(
        attribute="Attempt.provider_id", allow_none=True, metadata={"description": "The provider's name for it"}
    )
    settled_by = fields.Integer(
        attribute="Attempt.settled_by",
        allow_none=True,
        metadata={"description": "The account of the person who settled it when it was unknown"},
    )
    error = fields.String(
        attribute="Attempt.error", allow_none=True, metadata={"description": "The class of the error"}
    )
    raw_code = fields.String(
        attribute="Attempt.raw_code", allow_none=True, metadata={"description": "The provider's own code"}
    )
    detail = MaskedText(attribute="Attempt.detail", allow_none=True, metadata={"description": "What the provider said"})
    started_at = fields.AwareDateTime(
        attribute="Attempt.started_at", metadata={"description": "When it passed the gate"}
    )
    outcome_at = fields.AwareDateTime(
        attribute="Attempt.outcome_at", allow_none=True, metadata={"description": "When the gateway answered"}
    )
    final_at = fields.AwareDateTime(
        attribute="Attempt.final_at", allow_none=True, metadata={"description": "When the network's last word came"}
    )


class OneMessageOut(Out):
    """A message and its hand-overs."""

    message = fields.Nested(MessageOut, metadata={"description": "The message"})
    attempts = fields.List(fields.Nested(AttemptOut), metadata={"description": "Its hand-overs, first to last"})


MessageList = list_of(MessageOut, "MessageList")


@blueprint.route("/messages")
class Messages(MethodView):
    """The rows of the ledger."""

    @endpoint(Permission.read)
    @blueprint.arguments(MessageQuery, location="query")
    @blueprint.response(200, MessageList)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List messages, oldest month first: the rows that /counts counts for the same filters

        Within a month they come by id; with `run`, its rows come by person and unit. Rows of a unit that has moved out
        of the caller's scope since come without person, phone and text.
        """
        scope, rows = scoped_filter(query)
        return message_page(scope, rows, query)


@blueprint.route("/messages/<int:message_id>")
class OneMessage(MethodView):
    """One row of the ledger."""

    @endpoint(Permission.read)
    @blueprint.response(200, OneMessageOut)
    def get(self, message_id: int) -> dict[str, Any]:
        """Show a message and its attempts"""
        message, attempts = get_message(g.session, g.actor, message_id)
        return {"message": message, "attempts": attempts}


def scoped_filter(query: Mapping[str, Any]) -> tuple[Scope, Filter]:
    """What a MessageFilter asks for, within the caller's scope. Raises NotFound or Forbidden for what it names."""
    under = query["under"]
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"] if under is None else under)
    paths = scope.paths if under is None or query["unit"] is None else (unit_path(g.session, query["unit"]),)
    rows = Filter(
        paths,
        campaign_id=query["campaign"],
        run_id=query["run"],
        since=query["since"],
        until=query["until"],
        status=query["status"],
        reason=query["reason"],
        account=query["account"],
        code=query["code"],
        class_=query["class_"],
        kind=query["kind"],
        subtree=query["subtree"],
        under=None if under is None else scope.paths[0],
    )
    check_named(g.session, g.actor, rows)
    return scope, rows


def message_page(scope: Scope, rows: Filter, query: Mapping[str, Any]) -> dict[str, Any]:
    """One page of the rows, for MessageList.

    The order is that of an index, of a run's rows or of all, so that a page costs what is on it.
    """
    statement, items = find_messages(rows), list[Row[Any]]()
    if rows.run_id is None:
        items, following = fetch_page(g.session, statement, query, sort="month", key=Message.month, id_=Message.id)
    else:
        statement = statement.where(Message.month == month_of_run(g.session, rows.run_id))
        items, following = fetch_page(
            g.session, statement, query, sort="person", key=Message.person_id, id_=Message.unit_id
        )
    return scope.answer(items, following)
