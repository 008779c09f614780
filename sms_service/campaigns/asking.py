"""What a campaign's texts ask of those whom they reach; part of what is approved.

Kept as JSON. `{"kind": "rsvp", "hours": 72}`: whether they come. `{"kind": "survey", "options": ["满意", …]}`: one of
up to nine answers. `{"kind": "check", …}`: whether the phone is still theirs. `{"kind": "quiz", "category": 5, "tries":
1, "send_result": true, …}`: a question of the bank (`quiz_asks.py`). `hours`: how long after the launch an answer
counts; an event's question is open until the event begins. `{"same_as": 7}`: a reminder of question 7, which is open
already; `{"of_item": 1}`: of that of the campaign's item 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.quiz_asks import SAME_AS, read_quiz
from sms_service.content.models import TemplateVersion
from sms_service.directory.text import required_line
from sms_service.errors import Invalid, NotFound
from sms_service.ledger.question_models import QuestionRow
from sms_service.said import say
from sms_service.stop_words import is_about_stopping
from sms_service.vocabulary import QuestionKind

USUAL_HOURS: Mapping[str, int] = {
    QuestionKind.rsvp: 72,
    QuestionKind.survey: 72,
    QuestionKind.quiz: 24,
    QuestionKind.check: 168,
}
MOST_HOURS = 24 * 60
MOST_OPTIONS, LONGEST_OPTION = 9, 30
CLOSES_AT = "closes_at"  # of an event, in a run's copy alone: its schedule says it

Asks = dict[str, Any]
_Reader = Callable[[Session, Actor, str, Mapping[str, Any], TemplateVersion], Asks]


def read_asks(session: Session, actor: Actor, path: str, given: Mapping[str, Any], version: TemplateVersion) -> Asks:
    """What is asked, as it is kept; `path`: the campaign's unit, `version`: the text that asks it. Raises Invalid
    (`asks.…`), NotFound or Forbidden for a question that it names.
    """
    if SAME_AS in given:
        return {SAME_AS: _require_open(session, actor, given[SAME_AS])}
    kind = given.get("kind")
    if kind not in _READERS:
        raise Invalid("asks.kind", kind, say("must be one of {kinds}", kinds=tuple(_READERS)))
    asks = {"kind": str(kind), "hours": _read_hours(given.get("hours"), str(kind))}
    return asks | _READERS[kind](session, actor, path, given, version)


def _read_hours(given: Any, kind: str) -> int:
    hours = USUAL_HOURS[kind] if given is None else given
    if not isinstance(hours, int) or isinstance(hours, bool) or not 1 <= hours <= MOST_HOURS:
        raise Invalid(
            "asks.hours", given, say("must be a whole number from {least} to {most}", least=1, most=MOST_HOURS)
        )
    return hours


def _require_open(session: Session, actor: Actor, question_id: Any) -> int:
    found = session.get(QuestionRow, question_id) if isinstance(question_id, int) else None
    if found is None:
        raise NotFound("question of a campaign", str(question_id))
    actor.require(Permission.read, found.unit_path)
    now: datetime = session.scalars(select(func.sms_now())).one()
    if found.closes_at <= now:
        raise Invalid("asks.same_as", question_id, "is closed; nobody can be reminded of it")
    return found.id


def _read_options(_: Session, __: Actor, ___: str, given: Mapping[str, Any], ____: TemplateVersion) -> Asks:
    options = given.get("options")
    if not isinstance(options, list) or not 2 <= len(options) <= MOST_OPTIONS:
        raise Invalid("asks.options", options, say("must be {least} to {most} answers", least=2, most=MOST_OPTIONS))
    written = [required_line(f"asks.options.{place}", one, LONGEST_OPTION) for place, one in enumerate(options)]
    if len(set(written)) < len(written):
        raise Invalid("asks.options", options, "names an answer twice")
    for place, option in enumerate(written):
        if is_about_stopping(option):
            raise Invalid(f"asks.options.{place}", option, "is a word by which people stop texts; write it otherwise")
    return {"options": written}


def _nothing_more(_: Session, __: Actor, ___: str, ____: Mapping[str, Any], _____: TemplateVersion) -> Asks:
    return {}


_READERS: dict[Any, _Reader] = {
    QuestionKind.rsvp: _nothing_more,
    QuestionKind.survey: _read_options,
    QuestionKind.quiz: read_quiz,
    QuestionKind.check: _nothing_more,
}
