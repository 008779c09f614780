"""Callbacks that were refused, and people whom texts do not reach."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id
from sms_service.vocabulary import Words


class RefusedCallbacks(Base):
    """How many callbacks to a gateway account were refused on one day (UTC) for one reason, and when the last was."""

    __tablename__ = "refused_callbacks"

    gateway_account_id: Mapped[int] = mapped_column("account_id", ForeignKey("gateway_accounts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]
    last_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("reason IN ('forged', 'replayed', 'malformed')", name="reason"),)


class CheckCause(Words):
    """Why a branch is asked about a person."""

    dead_number = "dead_number"  # texts of two campaigns found the number dead
    not_reached = "not_reached"  # several campaigns in a row did not reach the person
    other_person = "other_person"  # whoever has the number says that it is not the person


class CheckAnswer(Words):
    """How a check ended."""

    found = "found"  # the number is right
    new_number = "new_number"
    moved_away = "moved_away"  # has left the unit
    lost = "lost"  # nobody knows where the person is
    # By itself, without a person's answer.
    reached = "reached"  # a text arrived, or the number that seemed dead is not the person's any more
    gone = "gone"  # was marked as gone or out of reach elsewhere


# What a person can answer.
GIVEN_ANSWERS = (CheckAnswer.found, CheckAnswer.new_number, CheckAnswer.moved_away, CheckAnswer.lost)


class MissedRun(Base):
    """A run that has closed and whose texts were looked at, as of when it closed. Forgotten a day after."""

    __tablename__ = "missed_runs"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    closed_at: Mapped[datetime]


class MissedText(Base):
    """A person whom a run did not reach, and none that closed after it. Ends with a text that arrives, with the answer
    of a check, or after a year.
    """

    __tablename__ = "missed_texts"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    run_id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int]
    at: Mapped[datetime]

    __table_args__ = (Index(None, "run_id"), Index(None, "at"))


class LostCheck(Base):
    """A question to a branch about one of its people: texts do not reach them. Open while it has no `answer`; a person
    has one open check at most. Kept: who was asked for, when, and who answered what. `campaigns`: how many had not
    reached the person when it was opened.
    """

    __tablename__ = "lost_checks"

    id: Mapped[Id]
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    cause: Mapped[str]
    campaigns: Mapped[int] = mapped_column(Integer)
    opened_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    answered_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"cause IN {CheckCause.sql()}", name="cause"),
        CheckConstraint(f"answer IN {CheckAnswer.sql()}", name="answer"),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answered"),
        CheckConstraint("answered_by IS NULL OR answer NOT IN ('reached', 'gone')", name="by_whom"),
        Index("uq_lost_checks_open", "person_id", unique=True, postgresql_where="answer IS NULL"),
        Index(None, "person_id", "id"),
    )
