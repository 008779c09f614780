"""Who was asked which question of a quiz, and what of their answers counts: the rows that `quiz_counting` counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    Subquery,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.orm import Session, aliased

from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.ledger.states import MessageStatus
from sms_service.replies.models import AnswerRow
from sms_service.vocabulary import Meaning

_S = MessageStatus
_UNREACHABLE = (_S.skipped, _S.refused, _S.undelivered, _S.expired, _S.cancelled)


def find_quiz_rows(session: Session, questions: Sequence[QuestionRow], paths: Sequence[str]) -> Subquery:
    """One row for each question and person who was asked it: `state` (answered, silent, unreachable), `choices` and
    `correct` of the tries that count.
    """
    ids = [one.id for one in questions]
    require_unarchived(session, Run.question_id.in_(ids))
    runs = session.execute(
        select(Run.id, Run.month, Run.question_id).where(
            Run.question_id.in_(ids), Run.asks.has_key("kind"), Run.frozen_at.is_not(None)
        )
    ).all()
    months = defaultdict[date, list[int]](list)
    for run in runs:
        months[run.month].append(run.id)
    asked = union_all(
        *(_asked_in(month, run_ids, paths) for month, run_ids in months.items())
        if months
        else (_asked_in(date.min, (), paths),)
    ).subquery("asked")
    question = case({run.id: run.question_id for run in runs} or {0: 0}, value=asked.c.run_id)
    given = _given(questions)
    state = case(
        (given.c.correct.is_not(None), "answered"), (asked.c.status.in_(_UNREACHABLE), "unreachable"), else_="silent"
    )
    return (
        select(asked, cast(question, BigInteger).label("question_id"), state.label("state"), given.c.choices)
        .add_columns(given.c.correct, given.c.tries)
        .outerjoin(given, and_(given.c.question_id == question, given.c.person_id == asked.c.person_id))
        .subquery("rows")
    )


def _asked_in(month: date, run_ids: Sequence[int], paths: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """The people of runs of one month, each once, by the row that was sent if there is one. One that names another
    person's row has what became of that.
    """
    own, sent = aliased(Message), aliased(Message)
    of_sent = select(sent.status).where(
        sent.month == literal(month), sent.id == own.duplicate_of, sent.person_id != own.person_id
    )
    status = func.coalesce(of_sent.scalar_subquery(), own.status)
    return (
        select(own.month, own.id.label("message_id"), own.run_id, own.person_id, own.unit_id, own.unit_path)
        .add_columns(own.quiz_question_id, status.label("status"))
        .ext(distinct_on(own.run_id, own.person_id))
        .where(
            own.month == literal(month),
            own.run_id == any_(literal(list(run_ids), ARRAY(BigInteger))),
            or_(false(), *(own.unit_path.op("^@")(path) for path in paths)),
        )
        .order_by(own.run_id, own.person_id, own.status == _S.skipped, own.id)
    )


def _given(questions: Sequence[QuestionRow]) -> Subquery:
    """Of each person and question the tries that count: what was chosen first, whether one was right, how many."""
    turn = func.row_number().over(
        partition_by=(AnswerRow.question_id, AnswerRow.person_id),
        order_by=(AnswerRow.at, AnswerRow.choices, AnswerRow.id),
    )
    tries = QuestionRow.asks["tries"].as_integer()
    one = (
        select(AnswerRow.question_id, AnswerRow.person_id, AnswerRow.choices, AnswerRow.correct)
        .add_columns(turn.label("turn"), tries.label("tries"))
        .join(QuestionRow, QuestionRow.id == AnswerRow.question_id)
        .where(
            AnswerRow.question_id.in_([question.id for question in questions]),
            AnswerRow.said == Meaning.choice,
            AnswerRow.voided_at.is_(None),
            AnswerRow.at <= QuestionRow.closes_at,
        )
        .subquery("one")
    )
    return (
        select(
            one.c.question_id,
            one.c.person_id,
            func.string_agg(one.c.choices, literal("→")).label("choices"),
            func.bool_or(func.coalesce(one.c.correct, False)).label("correct"),
            func.count().label("tries"),
        )
        .where(one.c.turn <= one.c.tries)
        .group_by(one.c.question_id, one.c.person_id)
        .subquery("given")
    )
