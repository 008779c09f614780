"""One quiz question: as a text shows it, written anew, retired, brought back."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_named
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.content import quiz_bank, quiz_choices
from sms_service.content.quiz_choices import LETTERS, WrittenQuestion
from sms_service.content.quiz_models import QuizQuestion
from sms_service.parts import measure_text
from sms_service.said import as_said
from sms_service.web.schemas import In

_OPTION = "options."


class QuestionForm(In):
    """A question but for its options."""

    text = fields.String(load_default="")
    right_choices = fields.String(load_default="")
    explanation = fields.String(load_default=None)


@page_view("/quiz/questions/<int:quiz_question_id>", Permission.read)
def show_quiz_question(quiz_question_id: int) -> str:
    """A question as a text shows it, its parts, its right answer, and what became of it."""
    question, category, unit = quiz_bank.get_quiz_question(g.session, g.actor, quiz_question_id)
    return render_page(
        "quiz_question.html",
        question=question,
        category=category,
        unit=unit,
        parts=measure_text(question.written).parts,
        lettered=list(zip(LETTERS, question.options, strict=False)),
        may_change=g.actor.can(Permission.manage_templates, unit.path),
    )


@page_view("/quiz/categories/<int:quiz_category_id>/new", Permission.manage_templates)
def show_new_question(quiz_category_id: int) -> str:
    """The form for another question."""
    return _show_form(quiz_category_id, None)


@act_view("/quiz/categories/<int:quiz_category_id>/new", Permission.manage_templates, again=show_new_question)
def add_one_question(quiz_category_id: int) -> Response:
    """Add a question."""
    made = quiz_bank.keep_quiz_question(g.session, g.actor, quiz_category_id, None, _read_question())
    return go_to("console.show_quiz_question", said=as_said("The question is in the bank."), quiz_question_id=made.id)


@page_view("/quiz/questions/<int:quiz_question_id>/change", Permission.manage_templates)
def show_question_change(quiz_question_id: int) -> str:
    """The form with what the question says."""
    question, category, _ = quiz_bank.get_quiz_question(g.session, g.actor, quiz_question_id)
    return _show_form(category.id, question)


@act_view("/quiz/questions/<int:quiz_question_id>/change", Permission.manage_templates, again=show_question_change)
def replace_one_question(quiz_question_id: int) -> Response:
    """Put what the form says in the place of the question; who was asked the old one was asked that."""
    _, category, _ = quiz_bank.get_quiz_question(g.session, g.actor, quiz_question_id)
    made = quiz_bank.keep_quiz_question(g.session, g.actor, category.id, quiz_question_id, _read_question())
    return go_to("console.show_quiz_question", said=as_said("The change is kept."), quiz_question_id=made.id)


@act_view("/quiz/questions/<int:quiz_question_id>/retire", Permission.manage_templates)
def retire_one_question(quiz_question_id: int) -> Response:
    """Let no quiz take it any more."""
    quiz_bank.retire_quiz_question(g.session, g.actor, quiz_question_id)
    said = as_said("The question is retired.")
    return go_to("console.show_quiz_question", said=said, quiz_question_id=quiz_question_id)


@act_view("/quiz/questions/<int:quiz_question_id>/restore", Permission.manage_templates)
def restore_one_question(quiz_question_id: int) -> Response:
    """Let quizzes take it again."""
    quiz_bank.retire_quiz_question(g.session, g.actor, quiz_question_id, retired=False)
    said = as_said("The question is in the bank.")
    return go_to("console.show_quiz_question", said=said, quiz_question_id=quiz_question_id)


def _read_question() -> WrittenQuestion:
    form, named = read_form(QuestionForm, apart=_OPTION), read_named(_OPTION)
    options = tuple(named.get(letter, "") for letter in LETTERS)
    return WrittenQuestion(form["text"], options, form["right_choices"], form["explanation"])


def _show_form(category_id: int, question: QuizQuestion | None) -> str:
    category, unit = quiz_bank.get_quiz_category(g.session, g.actor, category_id)
    g.actor.require(Permission.manage_templates, unit.path)
    options = [*(question.options if question else ()), *[""] * len(LETTERS)]
    return render_page(
        "quiz_question_form.html",
        question=question,
        category=category,
        lettered=list(zip(LETTERS, options, strict=False)),
        shown=4 if not question else max(4, len(question.options)),
        longest=quiz_choices,
    )
