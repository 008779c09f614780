"""Bearer tokens: shown once, stored as a digest, checked on every request."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_held, require_power, unit_path
from sms_service.accounts.models import Account, Token
from sms_service.audit import trail
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from sms_service.said import say

PREFIX = "sms_"  # so that secret scanners find a leaked one
SECRET_BYTES = 32
DEFAULT_LIFE = timedelta(days=90)
LONGEST_LIFE = timedelta(days=365)
USE_NOTED_EVERY = timedelta(minutes=1)
_FORM = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")


class NotAuthenticated(ServiceError):
    """The caller is unknown: no token; one that is malformed, unknown, revoked or expired; or a wrong password."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, and the token they called with (None: a password)."""

    actor: Actor
    token_id: int | None


def issue_token(
    session: Session,
    actor: Actor,
    account_id: int,
    name: str,
    *,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """A new token for the account, and its secret. The secret is not stored, so show it now.

    An actor issues tokens only for their own account, the service itself for any. `expires_at` is by default 90 days
    after `now` and at most 365 days after. Raises NotFound, Forbidden, Conflict (the account is disabled) or Invalid
    (`expires_at`).
    """
    if actor.account_id is not None and actor.account_id != account_id:
        raise Forbidden("a token can be issued for the own account only")
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("account", account_id)
    if account.disabled_at is not None:
        raise Conflict("the account is disabled; enable it first")
    expires_at = expires_at or now + DEFAULT_LIFE
    if not now < expires_at <= now + LONGEST_LIFE:
        latest = (now + LONGEST_LIFE).isoformat(timespec="minutes")
        raise Invalid(
            "expires_at", expires_at.isoformat(), say("must lie in the future and not after {latest}", latest=latest)
        )
    secret = PREFIX + base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).decode().rstrip("=")
    token = Token(account_id=account_id, name=name, digest=digest_token(secret), created_at=now, expires_at=expires_at)
    session.add(token)
    session.flush()
    trail.record_act(
        session,
        actor.account_id,
        "token.issue",
        "token",
        token.id,
        unit_path(session, account.unit_id),
        account_id=account_id,
        expires_at=expires_at.isoformat(),
    )
    return token, secret


def revoke_token(session: Session, actor: Actor, token_id: int, *, now: datetime) -> Token:
    """End a token of the actor's own account or of one that `require_power` lets them act on.

    A token that was revoked before is not changed. Raises NotFound or Forbidden.
    """
    token = session.get(Token, token_id, with_for_update=True)
    if token is None:
        raise NotFound("token", token_id)
    account = session.get_one(Account, token.account_id)
    path = unit_path(session, account.unit_id)
    if token.account_id != actor.account_id:
        require_power(session, actor, account)
    if token.revoked_at is None:
        token.revoked_at = now
        session.flush()
        trail.record_act(
            session, actor.account_id, "token.revoke", "token", token.id, path, account_id=token.account_id
        )
    return token


def revoke_all(session: Session, actor: Actor, account_id: int) -> None:
    """End every token of the account, for example when its password changes. The caller has checked the actor's
    rights.
    """
    ended = session.scalars(
        update(Token).where(Token.account_id == account_id, Token.revoked_at.is_(None)).values(revoked_at=func.now())
        .returning(Token.id).execution_options(synchronize_session="fetch")
    ).all()  # fmt: skip
    if ended:
        path = unit_path(session, session.get_one(Account, account_id).unit_id)
        trail.record_act(
            session, actor.account_id, "token.revoke_all", "account", account_id, path, tokens=sorted(ended)
        )


def authenticate_token(session: Session, raw: str, now: datetime) -> Caller:
    """The holder of the token `raw`; notes its use, at most once a minute. Raises NotAuthenticated.

    The look-up is by digest, so its time reveals nothing about the secret, which is 32 random bytes.
    """
    if not _FORM.fullmatch(raw):
        raise NotAuthenticated(
            say("the token is malformed: it must be {prefix} and 43 letters, digits, - or _", prefix=PREFIX)
        )
    row = session.execute(
        select(Token.id, Token.expires_at, Token.revoked_at, Token.last_used_at, Account.id, Account.login)
        .join(Account, Account.id == Token.account_id)
        .where(Token.digest == digest_token(raw), Account.disabled_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotAuthenticated("the token is unknown or its account is disabled; log in to get a new one")
    token_id, expires_at, revoked_at, last_used_at, account_id, login = row
    if revoked_at is not None:
        raise NotAuthenticated("the token has been revoked; log in to get a new one")
    if expires_at <= now:
        raise NotAuthenticated("the token has expired; log in to get a new one")
    if last_used_at is None or last_used_at <= now - USE_NOTED_EVERY:
        session.execute(
            update(Token)
            .where(
                Token.id == token_id,
                or_(Token.last_used_at.is_(None), Token.last_used_at <= now - USE_NOTED_EVERY),
            )
            .values(last_used_at=now)
        )
    return Caller(Actor(account_id, login, load_held(session, account_id)), token_id)


def digest_token(raw: str) -> bytes:
    """The SHA-256 under which a token is kept."""
    return hashlib.sha256(raw.encode()).digest()
