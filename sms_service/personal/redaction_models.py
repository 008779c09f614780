"""How far the redaction of old rows is."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, Integer, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base


class Redacted(StrEnum):
    """What is emptied."""

    texts = "texts"  # of runs of a day: messages, attempts, receipts
    replies = "replies"  # of a day, by UTC
    raw_receipts = "raw_receipts"  # of a month: the records as providers sent them
    raw_replies = "raw_replies"


class Redaction(Base):
    """The work of one day (or month) for the units that have their rows emptied after `days` (0: those that follow the
    installation). `after`: the key of the last row that was looked at. `look_at`: when the clock goes on; None: never,
    it is done. `left_over`: rows that may still move, for which it begins again a day later.
    """

    __tablename__ = "redactions"

    what: Mapped[str] = mapped_column(primary_key=True)
    days: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    after: Mapped[list[Any]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    left_over: Mapped[int] = mapped_column(Integer, server_default="0")
    look_at: Mapped[datetime | None] = mapped_column(server_default=text("'1970-01-01 00:00:00+00'"))

    __table_args__ = (
        CheckConstraint(f"what IN {tuple(str(one) for one in Redacted)}", name="what"),
        Index(None, "look_at", postgresql_where="look_at IS NOT NULL"),
    )
