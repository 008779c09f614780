"""Webhooks, and what each was or is to be told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id
from sms_service.vocabulary import Words


class WebhookState(Words):
    """Whether something is sent to a webhook. Whatever it is but removed, what it wants to know is kept for it."""

    open = "open"
    paused = "paused"  # by a person
    disabled = "disabled"  # by the service: for three days it took nothing of what was tried
    removed = "removed"  # for good; its deliveries stay, its address does not


class DeliveryStatus(Words):
    """How far a delivery is."""

    pending = "pending"  # to be sent, not before `not_before`
    sending = "sending"  # committed just before the receiver is called; when its lease is over, it goes again
    delivered = "delivered"  # the receiver answered with 2xx
    given_up = "given_up"  # not taken for three days; its webhook is disabled


class DeliveryReason(Words):
    """Why the last try of a delivery was not taken."""

    refused = "refused"  # the receiver answered with something else than 2xx; its code says more
    redirected = "redirected"  # it sends to another address, which is not followed
    no_answer = "no_answer"  # no whole answer came in time, so it may have been taken
    unreachable = "unreachable"  # no connection
    forbidden_address = "forbidden_address"  # the address leads into a network of our own
    sealed = "sealed"  # the stored address cannot be opened: it was sealed with another key


class Webhook(Base):
    """A receiver that is told what happens in its unit and below, of the `kinds` it wants.

    `sealed` has address and secret (`channels/sealing.py`); `host` is all of the address that is ever shown.
    `failures`: tries that failed since the last that did not; while there are any, one delivery at a time is tried, and
    none before `free_at`. `taken_at`: when something was taken for it last, for taking turns.
    """

    __tablename__ = "webhooks"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    host: Mapped[str]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    kinds: Mapped[list[str]]
    state: Mapped[str] = mapped_column(server_default="open")
    state_since: Mapped[datetime] = mapped_column(server_default=func.now())
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    free_at: Mapped[datetime] = mapped_column(server_default=func.now())
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"state IN {WebhookState.sql()}", name="state"),
        CheckConstraint("(state = 'removed') = (sealed IS NULL)", name="sealed"),
        CheckConstraint("cardinality(kinds) > 0", name="kinds"),
        Index(None, "unit_id", "id"),
        Index("uq_webhooks_unit_id_name", "unit_id", "name", unique=True, postgresql_where="state <> 'removed'"),
    )


class WebhookDelivery(Base):
    """One happening that one webhook is told. `tries` counts how often it was sent since it was made or was asked for
    again; `code` (of HTTP) and `reason` are of the last try.
    """

    __tablename__ = "webhook_deliveries"

    id: Mapped[Id]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id"))
    happening_id: Mapped[int] = mapped_column(ForeignKey("happenings.id"))
    status: Mapped[str] = mapped_column(server_default="pending")
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    not_before: Mapped[datetime] = mapped_column(server_default=text("sms_now()"))
    first_tried_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    code: Mapped[int | None] = mapped_column(SmallInteger)
    reason: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("sms_now()"))

    __table_args__ = (
        UniqueConstraint("webhook_id", "happening_id"),
        CheckConstraint(f"status IN {DeliveryStatus.sql()}", name="status"),
        CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name="leased"),
        CheckConstraint("(status = 'delivered') = (delivered_at IS NOT NULL)", name="delivered"),
        Index(None, "webhook_id", "id"),
        Index(None, "happening_id"),
        Index("ix_webhook_deliveries_pending", "webhook_id", "not_before", "id", postgresql_where="status = 'pending'"),
        Index("ix_webhook_deliveries_sending", "webhook_id", "lease_until", postgresql_where="status = 'sending'"),
    )
