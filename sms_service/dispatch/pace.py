"""Pace: how fast each gateway account is handed texts, by all workers together.

Each account has one token bucket in Redis, counted in parts. A worker takes tokens, claims no more than they pay for,
and gives back what it did not use. `pace.lua` is the bucket. If Redis forgets its data (a flush, a restart), the pace
is only slower for a moment, since a missing bucket counts as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sms_service.errors import NotFound
from sms_service.keepalive import redis_keepalive

_PREFIX = "sms:pace:"
_SCRIPT = Path(__file__).with_name("pace.lua").read_text(encoding="utf-8")
_TIMEOUT_S = 2.0

# Parts that every bucket holds at least: a long text fits also where an account makes one part a second.
SMALLEST_CAPACITY = 20


def connect_pace(url: str) -> Redis:
    """A Redis client for a `Pace`: it gives up at once and never repeats an act by itself, for a `settle` whose answer
    was lost, done twice, would give back what was used.
    """
    return Redis.from_url(
        url,
        **redis_keepalive(url),
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
    )


@dataclass(frozen=True, slots=True)
class PartsGrant:
    """What a worker may hand over now, in parts; if nothing, it asks again after `wait_s` seconds."""

    parts: int
    wait_s: float


class Pace:
    """The buckets of all accounts. Thread-safe.

    `rates` gives each account's configured parts per second. A bucket holds what its rate makes in one second, and at
    least 20 parts. When the provider throttles, the rate is halved, at most once a second and not below one part a
    second; then it regains 5 % of the configured rate every second. `now` (seconds) replaces Redis' clock in tests.

    Every act raises redis.exceptions.RedisError if Redis does not answer: without it nothing is handed over.
    """

    def __init__(self, redis: Redis, rates: Mapping[str, float], now: Callable[[], float] | None = None) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._rates = dict(rates)
        self._now = now

    def take(self, account: str, want: int, least: int = 1) -> PartsGrant:
        """Up to `want` parts, or none if there are fewer than `least`, which says how few are worth a claim.

        `least` may be more than the bucket holds: a full bucket then grants it, and owes the rest.
        """
        if want < 1 or least < 1:
            raise ValueError(f"take {want} parts, at least {least}: both must be 1 or more")
        parts, wait_s, _ = self._act("take", account, want, min(least, want))
        return PartsGrant(int(parts), wait_s)

    def settle(self, account: str, unused: int) -> None:
        """Give back `unused` parts of a grant; below 0, charge what rendering showed to be more, which may leave the
        bucket owing (at most 60 times what it can hold).
        """
        self._act("settle", account, unused)

    def throttled(self, account: str) -> None:
        """The provider said that it is handed texts too fast."""
        self._act("throttled", account)

    def rate(self, account: str) -> float:
        """Parts per second now."""
        return self._act("rate", account)[2]

    def _act(self, act: str, account: str, parts: int = 0, least: int = 0) -> tuple[float, float, float]:
        if account not in self._rates:
            raise NotFound("gateway account", account)
        now = "" if self._now is None else self._now()
        granted, wait_s, rate = self._script(
            [_PREFIX + account], [act, self._rates[account], parts, least, now, SMALLEST_CAPACITY]
        )
        return float(granted), float(wait_s), float(rate)
