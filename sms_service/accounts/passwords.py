"""Passwords: scrypt hashes, and a check that takes as long for a login that does not exist."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from sms_service.accounts.actors import Actor, load_grants
from sms_service.accounts.models import Account
from sms_service.accounts.tokens import Caller, NotAuthenticated
from sms_service.errors import Invalid

SHORTEST = 12  # NIST SP 800-63B asks for at least 8, and for no rules of composition
LONGEST = 128
METHOD = "scrypt:32768:8:1"
# Checked where there is no password, so that the answer takes the same time: no password has this hash.
_NOBODY = "scrypt:32768:8:1$AbAbAbAbAbAbAbAb$" + "00" * 64


def hash_password(password: str) -> str:
    """The salted scrypt hash to keep. Raises Invalid if the password has not 12 to 128 characters."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid("password", None, f"must have {SHORTEST} to {LONGEST} characters")
    return generate_password_hash(password, method=METHOD)


def check_password(kept: str | None, password: str) -> bool:
    """Whether `password` has the hash `kept`; as slow, and always False, where `kept` is None."""
    right = check_password_hash(kept or _NOBODY, password[: LONGEST + 1])
    return right and kept is not None


def authenticate(session: Session, login: str, password: str) -> Caller:
    """Who logs in with this login and password. Raises NotAuthenticated, with one message whatever was wrong."""
    named = select(Account).where(Account.login == login)
    account = session.scalar(named) if login.isprintable() else None  # PostgreSQL refuses NUL
    kept = account.password_hash if account is not None and account.disabled_at is None else None
    right = check_password(kept, password)
    if account is None or not right:
        raise NotAuthenticated("the login or the password is wrong, or the account is disabled or has no password")
    return Caller(Actor(account.id, account.login, load_grants(session, account.id)), None)
