"""`/quiz-imports`: files of questions, what they would change in the bank, and doing it."""

from __future__ import annotations

from typing import Any

from flask import Response, g, send_file
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.quiz_bank import RIGHT
from sms_service.content import quiz_imports
from sms_service.content.list_files import FORMATS
from sms_service.web.schemas import Id, In, OneLine, Out, SaidMessage
from sms_service.web.validators import OneOfWords

MOST_SHOWN = 200  # rows in a plan, of each kind

blueprint = Blueprint(
    "quiz-imports",
    description="Files of quiz questions: an upload says what it would change in the bank, and only applying it "
    "changes anything.",
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


class StandingQuestionOut(Out):
    """What a question says."""

    text = fields.String(metadata={"description": "What it asks"})
    options = fields.List(fields.String(), metadata={"description": "Its options"})
    right_choices = fields.String(metadata={"description": RIGHT})
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
