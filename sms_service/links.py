"""A link at work: `python worker.py --link NAME`. It holds the session to a carrier, takes texts from the ledger and
records their outcomes as any worker does, and stores what the carrier pushes before the carrier is told so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from redis.exceptions import RedisError
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
_PROLONG_S = 20.0  # how often its pause is prolonged, in seconds; less than link_state.PAUSE_S
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
        self._inbox = Inbox(database)
        self._replies = ThreadPoolExecutor(1, thread_name_prefix="replies")
        self._told: LinkState | None = None
        self._up_at = self._paused_at = 0.0

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
        if receipts:
            stored.add_done_callback(self._wake_for_receipts)
        return self._replies.submit(self._keep_replies, stored, replies) if replies else stored

    def _wake_for_receipts(self, stored: Future[None]) -> None:
        if stored.exception() is None:
            self._receipts_waker.wake()

    def _keep_replies(self, receipts: Future[None], replies: Sequence[Reply]) -> None:
        receipts.result()
        replies_inbox.store(self._database, self._account, replies)
        self._replies_waker.wake()

    def _hold(self) -> None:
        self._up_at = time.monotonic()
        self._adapter.open(self.keep)
        try:
            while not self._stop.is_set():
                try:
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
        changed, self._told = state is not self._told, state
        if state.up:
            self._up_at, self._paused_at = now, 0.0
            if changed:
                with self._database.transaction() as connection:
                    link_state.reopen(connection, self._account_id)
        elif state.refused is not None and changed:
            with self._database.transaction() as connection:
                breaker.pause_account(connection, self._account_id, f"the provider refused the link: {state.detail}")
        elif now - self._up_at >= DOWN_S and now - self._paused_at >= _PROLONG_S:
            self._paused_at = now
            with self._database.transaction() as connection:
                link_state.pause(connection, self._account_id, state.detail or "no session")
        return state.up
