"""Leading: of all processes that could do a thing, one does it, and proves that it does by a lease in PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base


class LeadershipRow(Base):
    """Who leads in `name` ("clock", "link NAME", …), until when, by PostgreSQL's own clock. `epoch` counts the leaders
    that there were.
    """

    __tablename__ = "leaderships"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    epoch: Mapped[int]
    since: Mapped[datetime]
    until: Mapped[datetime]
