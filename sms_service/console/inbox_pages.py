"""收件箱: replies that a person has to read, and what can be done about each."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.overview import get_campaign
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.trail_sentences import tell_act
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.text import LONGEST_WHY
from sms_service.replies import inbox, inbox_answers
from sms_service.replies.answering import find_answer_texts, find_answered_text, find_withheld
from sms_service.replies.listing import find_answered_campaigns, may_read_strangers, require_texts_of
from sms_service.replies.models import ReplyRow
from sms_service.reports.acts import list_acts_on, name_targets
from sms_service.said import as_said
from sms_service.vocabulary import InboxStatus, Meaning
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import dispatch_after_commit

MOST_FOUND = 50  # by a search, which has no second page: its words stand in no address
LONGEST_WANTED = 100


class InboxFilter(ScopedPageQuery):
    """Which replies. `waiting`: only those that the visitor may see to."""

    status = fields.String(load_default=InboxStatus.unread.value, validate=OneOfWords(list(InboxStatus)))
    campaign = Id(load_default=None)
    mine = fields.Boolean(load_default=False)
    waiting = fields.Boolean(load_default=False)


class SeenReplyForm(In):
    """`state`: in which the visitor saw the reply."""

    state = fields.String(required=True)


class AssignReplyForm(SeenReplyForm):
    """Who shall see to it; left empty: nobody any more."""

    assignee_id = Id(load_default=None)


class AnswerReplyForm(SeenReplyForm):
    """What is answered."""

    text = fields.String(required=True)


class CloseReplyForm(SeenReplyForm):
    """Why nothing more is to be done."""

    why = OneLine(LONGEST_WHY, load_default=None)


@page_view("/inbox", Permission.read, methods=("GET", "POST"))
def list_inbox() -> str:
    """Replies that a person has to read, or those that a search finds: by phone, name or words."""
    if request.method == "POST":
        return _search(request.form.get("wanted", "").strip()[:LONGEST_WANTED])
    query = read_query(InboxFilter)
    permission = Permission.edit_campaigns if query["waiting"] else Permission.read
    scope = scope_filter(g.session, g.actor, permission, query["unit"])
    may_see = inbox.may_see_to_strangers if query["waiting"] else may_read_strangers
    require_texts_of(g.session, query["campaign"])
    statement = inbox.find_inbox(
        scope.paths,
        strangers=query["unit"] is None and may_see(g.session, g.actor),
        status=query["status"],
        campaign=query["campaign"],
        assigned_to=(g.actor.account_id or 0) if query["mine"] else None,
    )
    rows, following = fetch_page(
        g.session,
        statement,
        query,
        sort="received_at",
        key=ReplyRow.received_at,
        id_=ReplyRow.id,
        descending=query["status"] not in list(inbox.OPEN),
    )
    campaign = get_campaign(g.session, g.actor, query["campaign"]) if query["campaign"] is not None else None
    return _list(rows, query, following=following, scope=scope.units, campaign=campaign)


@page_view("/inbox/<int:reply_id>", Permission.read)
def show_inbox_reply(reply_id: int) -> str:
    """One of them: who wrote it, what it answers, what was done about it, and what can be."""
    row = inbox.get_inbox_reply(g.session, g.actor, reply_id)
    reply: ReplyRow = row.ReplyRow
    key = (reply.in_month, reply.id)
    may_act = inbox.may_see_to(g.session, g.actor, row)
    is_open = reply.inbox_status in list(inbox.OPEN)
    return render_page(
        "inbox_reply.html",
        row=row,
        state=inbox.describe_state(reply),
        status_of_reply=InboxStatus(reply.inbox_status or ""),
        meaning=Meaning(reply.meaning) if reply.meaning else None,
        may_act=may_act,
        is_open=is_open,
        answer=find_answer_texts(g.session, [key]).get(key),
        withheld=find_withheld(g.session, [key]).get(key),
        outlook=inbox_answers.foresee_answer(g.session, row) if may_act and is_open else None,
        assignees=inbox.list_assignees(g.session, row) if may_act and is_open else (),
        longest=inbox_answers.LONGEST_ANSWER,
        answered=find_answered_text(g.session, reply),
        campaign=find_answered_campaigns(g.session, [reply]).get(reply.message_id or 0),
        acts=_tell(list_acts_on(g.session, g.actor, "reply", reply.id)),
    )


@act_view("/inbox/<int:reply_id>/assign", Permission.edit_campaigns, again=show_inbox_reply)
def assign_inbox_reply(reply_id: int) -> Response:
    """Ask somebody to see to it, or nobody any more."""
    form = read_form(AssignReplyForm)
    inbox.assign_reply(g.session, g.actor, reply_id, form["assignee_id"], form["state"])
    said = "It is assigned." if form["assignee_id"] else "It is assigned to nobody any more."
    return go_to("console.show_inbox_reply", said=as_said(said), reply_id=reply_id)


@act_view("/inbox/<int:reply_id>/answer", Permission.edit_campaigns, again=show_inbox_reply)
def answer_inbox_reply(reply_id: int) -> Response:
    """Answer it by a text."""
    form = read_form(AnswerReplyForm)
    inbox_answers.answer_from_inbox(g.session, g.actor, reply_id, form["text"], form["state"])
    dispatch_after_commit()
    return go_to("console.show_inbox_reply", said=as_said("The answer is on its way."), reply_id=reply_id)


@act_view("/inbox/<int:reply_id>/close", Permission.edit_campaigns, again=show_inbox_reply)
def close_inbox_reply(reply_id: int) -> Response:
    """Nothing more is to be done about it."""
    form = read_form(CloseReplyForm)
    inbox.close_reply(g.session, g.actor, reply_id, form["state"], form["why"])
    return go_to("console.list_inbox", said=as_said("The reply is closed."))


@act_view("/inbox/<int:reply_id>/reopen", Permission.edit_campaigns, again=show_inbox_reply)
def reopen_inbox_reply(reply_id: int) -> Response:
    """See to it again."""
    form = read_form(SeenReplyForm)
    inbox.reopen_reply(g.session, g.actor, reply_id, form["state"])
    return go_to("console.show_inbox_reply", said=as_said("The reply is open again."), reply_id=reply_id)


def _search(wanted: str) -> str:
    query = read_query(InboxFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, None)
    strangers = may_read_strangers(g.session, g.actor)
    found = inbox.find_inbox(scope.paths, strangers=strangers, wanted=wanted)
    newest = found.order_by(ReplyRow.received_at.desc(), ReplyRow.id.desc()).limit(MOST_FOUND + 1)
    rows = g.session.execute(newest).all() if wanted else []
    return _list(rows[:MOST_FOUND], query, wanted=wanted, more=len(rows) > MOST_FOUND, scope=scope.units)


def _list(rows: list[Any], query: dict[str, Any], **values: Any) -> str:
    paths, strangers = g.actor.scope(Permission.read), may_read_strangers(g.session, g.actor)
    return render_page(
        "inbox.html",
        **{"wanted": None, "more": False, "following": None, "campaign": None, **values},
        rows=rows,
        query=query,
        open=inbox.count_open_replies(g.session, paths, strangers=strangers, mine=g.actor.account_id),
        answered=find_answered_campaigns(g.session, [row.ReplyRow for row in rows]),
        statuses=[(one.value, name_here(one)) for one in InboxStatus],
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        most=MOST_FOUND,
    )


def _tell(entries: list[TrailEntry]) -> list[dict[str, Any]]:
    names = name_targets(g.session, g.actor, entries)
    return [{"said": tell_act(one, names), "at": one.at, "why": one.details.get("why")} for one in entries]
