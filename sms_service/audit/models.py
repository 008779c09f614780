"""The trail's tables. `sms_app` may only insert into the trail, read it, and have it linked (docs/auditing.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id, Path


class TrailEntry(Base):
    """One act. `details` holds ids, counts and words, never phone numbers or texts; `details["changes"]` what was
    before and after, by field. Of a person that stands in `TrailPersonal`, and `personal` is its salted digest.

    `origin`: the address of the request, `shell` or `service`; None: it was before that was kept.
    """

    __tablename__ = "trail"

    id: Mapped[Id]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))  # None: the service itself
    act: Mapped[str]  # "campaign.approve", "run.cancel", …
    target_kind: Mapped[str]
    target_id: Mapped[str]
    unit_path: Mapped[Path]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    origin: Mapped[str | None] = mapped_column(server_default="service")
    personal: Mapped[bytes | None]

    __table_args__ = (
        CheckConstraint(
            "octet_length(act) <= 100 AND octet_length(target_kind) <= 100 AND octet_length(target_id) <= 1000"
            " AND octet_length(unit_path) <= 10000 AND octet_length(origin) <= 100 AND octet_length(personal) = 32"
            " AND octet_length(details::text) <= 16777216",
            name="bounded",
        ),
        Index(None, "unit_path", "id"),
        Index(None, "target_kind", "target_id", "id"),
    )


class TrailPersonal(Base):
    """What an act on a person was before and after: JSON, as it was hashed behind the salt. Erasure deletes it."""

    __tablename__ = "trail_personal"

    entry_id: Mapped[int] = mapped_column(ForeignKey("trail.id"), primary_key=True, autoincrement=False)
    salt: Mapped[bytes]
    changes: Mapped[str]


class TrailLink(Base):
    """The place of an entry in the chain, from 1 on in the order in which entries could be seen. `digest` is over the
    digest before it, `at`, when it was linked, and all of the entry; `link_trail` of the database writes it.
    """

    __tablename__ = "trail_links"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("trail.id"), unique=True)
    digest: Mapped[bytes]
    at: Mapped[datetime]


class TrailUnlinked(Base):
    """An entry that has no link yet. A trigger writes it with the entry; `link_trail` deletes it."""

    __tablename__ = "trail_unlinked"

    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
