"""`/questions`: what texts asked, who answered what, counted up the tree and listed by name."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.campaign_shapes import OFFSET
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.answers import (
    count_respondents,
    find_respondents,
    list_survey_options,
    name_of_respondent,
    open_respondents,
)
from sms_service.replies.asked_questions import close_question, find_questions, get_question, remind_silent
from sms_service.replies.respondents import AnswerStanding, describe_respondents, get_respondent, note_answer
from sms_service.vocabulary import AnswerGroup, Meaning, QuestionKind
from sms_service.web.paging import PageQuery, Scope, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, Out, Whole, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "questions",
    description="What the texts of a campaign ask. Of what somebody said before the question closed, the last yes, no "
    "or choice counts, and without one the last text that was not understood. People are counted, not texts: who was "
    "reminded is one, and who shares a phone has answered what it answered. Always asked = yes + no + wrong_person + "
    "choice + free_text + silent + unreached.",
)

_UNIT = {"description": "Only this unit's subtree; by default all that the caller may read of the question"}


class QuestionQuery(ScopedPageQuery):
    """Which questions."""

    open = fields.Boolean(load_default=None, metadata={"description": "Only those that are open, or that are closed"})
    campaign = Id(load_default=None, metadata={"description": "Only those of this campaign"})


class UnitQuery(In):
    """Of which unit."""

    unit = Id(load_default=None, metadata=_UNIT)


class RespondentQuery(PageQuery):
    """Who of those who were asked."""

    unit = Id(load_default=None, metadata=_UNIT)
    subtree = fields.Boolean(
        load_default=True, metadata={"description": "False: people of the unit itself, not of those below"}
    )
    said = fields.String(
        load_default=AnswerGroup.all.value,
        validate=OneOfWords([*AnswerGroup]),
        metadata={
            "description": "Only these: `reached` (the text left, and nobody says that it did not arrive), those whose "
            "counting answer is `yes`, `no`, `choice`, `wrong_person` or `free_text` (not understood), `silent` "
            "(reached) and `unreached` ones of whom nothing came in time, and those of whom something came `late`"
        },
    )
    option = Whole(load_default=None, metadata={"description": "Only those who chose this answer of a survey, from 1"})


class NoteIn(In):
    """What somebody said otherwise than by a reply."""

    person_id = Id(required=True, metadata={"description": "Who said it; one of those who were asked"})
    said = fields.String(
        required=True,
        validate=OneOfWords([Meaning.yes, Meaning.no, Meaning.choice, Meaning.wrong_person]),
        metadata={"description": "yes or no whether they come; choice of a survey; yes or wrong_person of a check"},
    )
    option = Whole(load_default=None, metadata={"description": "With a choice: the number of the answer, from 1"})
    people = Whole(load_default=None, metadata={"description": "With a yes: how many come, 1 to 999"})
    note = fields.String(load_default="", metadata={"description": "How they said it, at most 200 characters"})


class ClosingIn(In):
    """Until when answers count."""

    closes_at = fields.AwareDateTime(
        load_default=None,
        allow_none=True,
        error_messages={"invalid": OFFSET, "invalid_awareness": OFFSET},
        metadata={"description": "Within 365 days from now, ISO 8601 with offset; left out: now"},
    )


class QuestionOut(Out):
    """A question."""

    id = fields.Integer(attribute="QuestionRow.id", metadata={"description": "The question's id"})
    campaign_id = fields.Integer(
        attribute="QuestionRow.campaign_id", metadata={"description": "The campaign whose texts ask it"}
    )
    campaign = MaskedText(metadata={"description": "The campaign's name"})
    unit = fields.String(metadata={"description": "The name of the campaign's unit"})
    item = fields.Integer(attribute="QuestionRow.item", metadata={"description": "Which text of its schedule asks it"})
    firing = fields.Integer(attribute="QuestionRow.firing", metadata={"description": "Which firing of that text"})
    kind = fields.String(
        attribute="QuestionRow.kind", metadata={"description": f"What it asks: one of {', '.join(QuestionKind)}"}
    )
    options = fields.Function(
        lambda row: list(list_survey_options(row.QuestionRow)),
        metadata={"description": "The answers among which a survey lets people choose, in their order"},
    )
    opened_at = fields.AwareDateTime(attribute="QuestionRow.opened_at", metadata={"description": "When it was asked"})
    closes_at = fields.AwareDateTime(
        attribute="QuestionRow.closes_at", metadata={"description": "Until when answers count"}
    )
    is_open = fields.Boolean(metadata={"description": "Answers count still"})


class AnswerLineOut(Out):
    """A unit with all below it, in people."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    unit = fields.String(metadata={"description": "The unit's name"})
    asked = fields.Integer(metadata={"description": "People in the audience of the texts that ask it"})
    reached = fields.Integer(metadata={"description": "Those whose text left, and nobody says that it did not arrive"})
    yes = fields.Integer(metadata={"description": "Those who said yes"})
    coming = fields.Integer(
        metadata={
            "description": "How many come by that: one where no number was said; a number said from a phone that "
            "several share counts once"
        }
    )
    no = fields.Integer(metadata={"description": "Those who said no"})
    choice = fields.Integer(metadata={"description": "Those who chose an answer"})
    options = fields.List(fields.Integer(), metadata={"description": "Of a survey how many chose each answer"})
    wrong_person = fields.Integer(metadata={"description": "Those whose phone is somebody else's"})
    free_text = fields.Integer(metadata={"description": "Those who said only what was not understood"})
    silent = fields.Integer(metadata={"description": "Those who were reached and said nothing in time"})
    unreached = fields.Integer(metadata={"description": "Those who were not reached and said nothing in time"})
    late = fields.Integer(metadata={"description": "Those who said something too late; they are among the others, too"})


class AnswerCountsOut(Out):
    """How many answered what."""

    own = fields.Nested(
        AnswerLineOut,
        allow_none=True,
        metadata={"description": "All together; null where the caller may read several units of the question alone"},
    )
    below = fields.List(
        fields.Nested(AnswerLineOut),
        metadata={
            "description": "The units right below; who belongs to the unit itself stands under that. Or those units "
            "that the caller may read. The lines add up to the whole"
        },
    )


class GivenAnswerOut(Out):
    """One answer."""

    id = fields.Integer(metadata={"description": "The answer's id"})
    at = fields.AwareDateTime(metadata={"description": "When it was said"})
    said = fields.String(metadata={"description": "What it was read as"})
    choices = fields.String(allow_none=True, metadata={"description": "The number or letters that were chosen"})
    people = fields.Integer(allow_none=True, metadata={"description": "How many come, if it says so"})
    text = MaskedText(allow_none=True, metadata={"description": "The reply or the note; null once redacted"})
    noted_by = fields.String(allow_none=True, metadata={"description": "Who noted it; null of a reply"})
    shared = fields.Boolean(metadata={"description": "It came from the phone that the person shares with another"})
    standing = fields.String(metadata={"description": f"Whether it counts: one of {', '.join(AnswerStanding)}"})


class RespondentOut(Out):
    """Somebody who was asked."""

    person_id = fields.Integer(metadata={"description": "The person"})
    name = MaskedText(allow_none=True, metadata={"description": "The person's name; null of somebody erased"})
    phone = MaskedPhone(allow_none=True)
    unit_id = fields.Integer(metadata={"description": "The unit in which they count"})
    unit = fields.String(metadata={"description": "The unit's name"})
    reached = fields.Boolean(metadata={"description": "The text left, and nobody says that it did not arrive"})
    said = fields.String(allow_none=True, metadata={"description": "What counts; null: nothing was said in time"})
    choices = fields.String(allow_none=True, metadata={"description": "What they chose"})
    coming = fields.Integer(allow_none=True, metadata={"description": "How many come by a yes"})
    late = fields.Boolean(attribute="is_late", metadata={"description": "Something came too late"})
    answers = fields.List(fields.Nested(GivenAnswerOut), metadata={"description": "All that they said, the last first"})


class ReminderOut(Out):
    """The draft of a reminder."""

    campaign_id = fields.Integer(attribute="id", metadata={"description": "The new campaign, to be submitted"})


@blueprint.route("/questions")
class Questions(MethodView):
    """Those that ask the people of the units in scope."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuestionQuery, location="query")
    @blueprint.response(200, list_of(QuestionOut, "QuestionPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List questions of these units and of units above them, the newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = find_questions(scope.paths, is_open=query["open"], campaign=query["campaign"])
        key = QuestionRow.id
        rows, following = fetch_page(g.session, statement, query, sort="id", key=key, id_=key, descending=True)
        return scope.answer(rows, following)


@blueprint.route("/questions/<int:question_id>")
class Question(MethodView):
    """One of them."""

    @endpoint(Permission.read)
    @blueprint.response(200, QuestionOut)
    def get(self, question_id: int) -> Any:
        """Show a question"""
        return get_question(g.session, g.actor, question_id)


@blueprint.route("/questions/<int:question_id>/counts")
class AnswerCounts(MethodView):
    """By unit."""

    @endpoint(Permission.read)
    @blueprint.arguments(UnitQuery, location="query")
    @blueprint.response(200, AnswerCountsOut)
    def get(self, query: dict[str, Any], question_id: int) -> dict[str, Any]:
        """Count the people by what they answered, by unit

        `/questions/{id}/people` with the same unit lists the people of each number.
        """
        respondents = open_respondents(g.session, g.actor, question_id, query["unit"])
        own, below = count_respondents(g.session, respondents)
        return {"own": own, "below": below}


@blueprint.route("/questions/<int:question_id>/people")
class RespondentsByName(MethodView):
    """By name."""

    @endpoint(Permission.read)
    @blueprint.arguments(RespondentQuery, location="query")
    @blueprint.response(200, list_of(RespondentOut, "RespondentPage"))
    def get(self, query: dict[str, Any], question_id: int) -> dict[str, Any]:
        """List the people who were asked by name, each with all answers and which of them counts"""
        respondents = open_respondents(g.session, g.actor, question_id, query["unit"])
        statement = find_respondents(respondents, query["said"], option=query["option"], subtree=query["subtree"])
        id_ = respondents.people.c.person_id
        rows, following = fetch_page(g.session, statement, query, sort="name", key=name_of_respondent(), id_=id_)
        people = describe_respondents(g.session, respondents.question, rows)
        return Scope(respondents.paths, respondents.units).answer(people, following)


@blueprint.route("/questions/<int:question_id>/people/<int:person_id>")
class RespondentByName(MethodView):
    """One person."""

    @endpoint(Permission.read)
    @blueprint.response(200, RespondentOut)
    def get(self, question_id: int, person_id: int) -> Any:
        """Show all that one person answered, what of it counts and why"""
        return get_respondent(g.session, g.actor, question_id, person_id)


@blueprint.route("/questions/<int:question_id>/notes")
class Notes(MethodView):
    """Answers that were given by phone."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(NoteIn)
    @blueprint.response(200, RespondentOut)
    def post(self, body: dict[str, Any], question_id: int) -> Any:
        """Note what somebody said otherwise than by a reply; it counts like a reply of this moment"""
        return note_answer(g.session, g.actor, question_id, body.pop("person_id"), body.pop("said"), **body)


@blueprint.route("/questions/<int:question_id>/remind")
class Reminder(MethodView):
    """A reminder."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.response(200, ReminderOut)
    def post(self, question_id: int) -> Any:
        """Write a draft to those who are silent when it is launched, with the text that asked the question"""
        return remind_silent(g.session, g.actor, question_id)


@blueprint.route("/questions/<int:question_id>/close")
class Closing(MethodView):
    """Until when."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(ClosingIn)
    @blueprint.response(200, QuestionOut)
    def post(self, body: dict[str, Any], question_id: int) -> Any:
        """Close a question now, or let answers count until another time"""
        close_question(g.session, g.actor, question_id, body["closes_at"])
        return get_question(g.session, g.actor, question_id)
