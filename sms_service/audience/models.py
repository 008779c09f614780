"""Saved segment rules and the phones that must not be texted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id
from sms_service.vocabulary import MessageReason


class Segment(Base):
    """A saved rule that finds people. It belongs to a unit and never reaches outside that unit's subtree. `uses`: the
    segments that the rule names.
    """

    __tablename__ = "segments"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    rule: Mapped[dict[str, Any]]
    uses: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("unit_id", "name"),
        Index(None, "name", "id"),
        Index(None, "uses", postgresql_using="gin"),
    )


class Suppression(Base):
    """A phone that must not be texted, and why. The gate asks it when a text leaves, so an opt-out counts at once."""

    __tablename__ = "suppressions"

    phone: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(server_default=MessageReason.opted_out)
    source: Mapped[str]  # "import", "reply", "api", …
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]
