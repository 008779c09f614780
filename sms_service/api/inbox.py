"""`/inbox`: replies that no rule settles, and what people do about them."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.replies import AnsweredOut, describe_answers
from sms_service.directory.text import LONGEST_WHY
from sms_service.replies import inbox, inbox_answers
from sms_service.replies.listing import may_read_strangers, require_texts_of
from sms_service.replies.models import ReplyRow
from sms_service.reports.acts import list_acts_on
from sms_service.vocabulary import InboxStatus
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, OneLine, Out, SaidMessage, list_of
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import dispatch_after_commit

blueprint = Blueprint("inbox", description="Replies that no rule settles, until somebody has seen to them.")

LONGEST_WANTED = 100
SEEN = "The `state` in which the caller saw the reply; in another one by now, the answer is 409 and names it"


class InboxQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    status = fields.String(
        load_default=None,
        validate=OneOfWords(list(InboxStatus)),
        metadata={"description": f"Only replies of which this became: {', '.join(InboxStatus)}"},
    )
    campaign = Id(load_default=None, metadata={"description": "Only replies that answer a text of this campaign"})
    mine = fields.Boolean(load_default=False, metadata={"description": "Only replies that are assigned to the caller"})


class InboxSearch(InboxQuery):
    """What is looked for, in a body, since it may be a name or a phone."""

    wanted = OneLine(
        LONGEST_WANTED,
        required=True,
        metadata={"description": "A whole phone number, the beginning of a name, or words of the reply"},
    )


class SeenReplyIn(In):
    """Which reply the caller saw."""

    state = fields.String(required=True, metadata={"description": SEEN})


class AssignReplyIn(SeenReplyIn):
    """Who shall see to it."""

    assignee_id = Id(
        required=True, allow_none=True, metadata={"description": "The account; null: nobody, it is unread again"}
    )


class ReplyAnswerIn(SeenReplyIn):
    """The answer."""

    text = fields.String(
        required=True,
        metadata={
            "description": f"What it says, 1 to {inbox_answers.LONGEST_ANSWER} characters, without the 【signature】"
        },
    )


class CloseReplyIn(SeenReplyIn):
    """A word on why nothing more is to be done."""

    why = OneLine(LONGEST_WHY, load_default=None, metadata={"description": "Why, in a word; it goes into the trail"})


class InboxOut(AnsweredOut):
    """One reply of an inbox."""

    id = fields.Integer(attribute="ReplyRow.id", metadata={"description": "The reply's id"})
    state = fields.String(metadata={"description": "What an act on it has to send back as `state`"})
    status = fields.String(
        attribute="ReplyRow.inbox_status", metadata={"description": f"One of {', '.join(InboxStatus)}"}
    )
    received_at = fields.AwareDateTime(attribute="ReplyRow.received_at", metadata={"description": "When it came in"})
    phone = MaskedPhone(attribute="ReplyRow.phone", allow_none=True)
    text = MaskedText(
        attribute="ReplyRow.shown_text",
        allow_none=True,
        metadata={"description": "What it says, phone numbers in it masked; null once redacted"},
    )
    meaning = fields.String(
        attribute="ReplyRow.meaning",
        allow_none=True,
        metadata={"description": "What it was read as: `free_text`, or `ambiguous` between several questions"},
    )
    person_id = fields.Integer(
        attribute="ReplyRow.person_id", allow_none=True, metadata={"description": "Who wrote it; null: nobody known"}
    )
    person = MaskedText(allow_none=True, metadata={"description": "The person's present name"})
    unit = fields.String(allow_none=True, metadata={"description": "The unit's present name; null: nobody known"})
    message_id = fields.Integer(
        attribute="ReplyRow.message_id", allow_none=True, metadata={"description": "The text that it answers"}
    )
    assigned_to = fields.Integer(
        attribute="ReplyRow.assigned_to", allow_none=True, metadata={"description": "The account that sees to it"}
    )
    assignee = MaskedText(allow_none=True, metadata={"description": "The name of that account's owner"})


class AnswerOutlookOut(Out):
    """What would become of an answer."""

    against = MaskedText(allow_none=True, metadata={"description": "Why no text would leave; null: one would"})
    against_message = SaidMessage(metadata={"description": "The same for saying it in another language"})
    signature = fields.String(allow_none=True, metadata={"description": "The signature that stands in front of it"})
    leaves_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it leaves, if not at once: the window is closed now"}
    )
    waits = MaskedText(allow_none=True, metadata={"description": "What holds it back longer; null: nothing"})


class ReplyActOut(Out):
    """What somebody did about a reply."""

    at = fields.AwareDateTime(metadata={"description": "When"})
    account_id = fields.Integer(allow_none=True, metadata={"description": "Who did it; null: the service itself"})
    act = fields.String(metadata={"description": "What was done, such as `reply.assign`"})


class AssigneeOut(Out):
    """An account that may see to the reply."""

    id = fields.Integer(metadata={"description": "The account's id"})
    name = MaskedText(metadata={"description": "Its owner's name"})


class InboxReplyOut(InboxOut):
    """One reply of an inbox, with what can be done about it."""

    outlook = fields.Nested(
        AnswerOutlookOut, metadata={"description": "What would become of an answer that is written now"}
    )
    assignees = fields.List(
        fields.Nested(AssigneeOut), metadata={"description": "Who may see to it, those of the nearest unit first"}
    )
    acts = fields.List(fields.Nested(ReplyActOut), metadata={"description": "What was done about it, oldest first"})


@blueprint.route("/inbox")
class Inbox(MethodView):
    """The inbox."""

    @endpoint(Permission.read)
    @blueprint.arguments(InboxQuery, location="query")
    @blueprint.response(200, list_of(InboxOut, "InboxList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List replies that a person has to read, or had to, oldest first

        Replies of nobody known are only for whoever may read everything.
        """
        return _list(query)


@blueprint.route("/inbox/search")
class InboxFound(MethodView):
    """A search in the inbox."""

    @endpoint(Permission.read)
    @blueprint.arguments(InboxSearch)
    @blueprint.response(200, list_of(InboxOut, "InboxFoundList"))
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Find replies by phone, name or words; it changes nothing, and is a POST so that none stands in an address"""
        return _list(body, body["wanted"])


@blueprint.route("/inbox/<int:reply_id>")
class InboxReply(MethodView):
    """One reply."""

    @endpoint(Permission.read)
    @blueprint.response(200, InboxReplyOut)
    def get(self, reply_id: int) -> dict[str, Any]:
        """Show a reply, what would become of an answer to it, who may see to it, and what was done about it"""
        row = inbox.get_inbox_reply(g.session, g.actor, reply_id)
        return {
            **_describe([row])[0],
            "outlook": _describe_outlook(inbox_answers.foresee_answer(g.session, row)),
            "assignees": inbox.list_assignees(g.session, row),
            "acts": list_acts_on(g.session, g.actor, "reply", reply_id),
        }


@blueprint.route("/inbox/<int:reply_id>/assign")
class InboxAssign(MethodView):
    """Who sees to it."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(AssignReplyIn)
    @blueprint.response(200, InboxOut)
    def post(self, body: dict[str, Any], reply_id: int) -> dict[str, Any]:
        """Ask an account to see to the reply, or take that back"""
        inbox.assign_reply(g.session, g.actor, reply_id, body["assignee_id"], body["state"])
        return _show(reply_id)


@blueprint.route("/inbox/<int:reply_id>/answer")
class InboxAnswer(MethodView):
    """Its answer."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(ReplyAnswerIn)
    @blueprint.response(200, InboxOut)
    def post(self, body: dict[str, Any], reply_id: int) -> dict[str, Any]:
        """Answer the reply by a text, which goes the way of every text; a reply gets one"""
        inbox_answers.answer_from_inbox(g.session, g.actor, reply_id, body["text"], body["state"])
        dispatch_after_commit()
        return _show(reply_id)


@blueprint.route("/inbox/<int:reply_id>/close")
class InboxClose(MethodView):
    """Its end."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(CloseReplyIn)
    @blueprint.response(200, InboxOut)
    def post(self, body: dict[str, Any], reply_id: int) -> dict[str, Any]:
        """Say that nothing more is to be done about the reply"""
        inbox.close_reply(g.session, g.actor, reply_id, body["state"], body["why"])
        return _show(reply_id)


@blueprint.route("/inbox/<int:reply_id>/reopen")
class InboxReopen(MethodView):
    """Its new beginning."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(SeenReplyIn)
    @blueprint.response(200, InboxOut)
    def post(self, body: dict[str, Any], reply_id: int) -> dict[str, Any]:
        """See to the reply again"""
        inbox.reopen_reply(g.session, g.actor, reply_id, body["state"])
        return _show(reply_id)


def _list(query: dict[str, Any], wanted: str | None = None) -> dict[str, Any]:
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    require_texts_of(g.session, query["campaign"])
    statement = inbox.find_inbox(
        scope.paths,
        strangers=query["unit"] is None and may_read_strangers(g.session, g.actor),
        status=query["status"],
        campaign=query["campaign"],
        assigned_to=(g.actor.account_id or 0) if query["mine"] else None,
        wanted=wanted,
    )
    rows, following = fetch_page(
        g.session, statement, query, sort="received_at", key=ReplyRow.received_at, id_=ReplyRow.id
    )
    return scope.answer(_describe(rows), following)


def _show(reply_id: int) -> dict[str, Any]:
    return _describe([inbox.get_inbox_reply(g.session, g.actor, reply_id)])[0]


def _describe(rows: list[Any]) -> list[dict[str, Any]]:
    states = [{"state": inbox.describe_state(row.ReplyRow)} for row in rows]
    return [one | state for one, state in zip(describe_answers(rows), states, strict=True)]


def _describe_outlook(outlook: inbox_answers.AnswerOutlook) -> dict[str, Any]:
    names = ("against", "signature", "leaves_at", "waits")
    return {name: getattr(outlook, name) for name in names} | {"against_message": outlook.against}
