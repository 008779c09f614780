"""What the form of a campaign says of the question that its text asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request

from sms_service.campaigns.asking import USUAL_HOURS
from sms_service.console.languages import translate_here
from sms_service.console.quiz_asking import ASKS, read_asked_quiz
from sms_service.vocabulary import QuestionKind
from sms_service.web.words import name_of

KINDS = (QuestionKind.rsvp, QuestionKind.survey, QuestionKind.check)


def offer_question(now: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the form shows of it, with what is asked `now`; None of a reminder, which asks what it reminds of."""
    if now and "kind" not in now:
        return None
    asks = dict(now or {})
    kinds = [(kind.value, translate_here(name_of(kind))) for kind in KINDS]
    hours = asks.get("hours", USUAL_HOURS[QuestionKind.rsvp])
    return {"kinds": kinds, "kind": asks.get("kind", ""), "hours": hours, "options": "\n".join(asks.get("options", ()))}


def read_asked_question() -> dict[str, Any]:
    """`asks` of a campaign as the form has it; empty where it says nothing of a question. What is no number is refused
    by `read_asks` as it stands.
    """
    kind = request.form.get(f"{ASKS}kind")
    if kind is None or kind == QuestionKind.quiz:
        return read_asked_quiz()
    if not kind:
        return {"asks": None}
    asks: dict[str, Any] = {"kind": kind}
    if given := request.form.get(f"{ASKS}hours", "").strip():
        asks["hours"] = int(given) if given.isdecimal() and len(given) < 19 else given
    if kind == QuestionKind.survey:
        lines = request.form.get(f"{ASKS}options", "").splitlines()
        asks["options"] = [line.strip() for line in lines if line.strip()]
    return {"asks": asks}
