"""What a quiz asks: one question of the bank for all, or one of a category that is drawn for each person.

Questions of the bank never change, so that what is approved is which questions may be asked (the *pool*). A question
that was replaced since is asked in its newest words, and a category that was changed has another pool: both make
another content, which needs approval again. The run keeps the pool that was approved, and draws from that. A reminder
(`same_as`) has the pool of the question of which it reminds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, literal_column, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.content.findings import FindingKind, LintFinding, Severity, make_finding
from sms_service.content.models import TemplateVersion
from sms_service.content.quiz_bank import get_quiz_category, get_quiz_question
from sms_service.content.quiz_models import QuizQuestion
from sms_service.content.values import QUESTION
from sms_service.errors import Invalid
from sms_service.said import as_said, say
from sms_service.vocabulary import QuestionKind

MOST_TRIES = 9
CATEGORY, SAME_AS = "category", "same_as"
POOL = "pool"  # in a run's copy alone: which questions it draws from
# The pools of a campaign of the statement, by what is asked, as `read_pools` takes them.
POOLS: ColumnElement[Any] = literal_column(
    """(SELECT json_object_agg(a.key, CASE WHEN a.pool IS NULL THEN (
        SELECT json_build_object('ids', coalesce(json_agg(q.id ORDER BY q.id), '[]'::json), 'written', min(q.written))
        FROM quiz_questions q
        WHERE q.ended_at IS NULL AND (q.category_id = (a.asks ->> 'category')::bigint OR q.id = (
            SELECT coalesce(o.replaced_by, o.id) FROM quiz_questions o WHERE o.id = (a.asks ->> 'question')::bigint))
        ) ELSE json_build_object('ids', a.pool, 'written', (
            SELECT q.written FROM quiz_questions q
            WHERE q.id = (a.pool ->> 0)::bigint AND jsonb_array_length(a.pool) = 1)) END)
    FROM (
        (SELECT DISTINCT ON (key) key, asks, NULL::jsonb AS pool
         FROM (SELECT campaigns.asks AS asks
               UNION ALL SELECT i.asks FROM campaign_items i WHERE i.campaign_id = campaigns.id) AS said
         CROSS JOIN LATERAL (SELECT concat(asks ->> 'category', '/', asks ->> 'question') AS key) AS named
         WHERE asks ->> 'kind' = 'quiz')
        UNION ALL
        SELECT concat('=', o.id), o.asks, o.asks -> 'pool' FROM questions o
        WHERE o.id = (campaigns.asks ->> 'same_as')::bigint AND o.kind = 'quiz'
    ) AS a)""",
    JSON,
)


@dataclass(frozen=True, slots=True)
class QuizPool:
    """The questions that may be asked, by their ids; `written`: as texts show it, of a pool that is one for all."""

    ids: tuple[int, ...]
    written: str | None

    def digest(self) -> str:
        """Names exactly these questions."""
        return hashlib.sha256(json.dumps(self.ids).encode()).hexdigest()


def read_pools(found: Mapping[str, Any] | None) -> dict[str, QuizPool]:
    """What `POOLS` found."""
    return {
        key: QuizPool(tuple(one["ids"]), None if key.endswith("/") else one["written"])
        for key, one in (found or {}).items()
    }


def key_of(asks: Mapping[str, Any]) -> str:
    """Under which key the pool of a quiz stands, or that of the question of which it reminds."""
    return f"={asks[SAME_AS]}" if SAME_AS in asks else f"{asks.get(CATEGORY, '')}/{asks.get(QUESTION, '')}"


def read_quiz(
    session: Session, actor: Actor, path: str, given: Mapping[str, Any], version: TemplateVersion
) -> dict[str, Any]:
    """What is kept of a quiz beside kind and hours. Raises Invalid (`asks.…`), NotFound, Forbidden."""
    if QUESTION not in version.variables:
        message = "asks a question, and the text has no place for it: {place}"
        raise Invalid("asks.kind", QuestionKind.quiz.value, say(message, place="{{ question }}"))
    question_id, category_id = given.get(QUESTION), given.get(CATEGORY)
    if (question_id is None) == (category_id is None):
        raise Invalid("asks.question", question_id, "name one question for all, or a category to draw from")
    if question_id is not None:
        question, category, unit = get_quiz_question(session, actor, _read_id(QUESTION, question_id))
        what: dict[str, Any] = {QUESTION: question.id}
    else:
        category, unit = get_quiz_category(session, actor, _read_id(CATEGORY, category_id))
        what = {CATEGORY: category.id}
    if not path.startswith(unit.path):
        raise Invalid(
            f"asks.{next(iter(what))}", next(iter(what.values())), "belongs to a unit that is not above this one"
        )
    return {**what, "tries": _read_tries(given.get("tries", 1)), "send_result": _read_flag(given)}


def list_written(session: Session, pool: QuizPool, most: int) -> Sequence[str]:
    """Some of the questions of a pool as texts show them, among them the shortest and the longest; at most so many."""
    statement = select(QuizQuestion.written).where(QuizQuestion.id.in_(pool.ids))
    written = sorted(session.scalars(statement), key=len)
    if len(written) <= most:
        return written
    return [written[place * (len(written) - 1) // (most - 1)] for place in range(most)]


def lint_quiz(
    content_asks: Mapping[str, Any] | None, pool: QuizPool | None, variables: Sequence[str]
) -> list[LintFinding]:
    """A quiz that has nothing to ask by now, or a text that does not show what is asked."""
    if not content_asks or content_asks.get("kind") != QuestionKind.quiz:
        return []
    if QUESTION not in variables:
        text = as_said("the text has no place for the question of the quiz")
        remedy = say("write {place} into the text, or choose another template", place="{{ question }}")
    elif pool is None or not pool.ids:
        text = as_said("the bank has no question for this quiz: it was retired, or the category has none")
        remedy = as_said("choose another question or category")
    else:
        return []
    return [make_finding(FindingKind.no_question, Severity.refused, QUESTION, as_said("the quiz"), text, remedy)]


def _read_id(name: str, given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise Invalid(f"asks.{name}", given, "must be an id")
    return given


def _read_tries(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MOST_TRIES:
        reason = say("must be a whole number from {least} to {most}", least=1, most=MOST_TRIES)
        raise Invalid("asks.tries", given, reason)
    return given


def _read_flag(given: Mapping[str, Any]) -> bool:
    flag = given.get("send_result", True)
    if not isinstance(flag, bool):
        raise Invalid("asks.send_result", flag, "must be true or false")
    return flag
