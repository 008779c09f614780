"""Channels, what was posted to them, and who says to have forwarded it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.channels.robots.base import ChannelKind
from sms_service.db.base import Base, CreatedAt, Id
from sms_service.vocabulary import Words


class ChannelState(Words):
    """Whether something is posted to a channel."""

    open = "open"
    paused = "paused"  # what is to be posted waits
    removed = "removed"  # for good; its posts stay, its address does not


class PostStatus(Words):
    """How far a post is."""

    pending = "pending"  # to be posted, not before `not_before`
    posting = "posting"  # committed just before the receiver is called
    posted = "posted"  # the receiver took it
    refused = "refused"  # the receiver surely did not take it
    unknown = "unknown"  # cannot be told; never posted again by itself
    cancelled = "cancelled"  # it is not to be posted any more


class Channel(Base):
    """A robot of a group chat, or a receiver of one's own, owned by a unit and used throughout its subtree.

    `sealed` has address and secret; `digest` is the address's, by which a robot is known again; `host` is all of the
    address that is ever shown. `keyword` is put into each post whose text lacks it. Nothing is posted before `free_at`:
    while a post is under way, and as the provider's limits want it.
    """

    __tablename__ = "channels"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    kind: Mapped[str]
    host: Mapped[str]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    keyword: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="open")
    free_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"kind IN {ChannelKind.sql()}", name="kind"),
        CheckConstraint(f"state IN {ChannelState.sql()}", name="state"),
        CheckConstraint("(state = 'removed') = (sealed IS NULL)", name="sealed"),
        Index(None, "unit_id", "id"),
        Index("uq_channels_digest", "digest", unique=True, postgresql_where="state <> 'removed'"),
        Index("uq_channels_unit_id_name", "unit_id", "name", unique=True, postgresql_where="state <> 'removed'"),
    )


class ChannelPost(Base):
    """One post: of a run to a channel, or, without a run, a test of the channel or a push of tasks. `unit_id`: the
    run's unit, or the channel's.

    `content` is what is posted. `reason` is a PostReason; `code` and `detail` are the receiver's own. `tries` counts
    how often it was about to be posted.
    """

    __tablename__ = "channel_posts"

    id: Mapped[Id]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    status: Mapped[str] = mapped_column(server_default="pending")
    reason: Mapped[str | None]
    code: Mapped[str | None]
    detail: Mapped[str | None]
    content: Mapped[dict[str, Any]]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    not_before: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]  # after this it is not posted any more
    lease_until: Mapped[datetime | None]
    posted_at: Mapped[datetime | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("run_id", "channel_id"),
        CheckConstraint(f"status IN {PostStatus.sql()}", name="status"),
        CheckConstraint("(status = 'posting') = (lease_until IS NOT NULL)", name="leased"),
        CheckConstraint("(status = 'posted') = (posted_at IS NOT NULL)", name="posted"),
        Index(None, "channel_id", "id"),
        Index(None, "unit_id", "id"),
        Index("ix_channel_posts_open", "not_before", "id", postgresql_where="status IN ('pending', 'posting')"),
    )


class Forwarding(Base):
    """An officer says to have forwarded a post: for which unit, to which groups, how many people are in them."""

    __tablename__ = "forwardings"

    id: Mapped[Id]
    post_id: Mapped[int] = mapped_column(ForeignKey("channel_posts.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    groups: Mapped[str]
    people: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("post_id", "unit_id"),
        CheckConstraint("people BETWEEN 0 AND 10000000", name="people"),
    )
