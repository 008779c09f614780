"""Quotas of units: how many people, parts and how much money the runs of a month may take, and how much they have."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id


class Quota(Base):
    """What the runs of a unit and of all below it may take in the month that begins on this day; without a month: in
    every month that has no row of its own. An empty limit limits nothing. Whoever manages the unit above sets it.
    """

    __tablename__ = "quotas"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    month: Mapped[date | None] = mapped_column(Date)
    people: Mapped[int | None]
    parts: Mapped[int | None]
    fen: Mapped[int | None]
    changed_at: Mapped[CreatedAt]

    __table_args__ = (
        Index("uq_quotas_unit_id_month", "unit_id", "month", unique=True, postgresql_nulls_not_distinct=True),
        CheckConstraint("people >= 0 AND parts >= 0 AND fen >= 0", name="limits"),
        CheckConstraint("month IS NOT NULL OR num_nonnulls(people, parts, fen) > 0", name="standing"),
        CheckConstraint("extract(day FROM month) = 1", name="month"),
    )


class QuotaUse(Base):
    """What the reservations of a unit's subtree come to in a month: `planned` of runs that are not over, `used` of
    those that are. A sum that is kept, so that no launch reads a month's runs; there is one where a quota was asked.
    """

    __tablename__ = "quota_uses"

    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    planned_people: Mapped[int] = mapped_column(server_default="0")
    planned_parts: Mapped[int] = mapped_column(server_default="0")
    planned_fen: Mapped[int] = mapped_column(server_default="0")
    used_people: Mapped[int] = mapped_column(server_default="0")
    used_parts: Mapped[int] = mapped_column(server_default="0")
    used_fen: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        CheckConstraint("least(planned_people, planned_parts, planned_fen) >= 0", name="planned"),
        CheckConstraint("least(used_people, used_parts, used_fen) >= 0", name="used"),
    )
