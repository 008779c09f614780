"""Replies: what people answered, whom and what they answered, and what a stop did."""

from __future__ import annotations

from flask import g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audience.suppression import suppressed_among
from sms_service.campaigns.overview import get_campaign
from sms_service.console.forms import read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.replies.answering import find_answer_texts, find_withheld
from sms_service.replies.listing import find_answered_campaigns, find_replies, may_read_strangers, require_texts_of
from sms_service.replies.models import ReplyRow
from sms_service.vocabulary import Meaning
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_of


class RepliesFilter(ScopedPageQuery):
    """Which replies."""

    meaning = fields.String(load_default=None, validate=OneOfWords([*Meaning]))
    campaign = Id(load_default=None)
    reply = Id(load_default=None)


@page_view("/replies", Permission.read)
def list_replies() -> str:
    """Replies by unit, campaign and meaning, newest first."""
    query = read_query(RepliesFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    campaign = get_campaign(g.session, g.actor, query["campaign"]) if query["campaign"] is not None else None
    strangers = query["unit"] is None and may_read_strangers(g.session, g.actor)
    require_texts_of(g.session, query["campaign"])
    chosen = {name: query[name] for name in ("meaning", "campaign", "reply")}
    statement = find_replies(scope.paths, strangers=strangers, **chosen)
    rows, following = fetch_page(
        g.session,
        statement,
        query,
        sort="received_at",
        key=ReplyRow.received_at,
        id_=ReplyRow.id,
        descending=True,
    )
    keys = [(row.ReplyRow.in_month, row.ReplyRow.id) for row in rows]
    stopped = {row.ReplyRow.phone for row in rows if row.ReplyRow.meaning == Meaning.stop and row.ReplyRow.phone}
    return render_page(
        "replies.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        campaign=campaign,
        answered=find_answered_campaigns(g.session, [row.ReplyRow for row in rows]),
        answers=find_answer_texts(g.session, keys),
        withheld=find_withheld(g.session, keys),
        suppressed=suppressed_among(g.session, stopped, for_some=True),
        meanings=[(meaning.value, translate_here(name_of(meaning))) for meaning in Meaning],
        name_meaning=lambda meaning: name_of(Meaning(meaning)),
        may_read=lambda path: g.actor.can(Permission.read, path),
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
    )
