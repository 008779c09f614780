"""The people whom runs ask, one row for each, with what each said and which of it counts: parts of statements.

Each table of months is bounded by its months as parameters, since a freeze may embed this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import CTE, BigInteger, Select, Subquery, any_, case, cast, func, literal, null, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, distinct_on
from sqlalchemy.orm import aliased

from sms_service.ledger.models import Message
from sms_service.ledger.question_models import QuestionRow
from sms_service.ledger.states import MessageStatus
from sms_service.replies.models import AnswerRow
from sms_service.vocabulary import Meaning

S = MessageStatus
# The text left, and nobody says that it did not arrive.
REACHED = (S.submitting, S.accepted, S.unknown, S.delivered, S.no_receipt)


def gather_people(question: QuestionRow, months: Mapping[date, Sequence[int]]) -> Subquery:
    """One row for each person of these runs: `unit_id`, whether `reached`, `said` and `choices` (what counts, None:
    nothing), `coming`, `is_late`, `answer_id` (which counts), and `shares_with`: the person to whom the text went that
    stands for theirs, since the phone is the same.
    """
    asked = gather_asked(months)
    given = gather_given([question.id], asked)
    counting = (
        select(given)
        .where(~given.c.is_late)
        .ext(distinct_on(given.c.person_id))
        .order_by(given.c.person_id, given.c.said == Meaning.free_text, given.c.at.desc(), given.c.id.desc())
        .subquery("counting")
    )
    late = select(given.c.person_id).where(given.c.is_late).distinct().subquery("late")
    return (
        select(
            asked.c.person_id,
            asked.c.unit_id,
            asked.c.reached,
            asked.c.shares_with,
            counting.c.said,
            counting.c.choices,
            counting.c.coming,
            counting.c.id.label("answer_id"),
            late.c.person_id.is_not(None).label("is_late"),
        )
        .outerjoin(counting, counting.c.person_id == asked.c.person_id)
        .outerjoin(late, late.c.person_id == asked.c.person_id)
        .subquery("respondents")
    )


def gather_asked(months: Mapping[date, Sequence[int]]) -> CTE:
    """The people in the audience of these runs, by their month: `person_id`, `unit_id`, `reached` and `shares_with`, as
    `Respondents.people` has them.
    """
    rows = union_all(*(_rows(month, ids) for month, ids in months.items()) if months else (_rows(date.min, ()),))
    row = rows.subquery("rows")
    return (
        select(
            row.c.person_id,
            func.array_agg(aggregate_order_by(row.c.unit_id, row.c.id), type_=ARRAY(BigInteger))[1].label("unit_id"),
            func.bool_or(row.c.status.in_(REACHED)).label("reached"),
            func.max(row.c.shares_with).label("shares_with"),
        )
        .group_by(row.c.person_id)
        .cte()  # without a name: one statement may have several
    )


def gather_given(question_ids: Sequence[int], asked: CTE) -> CTE:
    """What the people of `gather_asked` answered to these questions, void answers left out: their own answers, and the
    replies from the phone that they share. `coming`: how many come by a yes.
    """
    holds = AnswerRow.question_id == any_(literal(list(question_ids), ARRAY(BigInteger))), AnswerRow.voided_at.is_(None)
    is_late = (AnswerRow.at > QuestionRow.closes_at).label("is_late")
    columns = AnswerRow.id, AnswerRow.at, AnswerRow.said, AnswerRow.choices, is_late
    of_question = QuestionRow.id == AnswerRow.question_id
    own = case((AnswerRow.said == Meaning.yes, func.coalesce(AnswerRow.people, 1)))
    shared = case((AnswerRow.said == Meaning.yes, case((AnswerRow.people.is_(None), 1), else_=0)))
    return union_all(
        select(AnswerRow.person_id, *columns, own.label("coming")).join(QuestionRow, of_question).where(*holds),
        select(asked.c.person_id, *columns, shared.label("coming"))
        .select_from(AnswerRow)
        .join(QuestionRow, of_question)
        .join(asked, asked.c.shares_with == AnswerRow.person_id)
        .where(*holds, AnswerRow.reply_id.is_not(None)),
    ).cte()


def _rows(month: date, run_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    """The rows of runs of one month. One that names another row has what became of that; `shares_with`: whose that
    is, if it is somebody else's.
    """
    own, sent = aliased(Message), aliased(Message)
    named = sent.month == literal(month), sent.id == own.duplicate_of
    status = case((own.duplicate_of.is_(None), own.status), else_=select(sent.status).where(*named).scalar_subquery())
    whose = select(sent.person_id).where(*named, sent.person_id != own.person_id).scalar_subquery()
    shares_with = case((own.duplicate_of.is_(None), cast(null(), BigInteger)), else_=whose)
    return select(own.person_id, own.unit_id, own.id, status.label("status"), shares_with.label("shares_with")).where(
        own.month == literal(month), own.run_id == any_(literal(list(run_ids), ARRAY(BigInteger)))
    )
