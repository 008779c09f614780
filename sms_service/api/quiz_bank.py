"""`/quiz-categories`, `/quiz-questions`: the bank of quiz questions."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import quiz_bank
from sms_service.content.quiz_choices import (
    LONGEST_EXPLANATION,
    LONGEST_OPTION,
    LONGEST_QUESTION,
    WrittenQuestion,
)
from sms_service.content.quiz_models import QuizCategory, QuizQuestion
from sms_service.directory.models import Unit
from sms_service.parts import measure_text
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of
from sms_service.web.validators import ListLength, TextLength

blueprint = Blueprint(
    "quiz-bank",
    description="The bank of quiz questions, in categories of units. A unit's categories can be used in its whole "
    "subtree and are changed with `manage_templates` over the unit. What a question asks never changes: another "
    "question replaces it, so that what somebody was asked can always be told.",
)

_NAME = "1 to 50 characters, unique in the unit"
RIGHT = "The letters of the right options, in their order, such as A or AC"


class QuizCategoryIn(In):
    """A new category."""

    unit_id = Id(required=True, metadata={"description": "The unit that keeps it"})
    name = OneLine(200, required=True, metadata={"description": _NAME})


class QuizCategoryChange(In):
    """What to change."""

    name = OneLine(200, required=True, metadata={"description": _NAME})


class QuizQuestionQuery(PageQuery):
    """Which questions."""

    wanted = OneLine(
        100, load_default=None, metadata={"description": "Only those that hold this in text, options or explanation"}
    )
    ended = fields.Boolean(load_default=False, metadata={"description": "Those that were retired or replaced instead"})


class QuizQuestionIn(In):
    """What a question asks."""

    text = fields.String(
        required=True,
        validate=TextLength(1, LONGEST_QUESTION),
        metadata={"description": "What is asked, without the options"},
    )
    options = fields.List(
        fields.String(validate=TextLength(1, LONGEST_OPTION)),
        required=True,
        validate=ListLength(2, 6),
        metadata={"description": "2 to 6 options; they get the letters A to F in this order"},
    )
    right_choices = OneLine(20, required=True, metadata={"description": RIGHT, "example": "AC"})
    explanation = fields.String(
        load_default=None,
        allow_none=True,
        validate=TextLength(0, LONGEST_EXPLANATION),
        metadata={"description": "Why, for whoever gets the right answer sent back; null: nothing"},
    )


class QuizCategoryOut(Out):
    """A category."""

    id = fields.Integer(metadata={"description": "The category's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that keeps it; it and all below it can use it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    name = fields.String(metadata={"description": "Its name"})
    questions = fields.Integer(metadata={"description": "How many questions quizzes can take of it"})


class QuizQuestionOut(Out):
    """A question."""

    id = fields.Integer(metadata={"description": "The question's id, for a campaign's `asks`"})
    category_id = fields.Integer(metadata={"description": "The category that it belongs to"})
    text = fields.String(metadata={"description": "What is asked"})
    options = fields.List(fields.String(), metadata={"description": "Its options, lettered from A"})
    right_choices = fields.String(metadata={"description": RIGHT})
    explanation = fields.String(allow_none=True, metadata={"description": "Why; null: nothing is said"})
    written = fields.String(metadata={"description": "Question and options as a text shows them"})
    parts = fields.Integer(
        metadata={"description": "How many parts they take alone, without signature and what else the text says"}
    )
    ended_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Since when no quiz takes it; null: quizzes do"}
    )
    replaced_by = fields.Integer(
        allow_none=True, metadata={"description": "The question that replaces it; null: it was not replaced"}
    )
    created_at = fields.AwareDateTime(metadata={"description": "Since when it is in the bank"})


@blueprint.route("/quiz-categories")
class QuizCategories(MethodView):
    """The categories."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(QuizCategoryOut, "QuizCategoryList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the categories that can be used in the scope: its units' own and those of the units above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = quiz_bank.find_quiz_categories(scope.paths)
        rows, following = fetch_page(
            g.session, statement, query, sort="name", key=QuizCategory.name, id_=QuizCategory.id
        )
        items = [_describe_category(row.QuizCategory, row.Unit, row.questions) for row in rows]
        return scope.answer(items, following)

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(QuizCategoryIn)
    @blueprint.response(201, QuizCategoryOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add an empty category; a file that names new categories adds them too"""
        made = quiz_bank.add_quiz_category(g.session, g.actor, body["unit_id"], body["name"])
        return _show_category(made.id)


@blueprint.route("/quiz-categories/<int:quiz_category_id>")
class OneQuizCategory(MethodView):
    """One category."""

    @endpoint(Permission.read)
    @blueprint.response(200, QuizCategoryOut)
    def get(self, quiz_category_id: int) -> dict[str, Any]:
        """Show a category"""
        return _show_category(quiz_category_id)

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(QuizCategoryChange)
    @blueprint.response(200, QuizCategoryOut)
    def patch(self, body: dict[str, Any], quiz_category_id: int) -> dict[str, Any]:
        """Give it another name"""
        quiz_bank.rename_quiz_category(g.session, g.actor, quiz_category_id, body["name"])
        return _show_category(quiz_category_id)

    @endpoint(Permission.manage_templates)
    @blueprint.response(204)
    def delete(self, quiz_category_id: int) -> None:
        """Take away a category that never had a question"""
        quiz_bank.remove_quiz_category(g.session, g.actor, quiz_category_id)


@blueprint.route("/quiz-categories/<int:quiz_category_id>/questions")
class QuizQuestions(MethodView):
    """The questions of a category."""

    @endpoint(Permission.read)
    @blueprint.arguments(QuizQuestionQuery, location="query")
    @blueprint.response(200, list_of(QuizQuestionOut, "QuizQuestionList", scoped=False))
    def get(self, query: dict[str, Any], quiz_category_id: int) -> dict[str, Any]:
        """List the questions, the oldest first"""
        quiz_bank.get_quiz_category(g.session, g.actor, quiz_category_id)
        statement = quiz_bank.find_quiz_questions(quiz_category_id, query["wanted"] or "", ended=query["ended"])
        rows, following = fetch_page(g.session, statement, query, sort="id", key=QuizQuestion.id, id_=QuizQuestion.id)
        return {"items": [_describe_question(row) for row in rows], "next": following}

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(QuizQuestionIn)
    @blueprint.response(201, QuizQuestionOut)
    def post(self, body: dict[str, Any], quiz_category_id: int) -> dict[str, Any]:
        """Add a question"""
        return _describe_question(
            quiz_bank.keep_quiz_question(g.session, g.actor, quiz_category_id, None, _read_question(body))
        )


@blueprint.route("/quiz-questions/<int:quiz_question_id>")
class OneQuizQuestion(MethodView):
    """One question."""

    @endpoint(Permission.read)
    @blueprint.response(200, QuizQuestionOut)
    def get(self, quiz_question_id: int) -> dict[str, Any]:
        """Show a question"""
        return _describe_question(quiz_bank.get_quiz_question(g.session, g.actor, quiz_question_id)[0])

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(QuizQuestionIn)
    @blueprint.response(200, QuizQuestionOut)
    def put(self, body: dict[str, Any], quiz_question_id: int) -> dict[str, Any]:
        """Put another question in its place; the answer is the new one, with an id of its own"""
        found, category, _ = quiz_bank.get_quiz_question(g.session, g.actor, quiz_question_id)
        written = _read_question(body)
        return _describe_question(quiz_bank.keep_quiz_question(g.session, g.actor, category.id, found.id, written))

    @endpoint(Permission.manage_templates)
    @blueprint.response(204)
    def delete(self, quiz_question_id: int) -> None:
        """Retire a question: no quiz takes it any more"""
        quiz_bank.retire_quiz_question(g.session, g.actor, quiz_question_id)


@blueprint.route("/quiz-questions/<int:quiz_question_id>/restore")
class RestoredQuizQuestion(MethodView):
    """A retired question."""

    @endpoint(Permission.manage_templates)
    @blueprint.response(200, QuizQuestionOut)
    def post(self, quiz_question_id: int) -> dict[str, Any]:
        """Let quizzes take a retired question again"""
        return _describe_question(quiz_bank.retire_quiz_question(g.session, g.actor, quiz_question_id, retired=False))


def _read_question(body: dict[str, Any]) -> WrittenQuestion:
    return WrittenQuestion(body["text"], tuple(body["options"]), body["right_choices"], body["explanation"])


def _show_category(category_id: int) -> dict[str, Any]:
    category, unit = quiz_bank.get_quiz_category(g.session, g.actor, category_id)
    return _describe_category(category, unit, quiz_bank.count_quiz_questions(g.session, category_id))


def _describe_category(category: QuizCategory, unit: Unit, questions: int) -> dict[str, Any]:
    return {
        **{name: getattr(category, name) for name in ("id", "unit_id", "name")},
        "unit": unit.name,
        "questions": questions,
    }


def _describe_question(question: QuizQuestion) -> dict[str, Any]:
    names = ("id", "category_id", "written", "ended_at", "replaced_by", "created_at")
    return {
        **quiz_bank.as_written(question)._asdict(),
        **{name: getattr(question, name) for name in names},
        "parts": measure_text(question.written).parts,
    }
