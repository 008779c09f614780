"""Saved segment rules and the phones that must not be texted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func
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
    """An entry of the opt-out list: a phone that gets no texts, why, whence and since when. A lift keeps it.

    `unit_id`: it holds for texts of this unit and all units below it; None: for every text. `source` says where it came
    from, `proof_id` names the row that it came from (`suppression.PROOFS`), `note` is what a person typed about it. The
    gate asks active entries when a text leaves, so one counts at once. Erasure empties note, proof and `lift_why`, and
    deletes lifted entries; active ones are kept for ever.
    """

    __tablename__ = "suppressions"

    id: Mapped[Id]
    phone: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default=MessageReason.opted_out)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id"))
    source: Mapped[str]  # "import", "reply", "api", "gateway"
    proof_id: Mapped[int | None]
    note: Mapped[str | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    lift_why: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("lifted_at IS NOT NULL OR (lifted_by IS NULL AND lift_why IS NULL)", name="lifted"),
        Index(
            "uq_suppressions_active",
            *("phone", "unit_id"),
            unique=True,
            postgresql_where="lifted_at IS NULL",
            postgresql_nulls_not_distinct=True,
        ),
        Index(None, "phone"),
        Index(None, "created_at", "id"),
        Index(
            "ix_suppressions_of_units",
            *("unit_id", "phone"),
            postgresql_where="unit_id IS NOT NULL AND lifted_at IS NULL",
        ),
    )
