"""The clock does what is due each second: it begins due runs, and its sweeps repair what dead processes left behind.

It is a door: each duty calls its room.

Any number of processes may run a `Clock`; only the one that leads works.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from sms_service import endings, wake
from sms_service.audit import chain
from sms_service.campaigns.closing import end_finished
from sms_service.channels import beginning
from sms_service.controls import account_breaker, link_state
from sms_service.db.engine import Database, first_line
from sms_service.db.leadership import Leadership, NotLeading
from sms_service.delivery import hygiene, missing
from sms_service.dispatch import breaker, freeze
from sms_service.gateways.registry import Gateways
from sms_service.ledger import failover, quotas, sweeps
from sms_service.own_texts import pushing
from sms_service.reports import exports, roll_ups, seals
from sms_service.reports.reconciling import Reconciler
from sms_service.schedules import firing

MONTHS_READY = 3
NO_RECEIPT_HOURS = 72
LEADERSHIP = "clock"
EVERY_S = 1.0
EXPORTS_ENDED_S = 15.0  # an export that is over is refused at once; its file may lie there so much longer
HEAD_LOGGED_S = 3600.0  # the trail's head is written into the log: a copy of it that is not in the database

log = logging.getLogger(__name__)

Duty = Callable[[Database], object]


class Clock:
    """One process's clock. `no_receipt_hours`: an accepted text without a receipt for so long ends as `no_receipt`.
    `kept`: how long what is kept. `public_url`: where the pages are, for the links in what accounts are told.
    `exports_dir`: where files of exports are; None: it deletes none.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis | None,
        gateways: Gateways,
        no_receipt_hours: int = NO_RECEIPT_HOURS,
        kept: endings.Kept = endings.KEPT,
        public_url: str = "",
        exports_dir: Path | None = None,
    ) -> None:
        self._leadership = Leadership(database, LEADERSHIP)
        # Each transaction of a duty asks whether this clock still leads; no other clock begins before it has ended.
        self._database = self._leadership.guarded()
        self._redis, self._gateways, self._no_receipt_hours = redis, gateways, no_receipt_hours
        self._kept, self._public_url = kept, public_url
        self._exports_dir = exports_dir
        self._reconciler = Reconciler()
        self._led = False
        self._head_logged_at = self._exports_ended_at = -math.inf

    def tick(self) -> None:
        """Do what is due, once, if this clock leads. Raises DBAPIError if PostgreSQL does not answer."""
        leads = self._leadership.prove()
        if leads is not self._led:
            self._led = leads
            log.info("this clock leads" if leads else "another clock leads")
        if leads:
            try:
                _tick(self._database, self._redis, self._gateways, self._no_receipt_hours, self._kept)
                self._push()
                self._end_exports()
                self._log_head()
                self._reconcile()
            except NotLeading:
                self._led = False
                log.warning("this clock leads no longer; another clock does the duties")

    def _end_exports(self) -> None:
        if self._exports_dir is None or time.monotonic() - self._exports_ended_at < EXPORTS_ENDED_S:
            return
        try:
            if over := exports.end_exports(self._database, self._exports_dir):
                log.info("deleted %s files of exports", over)
            self._exports_ended_at = time.monotonic()
        except (DBAPIError, OSError) as error:
            log.error("files of exports could not be deleted; the next tick tries: %s", _first_line_of(error))

    def _push(self) -> None:
        try:
            if pushed := pushing.push_tasks(self._database, self._public_url):
                log.info("told %s accounts what waits for them", pushed)
        except DBAPIError as error:
            log.error("accounts could not be told what waits for them; the next tick tries: %s", first_line(error))

    def _log_head(self) -> None:
        if time.monotonic() - self._head_logged_at < HEAD_LOGGED_S:
            return
        with self._database.session() as session:
            state = chain.find_chain_state(session)
        if state.head is not None:
            log.info("the trail's head is %s", state.head)
            self._head_logged_at = time.monotonic()

    def _reconcile(self) -> None:
        try:
            self._reconciler.reconcile_next(self._database)
        except DBAPIError as error:
            log.error("roll-ups could not be compared with the ledger: %s", first_line(error))

    def resign(self) -> None:
        """Let another clock begin at once. Raises DBAPIError if PostgreSQL does not answer."""
        self._leadership.resign()

    def run(self, stopping: threading.Event) -> None:
        """Tick each second until `stopping` is set; then another clock may begin at once."""
        while not stopping.is_set():
            try:
                self.tick()
            except DBAPIError as error:
                log.error("PostgreSQL failed; trying again in a second: %s", first_line(error))
            except RedisError as error:
                log.error("Redis failed; trying again in a second: %s", error)
            stopping.wait(EVERY_S)
        with suppress(DBAPIError):
            self.resign()


def _first_line_of(error: DBAPIError | OSError) -> str:
    return first_line(error) if isinstance(error, DBAPIError) else str(error.strerror)


def tick(database: Database, redis: Redis | None, gateways: Gateways, no_receipt_hours: int = NO_RECEIPT_HOURS) -> None:
    """Do what is due, once, if no clock leads."""
    clock = Clock(database, redis, gateways, no_receipt_hours)
    try:
        clock.tick()
    finally:
        clock.resign()


def _tick(
    database: Database, redis: Redis | None, gateways: Gateways, no_receipt_hours: int, kept: endings.Kept
) -> None:
    reporting = _reporting_accounts(database, gateways)
    duties: tuple[Duty, ...] = (
        failover.hold_if_changed,
        lambda database: _pause_links(database, gateways),
        _fire_due,
        lambda database: _begin_due(database, redis),
        _swept("rows whose worker died before the gate wait again", sweeps.release_claimed),
        _give_up_submitting,
        _swept("rows expired", sweeps.expire_rows),
        _swept("rows of cancelled runs are cancelled", sweeps.cancel_slice),
        _swept("rows had no receipt in time", lambda c: sweeps.mark_silent(c, reporting, no_receipt_hours)),
        _judge,
        _heed_reports,
        _finish_runs,
        _post,  # before the campaign is ended, as it finds the runs of active ones
        quotas.settle_ended,
        end_finished,
        lambda database: _put_off_ended(database, reporting, no_receipt_hours),
        _make_months,
        _roll_up,
        chain.link_entries,
        endings.forget_rows,
        lambda database: endings.end_lists_and_phones(database, kept.list_days),
        lambda database: endings.redact_old_rows(database, kept),
    )
    for duty in duties:  # each has its own transactions, so a duty that fails does not stop the others
        try:
            duty(database)
        except DBAPIError as error:
            log.error("a duty of the clock failed; the next tick tries again: %s", first_line(error))


def _pause_links(database: Database, gateways: Gateways) -> None:
    if links := gateways.links():
        with database.transaction() as connection:
            link_state.pause_links_without_process(connection, links)


def _fire_due(database: Database) -> None:
    fired = firing.fire_due_items(database)
    if fired.runs:
        log.info("%s runs of schedules are due, %s of them held: their content changed", fired.runs, fired.held)


def _begin_due(database: Database, redis: Redis | None) -> None:
    begun = freeze.begin_due_runs(database)
    for run_id in begun:
        log.info("run %s is due", run_id)
    if begun and redis is not None:
        wake.wake_workers(redis, wake.FREEZE)


def _roll_up(database: Database) -> None:
    roll_ups.roll_up(database)
    seals.seal_days(database)


def _swept(what: str, sweep: Callable[[Connection], int]) -> Callable[[Database], None]:
    def duty(database: Database) -> None:
        with database.transaction() as connection:
            done = sweep(connection)
        if done:
            log.warning("sweep: %s %s", done, what)

    return duty


def _give_up_submitting(database: Database) -> None:
    with database.transaction() as connection:
        given_up = sweeps.give_up_submitting(connection)
    if given_up:
        log.warning("sweep: %s texts are unknown: their worker died between gate and outcome", sum(given_up.values()))
    for gateway_account_id, run_id in given_up:
        with database.transaction() as connection:
            account_breaker.trip_account(connection, gateway_account_id)
        with database.transaction() as connection:
            breaker.check_run_breaker(connection, run_id)


def _judge(database: Database) -> None:
    with database.transaction() as connection:
        breaker.check_canaries(connection)
    with database.transaction() as connection:
        for name in account_breaker.reopen_rested_accounts(connection):
            log.warning("gateway account %s is open again, on trial", name)


def _heed_reports(database: Database) -> None:
    if suppressed := hygiene.suppress_blacklisted(database):
        log.info("%s phones are suppressed: providers have them on their stop lists", suppressed)
    marked = hygiene.mark_suspects(database)
    if marked.suspect or marked.cleared:
        log.info("%s people are suspect, %s no longer", marked.suspect, marked.cleared)
    checked = missing.look_for_missing(database)
    if checked.opened or checked.closed:
        log.info("%s people are to be looked for, %s no longer", checked.opened, checked.closed)


def _post(database: Database) -> None:
    beginning.begin_posts(database)
    if unknown := beginning.settle_posts(database):
        log.warning("sweep: %s posts to channels are unknown: their worker died before their outcome", unknown)


def _finish_runs(database: Database) -> None:
    with database.transaction() as connection:
        ended = sweeps.finish_runs(connection)
    for run_id, status in ended.items():
        log.info("run %s is %s", run_id, status)


def _put_off_ended(database: Database, reporting: Sequence[int], no_receipt_hours: int) -> None:
    with database.transaction() as connection:
        sweeps.put_off_ended(connection, reporting, no_receipt_hours)


def _make_months(database: Database) -> None:
    with database.transaction() as connection:
        made = connection.exec_driver_sql(
            "SELECT count(*) FILTER (WHERE"
            " ensure_month((date_trunc('month', sms_now()) + make_interval(months => n))::date))"
            " FROM generate_series(0, %(last)s::int) AS n",
            {"last": MONTHS_READY - 1},
        ).scalar_one()
    if made:
        log.info("made the partitions of %s months", made)
    with database.transaction() as connection:
        connection.exec_driver_sql("SELECT analyse_new_months()")


def _reporting_accounts(database: Database, gateways: Gateways) -> list[int]:
    names = [name for name in gateways.config.accounts if gateways.adapter(name).capabilities.sends_receipts]
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT id FROM gateway_accounts WHERE name = ANY (%(names)s)", {"names": names}
        )
        return [row.id for row in rows]
