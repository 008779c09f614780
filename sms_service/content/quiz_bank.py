"""The bank of quiz questions: who may change and use it, its categories, and each question.

A category belongs to a unit. Changing it needs `manage_templates` over that unit; everybody who holds a role on the
unit, below it or above it may read it, and quizzes of the unit and of those below take questions of it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import BigInteger, Select, cast, column, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.content.quiz_choices import WrittenQuestion, check_question, write_question
from sms_service.content.quiz_models import QuizCategory, QuizQuestion
from sms_service.content.wordlists import write_comparable
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.directory.units import usable_from
from sms_service.errors import Conflict, NotFound
from sms_service.said import say

LONGEST_CATEGORY = 50  # characters of a category's name


def add_quiz_category(session: Session, actor: Actor, unit_id: int, name: str) -> QuizCategory:
    """A new category of a unit. Raises NotFound, Forbidden without `manage_templates` over the unit, Invalid (`name`),
    or Conflict if the unit has one of this name.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_templates, path)
    name = required_line("name", name, LONGEST_CATEGORY)
    made: QuizCategory | None = session.scalar(
        insert(QuizCategory)
        .values(unit_id=unit_id, name=name, created_by=actor.account_id)
        .on_conflict_do_nothing()
        .returning(QuizCategory)
    )
    if made is None:
        raise Conflict("the unit already has a category of this name")
    trail.record_act(session, actor.account_id, "quiz.category_add", "unit", unit_id, path, category=name)
    return made


def rename_quiz_category(session: Session, actor: Actor, category_id: int, name: str) -> QuizCategory:
    """Give it another name. Raises NotFound, Forbidden, Invalid (`name`), or Conflict (the unit has one of this
    name).
    """
    found, path = own_quiz_category(session, actor, category_id)
    name = required_line("name", name, LONGEST_CATEGORY)
    twin = select(QuizCategory.id).where(
        QuizCategory.unit_id == found.unit_id, QuizCategory.name == name, QuizCategory.id != category_id
    )
    if session.scalar(twin) is not None:
        raise Conflict("the unit already has a category of this name")
    details = {"category": name, "changes": {"name": [found.name, name]}}
    found.name = name
    session.flush()
    trail.record_act(session, actor.account_id, "quiz.category_rename", "unit", found.unit_id, path, **details)
    return found


def remove_quiz_category(session: Session, actor: Actor, category_id: int) -> None:
    """Take a category away that never had a question. Raises NotFound, Forbidden, or Conflict."""
    found, path = own_quiz_category(session, actor, category_id)
    if session.scalar(select(exists().where(QuizQuestion.category_id == category_id))):
        raise Conflict("the category has questions, which may have been asked; retire them instead")
    session.delete(found)
    session.flush()
    details = {"category": found.name}
    trail.record_act(session, actor.account_id, "quiz.category_remove", "unit", found.unit_id, path, **details)


def keep_quiz_question(
    session: Session, actor: Actor, category_id: int, question_id: int | None, written: WrittenQuestion
) -> QuizQuestion:
    """Add a question to a category (`question_id` None), or put another one in the place of one that it has. A question
    that says the same already is returned as it is.

    Raises NotFound, Forbidden, Invalid (as `check_question`), or Conflict if the category asks this already, or the
    question to be replaced has ended.
    """
    category, path = own_quiz_category(session, actor, category_id)
    written = check_question(written)
    old = None
    if question_id is not None:
        old = session.get(QuizQuestion, question_id, populate_existing=True)
        if old is None or old.category_id != category_id:
            raise NotFound("question of this category", question_id)
        if old.ended_at is not None:
            raise Conflict("the question has been replaced or retired; look at it again")
        if as_written(old) == written:
            return old
    twin = _find_standing(session, category_id, digest_question(written.text))
    if twin is not None and twin is not old:
        raise Conflict(say("the category asks this already: it is question {question}", question=twin.id))
    if old is not None:
        old.ended_at = session.scalars(select(func.sms_now())).one()
        session.flush()  # two that stand cannot be the same
    made = QuizQuestion(category_id=category_id, created_by=actor.account_id, **write_columns(written))
    session.add(made)
    session.flush()
    details = {"category": category.name, "question": made.id}
    if old is None:
        trail.record_act(session, actor.account_id, "quiz.add", "unit", category.unit_id, path, **details)
    else:
        lead_to(session, {old.id: made.id})
        trail.record_act(session, actor.account_id, "quiz.replace", "unit", category.unit_id, path, **details)
    return made


def retire_quiz_question(session: Session, actor: Actor, question_id: int, *, retired: bool = True) -> QuizQuestion:
    """Let no quiz take the question any more, or let them again. Raises NotFound, Forbidden, or Conflict (it was
    replaced; the category asks the same by now).
    """
    question = session.get(QuizQuestion, question_id)
    if question is None:
        raise NotFound("question", question_id)
    category, path = own_quiz_category(session, actor, question.category_id)
    session.refresh(question)
    if question.replaced_by is not None:
        raise Conflict(say("question {question} has replaced it", question=question.replaced_by))
    if retired == (question.ended_at is not None):
        return question
    details = {"category": category.name, "question": question_id}
    if retired:
        question.ended_at = session.scalars(select(func.sms_now())).one()
        trail.record_act(session, actor.account_id, "quiz.retire", "unit", category.unit_id, path, **details)
    else:
        if twin := _find_standing(session, category.id, question.digest):
            raise Conflict(say("the category asks this already: it is question {question}", question=twin.id))
        question.ended_at = None
        trail.record_act(session, actor.account_id, "quiz.restore", "unit", category.unit_id, path, **details)
    session.flush()
    return question


def get_quiz_category(session: Session, actor: Actor, category_id: int) -> tuple[QuizCategory, Unit]:
    """A category that the actor may read and use, and its unit. Raises NotFound or Forbidden."""
    row = session.execute(
        select(QuizCategory, Unit).join(Unit, Unit.id == QuizCategory.unit_id).where(QuizCategory.id == category_id)
    ).one_or_none()
    if row is None:
        raise NotFound("category", category_id)
    actor.require_use(row.Unit.path, say("category {category}", category=category_id))
    return row.QuizCategory, row.Unit


def get_quiz_question(session: Session, actor: Actor, question_id: int) -> tuple[QuizQuestion, QuizCategory, Unit]:
    """A question that the actor may read, with its category and unit. Raises NotFound or Forbidden."""
    question = session.get(QuizQuestion, question_id)
    if question is None:
        raise NotFound("question", question_id)
    return question, *get_quiz_category(session, actor, question.category_id)


def own_quiz_category(session: Session, actor: Actor, category_id: int) -> tuple[QuizCategory, str]:
    """A category that the actor may change, locked, and its unit's path. Raises NotFound or Forbidden."""
    found = session.scalar(select(QuizCategory).where(QuizCategory.id == category_id).with_for_update())
    if found is None:
        raise NotFound("category", category_id)
    path = unit_path(session, found.unit_id)
    actor.require(Permission.manage_templates, path)
    return found, path


def find_quiz_categories(scope: tuple[str, ...]) -> Select[QuizCategory, Unit, int]:
    """The categories that can be used on the unit paths of `scope`, each with its unit and how many questions quizzes
    can take; not ordered.
    """
    number = (
        select(func.count())
        .where(QuizQuestion.category_id == QuizCategory.id, QuizQuestion.ended_at.is_(None))
        .correlate(QuizCategory)
        .scalar_subquery()
    )
    statement = select(QuizCategory, Unit, number.label("questions")).join(Unit, Unit.id == QuizCategory.unit_id)
    return statement.where(usable_from(scope))


def find_quiz_questions(category_id: int, wanted: str = "", *, ended: bool = False) -> Select[QuizQuestion]:
    """The questions of a category that hold `wanted` in text, options or explanation; not ordered. `ended`: those that
    were retired or replaced instead.
    """
    statement = select(QuizQuestion).where(QuizQuestion.category_id == category_id)
    statement = statement.where(QuizQuestion.ended_at.is_not(None) if ended else QuizQuestion.ended_at.is_(None))
    if not wanted:
        return statement
    options = func.array_to_string(
        select(func.array_agg(func.jsonb_array_elements_text(QuizQuestion.options).column_valued("option")))
        .correlate(QuizQuestion)
        .scalar_subquery(),
        "\n",
    )
    held = (QuizQuestion.text, QuizQuestion.explanation, options)
    return statement.where(or_(*(one.icontains(wanted, autoescape=True) for one in held)))


def count_quiz_questions(session: Session, category_id: int) -> int:
    """How many questions of a category quizzes can take."""
    standing = QuizQuestion.category_id == category_id, QuizQuestion.ended_at.is_(None)
    return session.scalars(select(func.count()).where(*standing)).one()


def lead_to(session: Session, replaced: dict[int, int]) -> None:
    """Write down which question replaces each of these; those that led to it lead to the newest one from now on."""
    pairs = (
        func.unnest(cast(list(replaced), ARRAY(BigInteger)), cast(list(replaced.values()), ARRAY(BigInteger)))
        .table_valued(column("old", BigInteger), column("new", BigInteger))
        .render_derived()
    )
    leading = or_(QuizQuestion.id == pairs.c.old, QuizQuestion.replaced_by == pairs.c.old)
    session.execute(
        update(QuizQuestion).where(leading).values(replaced_by=pairs.c.new),
        execution_options={"synchronize_session": False},
    )


def as_written(question: QuizQuestion) -> WrittenQuestion:
    """What a question of the bank asks."""
    return WrittenQuestion(question.text, tuple(question.options), question.right_choices, question.explanation)


def write_columns(written: WrittenQuestion) -> dict[str, Any]:
    """The columns of a question that asks this, but for its category."""
    shown = write_question(written.text, written.options)
    digest = digest_question(written.text)
    return {**written._asdict(), "options": list(written.options), "written": shown, "digest": digest}


def digest_question(text: str) -> str:
    """By what two questions are the same: their text without blanks, width and case."""
    return hashlib.sha256(write_comparable(text).encode()).hexdigest()


def _find_standing(session: Session, category_id: int, digest: str) -> QuizQuestion | None:
    same = QuizQuestion.category_id == category_id, QuizQuestion.digest == digest, QuizQuestion.ended_at.is_(None)
    return session.scalar(select(QuizQuestion).where(*same))
