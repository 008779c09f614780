"""Finds the texts that a reply may answer, after the reply was stored, and reads it; any worker does it, in batches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.db.locks import LockKey, share_lock
from sms_service.db.statements import Statement
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.answering import NewAnswer, answer_replies
from sms_service.replies.checks import heed_check
from sms_service.replies.quiz_results import find_quiz_results
from sms_service.replies.reading import Reading, choose_asked, read_asked, read_reply
from sms_service.replies.stops import STOPPING, heed_stops
from sms_service.vocabulary import Meaning, QuestionKind, ReadingRule

REPLY_MONTHS = Statement(__file__, "reply_months")
TAKE_REPLIES = Statement(__file__, "take_replies")
MATCH_REPLIES = Statement(__file__, "match_replies")
RECORD_READINGS = Statement(__file__, "record_readings")
RECORD_ANSWERS = Statement(__file__, "record_answers")
VOID_ANSWERS = Statement(__file__, "void_answers")

BATCH = 100
# How long one job matches before it gives way to receipts and texts, in seconds; it ends between batches.
JOB_S = 0.5


def match_waiting(database: Database, stopping: Callable[[], bool] = lambda: False, *, job_s: float = JOB_S) -> bool:
    """Match and read waiting replies, oldest first, for at most `job_s` seconds; returns whether some are left."""
    end = time.monotonic() + job_s
    while True:
        with database.session() as session:
            months = REPLY_MONTHS(session.connection()).scalars().all()
            if months:
                share_lock(session, LockKey.erase_person)  # before the replies, as whoever erases a person
            matched, answers = 0, list[NewAnswer]()
            for month in months:
                matched += _match(session, month, answers)
            answer_replies(session, answers)
        if matched < BATCH:
            return False
        if stopping() or time.monotonic() >= end:
            return True


def _match(session: Session, in_month: date, own_answers: list[NewAnswer]) -> int:
    """Match and read the next batch of those that came in one month, and act on what they say; what the service is to
    answer by itself is added to `own_answers`.
    """
    connection = session.connection()
    ids = [row.id for row in TAKE_REPLIES(connection, in_month=in_month, size=BATCH)]
    if ids:
        found = MATCH_REPLIES(connection, in_month=in_month, ids=ids).all()
        questions = _load_questions(session, found)
        read = [(row, _read(row, questions)) for row in found]
        RECORD_READINGS(connection, in_month=in_month, readings=json.dumps([_describe(*one) for one in read]))
        VOID_ANSWERS(connection, ids=ids)
        if answers := [answer for one in read if (answer := _answer(*one))]:
            RECORD_ANSWERS(connection, in_month=in_month, answers=json.dumps(answers))
        if stopping := [row.id for row, reading in read if reading and reading.meaning in STOPPING]:
            own_answers += heed_stops(session, in_month, stopping)
        for row, reading in read:
            if reading and reading.asked and questions[reading.asked.question_id].kind == QuestionKind.check:
                heed_check(session, reading.meaning, reading.asked.person_id, row.phone, row.id)
        if graded := [one["reply_id"] for one in answers if one["correct"] is not None]:
            own_answers += find_quiz_results(session, graded)
    return len(ids)


def _load_questions(session: Session, found: Sequence[Row[Any]]) -> dict[int, QuestionRow]:
    ids = {one["question_id"] for row in found for one in row.asked or ()}
    if not ids:
        return {}
    return {question.id: question for question in session.scalars(select(QuestionRow).where(QuestionRow.id.in_(ids)))}


def _read(row: Row[Any], questions: Mapping[int, QuestionRow]) -> Reading | None:
    if row.is_provider_stop:
        return Reading(Meaning.stop, ReadingRule.provider_stop)
    if not row.is_whole:
        return None
    asked = choose_asked(row.extension, read_asked(row.asked))
    asks_nothing = row.asks_nothing and row.extension is None  # the number that it was sent to names a question
    return read_reply(row.said or "", row.said_at, row.answered, asked, questions, asks_nothing=asks_nothing)


def _describe(row: Row[Any], reading: Reading | None) -> dict[str, Any]:
    """What is recorded of the reply. It answers the text that asked the question, if it answers one."""
    asked = reading.asked if reading else None
    text = asked or row
    return {
        "id": row.id,
        "month": text.month and text.month.isoformat(),
        "message_id": text.message_id,
        "person_id": text.person_id,
        "unit_path": text.unit_path,
        "meaning": reading and reading.meaning,
        "rule": reading and reading.rule,
        "question_id": asked and asked.question_id,
        "inbox": reading is not None and reading.needs_person,
    }


def _answer(row: Row[Any], reading: Reading | None) -> dict[str, Any] | None:
    """The row of `answers` that the reply gives, if it gives one."""
    if reading is None or reading.asked is None or reading.understood is None:
        return None
    asked, said = reading.asked, reading.understood
    return {
        "reply_id": row.id,
        "question_id": asked.question_id,
        "month": asked.month.isoformat(),
        "message_id": asked.message_id,
        "person_id": asked.person_id,
        "unit_path": asked.unit_path,
        "said": said.said,
        "choices": said.choices,
        "people": said.people,
        "correct": said.correct,
        "at": asked.said_at(row.said_at).isoformat(),
    }
