"""The process of a link: `python worker.py --link NAME`. It holds the session to a carrier. Like any worker, it takes
texts from the ledger and records their outcomes. It stores what the carrier pushes, and then acknowledges it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from sms_service.controls import account_breaker, link_state
from sms_service.controls.accounts import id_of
from sms_service.db.engine import Database, first_line
from sms_service.db.leadership import PROVES_S, Leadership, NotLeading
from sms_service.dispatch.dispatcher import OFFERS_S, Dispatcher
from sms_service.gateways.base import Link, LinkState, Receipt, Reply
from sms_service.gateways.http_client import boot_clock
from sms_service.inbound import Inbound
from sms_service.said import as_said, say
from sms_service.wake import Waker

# Seconds after which a link that is down leaves its account's texts to other accounts; after a shorter break they wait.
DOWN_S = 15.0
_SAY_S = 20.0  # seconds between two records of the link's state at its account; less than link_state.PAUSE_S
_WAIT_S = 1.0

log = logging.getLogger(__name__)


class LinkProcess:
    """The link of one account. `receipts_waker` and `replies_waker` tell workers what has come. It ends after `stop` is
    set, when the groups under way have their outcomes. If there are several processes for one account, only the one
    that leads has a session; `leadership` says which. For `clock` see `Dispatcher`.
    """

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        account: str,
        adapter: Link,
        receipts_waker: Waker,
        replies_waker: Waker,
        stop: threading.Event,
        leadership: Leadership,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._dispatcher, self._account, self._adapter = dispatcher, account, adapter
        self._receipts_waker, self._replies_waker, self._stop = receipts_waker, replies_waker, stop
        self._leadership, self._clock = leadership, clock
        # Only the process that holds the link records its state.
        self._guarded = leadership.guarded()
        with database.session() as session:
            self._gateway_account_id = id_of(session, account)
        self._session_since = 0.0
        self._inbound = Inbound(database)
        self._told: LinkState | None = None
        self._up_at = self._said_at = self._asked_at = -math.inf
        self._led = False
        self._receipts_came, self._replies_came = threading.Event(), threading.Event()

    def run(self) -> None:
        """Hold the session and hand over, as long as this process leads, until it has to stop."""
        self._adapter.open(self.keep, self._leadership.leads)
        try:
            while not self._stop.is_set():
                self._turn()
        finally:
            self._end()

    def _turn(self) -> None:
        try:
            self._wake_workers()
            if not self._leads():
                self._stop.wait(_WAIT_S)
            elif self._is_up() and not self._dispatcher.drain():
                self._stop.wait(OFFERS_S)
        except NotLeading:
            self._asked_at = -math.inf
        except DBAPIError as error:
            log.error("PostgreSQL failed; trying again: %s", first_line(error))
            self._stop.wait(_WAIT_S)
        except RedisError as error:
            log.error("Redis failed; trying again: %s", error)
            self._stop.wait(_WAIT_S)

    def _leads(self) -> bool:
        """Whether this process holds the link; it proves this in PostgreSQL once a second."""
        if self._clock() - self._asked_at < PROVES_S:
            return self._leadership.leads()
        self._asked_at = self._clock()
        leads = self._leadership.prove()
        if leads and not self._led:
            log.info("this process holds the link %s", self._account)
            self._told, self._up_at, self._said_at = None, time.monotonic(), -math.inf
        elif self._led and not leads:
            log.warning("another process holds the link %s; this one waits", self._account)
        self._led = leads
        return leads

    def _end(self) -> None:
        """Wait until the groups under way have their answers and these are recorded, and go on leading until then,
        since the answers come over the session; then close everything.
        """
        closing = threading.Thread(target=self._dispatcher.close)
        closing.start()
        while closing.is_alive():
            with suppress(DBAPIError):
                self._leads()
            closing.join(PROVES_S)
        self._adapter.close()
        self._inbound.close()
        with suppress(DBAPIError):
            self._leadership.resign()

    def keep(self, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> Future[None]:
        """Store what the carrier pushed; see `base.Keep`."""
        kept = self._inbound.begin_to_keep(self._account, receipts, replies)
        self._receipts_came.set()
        if replies:
            kept.add_done_callback(self._note_replies)
        return kept

    def _note_replies(self, kept: Future[None]) -> None:
        if kept.exception() is None:
            self._replies_came.set()
            self._receipts_came.set()  # some may have been receipts

    def _wake_workers(self) -> None:
        """Wake workers here and not where receipts are stored, so that the acknowledgement does not wait for Redis."""
        for came, waker in ((self._receipts_came, self._receipts_waker), (self._replies_came, self._replies_waker)):
            if came.is_set():
                came.clear()
                waker.wake()

    def _is_up(self) -> bool:
        """Whether the session is up; the account's state follows it."""
        state, now = self._adapter.state(_WAIT_S), time.monotonic()
        changed, due = state is not self._told, now - self._said_at >= _SAY_S
        if state.up:
            self._up_at = now
            self._session_since = now if changed else self._session_since
            quiet_s = now - self._session_since - self._adapter.capabilities.total_timeout_s
            if changed or due:
                self._say(lambda connection: link_state.open_link(connection, self._gateway_account_id, quiet_s), state)
        elif state.refused is not None:
            if changed:
                refused = say("the provider refused the link: {detail}", detail=state.detail)
                self._say(
                    lambda connection: account_breaker.pause_account(connection, self._gateway_account_id, refused),
                    state,
                )
        elif now - self._up_at >= DOWN_S and due:
            why = state.detail or as_said("no session")
            self._say(lambda connection: link_state.pause_link(connection, self._gateway_account_id, why), state)
        return state.up

    def _say(self, write: Callable[[Connection], None], state: LinkState) -> None:
        """Record the link's state; it counts as recorded once it is committed."""
        with self._guarded.transaction() as connection:
            write(connection)
        self._told, self._said_at = state, time.monotonic()
