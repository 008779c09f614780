"""题库: the categories of quiz questions, and one of them with its questions."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.content import quiz_bank
from sms_service.content.quiz_models import QuizCategory, QuizQuestion
from sms_service.directory.text import visible_text
from sms_service.said import as_said
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine

MOST_FOUND = 100  # questions that a search shows


class NewCategoryForm(In):
    """A new category."""

    unit_id = Id(required=True)
    name = OneLine(200, required=True)


class CategoryNameForm(In):
    """Another name."""

    name = OneLine(200, required=True)


class QuestionFilter(PageQuery):
    """Which questions."""

    ended = fields.Boolean(load_default=False)


@page_view("/quiz", Permission.read)
def list_quiz_categories() -> str:
    """The categories of quiz questions that one's units can use, and the form for another one."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = quiz_bank.find_quiz_categories(scope.paths)
    rows, following = fetch_page(g.session, statement, query, sort="name", key=QuizCategory.name, id_=QuizCategory.id)
    may_add = bool(g.actor.scope(Permission.manage_templates))
    return render_page(
        "quiz_categories.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        choice=choose_unit(g.session, g.actor, Permission.manage_templates, query["unit"], top=True)
        if may_add
        else None,
    )


@act_view("/quiz", Permission.manage_templates, again=list_quiz_categories)
def add_one_category() -> Response:
    """Add an empty category."""
    form = read_form(NewCategoryForm)
    made = quiz_bank.add_quiz_category(g.session, g.actor, form["unit_id"], form["name"])
    return go_to("console.show_quiz_category", quiz_category_id=made.id)


@page_view("/quiz/categories/<int:quiz_category_id>", Permission.read, methods=("GET", "POST"))
def show_quiz_category(quiz_category_id: int) -> str:
    """A category with its questions, or those that a search finds."""
    query, wanted = read_query(QuestionFilter), None
    category, unit = quiz_bank.get_quiz_category(g.session, g.actor, quiz_category_id)
    following: str | None = None
    if request.method == "POST" and "wanted" in request.form:
        wanted = visible_text(request.form["wanted"].replace("\x00", ""))[:100]
        statement = quiz_bank.find_quiz_questions(quiz_category_id, wanted, ended=query["ended"])
        rows: list[Any] = list(g.session.scalars(statement.order_by(QuizQuestion.id).limit(MOST_FOUND + 1)))
    else:
        statement = quiz_bank.find_quiz_questions(quiz_category_id, ended=query["ended"])
        rows, following = fetch_page(g.session, statement, query, sort="id", key=QuizQuestion.id, id_=QuizQuestion.id)
    return render_page(
        "quiz_category.html",
        category=category,
        unit=unit,
        query=query,
        wanted=wanted,
        rows=rows[:MOST_FOUND] if wanted is not None else rows,
        more=wanted is not None and len(rows) > MOST_FOUND,
        most=MOST_FOUND,
        following=following,
        number=quiz_bank.count_quiz_questions(g.session, quiz_category_id),
        may_change=g.actor.can(Permission.manage_templates, unit.path),
    )


@act_view("/quiz/categories/<int:quiz_category_id>/name", Permission.manage_templates, again=show_quiz_category)
def rename_one_category(quiz_category_id: int) -> Response:
    """Give it another name."""
    quiz_bank.rename_quiz_category(g.session, g.actor, quiz_category_id, read_form(CategoryNameForm)["name"])
    said = as_said("The change is kept.")
    return go_to("console.show_quiz_category", said=said, quiz_category_id=quiz_category_id)


@act_view("/quiz/categories/<int:quiz_category_id>/remove", Permission.manage_templates)
def remove_one_category(quiz_category_id: int) -> Response:
    """Take away a category that never had a question."""
    quiz_bank.remove_quiz_category(g.session, g.actor, quiz_category_id)
    return go_to("console.list_quiz_categories", said=as_said("The category is removed."))
