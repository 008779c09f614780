"""Saved segment rules and the phones that must not be texted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id
from sms_service.vocabulary import MessageReason, TextClass


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

    `unit_id`: it holds for texts of this unit and all units below it; `class_`: for texts of this class; `signature`:
    for texts with this signature. None: for all, so that an entry with none of them holds for every text. `source` says
    where it came from, `proof_id` names the row that it came from (`suppression.PROOFS`), `note` is what a person typed
    about it. The gate asks active entries when a text leaves, so one counts at once.

    Of an entry that a reply made, `confirmed_at` says since when somebody else says the same: then no reply narrows or
    lifts it. `lifted_by_reply` names the reply that lifted it. Erasure empties note, proof and `lift_why`, and deletes
    lifted entries; active ones are kept for ever.
    """

    __tablename__ = "suppressions"

    id: Mapped[Id]
    phone: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default=MessageReason.opted_out)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id"))
    class_: Mapped[str | None] = mapped_column("class")
    signature: Mapped[str | None]
    source: Mapped[str]  # "import", "reply", "api", "gateway"
    proof_id: Mapped[int | None]
    note: Mapped[str | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]
    confirmed_at: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    lifted_by_reply: Mapped[int | None]
    lift_why: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("lifted_at IS NOT NULL OR (lifted_by IS NULL AND lift_why IS NULL)", name="lifted"),
        CheckConstraint("lifted_at IS NOT NULL OR lifted_by_reply IS NULL", name="lifted_by_reply"),
        CheckConstraint(f"class IN {TextClass.sql()}", name="class"),
        Index(
            "uq_suppressions_standing",
            *("phone", "unit_id", "class", "signature"),
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
        Index(
            "ix_suppressions_of_some",
            "phone",
            postgresql_where="lifted_at IS NULL AND"
            " (unit_id IS NOT NULL OR class IS NOT NULL OR signature IS NOT NULL)",
        ),
    )


class StopRequest(Base):
    """What a reply says about stopping: no more texts, or texts again (`resumes`). All of a phone, in the order in
    which they were said, tell which entries of the opt-out list stand by its own word (`stopping.py`).

    Until `read_at` nobody knows which text it answers: a stop then covers every text, and one that resumes covers none.
    Afterwards `class_` and `signature` are what it covers, None: all; `said_to` is the signature of the text that it
    answers. `ended_at`: a person has let the phone have texts again. Erasure deletes the rows.
    """

    __tablename__ = "stop_requests"

    id: Mapped[Id]
    phone: Mapped[str]
    reply_id: Mapped[int | None]  # None: a release before this table kept no more than the entry
    said_at: Mapped[datetime]
    resumes: Mapped[bool]
    class_: Mapped[str | None] = mapped_column("class")
    signature: Mapped[str | None]
    said_to: Mapped[str | None]
    read_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"class IN {TextClass.sql()}", name="class"),
        UniqueConstraint("reply_id"),
        Index(None, "phone"),
    )
