"""`/quiz-categories`, `/quiz-questions`, `/quiz-imports`: the bank of quiz questions."""

from __future__ import annotations

from typing import Any

from flask import Response, g, send_file
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import quiz_bank, quiz_imports
from sms_service.content.list_files import FORMATS
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
from sms_service.web.schemas import Id, In, OneLine, Out, SaidMessage, list_of
from sms_service.web.validators import ListLength, OneOfWords, TextLength

MOST_SHOWN = 200  # rows in a plan, of each kind

blueprint = Blueprint(
    "quiz-bank",
    description="The bank of quiz questions, in categories of units. A unit's categories can be used in its whole "
    "subtree and are changed with `manage_templates` over the unit. What a question asks never changes: another "
    "question replaces it, so that what somebody was asked can always be told.",
)

_NAME = "1 to 50 characters, unique in the unit"
_RIGHT = "The letters of the right options, in their order, such as A or AC"


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
    right_choices = OneLine(20, required=True, metadata={"description": _RIGHT, "example": "AC"})
    explanation = fields.String(
        load_default=None,
        allow_none=True,
        validate=TextLength(0, LONGEST_EXPLANATION),
        metadata={"description": "Why, for whoever gets the right answer sent back; null: nothing"},
    )


class QuizFileForm(In):
    """For which bank a file is."""

    unit_id = Id(required=True, metadata={"description": "The unit whose bank takes the questions"})
    category = OneLine(
        200,
        load_default=None,
        allow_none=True,
        metadata={"description": "The category of rows that name none; without it each row must name one"},
    )


class QuizFile(In):
    """The file."""

    file = Upload(
        required=True,
        metadata={
            "description": "A CSV or xlsx file of at most 20,000 rows, with the columns 类别, 题目, A to F, 答案 and "
            "解析 (or what offices call them). A row without options whose answer is 对 or 错 asks whether something "
            "is true"
        },
    )


class QuizApplyIn(In):
    """Which plan was seen."""

    version = OneLine(40, required=True, metadata={"description": "`version` of the plan"})


class RefusedFormatQuery(In):
    """As which kind of file."""

    format = fields.String(
        load_default="xlsx", validate=OneOfWords(FORMATS), metadata={"description": "`xlsx` or `csv`"}
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
    right_choices = fields.String(metadata={"description": _RIGHT})
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


class StandingQuestionOut(Out):
    """What a question says."""

    text = fields.String(metadata={"description": "What it asks"})
    options = fields.List(fields.String(), metadata={"description": "Its options"})
    right_choices = fields.String(metadata={"description": _RIGHT})
    explanation = fields.String(allow_none=True, metadata={"description": "Why; null: nothing is said"})


class PlannedQuestionOut(StandingQuestionOut):
    """A row of a file that can be used."""

    row = fields.Integer(metadata={"description": "Its number in the file"})
    category = fields.String(metadata={"description": "Its category"})


class ReplacedQuestionOut(PlannedQuestionOut):
    """A row whose question is in the bank, but says something else there."""

    question_id = fields.Integer(metadata={"description": "The question that it would replace"})
    standing = fields.Nested(StandingQuestionOut, metadata={"description": "What that question says"})


class LongQuestionOut(Out):
    """A row whose question is long."""

    row = fields.Integer(metadata={"description": "Its number in the file"})
    parts = fields.Integer(metadata={"description": "How many parts question and options take alone"})


class RefusedQuestionOut(Out):
    """A row that cannot be used."""

    row = fields.Integer(metadata={"description": "Its number in the file"})
    reason = fields.String(metadata={"description": "Why, and what would be right"})
    reason_message = SaidMessage(metadata={"description": "The same, for saying it in another language"})


class QuizPlanOut(Out):
    """What a file would make of the bank of a unit."""

    draft_id = fields.Integer(metadata={"description": "The file as it waits"})
    version = fields.String(metadata={"description": "What the plan changes, as a digest, for applying it"})
    unit_id = fields.Integer(metadata={"description": "The unit whose bank it is"})
    created = fields.Integer(metadata={"description": "Questions that the bank has not yet"})
    unchanged = fields.Integer(metadata={"description": "Questions that the bank has already"})
    replaced = fields.Integer(metadata={"description": "Questions that the bank has with other words"})
    refused = fields.Integer(metadata={"description": "Rows that cannot be used; they stop no other row"})
    new_categories = fields.List(fields.String(), metadata={"description": "Categories that it would add"})
    passed_over = fields.List(fields.String(), metadata={"description": "Headers of columns that are not read"})
    created_rows = fields.List(
        fields.Nested(PlannedQuestionOut), metadata={"description": f"The created ones, at most {MOST_SHOWN}"}
    )
    replaced_rows = fields.List(
        fields.Nested(ReplacedQuestionOut), metadata={"description": f"The replaced ones, at most {MOST_SHOWN}"}
    )
    long_rows = fields.List(
        fields.Nested(LongQuestionOut),
        metadata={"description": f"New questions of more than {quiz_imports.LONG_PARTS} parts, at most {MOST_SHOWN}"},
    )
    refused_rows = fields.List(
        fields.Nested(RefusedQuestionOut), metadata={"description": f"The refused ones, at most {MOST_SHOWN}"}
    )


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


@blueprint.route("/quiz-imports")
class QuizImports(MethodView):
    """Files of questions."""

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(QuizFileForm, location="form")
    @blueprint.arguments(QuizFile, location="files")
    @blueprint.response(201, QuizPlanOut)
    def post(self, form: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
        """Upload questions (multipart/form-data) and say what they would change; nothing changes yet"""
        file = files["file"]
        plan = quiz_imports.upload_quiz_file(
            g.session, g.actor, form["unit_id"], file.stream.read(), file.filename or "", form["category"]
        )
        return _describe_plan(plan)


@blueprint.route("/quiz-imports/<int:quiz_draft_id>")
class OneQuizImport(MethodView):
    """A file of questions that waits."""

    @endpoint(Permission.manage_templates)
    @blueprint.response(200, QuizPlanOut)
    def get(self, quiz_draft_id: int) -> dict[str, Any]:
        """Say what the file would change by now"""
        return _describe_plan(quiz_imports.plan_quiz_draft(g.session, g.actor, quiz_draft_id))

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(QuizApplyIn)
    @blueprint.response(200, QuizPlanOut)
    def post(self, body: dict[str, Any], quiz_draft_id: int) -> dict[str, Any]:
        """Put its questions into the bank, all that can be used; 409 if the bank changed since the plan"""
        return _describe_plan(quiz_imports.apply_quiz_draft(g.session, g.actor, quiz_draft_id, body["version"]))

    @endpoint(Permission.manage_templates)
    @blueprint.response(204)
    def delete(self, quiz_draft_id: int) -> None:
        """Forget the file"""
        quiz_imports.discard_quiz_draft(g.session, g.actor, quiz_draft_id)


@blueprint.route("/quiz-imports/<int:quiz_draft_id>/refused")
class RefusedQuizRows(MethodView):
    """The rows of a file that cannot be used."""

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(RefusedFormatQuery, location="query")
    @blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
    def get(self, query: dict[str, Any], quiz_draft_id: int) -> Response:
        """Download the refused rows with the reasons, to be mended and uploaded"""
        file = quiz_imports.write_refused_questions(g.session, g.actor, quiz_draft_id, query["format"])
        return send_file(file.content, mimetype=file.media_type, as_attachment=True, download_name=file.name)


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


def _describe_plan(plan: quiz_imports.QuizPlan) -> dict[str, Any]:
    replaced = [
        {**_describe_row(one.row), "question_id": one.question_id, "standing": one.standing._asdict()}
        for one in plan.replaced[:MOST_SHOWN]
    ]
    return {
        **{name: getattr(plan, name) for name in ("draft_id", "version", "unit_id", "unchanged")},
        **{name: getattr(plan, name) for name in ("new_categories", "passed_over")},
        **{name: len(getattr(plan, name)) for name in ("created", "replaced", "refused")},
        "created_rows": [_describe_row(one) for one in plan.created[:MOST_SHOWN]],
        "replaced_rows": replaced,
        "long_rows": [{"row": one.row.row, "parts": one.parts} for one in plan.long[:MOST_SHOWN]],
        "refused_rows": [
            {"row": one.row, "reason": one.reason, "reason_message": one.reason} for one in plan.refused[:MOST_SHOWN]
        ],
    }


def _describe_row(row: Any) -> dict[str, Any]:
    return {"row": row.row, "category": row.category, **row.written._asdict()}
