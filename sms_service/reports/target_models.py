"""What units are to reach in a year."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base
from sms_service.vocabulary import Words


class TargetKind(Words):
    """What a yearly target counts, of runs that a unit or one below it sent."""

    texts = "texts"  # texts that arrived
    theme_days = "theme_days"  # events that took place, and other invitations whose run is over
    participation = "participation"  # answered invitations, one for each person and campaign


class UnitTarget(Base):
    """How many of a kind a unit, with all below it, is to reach in a year."""

    __tablename__ = "unit_targets"

    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"), primary_key=True)
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        CheckConstraint(f"kind IN {TargetKind.sql()}", name="kind"),
        CheckConstraint("target > 0", name="target"),
    )
