"""对比: units beside each other, the silent and the unreachable on top: the list that an office works from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from flask import g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_query
from sms_service.console.languages import say_here
from sms_service.console.ledger_query import SetFilter
from sms_service.console.pages import page_view
from sms_service.console.rendering import address_with, name_here, render_page
from sms_service.console.unit_choice import UnitChoice, choose_unit
from sms_service.directory.models import Unit
from sms_service.errors import NotFound
from sms_service.ledger.question_models import QuestionRow
from sms_service.reports.compared_answers import MOST_ASKED
from sms_service.reports.comparison import ComparedUnit, ComparedUnits, Comparison, ComparisonOrder
from sms_service.said import say
from sms_service.vocabulary import QuestionKind, TextClass
from sms_service.web.comparing_units import (
    DAYS,
    ComparisonQuery,
    fetch_compared_questions,
    fetch_compared_units,
    name_compared_rows,
)
from sms_service.web.context import current_context
from sms_service.web.definitions import list_definitions
from sms_service.web.schemas import Whole
from sms_service.web.validators import WithinRange

MOST_LINES = 25  # on a page: on a phone each is a card
ORDERS_SAID = {
    ComparisonOrder.attention: say(
        "First units that nothing reaches, then silent ones; then the lower of reach rate and reply rate decides."
    ),
    ComparisonOrder.unreachable: say("First units with most people whom no text reached."),
    ComparisonOrder.delivery: say("First units with the lowest delivery rate."),
    ComparisonOrder.reach: say("First units with the lowest reach rate."),
    ComparisonOrder.reply: say("First units with the lowest reply rate."),
    ComparisonOrder.quiz: say("First units with the fewest right answers, of those who answered."),
    ComparisonOrder.rsvp: say("First units of which the fewest come, of those asked."),
    ComparisonOrder.target: say("First units that are least far towards one of their targets."),
    ComparisonOrder.name: say("By name."),
}
_OF_NUMBERS = ("people", "messages", "delivery_rate", "reach_rate")


class ComparisonPageQuery(ComparisonQuery):
    """What is compared, a page of it."""

    limit = Whole(load_default=MOST_LINES, validate=WithinRange(1, MOST_LINES))


class ComparedQuestionsQuery(ComparisonQuery):
    """Whose questions: of a unit with all below it, or of its own people."""

    subtree = fields.Boolean(load_default=True)


@page_view("/comparison", Permission.read)
def show_comparison() -> str:
    """The list, a page of it, and its total."""
    query = read_query(ComparisonPageQuery)
    choice, unit = choose_compared_unit(query["unit"])
    page = fetch_compared_units(g.session, g.actor, unit, query, current_context().clock())
    comparison = page.comparison
    return render_page(
        "comparison.html",
        query=query,
        asked=name_comparison(query),
        rows=comparison.rows,
        unit=unit,
        choice=choice,
        several=len(g.actor.scope(Permission.read)) > 1,
        set=_describe_campaign(page.campaign),
        units=[(one, name_here(one)) for one in ComparedUnits],
        orders=[(order, name_here(order)) for order in ComparisonOrder],
        classes=[(one, name_here(one)) for one in TextClass if one != TextClass.answer],
        lines=[_line(comparison, query, line) for line in page.lines],
        total=_line(comparison, query, None),
        number=len(comparison.lines),
        order_said=ORDERS_SAID[ComparisonOrder(query["order"])],
        periods=_list_periods(query, comparison),
        kinds=comparison.kinds,
        year=comparison.year,
        most_asked=MOST_ASKED,
        moved=comparison.total.messages - sum(line.messages for line in comparison.lines),
        following=page.following,
        definitions=[
            *(one for one in list_definitions("number") if one.word in _OF_NUMBERS),
            *list_definitions("comparison"),
        ],
    )


@page_view("/comparison/questions", Permission.read)
def list_compared() -> str:
    """The questions that people of a unit were asked in the period: each leads to who answered what."""
    query = read_query(ComparedQuestionsQuery)
    subtree = query.pop("subtree")
    choice, unit = choose_compared_unit(query["unit"])
    found = fetch_compared_questions(g.session, g.actor, unit, query, current_context().clock(), subtree=subtree)
    given = {"unit": unit.id, "subtree": None if subtree else "false"}
    return render_page(
        "comparison_questions.html",
        asked=name_comparison(query),
        rows=found.rows,
        unit=unit,
        line=[*choice.above, unit],
        subtree=subtree,
        set=_describe_campaign(found.campaign),
        questions=None
        if found.questions is None
        else [(one, _addresses(one.question, given)) for one in found.questions],
        total=found.total,
        most_asked=MOST_ASKED,
        definitions=[one for one in list_definitions("comparison") if one.word in _OF_QUESTIONS],
    )


_OF_QUESTIONS = ("asked", "answered", "silent", "reply_rate", "right_rate")


def _list_periods(query: Mapping[str, Any], comparison: Comparison) -> list[tuple[str, str, bool]]:
    """Usual periods: what each is called, its address, and whether it is shown."""
    today = current_context().clock().astimezone(ZoneInfo(comparison.unit.timezone)).date()
    month = today.replace(day=1)
    named = {  # on some days two of them are the same
        say_here("The last {count} days", count=DAYS): (today - timedelta(days=DAYS - 1), today),
        say_here("This month"): (month, today),
        say_here("Last month"): (month - relativedelta(months=1), month - timedelta(days=1)),
        say_here("This year"): (month.replace(month=1), today),
    }
    days = comparison.rows.since, comparison.rows.until
    shown = next((name for name, period in named.items() if period == days), None)
    asked = name_comparison(query)
    return [
        (name, url_for("console.show_comparison", **asked | {"since": since, "until": until}), name == shown)
        for name, (since, until) in named.items()
    ]


def choose_compared_unit(unit_id: int | None) -> tuple[UnitChoice, Unit]:
    """The choice, and the unit that is compared: without one the first of the visitor's. Raises NotFound or
    Forbidden.
    """
    choice = choose_unit(g.session, g.actor, Permission.read, unit_id, top=True)
    unit = choice.unit or next(iter(choice.below), None)
    if unit is None:
        raise NotFound("unit", unit_id)
    return choice, unit


def name_comparison(query: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, as an address has it; what is usual is left out."""
    usual = {"units": ComparedUnits.below, "order": ComparisonOrder.attention, "limit": MOST_LINES}
    return {
        "class" if name == "class_" else name: value.isoformat() if isinstance(value, date) else str(value)
        for name, value in query.items()
        if value is not None and name not in ("cursor", "format") and usual.get(name) != value
    }


def _describe_campaign(name: str | None) -> list[SetFilter]:
    """The one campaign that is compared, and the address without it."""
    return [SetFilter("campaign", say_here("Campaign"), name, address_with(campaign=None, cursor=None))] if name else []


def _line(comparison: Comparison, query: Mapping[str, Any], line: ComparedUnit | None) -> dict[str, Any]:
    """A line with where its numbers lead; without one the total."""
    rows: dict[str, Any] = name_compared_rows(comparison, line)
    asked = {**name_comparison(query), "unit": line.unit_id if line else comparison.unit.id}
    of_question = {name: value for name, value in asked.items() if name not in ("units", "order")}
    alone = "subtree" in rows
    below = None
    if line is not None and comparison.compared == ComparedUnits.below and line.unit_id != comparison.unit.id:
        below = url_for("console.show_comparison", **asked)
    elif line is not None and comparison.compared == ComparedUnits.branches:
        below = url_for("console.show_unit", unit_id=line.unit_id)
    return {
        "line": line or comparison.total,
        "below": below,
        "rows": url_for("console.list_rows", **rows),
        "why": url_for("console.show_counts", **rows, by="reason"),
        "questions": url_for("console.list_compared", **of_question, subtree="false" if alone else None),
        "targets": url_for("console.list_unit_targets", unit=asked["unit"], year=comparison.year),
    }


def _addresses(question: QuestionRow, given: Mapping[str, Any]) -> dict[str, str]:
    """The pages that list whom the question asked, by how they answered."""
    if question.kind == QuestionKind.quiz:
        same: dict[str, Any] = {"campaign_id": question.campaign_id, "question": question.id, **given}
        states = {"asked": None, "answered": "answered", "silent": "silent", "unreached": "unreachable"}
        return {name: url_for("console.list_quiz_people", **same, state=state) for name, state in states.items()}
    groups = {"asked": "all", "answered": None, "silent": "silent", "unreached": "unreached"}
    return {
        name: url_for("console.show_question", question_id=question.id, **given, said=group)
        for name, group in groups.items()
    }
