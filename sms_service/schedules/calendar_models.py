"""The calendar of working days, as its exceptions."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Date, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id


class CalendarDay(Base):
    """A day on which a unit and all below it work though it is a Saturday or Sunday (`works`: 调休上班), or do not
    though it is none. The entry of the nearer unit counts. Kept until a person removes it.
    """

    __tablename__ = "calendar_days"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    day: Mapped[date] = mapped_column(Date)
    works: Mapped[bool]
    name: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("unit_id", "day"), Index(None, "day", "id"))
