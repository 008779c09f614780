"""Who came to an event."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base


class Attendance(Base):
    """Whether somebody who was to be invited came, as a person ticked it off. `unit_id`: the unit for which they were
    invited, under which they are counted.
    """

    __tablename__ = "attendances"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    came: Mapped[bool]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    recorded_at: Mapped[datetime]

    __table_args__ = (Index(None, "person_id"), Index(None, "unit_id"))
