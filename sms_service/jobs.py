"""What RQ runs: wake-ups that carry nothing. Each finds in PostgreSQL what there is to do, if anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis import Redis
from sqlalchemy.exc import DBAPIError

from sms_service import wake
from sms_service.audience.import_work import ImportingThread
from sms_service.db.engine import Database, first_line
from sms_service.delivery import inbox
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.dispatch.freezer import FreezingThreads
from sms_service.replies import matching
from sms_service.reports.export_work import ExportingThread

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """The connections, gateways and settings that this process's jobs use."""

    database: Database
    redis: Redis
    dispatcher: Dispatcher
    freezing: FreezingThreads
    importing: ImportingThread
    exporting: ExportingThread
    stopping: Callable[[], bool]


_work: Work | None = None


def install_work(work: Work) -> None:
    """The worker calls this once when it starts. It runs all jobs in one process, so connections and compiled templates
    are kept between jobs.
    """
    global _work
    _work = work


def _installed() -> Work:
    assert _work is not None, "jobs run in worker.py only"
    return _work


@contextmanager
def _quietly() -> Iterator[None]:
    """Log errors of the database in one line and end them here: RQ would keep whole tracebacks, which quote rows."""
    try:
        yield
    except DBAPIError as error:
        log.error("PostgreSQL failed; the job ends and the worker looks again: %s", first_line(error))


def freeze(*_: int) -> None:
    """A run is due. An older version passed the run's id."""
    work = _installed()
    wake.hear_wake_up(work.redis, wake.FREEZE)
    work.freezing.wake()


def import_files() -> None:
    """A file was uploaded, or shall be applied."""
    work = _installed()
    wake.hear_wake_up(work.redis, wake.IMPORT)
    work.importing.wake()


def export_rows() -> None:
    """Somebody asked for rows of the ledger as a file."""
    work = _installed()
    wake.hear_wake_up(work.redis, wake.EXPORT)
    work.exporting.wake()


def dispatch() -> None:
    """There are rows to hand over. If some are left at the end, the worker goes on after a look at its queue."""
    work = _installed()
    wake.hear_wake_up(work.redis, wake.DISPATCH)
    with _quietly():
        work.dispatcher.drain()


def apply_receipts() -> None:
    """Receipts came."""
    work = _installed()
    with _quietly():
        if inbox.apply_waiting_receipts(work.database, work.stopping):
            wake.wake_workers(work.redis, wake.APPLY_RECEIPTS)


def apply_replies() -> None:
    """Replies came."""
    work = _installed()
    with _quietly():
        if matching.match_waiting(work.database, work.stopping):
            wake.wake_workers(work.redis, wake.APPLY_REPLIES)


def look() -> None:
    """What a worker does every two seconds without being woken, since a wake-up may be lost."""
    apply_receipts()
    apply_replies()
    dispatch()
