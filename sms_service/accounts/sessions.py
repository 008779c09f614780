"""Sessions of people who log in with a browser: a secret in a cookie, whose digest is kept here.

A session ends 12 hours after the log-in, after half an hour without any act, when its person ends it, and when the
account's password changes. A disabled account has no session.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_held, unit_path
from sms_service.accounts.models import Account, BrowserSession
from sms_service.accounts.tokens import NotAuthenticated, digest_token
from sms_service.audit import trail
from sms_service.errors import NotFound

LONGEST = timedelta(hours=12)
IDLE = timedelta(minutes=30)
SECRET_BYTES = 32
LONGEST_USER_AGENT = 200
SEEN_NOTED_EVERY = timedelta(minutes=1)
KEPT = timedelta(days=30)  # also after its end, so that people can see from where they were logged in
_OVER = "the session is over; log in again"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page. `password_at`: when they last gave their password; `unit_id`: where the account belongs."""

    actor: Actor
    session_id: int
    password_at: datetime
    name: str
    unit_id: int
    language: str | None
    large_text: bool
    password_due: bool


def begin_session(
    session: Session, account_id: int, *, user_agent: str, now: datetime, random_bytes: Callable[[int], bytes]
) -> str:
    """Log the account in and return the secret for its cookie. The secret itself is not stored.

    The caller has checked the password. Of `user_agent`, the browser's own name, the first 200 characters are kept.
    """
    secret = base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).decode().rstrip("=")
    begun = BrowserSession(
        account_id=account_id,
        digest=digest_token(secret),
        user_agent=user_agent[:LONGEST_USER_AGENT],
        created_at=now,
        seen_at=now,
        password_at=now,
    )
    session.add(begun)
    session.flush()
    path = unit_path(session, session.get_one(Account, account_id).unit_id)
    trail.record_act(session, account_id, "session.begin", "session", begun.id, path)
    return secret


def find_visitor(session: Session, secret: str, now: datetime, *, acts: bool = True) -> Visitor:
    """The holder of the cookie's secret. Raises NotAuthenticated if the session is unknown or over.

    `acts`: somebody did something, so the half hour begins again (written once a minute at most). A page that refreshes
    itself does not count.
    """
    row = session.execute(
        select(BrowserSession, Account)
        .join(Account, Account.id == BrowserSession.account_id)
        .where(BrowserSession.digest == digest_token(secret), *_is_open(now), Account.disabled_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotAuthenticated(_OVER)
    found, account = row
    if acts and found.seen_at <= now - SEEN_NOTED_EVERY:
        session.execute(
            update(BrowserSession)
            .where(BrowserSession.id == found.id, BrowserSession.seen_at <= now - SEEN_NOTED_EVERY)
            .values(seen_at=now)
            .execution_options(synchronize_session=False)
        )
    return Visitor(
        Actor(account.id, account.login, load_held(session, account.id)),
        found.id,
        found.password_at,
        account.name,
        account.unit_id,
        account.language,
        account.large_text,
        account.password_due,
    )


def note_password(session: Session, session_id: int, now: datetime) -> None:
    """The person gave their password again, at `now`."""
    session.execute(update(BrowserSession).where(BrowserSession.id == session_id).values(password_at=now))


def end_session(session: Session, actor: Actor, session_id: int, now: datetime) -> None:
    """Log out one of the actor's own sessions; a session that is over is not changed. Raises NotFound."""
    found = session.scalar(
        select(BrowserSession).filter_by(id=session_id, account_id=actor.account_id).with_for_update()
    )
    if found is None:
        raise NotFound("session", session_id)
    if found.ended_at is None:
        found.ended_at = now
        session.flush()
        path = unit_path(session, session.get_one(Account, found.account_id).unit_id)
        trail.record_act(session, actor.account_id, "session.end", "session", session_id, path)


def end_all_sessions(session: Session, actor: Actor, account_id: int, *, keep: int | None = None) -> int:
    """End the account's sessions except `keep`; returns how many. The caller has checked what the actor may do."""
    ended = session.scalars(
        update(BrowserSession)
        .where(
            BrowserSession.account_id == account_id,
            BrowserSession.ended_at.is_(None),
            BrowserSession.id.is_distinct_from(keep),
        )
        .values(ended_at=func.now())
        .returning(BrowserSession.id)
        .execution_options(synchronize_session="fetch")
    ).all()
    if ended:
        path = unit_path(session, session.get_one(Account, account_id).unit_id)
        trail.record_act(
            session, actor.account_id, "session.end_all", "account", account_id, path, sessions=sorted(ended)
        )
    return len(ended)


def list_sessions(session: Session, account_id: int, now: datetime) -> list[BrowserSession]:
    """The account's sessions that are not over, the one used last first."""
    return list(
        session.scalars(
            select(BrowserSession)
            .where(BrowserSession.account_id == account_id, *_is_open(now))
            .order_by(BrowserSession.seen_at.desc(), BrowserSession.id.desc())
        )
    )


def forget_old_sessions(session: Session) -> int:
    """Delete sessions that began 30 days ago or earlier; returns how many. The clock calls it."""
    old = delete(BrowserSession).where(BrowserSession.created_at <= func.now() - KEPT)
    return len(session.scalars(old.returning(BrowserSession.id)).all())


def set_preferences(session: Session, account_id: int, *, language: str | None, large_text: bool) -> None:
    """Set how this person reads the pages: `language` is `zh`, `en` or None (what the browser asks for)."""
    account = session.get_one(Account, account_id)
    account.language, account.large_text = language, large_text
    session.flush()


def _is_open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions of a session that is not over."""
    return (
        BrowserSession.ended_at.is_(None),
        BrowserSession.created_at > now - LONGEST,
        BrowserSession.seen_at > now - IDLE,
    )
