"""The worker: `python worker.py`. A warm RQ worker, no fork per job; run as many as there are cores to spare.

`python worker.py --link NAME` is the worker of one gateway account whose adapter keeps a session open to its carrier.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError, StopRequested
from sqlalchemy.exc import DBAPIError

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from sms_service import jobs, logs, pulls, wake
from sms_service.audience.import_work import ImportingThread
from sms_service.channels.posting import THREADS, PostingThreads
from sms_service.channels.sealing import Sealer
from sms_service.controls import link_state
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database, first_line
from sms_service.db.leadership import PATIENCE_S, Leadership
from sms_service.db.statements import check_all
from sms_service.delivery import reconcile
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.dispatch.freezer import FreezingThreads
from sms_service.dispatch.pace import Pace, connect_pace
from sms_service.dispatch.points import Point
from sms_service.gateways.base import Link
from sms_service.gateways.config import BadGatewayConfig
from sms_service.gateways.http_client import boot_clock
from sms_service.gateways.posting import JsonPoster
from sms_service.gateways.registry import Gateways
from sms_service.keepalive import redis_keepalive
from sms_service.links import LinkProcess
from sms_service.replies.answering import limit_answers
from sms_service.replies.confirming import switch_confirmations
from sms_service.reports.export_work import ExportDesk, ExportingThread
from sms_service.settings import BadSetting, Settings, load_settings
from sms_service.wake import Waker
from sms_service.web.words import find_wording

LOOK_EVERY_S = 2.0
LARGEST_WAIT_S = 2.0

log = logging.getLogger("sms_service.worker")


class WarmWorker(SimpleWorker):  # type: ignore[misc]
    """Runs jobs in its own process and looks for work by itself every two seconds.

    After TERM or INT, however often they come, the worker finishes the group under way and writes its outcomes: cutting
    off a hand-over would make its texts unknown.

    It outlives Redis. RQ's own loop ends when Redis fails between two jobs or before it waits for the next; whatever it
    asks of Redis there, this worker does without.
    """

    max_connection_wait_time = LARGEST_WAIT_S
    busy = False
    looked_at = 0.0
    work_left: Callable[[], bool] = staticmethod(lambda: False)  # whether there is something to hand over now

    def stopping(self) -> bool:
        """Whether the worker was asked to end."""
        return bool(self._stop_requested)

    def request_stop(self, signum: int, frame: Any) -> None:
        """Remember the request; end at once if idle."""
        self._stop_requested = True
        if not self.busy:
            raise StopRequested

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Wait for the next job and, every two seconds, do the work that PostgreSQL has. While there is something to
        hand over, do not wait for jobs: hand over for half a second at a time, and before each take a job if one is
        there.
        """
        while not self.stopping():
            if time.monotonic() - self.looked_at >= LOOK_EVERY_S:
                self._work(self._look)
                self.looked_at = time.monotonic()
            elif not self.work_left():
                if found := self._next_job():
                    return found
            elif found := self._waiting_job():
                return found
            else:
                self._work(jobs.dispatch)
        return None

    def _look(self) -> None:
        jobs.look()
        self.heartbeat()  # a worker that hands over for a long time must not seem dead

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that the worker is alive. Without Redis nobody asks, and the next one comes within two seconds."""
        with suppress(RedisError):
            super().heartbeat(timeout, pipeline)

    def check_for_suspension(self, burst: bool) -> None:
        """Wait while `rq suspend` holds all workers; without Redis there is nothing that holds them."""
        with suppress(RedisError):
            super().check_for_suspension(burst)

    def run_maintenance_tasks(self) -> None:
        """Tidy RQ's lists, every ten minutes; without Redis the next time will do."""
        with suppress(RedisError):
            super().run_maintenance_tasks()

    def _next_job(self) -> Any:
        """The next job, waited for up to a second; while Redis is away, until it is back."""
        try:
            return super().dequeue_job_and_maintain_ttl(1, 1)
        except RedisError as error:
            log.error("Redis failed; trying again: %s", error)
            time.sleep(LOOK_EVERY_S / 2)
            return None

    def _waiting_job(self) -> Any:
        try:
            return Queue.dequeue_any(self.queues, None, connection=self.connection)
        except RedisError:
            return None  # the hand-over comes next, meets the same error, and waits

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run the job here, warm."""
        self._work(super().execute_job, job, queue)

    def _work(self, act: Any, *arguments: Any) -> None:
        self.busy = True
        try:
            act(*arguments)
        except (RedisError, InvalidJobOperation, NoSuchJobError) as error:  # the last two: Redis was emptied
            log.error("Redis failed; trying again: %s", error)
            time.sleep(LOOK_EVERY_S / 2)
        except Exception:
            log.exception("a fault in this program; trying again")
            time.sleep(LOOK_EVERY_S / 2)
        finally:
            self.busy = False


def main(
    clock: Callable[[], float] = boot_clock,
    at: Callable[[Point], None] = lambda point: None,
    *,
    link: str | None = None,
) -> int:
    """Start one worker, of the gateway account `link` if it is named; returns the process's exit code. For `clock` and
    `at` see `Dispatcher`; tests pass them in.
    """
    try:
        settings = load_settings()
        if settings.database_url is None or settings.redis_url is None:
            raise BadSetting("DATABASE_URL and REDIS_URL must be set; `make run` starts embedded engines and workers")
        gateways = Gateways.from_file(settings.gateways_file, settings.public_url)
        if link is not None and link not in gateways.links():
            raise BadGatewayConfig(f"{settings.gateways_file}: {link} is no link; links are {_listed(gateways)}")
    except (BadSetting, BadGatewayConfig) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    logs.configure_logs(settings.log_level)
    limit_answers(settings.answers_a_day)
    switch_confirmations(settings.stop_confirmations)
    gc.freeze()  # everything loaded by now stays for good, so no collection needs to look at it again
    try:
        act = partial(_run, settings) if link is None else partial(_run_link, link)
        act(settings.database_url, settings.redis_url, gateways, clock, at)
    except DBAPIError as error:
        log.error("PostgreSQL: %s", first_line(error))
        return 1
    except RedisError as error:
        log.error("Redis: %s", error)
        return 1
    return 0


def _posting_threads(settings: Settings, database: Database) -> PostingThreads:
    """The threads that post to channels."""
    poster = JsonPoster(settings.private_receivers, in_flight=THREADS)
    return PostingThreads(database, poster, Sealer(settings.channels_keys))


def _run(
    settings: Settings,
    database_url: str,
    redis_url: str,
    gateways: Gateways,
    clock: Callable[[], float],
    at: Callable[[Point], None],
) -> None:
    database = _ready(Database(database_url, application_name="sms_service worker"), gateways)
    redis = Redis.from_url(
        redis_url, **redis_keepalive(redis_url), socket_timeout=LOOK_EVERY_S + 10, socket_connect_timeout=5
    )
    groups = sum(gateways.in_flight(name) for name in gateways.config.accounts.keys() - gateways.links())
    ledger = Database(database_url, pool_size=groups + 1, application_name="sms_service worker: ledger", by_key=True)
    worker = WarmWorker([Queue(wake.QUEUE, connection=redis)], connection=redis)
    worker.log_job_description = False
    pace = Pace(connect_pace(redis_url), gateways.rates())
    dispatcher = Dispatcher(ledger, gateways, pace, stopping=worker.stopping, clock=clock, at=at)
    worker.work_left = lambda: dispatcher.left or dispatcher.told

    def tell(run_ids: Sequence[int]) -> None:
        dispatcher.tell(run_ids)
        wake.wake_workers(redis, wake.DISPATCH)  # this worker, if it waits for jobs, or one that has nothing else to do

    freezing = FreezingThreads(database, tell)
    importing = ImportingThread(database)
    desk = ExportDesk(settings.exports_dir, settings.export_days, gateways.prices(), find_wording)
    exporting = ExportingThread(database, desk)
    posting = _posting_threads(settings, database)
    jobs.install_work(jobs.Work(database, redis, dispatcher, freezing, importing, exporting, worker.stopping))
    freezing.start()
    importing.start()
    exporting.start()
    posting.start()
    asking = Database(
        database_url, pool_size=2, application_name="sms_service worker: providers", patience_s=PATIENCE_S
    )
    end_looking_up = reconcile.start_looking_up(asking, gateways)
    end_pulling = pulls.start_pulling(asking, gateways)
    try:
        worker.work(logging_level="WARNING")
    finally:  # also if Redis does not answer
        worker.busy = True  # from now on no signal cuts off the groups under way before their outcomes are written
        end_looking_up()
        end_pulling()
        freezing.close()
        importing.close()
        exporting.close()
        posting.close()
        dispatcher.close()
        gateways.close()
        for connections in (ledger, asking, database):
            connections.close()


def _run_link(
    name: str,
    database_url: str,
    redis_url: str,
    gateways: Gateways,
    clock: Callable[[], float],
    at: Callable[[Point], None],
) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    itself = link_state.link_application(name)
    database = _ready(Database(database_url, application_name=itself), gateways)
    pool_size = gateways.in_flight(name) + 1
    ledger = Database(database_url, pool_size=pool_size, application_name=itself, by_key=True)
    # A connection of its own, so that the proof does not wait for another statement of this process.
    leading = Database(database_url, pool_size=2, application_name=itself, patience_s=PATIENCE_S)
    leadership = Leadership(leading, link_state.link_leadership(name), clock=clock)

    def stopping() -> bool:
        return stop.is_set() or not leadership.leads()

    pace = Pace(connect_pace(redis_url), gateways.rates())
    dispatcher = Dispatcher(ledger, gateways, pace, accounts={name}, stopping=stopping, clock=clock, at=at)
    redis = connect_pace(redis_url)
    wakers = (Waker(redis, job) for job in (wake.APPLY_RECEIPTS, wake.APPLY_REPLIES))
    try:
        adapter = cast(Link, gateways.adapter(name))
        LinkProcess(database, dispatcher, name, adapter, *wakers, stop, leadership, clock).run()
    finally:
        gateways.close()
        for connections in (ledger, leading, database):
            connections.close()


def _ready(database: Database, gateways: Gateways) -> Database:
    """The database, after checking that the statements fit it and writing the gateway accounts to it."""
    with database.transaction() as connection:
        check_all(connection)
    with database.session() as session:
        synchronise_gateways(session, gateways)
    return database


def _listed(gateways: Gateways) -> str:
    return ", ".join(sorted(gateways.links())) or "none"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python worker.py", description="Hands texts over to the gateways.")
    parser.add_argument("--link", metavar="NAME", help="be the worker of this gateway account, which is a link")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(link=_arguments().link))
