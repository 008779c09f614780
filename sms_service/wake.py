"""Wake-ups: RQ jobs without data. A wake-up may be lost, doubled or late without harm; PostgreSQL says what there is to
do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker

QUEUE = "sms"
FREEZE = "sms_service.jobs.freeze"
DISPATCH = "sms_service.jobs.dispatch"
APPLY_RECEIPTS = "sms_service.jobs.apply_receipts"
APPLY_REPLIES = "sms_service.jobs.apply_replies"
IMPORT = "sms_service.jobs.import_files"
EXPORT = "sms_service.jobs.export_rows"

# A job's name identifies a wake-up: while one waits, another of the same name says nothing new.
_QUIET_MS = 200
_TTL_S = 60

log = logging.getLogger(__name__)


def wake_workers(redis: Redis, job: str) -> None:
    """Ask any worker to run `job`. If Redis fails, this is logged and ignored: workers also look by themselves."""
    try:
        if redis.set(_woken(job), 1, nx=True, px=_QUIET_MS):
            Queue(QUEUE, connection=redis).enqueue_call(job, timeout=-1, result_ttl=0, ttl=_TTL_S, failure_ttl=0)
    except RedisError as error:
        log.warning("Redis failed; no wake-up for %s, workers look by themselves: %s", job, error)


def hear_wake_up(redis: Redis, job: str) -> None:
    """Record that the job begins: what comes from now on needs a new wake-up."""
    with suppress(RedisError):
        redis.delete(_woken(job))


def count_workers(redis: Redis, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """How many workers are alive, by their heartbeats. Raises RedisError."""
    alive = 0
    for worker in Worker.all(connection=redis):
        beat = worker.last_heartbeat
        if beat is not None and QUEUE in worker.queue_names():
            beat = beat if beat.tzinfo else beat.replace(tzinfo=UTC)
            alive += (now() - beat).total_seconds() < worker.worker_ttl
    return alive


def _woken(job: str) -> str:
    return f"sms:woken:{job}"


class Waker:
    """Wake-ups for events that come by the thousand: this process sends at most one in 200 ms, and the others cost
    nothing. Workers find by themselves what came after the last wake-up.
    """

    def __init__(self, redis: Redis, job: str) -> None:
        self._redis, self._job = redis, job
        self._quiet_until = 0.0

    def wake(self) -> None:
        """Ask any worker to run the job, unless this process asked just now."""
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_MS / 1000
            wake_workers(self._redis, self._job)
