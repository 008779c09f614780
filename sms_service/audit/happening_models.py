"""What happened, noted in the transaction in which it did, until whoever wants to know was told (room `webhooks`).

Who notes it is told in docs/webhooks.md: triggers of the database and, of messages, the ledger's statements.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Date, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Id


class HappeningKind(StrEnum):
    """What can have happened: to which kind of thing, and what it is since."""

    run_planned = "run.planned"
    run_freezing = "run.freezing"  # it is launched
    run_running = "run.running"
    run_paused = "run.paused"
    run_held = "run.held"  # until a person decides
    run_finished = "run.finished"  # nothing waits to leave any more
    run_closed = "run.closed"  # nothing is awaited any more
    run_cancelled = "run.cancelled"

    message_accepted = "message.accepted"
    message_delivered = "message.delivered"
    message_undelivered = "message.undelivered"
    message_no_receipt = "message.no_receipt"
    message_refused = "message.refused"
    message_unknown = "message.unknown"
    message_skipped = "message.skipped"
    message_expired = "message.expired"
    message_cancelled = "message.cancelled"

    reply_read = "reply.read"  # also if it is read again as something else

    approval_submitted = "approval.submitted"  # also an active campaign of which something changed
    approval_approved = "approval.approved"  # by the last of those whose yes is needed
    approval_rejected = "approval.rejected"
    approval_withdrawn = "approval.withdrawn"

    import_checked = "import.checked"
    import_failed = "import.failed"
    import_applied = "import.applied"
    import_expired = "import.expired"

    webhook_test = "webhook.test"  # somebody tries a webhook; it cannot be chosen


class Happening(Base):
    """Something that happened. `uid` names it outside, for ever. `month` is the partition of its target, where that has
    one; `reason` why the target is what it is since.

    As long as `body` is empty nobody was told. Then it is what webhooks are sent, word for word, each time; and
    `unit_path` the path of the unit that it concerns. What no webhook wants is deleted instead.
    """

    __tablename__ = "happenings"

    id: Mapped[Id]
    uid: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    at: Mapped[datetime] = mapped_column(server_default=text("sms_now()"))
    kind: Mapped[str]
    month: Mapped[date | None] = mapped_column(Date)
    target_id: Mapped[int]
    reason: Mapped[str | None]
    unit_path: Mapped[str | None] = mapped_column(Text(collation="C"))
    body: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        CheckConstraint("(unit_path IS NULL) = (body IS NULL)", name="told"),
        Index("ix_happenings_untold", "id", postgresql_where="body IS NULL"),
        Index(None, "at"),
    )
