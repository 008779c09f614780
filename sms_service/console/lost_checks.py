"""失联核查: the people whom texts do not reach, with one tap for each answer, and how many there are by unit."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.delivery import lost_checks
from sms_service.delivery.missing import CAMPAIGNS
from sms_service.delivery.models import GIVEN_ANSWERS, CheckAnswer, LostCheck
from sms_service.said import say
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word


class CheckFilter(ScopedPageQuery):
    """Which checks."""

    answered = fields.Boolean(load_default=False)


class CheckAnswerForm(In):
    """What the branch found out; `unit` is the list's filter, to come back to."""

    answer = fields.String(required=True, validate=OneOfWords(GIVEN_ANSWERS))
    phone = fields.String(load_default=None)
    unit = Id(load_default=None)


@page_view("/lost-checks", Permission.read)
def list_lost_checks() -> str:
    """People whom texts do not reach, to be looked for by their branch, and how many by unit."""
    query = read_query(CheckFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = lost_checks.find_checks(scope.paths, answered=query["answered"])
    rows, following = fetch_page(g.session, statement, query, sort="id", key=LostCheck.id, id_=LostCheck.id)
    choice = choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True)
    counts = lost_checks.count_checks(g.session, g.actor, choice.unit.id) if choice.unit and choice.below else []
    return _show(rows, query, following=following, scope=scope.units, choice=choice, counts=counts)


@page_view("/lost-checks/<int:check_id>", Permission.read)
def show_lost_check(check_id: int) -> str:
    """One of them, where an answer was refused or somebody was sent here."""
    row = lost_checks.get_check(g.session, g.actor, check_id)
    query = {"unit": None, "answered": row.LostCheck.answer is not None}
    return _show([row], query, following=None, scope=(), choice=None, counts=[])


@act_view("/lost-checks/<int:check_id>/answer", Permission.check_people, again=show_lost_check)
def answer_lost_check(check_id: int) -> Response:
    """Close the check with what was found out."""
    form = read_form(CheckAnswerForm)
    check = lost_checks.answer_check(g.session, g.actor, check_id, form["answer"], form["phone"])
    said = say("Noted: {answer}.", answer=name_word("CheckAnswer", check.answer or ""))
    return go_to("console.list_lost_checks", said=said, unit=form["unit"])


def _show(rows: list[Any], query: dict[str, Any], **values: Any) -> str:
    paths = g.actor.scope(Permission.check_people)
    return render_page(
        "lost_checks.html",
        rows=rows,
        query=query,
        answers=[*CheckAnswer],
        campaigns=CAMPAIGNS,
        may_answer=lambda path: any(path.startswith(held) for held in paths),
        **values,
    )
