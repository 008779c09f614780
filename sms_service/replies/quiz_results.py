"""The right answer, sent back to whoever answered a quiz: with the reply that gave it, in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, Select, and_, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from sms_service.content.quiz_models import QuizQuestion
from sms_service.directory.models import Unit
from sms_service.ledger.models import Message, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.answering import NewAnswer
from sms_service.replies.grading import write_result
from sms_service.replies.models import AnswerRow, ReplyRow
from sms_service.vocabulary import Meaning, QuestionKind


def find_quiz_results(session: Session, reply_ids: Collection[int]) -> list[NewAnswer]:
    """The texts that answer those of these replies that were graded and count: given in time, within the tries, and not
    after a right one. What counts is told by when it was said.
    """
    counted = (
        (row, row.QuestionRow.asks["tries"] - row.given - 1) for row in session.execute(_select_counted(reply_ids))
    )
    return [_write_result(row, left) for row, left in counted if left >= 0 and not row.was_right]


def _write_result(row: Row[Any], tries_left: int) -> NewAnswer:
    asked: QuizQuestion = row.QuizQuestion
    text = write_result(
        asked.options, asked.right_choices, asked.explanation, correct=row.AnswerRow.correct, tries_left=tries_left
    )
    return NewAnswer(row.ReplyRow, text, row.Run.signature, row.Run.route_id, row.Unit, row.asked_text)


def _select_counted(reply_ids: Collection[int]) -> Select[*tuple[Any, ...]]:
    """The answers that these replies gave in time to quizzes whose result is sent back, with the text that asked, how
    many the person had `given` before and whether one `was_right`.
    """
    answer, earlier = AnswerRow, aliased(AnswerRow)
    before = (
        earlier.question_id == answer.question_id,
        earlier.person_id == answer.person_id,
        earlier.said == Meaning.choice,
        earlier.voided_at.is_(None),
        tuple_(earlier.at, earlier.choices, earlier.id) < tuple_(answer.at, answer.choices, answer.id),
    )
    given = select(func.count()).where(*before).scalar_subquery()
    was_right = select(func.coalesce(func.bool_or(earlier.correct), False)).where(*before).scalar_subquery()
    return (
        select(answer, ReplyRow, QuestionRow, QuizQuestion, Run, Unit)
        .add_columns(given.label("given"), was_right.label("was_right"), Message.text.label("asked_text"))
        .join(ReplyRow, and_(ReplyRow.in_month == answer.reply_in_month, ReplyRow.id == answer.reply_id))
        .join(QuestionRow, QuestionRow.id == answer.question_id)
        .join(Message, and_(Message.month == answer.month, Message.id == answer.message_id))
        .join(QuizQuestion, QuizQuestion.id == Message.quiz_question_id)
        .join(Run, Run.id == Message.run_id)
        .join(Unit, Unit.id == Run.unit_id)
        .where(
            answer.reply_id.in_(reply_ids),
            answer.voided_at.is_(None),
            answer.said == Meaning.choice,
            answer.at <= QuestionRow.closes_at,
            QuestionRow.kind == QuestionKind.quiz,
            QuestionRow.asks["send_result"].as_boolean(),
        )
    )
