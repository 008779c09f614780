"""What the texts of runs ask of those whom they reach."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id, Path
from sms_service.vocabulary import QuestionKind


class QuestionRow(Base):
    """A question of one firing of a campaign's text, opened when its run is launched; texts that remind of it name the
    same one. `asks` is what was approved, in the words of `campaigns/asking.py`. An answer counts if it was given
    before `closes_at`, which may move.
    """

    __tablename__ = "questions"

    id: Mapped[Id]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    item: Mapped[int] = mapped_column(SmallInteger)
    firing: Mapped[int] = mapped_column(SmallInteger)
    unit_path: Mapped[Path]
    kind: Mapped[str]
    asks: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]
    closes_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("campaign_id", "item", "firing"),
        CheckConstraint(f"kind IN {QuestionKind.sql()}", name="kind"),
        Index(None, "unit_path", "id"),
        Index(None, "closes_at"),
    )
