"""A quiz of the whole city: each person is asked a question of a bank of thousands, half of them answer, and all is
counted. The texts are taken as sent; how fast they leave is another figure.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from sqlalchemy import select, update

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory
from benchmarks.receiving import mark_accepted
from benchmarks.sending import plan
from benchmarks.services import simulator_gateway
from sms_service.accounts.actors import SYSTEM
from sms_service.content.quiz_imports import apply_quiz_draft, upload_quiz_file
from sms_service.content.quiz_models import QuizQuestion
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Run
from sms_service.replies import matching, quiz_counting
from sms_service.replies.storing import store_replies

QUESTIONS, CATEGORIES = 3_800, 17
BODY = "即学即考：{{ question }}\n请回复选项字母。"
_TOGETHER = 100  # replies of one push
_ASKED = """
SELECT m.phone, q.right_choices FROM messages m JOIN quiz_questions q ON q.id = m.quiz_question_id
WHERE m.run_id = %(run_id)s ORDER BY m.id
"""


def _quiz(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database:
        plan(database, simulator_gateway(laboratory, "http://127.0.0.1:1"))
        bank_s = _timed(lambda: _fill_bank(database))
        asked_s = _timed(lambda: freeze.freeze_run(database, city.launch(database)))
        mark_accepted(database)
        with database.session() as session:
            run_id, campaign_id = session.execute(select(Run.id, Run.campaign_id)).one()
        with database.transaction() as connection:
            asked = connection.exec_driver_sql(_ASKED, {"run_id": run_id}).all()
        if len({row.right_choices for row in asked}) != 4:
            raise BenchmarkError("not all questions were asked")
        # Every second one answers, and every second of these is right.
        said = [
            Reply(row.phone, row.right_choices if place % 4 else "BCDA"["ABCD".index(row.right_choices)], "{}")
            for place, row in enumerate(asked)
            if place % 2 == 0
        ]
        answered_s = _timed(lambda: _answer(database, said))
        began = time.monotonic()
        with database.session() as session:
            quiz = quiz_counting.open_quiz(session, SYSTEM, campaign_id or 0)
            counts = quiz_counting.count_quiz(session, quiz)
            lines = quiz_counting.count_quiz_by_unit(session, quiz)
            quiz_counting.list_missed_questions(session, quiz)
        counted_s = time.monotonic() - began
        sums = counts.answered + counts.silent + counts.unreachable
        print(f"asked {counts.asked} = {sums} = {counts}", file=sys.stderr)
        truth = (city.PEOPLE, len(said), len(said) // 2)
        if (counts.asked, counts.answered, counts.right) != truth or sums != counts.asked:
            raise BenchmarkError(f"{counts} were counted; asked, answered and right are {truth}")
        if quiz_counting.sum_counts(lines) != counts:
            raise BenchmarkError("the counts by unit do not add up")
    return {
        "quiz_100k_s": asked_s + answered_s + counted_s,
        "quiz_bank_s": bank_s,
        "quiz_asked_s": asked_s,
        "quiz_answers_per_s": len(said) / answered_s,
        "quiz_counted_s": counted_s,
    }


def _fill_bank(database: Database) -> None:
    rows = ["类别,题目,A,B,C,D,答案,解析"]
    rows += [
        f"第{place % CATEGORIES}类,第{place}题：下列说法正确的是？,甲说{place},乙说{place},丙说{place},丁说{place},"
        f"{'ABCD'[place % 4]},见文件第{place}条"
        for place in range(QUESTIONS)
    ]
    with database.session() as session:
        plan_ = upload_quiz_file(session, SYSTEM, 1, "\n".join(rows).encode(), "题库.csv")
        apply_quiz_draft(session, SYSTEM, plan_.draft_id, plan_.version)
        # All of the bank is one pool: the largest that a run can have.
        pool = list(session.scalars(select(QuizQuestion.id).order_by(QuizQuestion.id)))
        asks = {"kind": "quiz", "category": 1, "tries": 1, "send_result": False, "hours": 24, "pool": pool}
        version_id = city.add_template(session, "即学即考", city.CLASS, BODY)
        session.execute(update(Run).values(asks=asks, template_version_id=version_id))


def _answer(database: Database, said: list[Reply]) -> None:
    for first in range(0, len(said), _TOGETHER):
        store_replies(database, "simulator", said[first : first + _TOGETHER])
    while matching.match_waiting(database):
        pass


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


QUIZ = Benchmark(
    _quiz,
    {
        "quiz_100k_s": "s",
        "quiz_bank_s": "s",
        "quiz_asked_s": "s",
        "quiz_answers_per_s": "replies/s",
        "quiz_counted_s": "s",
    },
    runs=1,
    group=_TOGETHER,
    size=city.PEOPLE,
)
