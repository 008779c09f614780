"""Inbound texts."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, PrimaryKeyConstraint, Sequence, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, InMonth, Path
from sms_service.gateways.halves import hide_halves


class ReplyRow(Base):
    """One inbound text as it came, stored before it is acknowledged, or one part of a long one.

    Once all parts are there, the row of the first has the whole `text`, and the others name it by `joined_to`.
    `phone` is E.164; what the provider wrote is in `sender` where it cannot be read so. `fingerprint` is of who said
    what; `repeated`: they said it within ten minutes before, and the provider gives no id that would tell twice from
    once. `meaning` is "stop" or not known. Since `matched_at` it is decided which message it answers, if any;
    `unit_path` is then that message's, or its sender's. `month` is the message's; `in_month`, in which the row lies, is
    the one in which it came, by UTC (of rows of before: in which the table got its months).
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

    @property
    def is_complete(self) -> bool:
        """Whether it is a whole text: the first part of a long one has it once all are there, and no series."""
        return self.parts == 1 or self.series is None

    @property
    def shown_text(self) -> str | None:
        """The text for people to read: a part that waits for others may hold half a character."""
        return self.text if self.text is None or self.is_complete else hide_halves(self.text)

    __table_args__ = (
        PrimaryKeyConstraint("in_month", "id"),
        CheckConstraint("meaning = 'stop'", name="meaning"),
        CheckConstraint("part BETWEEN 1 AND parts", name="part"),
        CheckConstraint("(month IS NULL) = (message_id IS NULL)", name="message_has_month"),
        Index(None, "fingerprint", "received_at"),
        Index("ix_replies_series", "account_id", "phone", "series", postgresql_where="parts > 1"),
        Index("ix_replies_waiting", "id", postgresql_where="matched_at IS NULL"),
        Index(None, "received_at", "id"),
        {"postgresql_partition_by": "LIST (in_month)"},
    )
