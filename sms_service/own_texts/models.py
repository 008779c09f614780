"""An account's own phone, the texts that went to it, and what it is told of its tasks."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
)
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt
from sms_service.vocabulary import Words


class OwnPurpose(Words):
    """What a text to oneself is for."""

    code = "code"  # the number by which the phone is confirmed
    test = "test"  # what others would get
    push = "push"  # what waits for the account


class PushWay(Words):
    """How an account is told of its tasks."""

    none = "none"  # it looks by itself
    text = "text"  # by a text to its own phone
    webhook = "webhook"  # by a post to a channel, such as a group chat


class OwnPhone(Base):
    """A phone that an account says is its own. The person is a guest, who has the number and nothing else: no rule,
    list or count of the register finds them. Another number is another person.

    `code_digest`: SHA-256 of the code that was sent last, good until `code_until`, of which `tries` were wrong. Only a
    confirmed phone gets test texts and pushes. One that has ended gets nothing; its person is erased soon, and
    `look_at` is when that is tried next.
    """

    __tablename__ = "own_phones"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    code_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    code_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    look_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (look_at IS NULL)", name="ended"),
        CheckConstraint("(code_digest IS NULL) = (code_until IS NULL)", name="code"),
        Index("uq_own_phones_account_id", "account_id", unique=True, postgresql_where="ended_at IS NULL"),
        Index(None, "look_at", postgresql_where="look_at IS NOT NULL"),
    )


class OwnText(Base):
    """A text that went to an account's own phone: its run, and whose values it has if it is a test. Deleted after 30
    days, and the text emptied.
    """

    __tablename__ = "own_texts"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    month: Mapped[date] = mapped_column(Date)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    purpose: Mapped[str]
    sample_id: Mapped[int | None]  # the person for whom it was made
    created_at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["run_id", "month"], ["runs.id", "runs.month"]),
        CheckConstraint(f"purpose IN {OwnPurpose.sql()}", name="purpose"),
        Index(None, "account_id", "created_at"),
        Index(None, "created_at"),
        Index(None, "sample_id", postgresql_where="sample_id IS NOT NULL"),
    )


class PushSetting(Base):
    """Of which kinds of tasks an account is told, and how: with `webhook`, by which channel. `look_at`: when the clock
    looks for news; None never.
    """

    __tablename__ = "push_settings"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    way: Mapped[str]
    kinds: Mapped[list[str]]
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channels.id"))
    look_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"way IN {PushWay.sql()}", name="way"),
        CheckConstraint("(way = 'none') = (look_at IS NULL)", name="looks"),
        CheckConstraint("(way = 'webhook') = (channel_id IS NOT NULL)", name="channel"),
        Index(None, "look_at", postgresql_where="look_at IS NOT NULL"),
    )


class ToldTask(Base):
    """What an account was told last of one kind of task: how many there were, lowered since as they became fewer, and
    since when the newest of them waited.
    """

    __tablename__ = "told_tasks"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    newest: Mapped[datetime | None]
    told_at: Mapped[datetime]
