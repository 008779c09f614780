"""Which days are counted, and what has changed in their rows since: triggers on messages, attempts and runs write it
(db/migrations/versions/0062_roll_ups.sql), whatever statement made the change.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, Integer, func
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id, Path


class CountedDay(Base):
    """A local day of launch whose changes are noted. `barrier`: once no transaction below this one is open, all changes
    that were not noted have ended, and its rows can be added up. `sealing`: each change of a row leaves an amendment,
    too, and no run is added.
    """

    __tablename__ = "counted_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    barrier: Mapped[int | None] = mapped_column(BigInteger)
    rolled_at: Mapped[datetime | None]
    sealing: Mapped[bool] = mapped_column(server_default="false")

    __table_args__ = (
        Index("ix_counted_days_new", "day", postgresql_where="rolled_at IS NULL"),
        Index("ix_counted_days_unsealed", "day", postgresql_where="NOT sealing"),
    )


class DayChange(Base):
    """A statement changed rows of a counted day; deleted by the transaction that adds these rows up."""

    __tablename__ = "day_changes"

    id: Mapped[Id]
    day: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    __table_args__ = (Index(None, "day"),)


class Amendment(Base):
    """What changed in one row of a sealed day: its status and reason, or how many of its parts were taken (`parts`:
    the difference). `cause`: `receipt`, `silence`, `settled`, `sent_again` or `dispatch`.
    """

    __tablename__ = "amendments"

    id: Mapped[Id]
    day: Mapped[date] = mapped_column(Date)
    month: Mapped[date] = mapped_column(Date)
    message_id: Mapped[int]
    run_id: Mapped[int]
    kind: Mapped[str]
    unit_path: Mapped[Path]
    from_status: Mapped[str | None]
    from_reason: Mapped[str | None]
    to_status: Mapped[str | None]
    to_reason: Mapped[str | None]
    parts: Mapped[int] = mapped_column(Integer, server_default="0")
    cause: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    __table_args__ = (
        Index(None, "day", "id"),
        Index(None, "message_id"),
        CheckConstraint("(from_status IS NULL) = (to_status IS NULL)", name="statuses"),
    )
