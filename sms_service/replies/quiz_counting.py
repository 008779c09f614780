"""What came of quizzes: who was asked, who answered, who was right; every number can be listed row by row.

A person is asked once by each question of a campaign: asked = answered + silent + unreachable. *Answered* who named an
option in time; only so many tries count as the quiz allows, in the order in which they were said, and it is *right* if
one of them is. *Unreachable* who was skipped, or whose text surely did not arrive; *silent* everybody else. Where two
people share a phone, both were reached by what went there. Units are those of the freeze.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    case,
    cast,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.content.quiz_models import QuizCategory, QuizQuestion
from sms_service.directory.models import Person, Unit
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.ledger.question_models import QuestionRow
from sms_service.ledger.questions import list_questions
from sms_service.replies.quiz_rows import find_quiz_rows
from sms_service.said import as_said, say
from sms_service.vocabulary import QuestionKind, Words

MOST_QUESTIONS = 200  # of the bank, by how often they were missed


class QuizState(Words):
    """Which people of a quiz are listed."""

    answered = "answered"  # who named an option in time
    right = "right"  # who was right by that
    wrong = "wrong"  # who was not
    silent = "silent"  # who was reached, or may have been, and named none
    unreachable = "unreachable"  # whom the text did not reach


class QuizCounts(NamedTuple):
    """How many were asked, and what came of it: asked = answered + silent + unreachable."""

    asked: int
    answered: int
    right: int
    silent: int
    unreachable: int


class QuizLine(NamedTuple):
    """The counts of a unit with all below it, of a category, or of a question of the bank: its id and name."""

    id: int
    name: str
    counts: QuizCounts


@dataclass(frozen=True, slots=True)
class QuizReadings:
    """The quiz questions of a campaign (`questions`, all or one of them), whose unit has the `path`, within what
    somebody may read of it: the subtrees at `paths`, of these `units`. `rows`: one for each question and person.
    """

    campaign: Campaign
    path: str
    questions: Sequence[QuestionRow]
    paths: tuple[str, ...]
    units: tuple[Unit, ...]
    rows: Subquery


def open_quiz(
    session: Session, actor: Actor, campaign_id: int, unit_id: int | None = None, question_id: int | None = None
) -> QuizReadings:
    """The quiz questions of a campaign, or one of them, with the people within the unit's subtree; None: wherever the
    actor may read.

    Raises NotFound, Forbidden, and Invalid (`unit`) for a unit that is not below the campaign's own.
    """
    campaign = session.get(Campaign, campaign_id)
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    own = unit_path(session, campaign.unit_id)
    if unit_id is None:
        held = actor.scope(Permission.read)
        paths = (own,) if actor.can(Permission.read, own) else tuple(one for one in held if one.startswith(own))
        if not paths:
            message = "{login} holds no role on the unit of {kind} {name}, nor above or below it"
            raise Forbidden(say(message, login=actor.login, kind=as_said("campaign"), name=campaign_id))
    else:
        paths = (unit_path(session, unit_id),)
        actor.require(Permission.read, paths[0])
        if not paths[0].startswith(own):
            raise Invalid("unit", unit_id, "must be the unit of the campaign or one below it")
    quizzes = [one for one in list_questions(session, campaign_id) if one.kind == QuestionKind.quiz]
    found = [one for one in quizzes if question_id in (None, one.id)]
    if question_id is not None and not found:
        raise NotFound("question of a campaign", question_id)
    units = tuple(session.scalars(select(Unit).where(Unit.path.in_(paths)).order_by(Unit.path)))
    return QuizReadings(campaign, own, found, paths, units, find_quiz_rows(session, found, paths))


def count_quiz(session: Session, quiz: QuizReadings) -> QuizCounts:
    """All of them together."""
    counts: Sequence[int] = session.execute(select(*_counted(quiz.rows))).one()
    return QuizCounts(*counts)


def count_quiz_by_unit(session: Session, quiz: QuizReadings) -> list[QuizLine]:
    """By the units right below the one that is read, or by those that are; who belonged to the unit itself stands under
    it.
    """
    path, only = quiz.rows.c.unit_path, quiz.paths[0]
    line: ColumnElement[Any] = func.coalesce(
        func.nullif(func.split_part(func.substr(path, len(only) + 1), "/", 1), ""), only.rstrip("/").rpartition("/")[2]
    )
    if len(quiz.paths) > 1:
        line = case(*((path.op("^@")(one), one.rstrip("/").rpartition("/")[2]) for one in quiz.paths))
    lined = select(cast(line, BigInteger).label("line_id"), quiz.rows).subquery()
    counted = select(lined.c.line_id, *_counted(lined)).group_by(lined.c.line_id).subquery()
    own = aliased(Unit)
    rows = session.execute(
        select(own.id, own.name, *(counted.c[name] for name in QuizCounts._fields))
        .join(counted, counted.c.line_id == own.id)
        .order_by(own.id)
    )
    return _lines(rows)


def sum_counts(lines: Sequence[QuizLine]) -> QuizCounts:
    """The counts of lines that add up, such as those by unit."""
    return QuizCounts(*(sum(one.counts[place] for one in lines) for place in range(len(QuizCounts._fields))))


def count_quiz_by_category(session: Session, quiz: QuizReadings) -> list[QuizLine]:
    """By the categories of the bank, by name."""
    statement = (
        select(QuizCategory.id, QuizCategory.name, *_counted(quiz.rows))
        .select_from(quiz.rows)
        .join(QuizQuestion, QuizQuestion.id == quiz.rows.c.quiz_question_id)
        .join(QuizCategory, QuizCategory.id == QuizQuestion.category_id)
        .group_by(QuizCategory.id, QuizCategory.name)
        .order_by(QuizCategory.name, QuizCategory.id)
    )
    return _lines(session.execute(statement))


def list_missed_questions(session: Session, quiz: QuizReadings) -> list[QuizLine]:
    """By the questions of the bank, those first that most of those who answered got wrong; at most 200."""
    counts = _counted(quiz.rows)
    _, answered, right, *_ = counts
    statement = (
        select(QuizQuestion.id, QuizQuestion.text, *counts)
        .select_from(quiz.rows)
        .join(QuizQuestion, QuizQuestion.id == quiz.rows.c.quiz_question_id)
        .group_by(QuizQuestion.id, QuizQuestion.text)
        .order_by((answered - right).desc(), answered.desc(), QuizQuestion.id)
        .limit(MOST_QUESTIONS)
    )
    return _lines(session.execute(statement))


def find_quiz_people(
    quiz: QuizReadings, state: str | None = None, *, subtree: bool = True, quiz_question_id: int | None = None
) -> Select[*tuple[Any, ...]]:
    """The rows, each with the person's name and phone, their unit's name, and what the question asks; to be paged by
    its columns `person_id` and `message_id`. `state`: only those of a QuizState; without the `subtree`: only those of
    the units themselves; `quiz_question_id`: only who was asked this.
    """
    rows = quiz.rows
    statement: Select[*tuple[Any, ...]] = (
        select(rows, Person.name, Person.phone, Unit.name.label("unit"), QuizQuestion.text, QuizQuestion.right_choices)
        .select_from(rows)
        .join(Unit, Unit.id == rows.c.unit_id)
        .outerjoin(Person, Person.id == rows.c.person_id)
        .outerjoin(QuizQuestion, QuizQuestion.id == rows.c.quiz_question_id)
    )
    if not subtree:
        statement = statement.where(rows.c.unit_path.in_(quiz.paths))
    if quiz_question_id is not None:
        statement = statement.where(rows.c.quiz_question_id == quiz_question_id)
    if state in (QuizState.right, QuizState.wrong):
        return statement.where(rows.c.correct.is_(state == QuizState.right))
    return statement if state is None else statement.where(rows.c.state == state)


def find_quizzes(paths: Sequence[str]) -> tuple[Select[*tuple[Any, ...]], ColumnElement[int]]:
    """The campaigns of units on these paths that have asked a quiz, with their unit, how many questions they asked, and
    when the last one closes; to be paged by the id of the last one, which is the second.
    """
    asked = (
        select(
            QuestionRow.campaign_id,
            func.max(QuestionRow.id).label("last_id"),
            func.count().label("questions"),
            func.max(QuestionRow.opened_at).label("opened_at"),
            func.max(QuestionRow.closes_at).label("closes_at"),
        )
        .where(
            QuestionRow.kind == QuestionKind.quiz,
            or_(false(), *(QuestionRow.unit_path.op("^@")(path) for path in paths)),
        )
        .group_by(QuestionRow.campaign_id)
        .subquery("asked")
    )
    statement: Select[*tuple[Any, ...]] = (
        select(Campaign, Unit, asked.c.questions, asked.c.opened_at, asked.c.closes_at)
        .join(asked, asked.c.campaign_id == Campaign.id)
        .join(Unit, Unit.id == Campaign.unit_id)
    )
    return statement, asked.c.last_id


def find_quiz_scores(
    quiz: QuizReadings,
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[int], ColumnElement[int]]:
    """What each person scored over the questions, with name and unit; to be paged by how many were right, which is the
    second, and the person, which is the third.
    """
    rows = quiz.rows
    scored = (
        select(rows.c.person_id, func.max(rows.c.unit_id).label("unit_id"), *_counted(rows))
        .group_by(rows.c.person_id)
        .subquery("scored")
    )
    statement: Select[*tuple[Any, ...]] = (
        select(scored, Person.name, Unit.name.label("unit"))
        .select_from(scored)
        .join(Unit, Unit.id == scored.c.unit_id)
        .outerjoin(Person, Person.id == scored.c.person_id)
    )
    return statement, scored.c.right, scored.c.person_id


def _counted(rows: Subquery) -> tuple[ColumnElement[int], ...]:
    """The columns of QuizCounts over the rows."""
    states = {name: func.count().filter(rows.c.state == name) for name in ("answered", "silent", "unreachable")}
    right = func.count().filter(rows.c.correct)
    counts = (func.count(), states["answered"], right, states["silent"], states["unreachable"])
    return tuple(count.label(name) for count, name in zip(counts, QuizCounts._fields, strict=True))


def _lines(rows: Any) -> list[QuizLine]:
    return [QuizLine(row[0], row[1], QuizCounts(*row[2:])) for row in rows]
