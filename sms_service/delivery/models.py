"""Callbacks that were refused."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base


class RefusedCallbacks(Base):
    """How many callbacks to a gateway account were refused on one day (UTC) for one reason, and when the last was."""

    __tablename__ = "refused_callbacks"

    gateway_account_id: Mapped[int] = mapped_column("account_id", ForeignKey("gateway_accounts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]
    last_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("reason IN ('forged', 'replayed', 'malformed')", name="reason"),)
