"""`/quizzes`, `/campaigns/{id}/quiz`: what came of quizzes."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.replies import quiz_counting
from sms_service.replies.quiz_counting import QuizLine, QuizState
from sms_service.web.paging import PageQuery, Scope, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "quiz-results",
    description="What came of quizzes. Each question of a campaign counts a person once: asked = answered + silent + "
    "unreachable. Answered: who named an option in time; only so many tries count as the quiz allows, in the order in "
    "which they were said. Units are those of the freeze.",
)

_UNIT = {"description": "Only this unit's subtree; by default all of the campaign that the caller may read"}
_QUESTION = {"description": "Only this question of the campaign, by its id; by default all"}


class QuizResultQuery(In):
    """Of whom."""

    unit = Id(load_default=None, metadata=_UNIT)
    question = Id(load_default=None, metadata=_QUESTION)


class QuizScoreQuery(PageQuery):
    """The same, page by page."""

    unit = Id(load_default=None, metadata=_UNIT)
    question = Id(load_default=None, metadata=_QUESTION)


class QuizPersonQuery(QuizScoreQuery):
    """Which people."""

    subtree = fields.Boolean(
        load_default=True, metadata={"description": "False: people of the unit itself, not of those below"}
    )
    state = fields.String(
        load_default=None,
        validate=OneOfWords([*QuizState]),
        metadata={"description": "Only people who answered, were right or wrong, silent, or unreachable"},
    )
    asked = Id(load_default=None, metadata={"description": "Only people who were asked this question of the bank"})


class QuizOut(Out):
    """A campaign that asked a quiz."""

    campaign_id = fields.Integer(attribute="Campaign.id", metadata={"description": "The campaign"})
    campaign = MaskedText(attribute="Campaign.name", metadata={"description": "Its name"})
    unit_id = fields.Integer(attribute="Unit.id", metadata={"description": "The campaign's unit"})
    unit = fields.String(attribute="Unit.name", metadata={"description": "The unit's name"})
    questions = fields.Integer(metadata={"description": "How often it asked: once with each text"})
    opened_at = fields.AwareDateTime(metadata={"description": "When it asked last"})
    closes_at = fields.AwareDateTime(metadata={"description": "Until when answers to that count"})


class QuizCountsOut(Out):
    """Counts: asked = answered + silent + unreachable."""

    asked = fields.Integer(metadata={"description": "People who were to be asked, once for each question"})
    answered = fields.Integer(metadata={"description": "Those who named an option in time"})
    right = fields.Integer(metadata={"description": "Those of them who were right in a try that counts"})
    silent = fields.Integer(metadata={"description": "Those who were reached, or may have been, and named none"})
    unreachable = fields.Integer(metadata={"description": "Those skipped, or whose text surely did not arrive"})


class QuizLineOut(QuizCountsOut):
    """Counts of a unit, a category or a question of the bank."""

    id = fields.Integer(metadata={"description": "Its id"})
    name = fields.String(metadata={"description": "Its name; of a question, what it asks"})


class QuizResultOut(Out):
    """What came of a quiz."""

    questions = fields.List(fields.Integer(), metadata={"description": "The ids of the campaign's questions"})
    total = fields.Nested(QuizCountsOut, metadata={"description": "All together"})
    units = fields.List(
        fields.Nested(QuizLineOut),
        metadata={"description": "By the units right below, or those that the caller may read; they add up"},
    )
    categories = fields.List(fields.Nested(QuizLineOut), metadata={"description": "By category of the bank"})
    missed = fields.List(
        fields.Nested(QuizLineOut),
        metadata={
            "description": f"By question of the bank, those missed most first; at most {quiz_counting.MOST_QUESTIONS}"
        },
    )


class QuizPersonOut(Out):
    """A person who was asked a question."""

    person_id = fields.Integer(metadata={"description": "The person"})
    name = MaskedText(allow_none=True, metadata={"description": "The person's name; null of somebody erased"})
    phone = MaskedPhone(allow_none=True)
    unit_id = fields.Integer(metadata={"description": "The unit for which they were asked"})
    unit = fields.String(metadata={"description": "The unit's name"})
    message_id = fields.Integer(metadata={"description": "The row of the ledger"})
    question_id = fields.Integer(metadata={"description": "The campaign's question"})
    quiz_question_id = fields.Integer(allow_none=True, metadata={"description": "The question of the bank"})
    text = fields.String(allow_none=True, metadata={"description": "What that asks"})
    state = fields.String(metadata={"description": "`answered`, `silent` or `unreachable`"})
    choices = fields.String(
        allow_none=True, metadata={"description": "What they chose, tries with an arrow between; null: nothing"}
    )
    correct = fields.Boolean(allow_none=True, metadata={"description": "Whether they were right; null: no answer"})


class QuizScoreOut(QuizCountsOut):
    """A person over all questions."""

    person_id = fields.Integer(metadata={"description": "The person"})
    name = MaskedText(allow_none=True, metadata={"description": "The person's name; null of somebody erased"})
    unit_id = fields.Integer(metadata={"description": "A unit for which they were asked"})
    unit = fields.String(metadata={"description": "The unit's name"})


@blueprint.route("/quizzes")
class Quizzes(MethodView):
    """The quizzes."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(QuizOut, "QuizList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the campaigns that asked a quiz, those first that asked last"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement, last_id = quiz_counting.find_quizzes(scope.paths)
        rows, following = fetch_page(
            g.session, statement, query, sort="asked", key=last_id, id_=last_id, descending=True
        )
        return scope.answer(rows, following)


@blueprint.route("/campaigns/<int:campaign_id>/quiz")
class QuizResults(MethodView):
    """What came of a quiz."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuizResultQuery, location="query")
    @blueprint.response(200, QuizResultOut)
    def get(self, query: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Count asked, answered, right, silent and unreachable, by unit, category and question

        `/quiz/people` with the same unit lists the people of each number.
        """
        quiz = quiz_counting.open_quiz(g.session, g.actor, campaign_id, query["unit"], query["question"])
        return {
            "questions": [one.id for one in quiz.questions],
            "total": quiz_counting.count_quiz(g.session, quiz)._asdict(),
            "units": _describe(quiz_counting.count_quiz_by_unit(g.session, quiz)),
            "categories": _describe(quiz_counting.count_quiz_by_category(g.session, quiz)),
            "missed": _describe(quiz_counting.list_missed_questions(g.session, quiz)),
        }


@blueprint.route("/campaigns/<int:campaign_id>/quiz/people")
class QuizPeople(MethodView):
    """By name."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuizPersonQuery, location="query")
    @blueprint.response(200, list_of(QuizPersonOut, "QuizPersonPage"))
    def get(self, query: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """List the people whom a quiz asked, with what they answered"""
        quiz = quiz_counting.open_quiz(g.session, g.actor, campaign_id, query["unit"], query["question"])
        found = quiz_counting.find_quiz_people(
            quiz, query["state"], subtree=query["subtree"], quiz_question_id=query["asked"]
        )
        row = quiz.rows.c
        rows, following = fetch_page(g.session, found, query, sort="person", key=row.person_id, id_=row.message_id)
        return Scope(quiz.paths, quiz.units).answer(rows, following)


@blueprint.route("/campaigns/<int:campaign_id>/quiz/scores")
class QuizScores(MethodView):
    """By score."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuizScoreQuery, location="query")
    @blueprint.response(200, list_of(QuizScoreOut, "QuizScorePage"))
    def get(self, query: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """List what each person scored over all questions of the campaign, the best first"""
        quiz = quiz_counting.open_quiz(g.session, g.actor, campaign_id, query["unit"], query["question"])
        found, score, person_id = quiz_counting.find_quiz_scores(quiz)
        rows, following = fetch_page(g.session, found, query, sort="score", key=score, id_=person_id, descending=True)
        return Scope(quiz.paths, quiz.units).answer(rows, following)


def _describe(lines: list[QuizLine]) -> list[dict[str, Any]]:
    return [{"id": one.id, "name": one.name, **one.counts._asdict()} for one in lines]
