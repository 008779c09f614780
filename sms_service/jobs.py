"""What RQ runs: wake-ups that carry ids only. Each finds in PostgreSQL what there is to do, and nothing if it is
done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis import Redis
from sqlalchemy.exc import DBAPIError

from sms_service import wake
from sms_service.db.engine import Database, first_line
from sms_service.delivery import inbox
from sms_service.dispatch import freeze as freezing
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.replies import matching

# How long one look freezes runs, in seconds, before it gives way to receipts and texts; it ends between runs.
FREEZE_S = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What this process works with."""

    database: Database
    redis: Redis
    dispatcher: Dispatcher
    stopping: Callable[[], bool]


_work: Work | None = None


def install(work: Work) -> None:
    """Called once by the worker at its start; it stays warm, so connections and compiled templates are kept between
    jobs.
    """
    global _work
    _work = work


def _installed() -> Work:
    assert _work is not None, "jobs run in worker.py only"
    return _work


@contextmanager
def _quietly() -> Iterator[None]:
    """Errors of the database end here, in one line: RQ would keep whole tracebacks, and those quote rows."""
    try:
        yield
    except DBAPIError as error:
        log.error("the next look tries again: %s", first_line(error))


def freeze(run_id: int) -> None:
    """A run is due."""
    work = _installed()
    with _quietly():
        freezing.begin_due(work.database)
        freezing.freeze(work.database, run_id)
    dispatch()


def dispatch() -> None:
    """There are rows to hand over. If some are left at the end, the worker goes on after it has looked at its queue."""
    work = _installed()
    with _quietly():
        work.dispatcher.drain()


def apply_receipts() -> None:
    """Receipts came."""
    work = _installed()
    with _quietly():
        if inbox.apply_waiting(work.database, work.stopping):
            wake.wake(work.redis, wake.APPLY_RECEIPTS)


def apply_replies() -> None:
    """Replies came."""
    work = _installed()
    with _quietly():
        if matching.match_waiting(work.database, work.stopping):
            wake.wake(work.redis, wake.APPLY_REPLIES)


def _freeze_waiting(work: Work) -> None:
    """Freeze runs whose wake-up was lost. One that fails keeps no other waiting, and many keep no texts waiting."""
    waiting: list[int] = []
    with _quietly():
        waiting = freezing.waiting(work.database)
    end = time.monotonic() + FREEZE_S
    for run_id in waiting:
        if work.stopping() or time.monotonic() >= end:
            return
        try:
            with _quietly():
                freezing.freeze(work.database, run_id)
        except Exception:
            log.exception("run %s cannot be frozen: a fault of ours; will look again", run_id)


def look() -> None:
    """What a worker does every two seconds, woken or not: a wake-up may be lost."""
    _freeze_waiting(_installed())
    apply_receipts()
    apply_replies()
    dispatch()
