"""Inbound texts, what they were read as, and the answers that they give."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, PrimaryKeyConstraint, Sequence, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id, InMonth, Path
from sms_service.gateways.halves import hide_halves
from sms_service.vocabulary import InboxStatus, Meaning


class ReplyRow(Base):
    """One inbound text as it came, stored before it is acknowledged, or one part of a long one.

    Once all parts are there, the row of the first has the whole `text`, and the others name it by `joined_to`.
    `phone` is E.164; what the provider wrote is in `sender` where it cannot be read so. `fingerprint` is of who said
    what; `repeated`: they said it within ten minutes before, and the provider gives no id that would tell twice from
    once. Since `matched_at` it is decided which message it answers, if any, and to which question; `unit_path` is then
    that message's, or its sender's. `month` is the message's; `in_month`, in which the row lies, is the one in which it
    came, by UTC (of rows of before: in which the table got its months).

    `meaning` (a `Meaning`) is what it was read as then, by `rule` (`reading.Rule`), or by the account `read_by`; what
    it was read as before is kept (`ReadingRow`). `inbox_status`: it waits in its unit's inbox for a person, of whom
    `assigned_to` names the account, or has been dealt with there. `extension`: the digits by which it names its
    question (`gateways/extensions.py`).
    """

    __tablename__ = "replies"

    id: Mapped[int] = mapped_column(Sequence("replies_id_seq"), server_default=Sequence("replies_id_seq").next_value())
    gateway_account_id: Mapped[int] = mapped_column("account_id", ForeignKey("gateway_accounts.id"))
    received_at: Mapped[datetime]
    occurred_at: Mapped[datetime | None]
    provider_id: Mapped[str | None]
    phone: Mapped[str | None]
    sender: Mapped[str | None]
    sent_to: Mapped[str | None]
    text: Mapped[str | None]
    raw: Mapped[str | None]
    fingerprint: Mapped[str | None]
    part: Mapped[int] = mapped_column(SmallInteger)
    parts: Mapped[int] = mapped_column(SmallInteger)
    series: Mapped[str | None]
    joined_to: Mapped[int | None]
    meaning: Mapped[str | None]
    matched_at: Mapped[datetime | None]
    month: Mapped[date | None] = mapped_column(Date)
    message_id: Mapped[int | None]
    person_id: Mapped[int | None]
    unit_path: Mapped[Path | None]
    repeated: Mapped[bool] = mapped_column(server_default="false")
    in_month: Mapped[InMonth]
    rule: Mapped[str | None]
    question_id: Mapped[int | None]
    inbox_status: Mapped[str | None]
    assigned_to: Mapped[int | None]
    read_by: Mapped[int | None]
    extension: Mapped[str | None]

    @property
    def is_complete(self) -> bool:
        """Whether it is a whole text: the first part of a long one has it once all are there, and no series."""
        return self.parts == 1 or self.series is None

    @property
    def said_at(self) -> datetime:
        """When it was said: as its provider's clock has it, but not after it came in (`match_replies.sql`)."""
        return min(self.received_at, self.occurred_at or self.received_at)

    @property
    def shown_text(self) -> str | None:
        """The text for people to read: a part that waits for others may hold half a character."""
        return self.text if self.text is None or self.is_complete else hide_halves(self.text)

    __table_args__ = (
        PrimaryKeyConstraint("in_month", "id"),
        CheckConstraint(f"meaning IN {Meaning.sql()}", name="meaning"),
        CheckConstraint(f"inbox_status IN {InboxStatus.sql()}", name="inbox_status"),
        CheckConstraint("part BETWEEN 1 AND parts", name="part"),
        CheckConstraint("(month IS NULL) = (message_id IS NULL)", name="message_has_month"),
        Index(None, "fingerprint", "received_at"),
        Index("ix_replies_series", "account_id", "phone", "series", postgresql_where="parts > 1"),
        Index("ix_replies_phone", "phone", "received_at", postgresql_where="phone IS NOT NULL"),
        Index("ix_replies_phoneless", "person_id", postgresql_where="phone IS NULL AND person_id IS NOT NULL"),
        Index("ix_replies_waiting", "id", postgresql_where="matched_at IS NULL"),
        Index(None, "received_at", "id"),
        Index("ix_replies_question_id", "question_id", "received_at", postgresql_where="question_id IS NOT NULL"),
        Index("ix_replies_inbox", "inbox_status", "received_at", "id", postgresql_where="inbox_status IS NOT NULL"),
        {"postgresql_partition_by": "LIST (in_month)"},
    )


class ReadingRow(Base):
    """What a reply was read as before it was read again, at `replaced_at`: by the account `replaced_by`, or by itself,
    when a long one was complete. `read_by`: the account whose reading it was, None: a rule's.
    """

    __tablename__ = "reply_readings"

    id: Mapped[Id]
    reply_in_month: Mapped[date] = mapped_column(Date)
    reply_id: Mapped[int]
    meaning: Mapped[str | None]
    rule: Mapped[str | None]
    question_id: Mapped[int | None]
    month: Mapped[date | None] = mapped_column(Date)
    message_id: Mapped[int | None]
    read_by: Mapped[int | None]
    replaced_at: Mapped[datetime]
    replaced_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    why: Mapped[str | None]

    __table_args__ = (Index(None, "reply_id"),)


class AnswerRow(Base):
    """What somebody answered to a question: by a reply, or as `noted_by` noted what they said otherwise. Rows are only
    added; one whose reply was read again is void.

    It is the recipient's of the message, whose unit stands in `unit_path`. `said` is a `Meaning`; `choices` are the
    letters or the number chosen, "AC"; `people`: how many come; `correct`: of a quiz. It was said `at`, and which one
    counts is told by that alone, whatever came in first (`answers.py`).
    """

    __tablename__ = "answers"

    id: Mapped[Id]
    question_id: Mapped[int] = mapped_column(ForeignKey("questions.id"))
    month: Mapped[date] = mapped_column(Date)
    message_id: Mapped[int]
    person_id: Mapped[int]
    unit_path: Mapped[Path]
    said: Mapped[str]
    choices: Mapped[str | None]
    people: Mapped[int | None] = mapped_column(SmallInteger)
    correct: Mapped[bool | None]
    at: Mapped[datetime]
    reply_in_month: Mapped[date | None] = mapped_column(Date)
    reply_id: Mapped[int | None]
    noted_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    note: Mapped[str | None]
    voided_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("said IN ('yes', 'no', 'choice', 'wrong_person', 'free_text')", name="said"),
        CheckConstraint("(said = 'choice') = (choices IS NOT NULL)", name="choices"),
        CheckConstraint("people IS NULL OR (people > 0 AND said = 'yes')", name="people"),
        CheckConstraint(
            "(reply_id IS NULL) = (reply_in_month IS NULL) AND (reply_id IS NULL OR noted_by IS NULL)", name="source"
        ),
        Index("uq_answers_reply_id", "reply_id", unique=True, postgresql_where="voided_at IS NULL"),
        Index(None, "question_id", "message_id", "at"),
        Index(None, "person_id"),
    )
