"""Roll-ups: the ledger's rows added up by day, for each unit above them; and the seals of days.

They are not the truth: each can be made again from the ledger at any time (`roll_ups.py`).
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, ForeignKey, Index, Integer, SmallInteger, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Path


class DailyCount(Base):
    """So many rows of one day. `unit_id`: a unit under which they stood at freeze, `parent_id` the one above it then
    (0: none), `own`: whether they are the unit's own and not those of units below it. `sender_path`: the place of the
    unit that sent. `item` and `run_id`: of campaigns alone.
    """

    __tablename__ = "daily_counts"

    day: Mapped[date] = mapped_column(Date)
    unit_id: Mapped[int] = mapped_column()
    parent_id: Mapped[int]
    own: Mapped[bool] = mapped_column()
    sender_path: Mapped[Path]
    kind: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    campaign_id: Mapped[int | None]
    item: Mapped[int | None] = mapped_column(SmallInteger)
    run_id: Mapped[int | None]
    template_version_id: Mapped[int | None]
    account_id: Mapped[int | None]
    carrier: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    raw_code: Mapped[str | None]
    messages: Mapped[int] = mapped_column(Integer)
    parts: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"primary_key": [day, unit_id, own]}  # noqa: RUF012 - no row is loaded by a key, and none has one
    __table_args__ = (Index(None, "day"), Index(None, "unit_id", "day"), Index(None, "parent_id", "day"))


class DailyPeople(Base):
    """The people of such rows: `people` is a set of person ids, a serialised Roaring bitmap."""

    __tablename__ = "daily_people"

    day: Mapped[date] = mapped_column(Date)
    unit_id: Mapped[int] = mapped_column()
    parent_id: Mapped[int]
    own: Mapped[bool] = mapped_column()
    sender_path: Mapped[Path]
    kind: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    campaign_id: Mapped[int | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    people: Mapped[bytes]

    __mapper_args__ = {"primary_key": [day, unit_id, own]}  # noqa: RUF012
    __table_args__ = (Index(None, "day"), Index(None, "unit_id", "day"), Index(None, "parent_id", "day"))


class MonthlyPeople(Base):
    """The people of whole months."""

    __tablename__ = "monthly_people"

    month: Mapped[date] = mapped_column(Date)
    unit_id: Mapped[int] = mapped_column()
    parent_id: Mapped[int]
    own: Mapped[bool] = mapped_column()
    kind: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    status: Mapped[str]
    reason: Mapped[str | None]
    people: Mapped[bytes]

    __mapper_args__ = {"primary_key": [month, unit_id, own]}  # noqa: RUF012
    __table_args__ = (Index(None, "month"), Index(None, "unit_id", "month"), Index(None, "parent_id", "month"))


DAILY_COUNTS, DAILY_PEOPLE, MONTHLY_PEOPLE = (
    Base.metadata.tables[model.__tablename__] for model in (DailyCount, DailyPeople, MonthlyPeople)
)


class CountedMonth(Base):
    """A month of which days are added up. `rolled_at`: when its people were put together, once it was over; empty as
    soon as a day of it was added up again.
    """

    __tablename__ = "counted_months"

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    rolled_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_counted_months_new", "month", postgresql_where="rolled_at IS NULL"),)


class DaySeal(Base):
    """A closed day: the SHA-256 over its sealed counts and the digest of the sealed day before. `seen`: the amendments
    that were there already when the counts were taken.
    """

    __tablename__ = "day_seals"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    seen: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    digest: Mapped[bytes]
    sealed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SealedCount(Base):
    """What was counted of a unit, with all below it, when the day was sealed."""

    __tablename__ = "sealed_counts"

    day: Mapped[date] = mapped_column(Date, ForeignKey("day_seals.day"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(primary_key=True)
    messages: Mapped[int]
    parts: Mapped[int]

    __table_args__ = (Index(None, "unit_id", "day"),)
