"""Quiz questions from a file or pasted: what they would change in the bank, the rows that stay out, and applying it."""

from __future__ import annotations

from flask import Response, g, request, send_file
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import UnitQuery, read_file, read_form, read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.content import quiz_imports
from sms_service.content.list_files import FORMATS
from sms_service.content.quiz_files import MOST_QUESTIONS
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import as_said, say
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords

MOST_LISTED = 100  # rows of each kind that are shown


class QuizImportForm(In):
    """What is read but for the file. `text`: pasted rows; `category`: of rows that name none."""

    unit_id = Id(required=True)
    category = OneLine(200, load_default=None)
    text = fields.String(load_default="")


class SeenQuizPlanForm(In):
    """Which plan was seen."""

    version = OneLine(40, required=True)


class RefusedFormat(In):
    """As which kind of file."""

    format = fields.String(load_default="xlsx", validate=OneOfWords(FORMATS))


@page_view("/quiz/import", Permission.manage_templates)
def show_quiz_import() -> str:
    """The form for a file of questions, or pasted ones."""
    place = choose_unit(g.session, g.actor, Permission.manage_templates, read_query(UnitQuery)["unit"], top=True)
    return render_page("quiz_import.html", place=place, most=MOST_QUESTIONS)


@act_view("/quiz/import", Permission.manage_templates, again=show_quiz_import, file=True)
def read_quiz_questions() -> Response:
    """Keep the questions, to be looked at; the bank is not changed."""
    form, file = read_form(QuizImportForm), request.files.get("file")
    to = (g.session, g.actor, form["unit_id"])
    if file is not None and file.filename:
        plan = quiz_imports.upload_quiz_file(*to, *read_file(), form["category"])
    elif form["text"].strip():
        plan = quiz_imports.upload_quiz_text(*to, form["text"], form["category"])
    else:
        raise Invalid("file", None, "is missing: choose a file, or paste the questions below")
    return go_to("console.show_quiz_plan", quiz_draft_id=plan.draft_id)


@page_view("/quiz/imports/<int:quiz_draft_id>", Permission.manage_templates)
def show_quiz_plan(quiz_draft_id: int) -> str:
    """What the file would change in the bank, and the rows that cannot be used."""
    plan = quiz_imports.plan_quiz_draft(g.session, g.actor, quiz_draft_id)
    unit = g.session.get_one(Unit, plan.unit_id)
    return render_page("quiz_plan.html", plan=plan, unit=unit, most=MOST_LISTED, long=quiz_imports.LONG_PARTS)


@act_view("/quiz/imports/<int:quiz_draft_id>", Permission.manage_templates)
def apply_quiz_plan(quiz_draft_id: int) -> Response:
    """Put the questions into the bank, all that can be used."""
    version = read_form(SeenQuizPlanForm)["version"]
    plan = quiz_imports.apply_quiz_draft(g.session, g.actor, quiz_draft_id, version)
    created, replaced = len(plan.created), len(plan.replaced)
    said = say("{created} questions are new in the bank, {replaced} replaced.", created=created, replaced=replaced)
    if plan.refused:
        return go_to("console.show_quiz_plan", said=said, quiz_draft_id=quiz_draft_id)
    return go_to("console.list_quiz_categories", said=said)


@page_view("/quiz/imports/<int:quiz_draft_id>/refused", Permission.manage_templates, methods=("POST",))
def download_refused_questions(quiz_draft_id: int) -> Response:
    """The rows that cannot be used, each with the reason, to be mended and uploaded."""
    format_ = read_form(RefusedFormat)["format"]
    file = quiz_imports.write_refused_questions(g.session, g.actor, quiz_draft_id, format_, translate_here)
    return send_file(file.content, mimetype=file.media_type, as_attachment=True, download_name=file.name)


@act_view("/quiz/imports/<int:quiz_draft_id>/discard", Permission.manage_templates)
def discard_quiz_file(quiz_draft_id: int) -> Response:
    """Forget the file."""
    quiz_imports.discard_quiz_draft(g.session, g.actor, quiz_draft_id)
    return go_to("console.list_quiz_categories", said=as_said("The file is discarded."))
