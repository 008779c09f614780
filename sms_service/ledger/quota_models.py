"""What each run takes of the quotas of the units that it stands under."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger

from sms_service.db.base import Base, Path
from sms_service.vocabulary import Words


class ReservationState(Words):
    """How far a reservation is."""

    asked = "asked"  # it wants more than a quota has left, and takes what it took before until somebody releases it
    planned = "planned"  # the run is not over; an estimate before its freeze
    used = "used"  # the run is over: this is what was sent


class QuotaReservation(Base):
    """What one run takes of each quota on its line of units, those at `unit_path`, in a month.

    `people` who get a text, `parts` and `fen` are those of what has left and of what still may; of a run that was not
    frozen, an estimate. `delivered`: texts that arrived, of a run that is over. `released`: the units whose quotas
    it may exceed, by the word of somebody above them. `look_at`: when the clock looks what was sent; empty: it need
    not.
    """

    __tablename__ = "quota_reservations"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    month: Mapped[date] = mapped_column(Date)
    unit_path: Mapped[Path]
    state: Mapped[str]
    people: Mapped[int] = mapped_column(server_default="0")
    parts: Mapped[int] = mapped_column(server_default="0")
    fen: Mapped[int] = mapped_column(server_default="0")
    delivered: Mapped[int] = mapped_column(server_default="0")
    released: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    look_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"state IN {ReservationState.sql()}", name="state"),
        CheckConstraint("least(people, parts, fen, delivered) >= 0", name="amounts"),
        Index(None, "month", "unit_path"),
        Index("ix_quota_reservations_look_at", "look_at", postgresql_where="look_at IS NOT NULL"),
    )
