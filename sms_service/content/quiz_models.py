"""The bank of quiz questions, in categories of units."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id


class QuizCategory(Base):
    """What questions are about; of a unit, usable throughout its subtree."""

    __tablename__ = "quiz_categories"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("unit_id", "name"), Index(None, "name", "id"))


class QuizQuestion(Base):
    """A question. What it asks never changes: another row replaces it (`replaced_by`, the newest one).

    `options`: 2 to 6, lettered from A; `right_choices`: the letters of those that are right, such as AC; `written`:
    text and options as those who are asked read them; `digest`: of its text, as questions are compared; `ended_at`:
    since when no quiz takes it, because it was replaced or retired.
    """

    __tablename__ = "quiz_questions"

    id: Mapped[Id]
    category_id: Mapped[int] = mapped_column(ForeignKey("quiz_categories.id"))
    text: Mapped[str]
    options: Mapped[list[Any]]
    right_choices: Mapped[str]
    explanation: Mapped[str | None]
    written: Mapped[str]
    digest: Mapped[str]
    replaced_by: Mapped[int | None] = mapped_column(ForeignKey("quiz_questions.id"))
    ended_at: Mapped[datetime | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        Index("uq_quiz_questions_standing", "category_id", "digest", unique=True, postgresql_where="ended_at IS NULL"),
        Index(None, "category_id", "id"),
        Index(None, "replaced_by", postgresql_where="replaced_by IS NOT NULL"),
    )


class QuizDraft(Base):
    """A file of questions that was read for a unit; each unit has one at most. `rows`: category, text, options, right
    choices, explanation and row number of each that can be used; `headers`, `refused`: the file's own, and of each row
    that cannot be used its number, cells and reason; `passed_over`: headers of columns that are not read.
    """

    __tablename__ = "quiz_drafts"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    file_name: Mapped[str]
    headers: Mapped[list[Any]]
    passed_over: Mapped[list[Any]]
    rows: Mapped[list[Any]]
    refused: Mapped[list[Any]]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("unit_id"),)
