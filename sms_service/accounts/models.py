"""Accounts, their roles on units, their tokens, and the answers kept for repeated requests."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id

ROLES = ("administrator", "officer", "approver", "auditor", "operator")
# Which of them many accounts may get at once: who writes, approves or reads. Whoever is to administer or operate gets
# that role one by one.
ROLES_OF_MANY = ("officer", "approver", "auditor")
LANGUAGES = ("zh", "en")


class Account(Base):
    """A person or a program that logs in. `login` is unique; `password_hash` is None for accounts that use tokens
    only.

    The accounts `created_by` and `password_set_by` (the last that set it, never the account itself) could log in as
    this account, so an approval counts them as the same person. None: the service itself, from the shell.
    `password_due`: somebody else set the password, so the console first asks the person to choose their own.
    """

    __tablename__ = "accounts"

    id: Mapped[Id]
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))  # where the account belongs; decides who manages it
    password_hash: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    password_set_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    password_due: Mapped[bool] = mapped_column(server_default="false")
    language: Mapped[str | None]  # of the pages; None: what the browser asks for
    large_text: Mapped[bool] = mapped_column(server_default="false")

    __table_args__ = (CheckConstraint(f"language IN {LANGUAGES}", name="language"), Index(None, "unit_id"))


class RoleGrant(Base):
    """A role held on a unit; it reaches the unit's whole subtree."""

    __tablename__ = "role_grants"

    id: Mapped[Id]
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    role: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("account_id", "role", "unit_id"),
        CheckConstraint(f"role IN {ROLES}", name="role"),
        Index(None, "unit_id"),
    )


class Delegation(Base):
    """A right to approve what a unit and all below it send, lent to another account until the end of a day, local to
    the unit. It gives what its lender holds themselves at that moment, never more.
    """

    __tablename__ = "delegations"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    lender_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))  # who approves meanwhile
    until: Mapped[date]
    why: Mapped[str]
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None]  # ended before its day
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))

    __table_args__ = (
        CheckConstraint("lender_id <> account_id", name="another"),
        Index(None, "account_id", "id"),
        Index(None, "lender_id", "id"),
        Index(None, "unit_id"),
    )


class Token(Base):
    """A bearer token. Only its SHA-256 is kept; a fast hash is enough for 32 random bytes."""

    __tablename__ = "tokens"

    id: Mapped[Id]
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # to the minute

    __table_args__ = (Index(None, "account_id", "id"),)


class BrowserSession(Base):
    """A person's log-in with a browser. Only the SHA-256 of its secret is kept; deleted 30 days after it began."""

    __tablename__ = "sessions"

    id: Mapped[Id]
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_agent: Mapped[str]  # as the browser names itself
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]  # to the minute
    password_at: Mapped[datetime]  # when the person last gave their password
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "account_id", "id"), Index(None, "created_at"))


class StoredResponse(Base):
    """The response to a POST with an Idempotency-Key, written in the transaction of that request and kept for 24 h."""

    __tablename__ = "stored_answers"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256 of method, path and body
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str]] = mapped_column(server_default="{}")
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]

    __table_args__ = (Index(None, "created_at"),)
