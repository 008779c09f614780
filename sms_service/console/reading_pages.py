"""What a reply means, said by a person: one tap for each thing that it may answer."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.people import search_people
from sms_service.console.rendering import name_here, render_page
from sms_service.directory.people import get_person
from sms_service.replies.given_by_hand import READABLE
from sms_service.replies.models import ReplyRow
from sms_service.replies.rereading import (
    WITHOUT_QUESTION,
    CandidateQuestion,
    list_candidates,
    list_readings,
    read_candidate,
    require_reply,
    reread_reply,
)
from sms_service.said import say
from sms_service.vocabulary import Meaning, QuestionKind
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_of

MOST_PEOPLE_FOUND = 20


class WhoseQuery(In):
    """Whose answer it is, where it came from a phone that was not asked."""

    person = Id(load_default=None)


class MeaningForm(In):
    """What it means. `seen`: what the visitor saw that it was read as."""

    meaning = fields.String(required=True, validate=OneOfWords([*Meaning]))
    question_id = Id(load_default=None)
    person_id = Id(load_default=None)
    choices = OneLine(20, load_default=None)
    seen = fields.String(load_default="")


@page_view("/inbox/<int:reply_id>/meaning", Permission.edit_campaigns, methods=("GET", "POST"))
def show_reply_meaning(reply_id: int) -> str:
    """What the reply may answer, each with one tap; of a number that was not asked, a search for whose it is."""
    reply = require_reply(g.session, g.actor, Permission.edit_campaigns, reply_id)
    wanted = request.form.get("wanted", "").strip() if request.method == "POST" else None
    person_id = read_query(WhoseQuery)["person"]
    person = get_person(g.session, g.actor, person_id) if person_id is not None else None
    return render_page(
        "reply_meaning.html",
        reply=reply,
        person=person,
        wanted=wanted,
        found=search_people(wanted, MOST_PEOPLE_FOUND) if wanted else (),
        candidates=[_describe(reply, one) for one in list_candidates(g.session, g.actor, reply, person_id)],
        without=[one for one in WITHOUT_QUESTION if one != Meaning.free_text],
        before=list_readings(g.session, reply),
        name_meaning=lambda meaning: name_here(Meaning(meaning)) if meaning else "–",
    )


@act_view("/inbox/<int:reply_id>/meaning/say", Permission.edit_campaigns, again=show_reply_meaning)
def say_reply_meaning(reply_id: int) -> Response:
    """Read the reply as this; the reading before is kept."""
    form = read_form(MeaningForm)
    meaning = Meaning(form["meaning"])
    given = {name: form[name] for name in ("question_id", "person_id", "choices")}
    reread_reply(g.session, g.actor, reply_id, meaning, instead_of=form["seen"], **given)
    return go_to("console.list_inbox", said=say("Read as: {meaning}.", meaning=name_of(meaning)))


def _describe(reply: ReplyRow, candidate: CandidateQuestion) -> dict[str, Any]:
    """A question that it may answer: what its words say to it, and what a person may say instead."""
    question = candidate.question
    understood = read_candidate(g.session, candidate, reply.text or "")
    return {
        "question": question,
        "kind": QuestionKind(question.kind),
        "campaign": candidate.campaign,
        "message": candidate.message,
        "understood": understood,
        "others": [one for one in READABLE[question.kind] if understood is None or one != understood.said],
        "options": question.asks.get("options", ()),
    }
