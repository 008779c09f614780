"""Ledger exports and issued statements: their tables."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id, Path
from sms_service.directory.models import CITY_ZONE
from sms_service.said import Said, read_said
from sms_service.vocabulary import Words


class ExportState(Words):
    """How far an export is."""

    queued = "queued"  # a worker will write it
    running = "running"
    ready = "ready"  # there is a file
    failed = "failed"  # `reason` says why
    expired = "expired"  # its file is deleted


# A worker is at it, or will be.
EXPORTS_UNDER_WAY = (ExportState.queued, ExportState.running)


class Export(Base):
    """One file of rows of the ledger. `asked`: the filter as an address has it, `filter`: as the ledger is asked.
    `unit_path`: the outermost unit that it covers. `bom`: a CSV file begins with a byte order mark. `rows_done` of
    `rows_total` are written. `head`: the head of the trail's chain when it was begun, `as_of`: the moment of its rows.
    `digest`: SHA-256 over the file of `size` bytes.
    """

    __tablename__ = "exports"

    id: Mapped[Id]
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    unit_path: Mapped[Path]
    asked: Mapped[dict[str, str]]
    filter: Mapped[dict[str, Any]]
    columns: Mapped[list[str]]
    format: Mapped[str]
    bom: Mapped[bool]
    language: Mapped[str]
    whole_phones: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default="queued")
    reason: Mapped[str | None]
    reason_message: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    token: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    rows_done: Mapped[int] = mapped_column(server_default="0")
    rows_total: Mapped[int | None]
    size: Mapped[int | None]
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    head: Mapped[str | None]
    as_of: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("sms_now()"))
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    @property
    def said_reason(self) -> Said | None:
        """Why it has no file, as a sentence."""
        return None if self.reason is None else read_said(self.reason, self.reason_message)

    @property
    def is_under_way(self) -> bool:
        """Whether a worker is at it, or will be."""
        return self.state in EXPORTS_UNDER_WAY

    @property
    def file_name(self) -> str:
        """What the file is called where it is kept; only one worker ever writes a file of this name."""
        return f"{self.id}-{self.token}.{self.format}"

    @property
    def download_name(self) -> str:
        """What the file is called where it is downloaded."""
        return (
            f"ledger-{self.id}-{(self.as_of or self.created_at).astimezone(ZoneInfo(CITY_ZONE)):%Y%m%d}.{self.format}"
        )

    __table_args__ = (
        Index(None, "account_id", "id"),
        Index("ix_exports_waiting", "id", postgresql_where="state IN ('queued', 'running')"),
        Index(None, "finished_at"),
        CheckConstraint(f"state IN {ExportState.sql()}", name="state"),
        CheckConstraint("format IN ('xlsx', 'csv')", name="format"),
        CheckConstraint("cardinality(columns) > 0", name="columns"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="leased"),
        CheckConstraint(
            "state <> 'ready' OR (digest IS NOT NULL AND size IS NOT NULL AND expires_at IS NOT NULL AND token IS NOT"
            " NULL)",
            name="ready",
        ),
    )


class IssuedStatement(Base):
    """A statement that was issued: `content` is what it says, in the form over which `digest` (SHA-256) is taken.
    Nobody can change one, the application neither.
    """

    __tablename__ = "statements"

    id: Mapped[Id]
    number: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    since: Mapped[date] = mapped_column(Date)
    until: Mapped[date] = mapped_column(Date)
    content: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    issued_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("number"),
        Index(None, "unit_id", "id"),
        CheckConstraint("since <= until", name="period"),
    )
