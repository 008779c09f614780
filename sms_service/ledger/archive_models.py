"""Which months of the ledger lie in files alone, and how many rows of each of their runs had which status."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, func
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base
from sms_service.vocabulary import Words


class ArchiveState(Words):
    """How far a month is on its way out of the database, or back into it."""

    detaching = "detaching"  # its partitions are being detached; some may be already
    detached = "detached"  # they are tables of their own, and the files have been compared with them
    dropping = "dropping"  # the tables are being dropped
    dropped = "dropped"  # the files are all there is
    reading_back = "reading_back"  # the files' rows are being written into new partitions


class ArchivedMonth(Base):
    """A month of which nobody may take the ledger's rows for all there are. `partitions`: by table the one that was
    detached. `days`: of each day the digest of its roll-up then. `folder`, with `digest` of its manifest and how many
    `rows` there are of messages and what belongs to them: known once it is written.
    """

    __tablename__ = "archived_months"

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    state: Mapped[str]
    begun_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    partitions: Mapped[dict[str, str]]
    days: Mapped[dict[str, str]] = mapped_column(server_default="{}")
    folder: Mapped[str | None]
    digest: Mapped[bytes | None]
    rows: Mapped[int | None]

    __table_args__ = (
        CheckConstraint(f"state IN {ArchiveState.sql()}", name="state"),
        CheckConstraint(
            "state = 'detaching' OR (folder IS NOT NULL AND digest IS NOT NULL AND rows IS NOT NULL)", name="written"
        ),
    )


class ArchivedRun(Base):
    """So many rows of a run of an archived month had this status."""

    __tablename__ = "archived_runs"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(Date, ForeignKey("archived_months.month", ondelete="CASCADE"))
    messages: Mapped[int] = mapped_column(Integer)

    __table_args__ = (Index(None, "month"),)
