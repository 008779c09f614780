"""Stores what providers tell us: receipts and replies, whether they were pushed, came over a line or were pulled."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import groupby

from sms_service.db.engine import Database
from sms_service.db.gathering import Gatherer
from sms_service.delivery.inbox import Inbox
from sms_service.gateways.base import Receipt, Reply
from sms_service.replies import storing

_Push = tuple[str, Sequence[Reply]]  # the account and the replies of one request


class Inbound:
    """Stores what providers tell the threads of one process, so that a door may acknowledge it.

    What many callers bring shares a COMMIT. If PostgreSQL refuses one receipt or reply as it is, only that one is
    stored as its provider's raw record; the others are not affected.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._receipts = Inbox(database)
        # The replies of a line are stored in the order in which they came.
        self._replies: Gatherer[_Push] = Gatherer("replies", self._store_replies)

    def keep(self, account: str, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> None:
        """Return when all of them are durably stored; acknowledge only then.

        Raises NotFound for an account that the database does not know (for receipts IntegrityError), and DBAPIError.
        Some may be stored then; the provider sends all of them again.
        """
        self._receipts.store(account, receipts)
        if replies:
            self._replies.put((account, replies)).result()

    def begin_to_keep(self, account: str, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> Future[None]:
        """The same without waiting: the future has a result, or the error, when `keep` would return or raise."""
        if not replies:
            return self._receipts.begin_to_store(account, receipts)
        both = [self._receipts.begin_to_store(account, receipts), self._replies.put((account, replies))]
        return _join(both)

    def close(self) -> None:
        """Return when every reply that was begun has been stored or has failed."""
        self._replies.close()

    def _store_replies(self, pushes: Sequence[_Push]) -> dict[int, Exception]:
        """Store all of them, those of one account in one COMMIT; those of an account fail together, since what was
        stored must not be stored again.
        """
        failed: dict[int, Exception] = {}
        for account, of_account in groupby(enumerate(pushes), key=lambda one: one[1][0]):
            some = list(of_account)
            try:
                storing.store_replies(self._database, account, [reply for _, (_, own) in some for reply in own])
            except Exception as error:  # noqa: BLE001 - raised again in the threads that wait
                failed |= {place: error for place, _ in some}
        return failed


def _join(futures: Sequence[Future[None]]) -> Future[None]:
    """A future that has a result once all have one, or the error of one that failed."""
    joined: Future[None] = Future()
    left, lock = len(futures), threading.Lock()

    def note(_: Future[None]) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left:
                return
        failed = next((error for one in futures if (error := one.exception()) is not None), None)
        if failed is None:
            joined.set_result(None)
        else:
            joined.set_exception(failed)

    for one in futures:
        one.add_done_callback(note)
    return joined
