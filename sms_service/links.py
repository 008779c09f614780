"""A link at work: `python worker.py --link NAME`. It holds the session to a carrier, takes texts from the ledger and
records their outcomes as any worker does, and stores what the carrier pushes before the carrier is told so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database, first_line
from sms_service.delivery.inbox import Inbox
from sms_service.dispatch import breaker, link_state
from sms_service.dispatch.accounts import id_of
from sms_service.dispatch.dispatcher import OFFERS_S, Dispatcher
from sms_service.gateways.base import Link, LinkState, Receipt, Reply
from sms_service.replies import inbox as replies_inbox
from sms_service.wake import Waker

# A link that has been down for so long leaves its account's texts to others; a short break costs them nothing.
DOWN_S = 15.0
_SAY_S = 20.0  # how often the account is told how its link is, in seconds; less than link_state.PAUSE_S
_WAIT_S = 1.0
_LOCK = 0x736D_735F_0000_0000  # "sms_", and the account's id

log = logging.getLogger(__name__)


class LinkProcess:
    """The link of one account. `receipts_waker` and `replies_waker` tell workers what has come. It ends when `stop` is
    set: the groups under way have their outcomes then.
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
    ) -> None:
        self._database, self._dispatcher, self._account, self._adapter = database, dispatcher, account, adapter
        self._receipts_waker, self._replies_waker, self._stop = receipts_waker, replies_waker, stop
        with database.session() as session:
            self._account_id = id_of(session, account)
        self._session_since = 0.0
        self._inbox = Inbox(database)
        self._replies = ThreadPoolExecutor(1, thread_name_prefix="replies")
        self._told: LinkState | None = None
        self._up_at = self._said_at = 0.0
        self._receipts_came, self._replies_came = threading.Event(), threading.Event()

    def run(self) -> None:
        """Hold the session and hand over until it is to stop. Of several processes for one account one works; another
        waits until that one has ended.
        """
        while not self._stop.is_set():
            with self._database.try_lock(_LOCK + self._account_id) as ours:
                if ours:
                    self._hold()
                else:
                    log.info("another process holds the link %s; waiting", self._account)
                    self._stop.wait(_WAIT_S)

    def keep(self, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> Future[None]:
        """Store what the carrier pushed; see `base.Keep`."""
        stored = self._inbox.begin_to_store(self._account, receipts)
        self._receipts_came.set()
        return self._replies.submit(self._keep_replies, stored, replies) if replies else stored

    def _keep_replies(self, receipts: Future[None], replies: Sequence[Reply]) -> None:
        receipts.result()
        replies_inbox.store(self._database, self._account, replies)
        self._replies_came.set()

    def _wake_workers(self) -> None:
        """Here and not where something is stored: what is stored is acknowledged without waiting for Redis."""
        for came, waker in ((self._receipts_came, self._receipts_waker), (self._replies_came, self._replies_waker)):
            if came.is_set():
                came.clear()
                waker.wake()

    def _hold(self) -> None:
        self._up_at, self._said_at = time.monotonic(), -_SAY_S
        self._adapter.open(self.keep)
        try:
            while not self._stop.is_set():
                try:
                    self._wake_workers()
                    if self._is_up() and not self._dispatcher.drain():
                        self._stop.wait(OFFERS_S)
                except DBAPIError as error:
                    log.error("the next look tries again: PostgreSQL: %s", first_line(error))
                    self._stop.wait(_WAIT_S)
                except RedisError as error:
                    log.error("the next look tries again: Redis: %s", error)
                    self._stop.wait(_WAIT_S)
        finally:
            self._dispatcher.close()  # whatever is under way gets its answers over the session, and is written down
            self._adapter.close()
            self._replies.shutdown(wait=True)

    def _is_up(self) -> bool:
        """Whether the session is up; the account's state follows it."""
        state, now = self._adapter.state(_WAIT_S), time.monotonic()
        changed, due = state is not self._told, now - self._said_at >= _SAY_S
        if state.up:
            self._up_at = now
            self._session_since = now if changed else self._session_since
            quiet_s = now - self._session_since - self._adapter.capabilities.total_timeout_s
            if changed or due:
                self._say(lambda connection: link_state.reopen(connection, self._account_id, quiet_s), state)
        elif state.refused is not None:
            if changed:
                why = f"the provider refused the link: {state.detail}"
                self._say(lambda connection: breaker.pause_account(connection, self._account_id, why), state)
        elif now - self._up_at >= DOWN_S and due:
            why = state.detail or "no session"
            self._say(lambda connection: link_state.pause(connection, self._account_id, why), state)
        return state.up

    def _say(self, write: Callable[[Connection], None], state: LinkState) -> None:
        """Write down how the link is; it counts as said once it is committed."""
        with self._database.transaction() as connection:
            write(connection)
        self._told, self._said_at = state, time.monotonic()
