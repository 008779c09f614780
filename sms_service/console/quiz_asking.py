"""What a form asks of a campaign whose text has a place for a quiz question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, request
from sqlalchemy import select

from sms_service.content.quiz_bank import find_quiz_categories
from sms_service.content.quiz_models import QuizCategory, QuizQuestion
from sms_service.content.values import QUESTION
from sms_service.vocabulary import QuestionKind

ASKS = "asks."  # how its fields' names begin
_NUMBERS = ("category", "question", "tries", "hours")
_MOST_CATEGORIES = 200


def read_asked_quiz() -> dict[str, Any]:
    """`asks` of a campaign as the form has it; empty where it says nothing of a quiz. What is no number is refused by
    `read_quiz` as it stands.
    """
    if request.form.get(f"{ASKS}kind") != QuestionKind.quiz:
        return {}
    asks: dict[str, Any] = {"kind": QuestionKind.quiz.value, "send_result": f"{ASKS}send_result" in request.form}
    for name in _NUMBERS:
        if given := request.form.get(f"{ASKS}{name}", "").strip():
            asks[name] = int(given) if given.isdecimal() and len(given) < 19 else given
    if "question" in asks:
        asks.pop("category", None)
    return {"asks": asks}


def offer_quiz(path: str, variables: list[str], now: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the form shows of it: the categories that a unit can use, and what is asked now; None: the text asks
    nothing.
    """
    if QUESTION not in variables:
        return None
    statement = find_quiz_categories((path,)).order_by(QuizCategory.name, QuizCategory.id).limit(_MOST_CATEGORIES)
    categories = [(row.QuizCategory.id, row.QuizCategory.name, row.questions) for row in g.session.execute(statement)]
    usual = {"category": None, "question": None, "tries": 1, "hours": 24, "send_result": True}
    asked = now if now and now.get("kind") == QuestionKind.quiz else {}
    return {"categories": categories, "now": usual | asked, "chosen": asked.get("question") and name_quizzed(asked)}


def name_quizzed(asks: Mapping[str, Any] | None) -> str | None:
    """What a quiz asks: the question that is one for all, or the name of the category from which it draws."""
    if not asks or asks.get("kind") != QuestionKind.quiz:
        return None
    statement = (
        select(QuizQuestion.text).where(QuizQuestion.id == asks["question"])
        if "question" in asks
        else select(QuizCategory.name).where(QuizCategory.id == asks["category"])
    )
    name: str | None = g.session.scalar(statement)
    return name
