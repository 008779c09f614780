"""Passwords: scrypt hashes, and a check that takes the same time if the login does not exist.

A hash takes 32 MB and some 70 ms, so a process computes only a few at once; further callers wait a moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from sms_service.accounts.models import Account
from sms_service.accounts.tokens import NotAuthenticated
from sms_service.errors import Invalid, ServiceError
from sms_service.said import say

SHORTEST = 12  # NIST SP 800-63B asks for at least 8, and for no rules of composition
LONGEST = 128
METHOD = "scrypt:32768:8:1"
# Of a password that `make_password` made: nobody guesses 80 random bits, whatever a guess costs, and some hundred are
# made in one request.
_METHOD_OF_MADE = "scrypt:1024:8:1"
# The hash to check against where there is no password, so that the check takes the same time. No password has it.
_NOBODY = "scrypt:32768:8:1$AbAbAbAbAbAbAbAb$" + "00" * 64
AT_ONCE = 2  # hashes in a process: 64 MB
WAIT_S = 5.0  # a caller who has waited this long is refused, so that the thread is free for others
_SIGNS = "abcdefghijkmnpqrstuvwxyz23456789"  # 32, so that each byte gives each as often; no l, o, 0 and 1
_places = threading.BoundedSemaphore(AT_ONCE)


class TooManyHashes(ServiceError):
    """Too many passwords were being checked, and this one had to wait too long."""


@dataclass(frozen=True, slots=True)
class Login:
    """What is stored for a login: `account_id` and `kept`, the hash; both are None if nobody can log in with it."""

    account_id: int | None
    kept: str | None


def hash_password(password: str) -> str:
    """The salted scrypt hash to keep. Raises Invalid if the password has not 12 to 128 characters."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid("password", None, say("must have {least} to {most} characters", least=SHORTEST, most=LONGEST))
    with _a_place():
        return generate_password_hash(password, method=METHOD)


def hash_made_password(password: str) -> str:
    """The hash to keep of a password of `make_password`; it costs some milliseconds."""
    return generate_password_hash(password, method=_METHOD_OF_MADE)


def make_password(random_bytes: Callable[[int], bytes]) -> str:
    """A first password for somebody else: four groups of four characters that nobody mixes up, 80 bits."""
    signs = "".join(_SIGNS[byte % len(_SIGNS)] for byte in random_bytes(16))
    return "-".join(signs[start : start + 4] for start in range(0, 16, 4))


def check_password(kept: str | None, password: str) -> bool:
    """Whether `password` has the hash `kept`. If `kept` is None the check takes as long and returns False."""
    with _a_place():
        right = check_password_hash(kept or _NOBODY, password[: LONGEST + 1])
        if kept is not None and not kept.startswith(METHOD):  # it would be told by the time that it takes
            check_password_hash(_NOBODY, password[: LONGEST + 1])
    return right and kept is not None


def find_login(session: Session, login: str) -> Login:
    """What is stored for this login; an empty `Login` if there is no such account."""
    named = select(Account).where(Account.login == login)
    account = session.scalar(named) if login.isprintable() else None  # PostgreSQL refuses NUL
    if account is None or account.disabled_at is not None:
        return Login(None, None)
    return Login(account.id, account.password_hash)


def check_login(found: Login, password: str) -> int:
    """The account's id, if the password is right. Needs no session, so no connection is held while the hash is
    computed.

    Raises NotAuthenticated, with the same message whatever was wrong, or TooManyHashes.
    """
    right = check_password(found.kept, password)
    if found.account_id is None or not right:
        raise NotAuthenticated("the login or the password is wrong, or the account is disabled or has no password")
    return found.account_id


@contextmanager
def _a_place() -> Iterator[None]:
    if not _places.acquire(timeout=WAIT_S):
        raise TooManyHashes("too many passwords are being checked at this moment; try again in a few seconds")
    try:
        yield
    finally:
        _places.release()
