"""Stores what providers tell us: receipts and replies, whether they were pushed, came over a line or were pulled."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sms_service.db.engine import Database
from sms_service.delivery.inbox import Inbox
from sms_service.gateways.base import Receipt, Reply
from sms_service.replies import storing


class Inbound:
    """Stores what providers tell the threads of one process, so that a door may acknowledge it.

    Receipts of many callers share a COMMIT. If PostgreSQL refuses one as it is, only that one is stored as its
    provider's raw record; the others are not affected.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._receipts = Inbox(database)
        # One thread: the replies of a line are stored in the order in which they came.
        self._replies = ThreadPoolExecutor(1, thread_name_prefix="replies")

    def keep(self, account: str, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> None:
        """Return when all of them are durably stored; acknowledge only then.

        Raises NotFound for an account that the database does not know (for receipts IntegrityError), and DBAPIError.
        Some may be stored then; the provider sends all of them again.
        """
        self._receipts.store(account, receipts)
        storing.store_replies(self._database, account, replies)

    def begin_to_keep(self, account: str, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> Future[None]:
        """The same without waiting: the future has a result, or the error, when `keep` would return or raise."""
        stored = self._receipts.begin_to_store(account, receipts)
        return self._replies.submit(self._follow, stored, account, replies) if replies else stored

    def close(self) -> None:
        """Return when everything that was begun has been stored or has failed."""
        self._replies.shutdown(wait=True)

    def _follow(self, receipts: Future[None], account: str, replies: Sequence[Reply]) -> None:
        receipts.result()
        storing.store_replies(self._database, account, replies)
