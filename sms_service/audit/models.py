"""The trail's table. `sms_app` may only insert and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id, Path


class TrailEntry(Base):
    """One act. `details` holds ids, counts and words, never phone numbers or texts."""

    __tablename__ = "trail"

    id: Mapped[Id]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))  # None: the service itself
    act: Mapped[str]  # "campaign.approve", "run.cancel", …
    target_kind: Mapped[str]
    target_id: Mapped[str]
    unit_path: Mapped[Path]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")

    __table_args__ = (Index(None, "unit_path", "id"), Index(None, "target_kind", "target_id", "id"))
