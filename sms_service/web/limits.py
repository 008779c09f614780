"""Rate limits: one for the requests of each token, and far lower ones for guesses at log-ins, tokens and passwords.

Redis counts, so that all web processes count together; while Redis cannot be reached, each process counts for itself.

A guess is counted before it is checked, and the count is taken back if the guess was right. So even of sixty guesses at
once, no more are checked than the limit allows. A caller with a token that works is never refused because of other
people's guesses from the same address.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from flask import Flask, current_app, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from redis.exceptions import RedisError

from sms_service.accounts.tokens import NotAuthenticated
from sms_service.errors import Invalid, ServiceError
from sms_service.said import say
from sms_service.web.context import Context

FAILED_LOGINS_A_LOGIN = "5 per minute; 20 per hour"
FAILED_LOGINS_AN_ADDRESS = "20 per minute; 100 per hour"  # an office shares one address
FAILED_TOKENS_A_TOKEN = "60 per minute"  # noqa: S105 - one that has ended, say, which a program goes on sending
FAILED_TOKENS_AN_ADDRESS = "600 per minute"
REFUSED_CHANGES_A_CALLER = "5 per minute; 20 per hour"  # of the own password
_LIMITER = "sms_service.limiter"
_PREFIX = 12  # characters of a token that stand for it in a key: `sms_` and 48 of its 256 bits

log = logging.getLogger(__name__)


class TooManyGuesses(ServiceError):
    """A limit is used up: `limit` says which, `seconds` when there is room again."""

    def __init__(self, limit: RateLimitItem, seconds: int) -> None:
        super().__init__(
            say(
                "The limit is {amount} in {period} seconds; try again in {seconds} seconds.",
                amount=limit.amount,
                period=limit.get_expiry(),
                seconds=seconds,
            )
        )
        self.seconds = seconds


def register_limits(app: Flask, context: Context) -> None:
    """Limit the requests to /api/ of `app`."""
    limiter = Limiter(
        _address,
        application_limits=[ApplicationLimit(limit_provider=context.settings.rate_limit, key_function=_caller)],
        strategy="fixed-window",
        storage_uri="memory://" if context.redis is None else "redis://",
        storage_options={} if context.redis is None else {"connection_pool": context.redis.connection_pool},
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # if a request cannot be counted, it is served all the same
        key_prefix="sms",
    )
    # Receipts come by the thousand, so requests outside the API are not counted at all.
    limiter.request_filter(_not_api)
    limiter.init_app(app)
    app.extensions[_LIMITER] = limiter


def used_up(error: RateLimitExceeded) -> TooManyGuesses:
    """The library's error as our own, with the seconds after which there is room again."""
    current = current_app.extensions[_LIMITER].current_limit
    seconds = max(1, math.ceil(current.reset_at - time.time())) if current else error.limit.limit.get_expiry()
    return TooManyGuesses(error.limit.limit, seconds)


@contextmanager
def guesses_counted(limits: str, key: str) -> Iterator[None]:
    """Count a guess under `key` before the block, and take it back unless the block says that it was wrong.

    If one of `limits` ("5 per minute; 20 per hour") is used up, raises TooManyGuesses and does not enter the block.
    """
    _take(limits, key)
    try:
        yield
    except (NotAuthenticated, Invalid):
        raise
    except BaseException:
        _give_back(limits, key)
        raise
    _give_back(limits, key)


@contextmanager
def log_in_counted(login: str) -> Iterator[None]:
    """`guesses_counted` for a log-in: by login, whether or not it exists, and by address."""
    by_login, by_address = f"login:{_hashed(login)}", f"login-{_address()}"
    # Count by address first: a refused address then does not use up the limit of the login.
    with guesses_counted(FAILED_LOGINS_AN_ADDRESS, by_address), guesses_counted(FAILED_LOGINS_A_LOGIN, by_login):
        yield


def count_failed_token(token: str) -> None:
    """Count a token that does not work, after it was checked. Raises TooManyGuesses if there were too many."""
    address = _address()
    _take(FAILED_TOKENS_A_TOKEN, f"token-{_hashed(token[:_PREFIX])}-{address}")
    _take(FAILED_TOKENS_AN_ADDRESS, f"token-{address}")


def _take(limits: str, key: str) -> None:
    """Count one more under `key`, in one step for all processes. If the limit is used up, counts nothing and raises
    TooManyGuesses.
    """
    taken: list[RateLimitItem] = []
    strategy = current_app.extensions[_LIMITER].limiter
    try:
        for limit in _parsed(limits):
            if not strategy.hit(limit, key):
                reset = strategy.get_window_stats(limit, key).reset_time
                for earlier in taken:
                    strategy.storage.incr(earlier.key_for(key), earlier.get_expiry(), amount=-1)
                raise TooManyGuesses(limit, max(1, math.ceil(reset - time.time())))
            taken.append(limit)
    except (RedisError, StorageError) as error:
        log.error("Redis failed; this guess is not counted against its limit: %s", type(error).__name__)


def _give_back(limits: str, key: str) -> None:
    strategy = current_app.extensions[_LIMITER].limiter
    try:
        for limit in _parsed(limits):
            strategy.storage.incr(limit.key_for(key), limit.get_expiry(), amount=-1)
    except (RedisError, StorageError) as error:
        log.error("Redis failed; a right guess stays counted: %s", type(error).__name__)


@cache
def _parsed(limits: str) -> list[RateLimitItem]:
    return parse_many(limits)


def _not_api() -> bool:
    return not request.path.startswith("/api/")


def _caller() -> str:
    given = request.authorization
    if given is not None and given.type == "bearer":
        return "token:" + _hashed(given.token or "")
    return _address()


def _address() -> str:
    return f"address:{request.remote_addr}"


def _hashed(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]
