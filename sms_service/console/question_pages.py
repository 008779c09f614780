"""报名与调查: the questions that texts ask, and one of them: who comes, by name and by unit, and who is silent."""

from __future__ import annotations

from typing import Any

from flask import Response, g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.moments import parse_moment, write_moment
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit, list_above
from sms_service.directory.models import CITY_ZONE, Unit
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.answers import (
    AnswerLine,
    Respondents,
    add_lines,
    count_respondents,
    find_respondents,
    list_survey_options,
    name_of_respondent,
    open_respondents,
)
from sms_service.replies.asked_questions import close_question, find_questions, get_question, remind_silent
from sms_service.replies.given_by_hand import list_notable
from sms_service.replies.respondents import describe_respondents, get_respondent, note_answer
from sms_service.said import as_said, say
from sms_service.vocabulary import AnswerGroup, Meaning, QuestionKind
from sms_service.web.context import current_context
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, Whole
from sms_service.web.validators import OneOfWords

# What a page shows of each kind, and how its bar is coloured; what is "choice" of a survey stands option by option.
SHOWN: dict[str, tuple[str, ...]] = {
    QuestionKind.rsvp: ("yes", "no", "free_text", "silent", "unreached"),
    QuestionKind.survey: ("choice", "free_text", "silent", "unreached"),
    QuestionKind.check: ("yes", AnswerGroup.wrong_person.value, "free_text", "silent", "unreached"),
}
COLOURS = {
    "yes": "delivered",
    "choice": "delivered",
    "no": "refused",
    AnswerGroup.wrong_person: "refused",
    "free_text": "unknown",
    "silent": "pending",
    "unreached": "expired",
}


class QuestionsFilter(ScopedPageQuery):
    """Which questions."""

    closed = fields.Boolean(load_default=False)
    campaign = Id(load_default=None)


class QuestionQuery(PageQuery):
    """Of which unit, and who."""

    unit = Id(load_default=None)
    subtree = fields.Boolean(load_default=True)
    said = fields.String(load_default=None, validate=OneOfWords([*AnswerGroup]))
    option = Whole(load_default=None)


class NoteForm(In):
    """What somebody said; `group` and `unit`: of which list it was, to come back to."""

    said = fields.String(required=True)
    option = Whole(load_default=None)
    people = Whole(load_default=None)
    note = fields.String(load_default="")
    group = fields.String(load_default=None, validate=OneOfWords([*AnswerGroup]))
    unit = Id(load_default=None)


class QuestionClosingForm(In):
    """Until when; nothing: now."""

    at = fields.String(load_default="")


@page_view("/questions", Permission.read)
def list_asked_questions() -> str:
    """The questions that are open, the newest first, or those that are closed."""
    query = read_query(QuestionsFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    is_open = None if query["campaign"] else not query["closed"]
    statement = find_questions(scope.paths, is_open=is_open, campaign=query["campaign"])
    key = QuestionRow.id
    rows, following = fetch_page(g.session, statement, query, sort="id", key=key, id_=key, descending=True)
    return render_page(
        "questions.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
    )


@page_view("/questions/<int:question_id>", Permission.read)
def show_question(question_id: int) -> str | Response:
    """One question: how many said what, by unit, and by name. That of a quiz has a page of its own."""
    query = read_query(QuestionQuery)
    respondents = open_respondents(g.session, g.actor, question_id, query["unit"])
    if respondents.question.kind == QuestionKind.quiz:
        return go_to("console.show_quiz_results", campaign_id=respondents.question.campaign_id)
    row = get_question(g.session, g.actor, question_id)
    own, below = count_respondents(g.session, respondents)
    options = list_survey_options(respondents.question)
    total = own or add_lines(respondents.units[0], below, len(options))
    is_whole = len(below) > 1 or any(line.unit_id != total.unit_id for line in below)
    group = query["said"] or (None if is_whole and query["option"] is None else AnswerGroup.all.value)
    people: list[Any] = []
    following = None
    if group is not None:
        statement = find_respondents(respondents, group, option=query["option"], subtree=query["subtree"])
        id_ = respondents.people.c.person_id
        rows, following = fetch_page(g.session, statement, query, sort="name", key=name_of_respondent(), id_=id_)
        people = describe_respondents(g.session, respondents.question, rows)
    may_write = g.actor.can(Permission.edit_campaigns, respondents.path)
    notable = list_notable(respondents.question.kind) if row.is_open else ()
    writes = g.actor.scope(Permission.edit_campaigns)
    return render_page(
        "question.html",
        row=row,
        question=respondents.question,
        kind=respondents.question.kind,
        line=_list_line(respondents),
        total=total,
        below=[(one, one.unit_id != total.unit_id or own is None) for one in below] if is_whole else [],
        options=list(enumerate(options, start=1)),
        shown=SHOWN[respondents.question.kind],
        pieces=_cut_bar,
        share=_share,
        people=people,
        following=following,
        query=query,
        group=group,
        labels=_labels(respondents.question),
        may_open=g.actor.can(Permission.read, respondents.path),
        may_remind=may_write and row.is_open,
        may_close=g.actor.can(Permission.operate_campaigns, respondents.path),
        notable=[one for one in notable if one != Meaning.choice],
        may_note=lambda path: row.is_open and any(path.startswith(held) for held in writes),
    )


@page_view("/questions/<int:question_id>/people/<int:person_id>", Permission.read)
def show_respondent(question_id: int, person_id: int) -> str:
    """All that one person answered, what of it counts, and a form to note what they said by phone."""
    row = get_question(g.session, g.actor, question_id)
    one = get_respondent(g.session, g.actor, question_id, person_id)
    return render_page(
        "respondent.html",
        row=row,
        question=row.QuestionRow,
        one=one,
        options=list(enumerate(list_survey_options(row.QuestionRow), start=1)),
        labels=_labels(row.QuestionRow),
        notable=[*list_notable(row.QuestionRow.kind)],
        may_note=row.is_open and g.actor.can(Permission.edit_campaigns, one.path),
    )


@act_view("/questions/<int:question_id>/people/<int:person_id>/note", Permission.edit_campaigns, again=show_respondent)
def note_one_answer(question_id: int, person_id: int) -> Response:
    """Note what somebody said by phone."""
    form = read_form(NoteForm)
    group, unit = form.pop("group"), form.pop("unit")
    one = note_answer(g.session, g.actor, question_id, person_id, form.pop("said"), **form)
    said = say("Noted what {name} said.", name=one.name or "")
    if group is None:
        return go_to("console.show_respondent", said=said, question_id=question_id, person_id=person_id)
    response = go_to("console.show_question", said=said, question_id=question_id)
    response.location = url_for("console.show_question", question_id=question_id, said=group, unit=unit)
    return response


@act_view("/questions/<int:question_id>/remind", Permission.edit_campaigns)
def write_reminder(question_id: int) -> Response:
    """A draft to those who are silent; its Check page names who is not texted, and sends it."""
    campaign = remind_silent(g.session, g.actor, question_id)
    said = as_said("This goes to those who have said nothing when it is sent. Look at it, then send it.")
    return go_to("console.show_check", said=said, campaign_id=campaign.id)


@page_view("/questions/<int:question_id>/close", Permission.operate_campaigns)
def ask_question_close(question_id: int) -> str:
    """Until when answers count."""
    row = get_question(g.session, g.actor, question_id)
    g.actor.require(Permission.operate_campaigns, row.path)
    zone = _zone(row)
    return render_page(
        "question_close.html",
        row=row,
        question=row.QuestionRow,
        zone=zone if zone != CITY_ZONE else None,
        closes=write_moment(row.QuestionRow.closes_at, zone),
        earliest=write_moment(current_context().clock(), zone),
    )


@act_view("/questions/<int:question_id>/close", Permission.operate_campaigns, again=ask_question_close)
def close_one_question(question_id: int) -> Response:
    """Close it, or move its end."""
    row, at = get_question(g.session, g.actor, question_id), read_form(QuestionClosingForm)["at"]
    closes_at = parse_moment(at, zone=_zone(row)) if at else None
    close_question(g.session, g.actor, question_id, closes_at)
    said = as_said("Answers count until the new time.") if at else as_said("It is closed: what comes now is late.")
    return go_to("console.show_question", said=said, question_id=question_id)


def _zone(row: Any) -> str:
    zone: str = g.session.get_one(Unit, int(row.path.rstrip("/").rpartition("/")[2])).timezone
    return zone


def _list_line(respondents: Respondents) -> list[Unit]:
    """The unit that is read, below those above it, from that of the question on."""
    if len(respondents.units) != 1:
        return []
    (unit,) = respondents.units
    return [one for one in (*list_above(g.session, g.actor, unit), unit) if one.path.startswith(respondents.path)]


def _labels(question: QuestionRow) -> dict[str, Any]:
    """What people read for what was said: of a check, yes is that it is they."""
    words = {
        "yes": as_said("Comes"),
        "no": as_said("Does not come"),
        "choice": as_said("Answered"),
        AnswerGroup.wrong_person: as_said("Not this person"),
        "free_text": as_said("Not understood"),
        "silent": as_said("Said nothing"),
        "unreached": as_said("Not reached"),
        "late": as_said("Too late"),
        "all": as_said("Everybody"),
        "reached": as_said("Reached"),
    }
    return words | ({"yes": as_said("It is they")} if question.kind == QuestionKind.check else {})


def _cut_bar(line: AnswerLine, shown: tuple[str, ...]) -> list[tuple[str, float, float]]:
    """The pieces of a line's bar: colour, begin and width in per cent."""
    pieces, begin = [], 0.0
    for name in shown:
        width = _share(getattr(line, name), line.asked)
        pieces.append((COLOURS[name], round(begin, 2), width))
        begin += width
    return pieces


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0
