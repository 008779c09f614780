"""What people answered to the questions of a period, and who came to its events, by unit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Row, func, literal, null, select, true, union_all
from sqlalchemy.orm import Session, aliased

from sms_service.campaigns.models import Campaign
from sms_service.db.statements import Statement
from sms_service.errors import Conflict
from sms_service.ledger.archive_models import ArchivedMonth
from sms_service.ledger.archived import say_archived
from sms_service.ledger.models import Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.reports.filters import Filter, last_id
from sms_service.reports.rates import find_share
from sms_service.schedules.attendance_models import Attendance
from sms_service.schedules.event import INVITATION
from sms_service.vocabulary import QuestionKind

COMPARE_ANSWERS = Statement(__file__, "compare_answers")
MOST_ASKED = 1_000_000  # rows of the ledger, to tell who was asked what


class AnswerSums(NamedTuple):
    """Of each question and each person whom it asked, in the words of the pages that list them.

    asked = answered + silent + unreached, over all kinds; *answered* whose answer counts, *silent* who was reached, or
    may have been, and said nothing in time. Of invitations that ask whether people come: invited = yes + no + others +
    invited_silent + invited_unreached. Of quizzes: quizzed, quiz_answered (in time) and quiz_right. Of events that were
    ticked off: how many were expected, and how many came.
    """

    asked: int = 0
    answered: int = 0
    silent: int = 0
    unreached: int = 0
    invited: int = 0
    yes: int = 0
    no: int = 0
    invited_silent: int = 0
    invited_unreached: int = 0
    quizzed: int = 0
    quiz_answered: int = 0
    quiz_right: int = 0
    expected: int = 0
    came: int = 0

    @property
    def reply_rate(self) -> float | None:
        """Of those who were asked so many answered, from 0 to 1; None if nobody was."""
        return find_share(self.answered, self.asked)

    @property
    def quiz_rate(self) -> float | None:
        """Of those whom a quiz asked so many answered; None if it asked nobody."""
        return find_share(self.quiz_answered, self.quizzed)

    @property
    def right_rate(self) -> float | None:
        """Of those who answered a quiz so many were right; None if nobody answered."""
        return find_share(self.quiz_right, self.quiz_answered)

    @property
    def yes_rate(self) -> float | None:
        """Of those who were invited so many said that they come; None if nobody was."""
        return find_share(self.yes, self.invited)

    @property
    def came_rate(self) -> float | None:
        """Of those who were expected at events so many came; None if none was ticked off."""
        return find_share(self.came, self.expected)

    def __add__(self, other: object) -> AnswerSums:
        """Both together: of disjoint units."""
        assert isinstance(other, AnswerSums)
        return AnswerSums(*(one + more for one, more in zip(self, other, strict=True)))


def sum_answers(session: Session, rows: Filter, *, needs_rows: bool = False) -> dict[int, AnswerSums] | None:
    """By the units that the filter counts by: those right below its one path and that itself for what is its own, or
    `each` by itself. The questions are those that its runs asked, with their reminders. None if more than a million
    rows would have to be read to tell. Raises Conflict where rows of the questions are archived, or,
    with `needs_rows`, of any run that the filter chooses.
    """
    found = _sum(session, rows, by_question=False, needs_rows=needs_rows)
    return None if found is None else {id_: sums for id_, sums in found.items() if id_ is not None}


def _sum(
    session: Session, rows: Filter, *, by_question: bool, needs_rows: bool = False
) -> dict[int | None, AnswerSums] | None:
    """By unit, or by question; then under None stand the events."""
    found = session.execute(_runs(rows, needs_rows)).all()
    questions = [run for run in found if run.question_id is not None]
    events = [run for run in found if run.question_id is None and not run.archived]
    if archived := {run.month for run in found if run.archived}:
        raise Conflict(say_archived(sorted(archived)))
    if sum(run.audience for run in questions) > MOST_ASKED:
        return None
    asking = [run for run in questions if run.asks or run.kind != QuestionKind.quiz]
    if not asking and not events:
        return {}
    own = last_id(rows.paths[0])
    lines = COMPARE_ANSWERS(
        session.connection(),
        run_ids=[run.id for run in asking],
        months=_months(asking),
        event_runs=[run.id for run in events],
        event_months=_months(events),
        event_ids=list({run.campaign_id for run in events}),
        each=None if rows.each is None else list(rows.each),
        above=f"/{own}/",
        own=int(own),
        by_question=by_question,
    )
    return {line.line: AnswerSums(*line[1:]) for line in lines}


class AskedQuestion(NamedTuple):
    """A question of a period with the campaign's name, and what some people answered to it."""

    question: QuestionRow
    campaign: str
    sums: AnswerSums


def list_compared_questions(session: Session, rows: Filter) -> tuple[list[AskedQuestion] | None, AnswerSums]:
    """The questions of which `sum_answers` says how they were answered, the last first, and all together; None as
    there.
    """
    found = _sum(session, rows, by_question=True)
    if found is None:
        return None, AnswerSums()
    named = (
        select(QuestionRow, Campaign.name)
        .join(Campaign, Campaign.id == QuestionRow.campaign_id)
        .where(QuestionRow.id.in_([id_ for id_ in found if id_ is not None]))
        .order_by(QuestionRow.opened_at.desc(), QuestionRow.id.desc())
    )
    lines = [AskedQuestion(question, name, found[question.id]) for question, name in session.execute(named)]
    return lines, sum(found.values(), AnswerSums())


def _runs(rows: Filter, needs_rows: bool) -> CompoundSelect[*tuple[Any, ...]]:
    """The runs of questions that were asked in the period, those that invited to its events that are ticked off, and
    with `needs_rows` those of archived months.
    """
    asking = aliased(Run)
    frozen = Run.kind == "campaign", Run.frozen_at.is_not(None)
    chosen = select(Run.question_id).where(*frozen, Run.asks.has_key("kind"), *rows.of_runs())
    columns = asking.id, asking.month, asking.campaign_id, func.coalesce(asking.audience, 0).label("audience")
    ticked = select(literal(1)).where(Attendance.campaign_id == Run.campaign_id).exists()
    return union_all(
        select(*columns, asking.question_id, QuestionRow.kind, asking.asks.has_key("kind").label("asks"))
        .add_columns(asking.month.in_(select(ArchivedMonth.month)).label("archived"))
        .join(QuestionRow, QuestionRow.id == asking.question_id)
        .where(asking.question_id.in_(chosen), asking.kind == "campaign", asking.frozen_at.is_not(None)),
        select(Run.id, Run.month, Run.campaign_id, Run.audience, null(), null(), null(), null()).where(
            *frozen, Run.item == INVITATION, ticked, *rows.of_runs()
        ),
        select(Run.id, Run.month, Run.campaign_id, Run.audience, null(), null(), null(), true()).where(
            literal(needs_rows), Run.audience > 0, Run.month.in_(select(ArchivedMonth.month)), *rows.of_runs()
        ),
    )


def _months(runs: Sequence[Row[*tuple[Any, ...]]]) -> list[date]:
    return sorted({run.month for run in runs})
