"""Receipts on their way in: stored before they are acknowledged, applied in batches by any worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import date

from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database
from sms_service.db.gathering import Gatherer
from sms_service.db.halving import lies_in_the_data, write_by_halves
from sms_service.db.months import with_month
from sms_service.gateways.base import Receipt, ReceiptStatus
from sms_service.ledger import receipts as ledger
from sms_service.ledger.receipt_matching import Taken

BATCH = 500
# How long one job applies before it gives way to the hand-over of texts, in seconds; it ends between batches.
JOB_S = 0.5
# How long the inbox waits for company while receipts come faster than it stores, in seconds.
GATHER_S = 0.005

log = logging.getLogger(__name__)


_Push = tuple[str, Sequence[Receipt]]  # the account and the receipts of one request


class Inbox:
    """Stores what the threads of one process receive, many requests in one durable COMMIT (`Gatherer`)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gatherer: Gatherer[_Push] = Gatherer("inbox", self._store)

    def store(self, account: str, receipts: Sequence[Receipt]) -> None:
        """Return once a COMMIT that holds these receipts has succeeded; acknowledge only then.

        Raises sqlalchemy.exc.DBAPIError. An error of the connection may come after a COMMIT whose answer was lost: the
        provider comes again, and a receipt stored twice changes nothing the second time.
        """
        self.begin_to_store(account, receipts).result()

    def begin_to_store(self, account: str, receipts: Sequence[Receipt]) -> Future[None]:
        """The same without waiting: the future has a result, or the error, when `store` would return or raise."""
        if receipts:
            return self._gatherer.put((account, receipts))
        nothing: Future[None] = Future()
        nothing.set_result(None)
        return nothing

    def _store(self, pushes: Sequence[_Push]) -> dict[int, Exception]:
        """Store all of them; what stays unstored has its error, by the place of its request."""
        failed: dict[int, Exception] = {}
        items = [(place, receipt) for place, (_, receipts) in enumerate(pushes) for receipt in receipts]

        def write(items: Sequence[tuple[int, Receipt]]) -> None:
            _write(self._database, [(pushes[place][0], receipt) for place, receipt in items])

        def refuse(item: tuple[int, Receipt], error: DBAPIError) -> None:
            place, receipt = item
            if not _keep_record(self._database, pushes[place][0], receipt, error):
                failed[place] = error

        write_by_halves(write, items, refuse)
        return failed


def store_receipts(database: Database, receipts: Sequence[tuple[str, Receipt]]) -> None:
    """Store receipts, each with the name of its account, as `Inbox` does, for a thread that has nobody to answer. What
    cannot be stored is said in the log. Raises sqlalchemy.exc.DBAPIError if the database is away; some may be stored.
    """

    def write(items: Sequence[tuple[str, Receipt]]) -> None:
        _write(database, items)

    write_by_halves(write, receipts, lambda item, error: _keep_record(database, *item, error))


def _write(database: Database, receipts: Sequence[tuple[str, Receipt]]) -> None:
    # One statement is one transaction: a single round trip, and its answer comes after the COMMIT.
    def store() -> None:
        with database.at_once() as connection:
            ledger.insert_receipts(connection, receipts)

    with_month(database, store)


def _keep_record(database: Database, account: str, receipt: Receipt, error: DBAPIError) -> bool:
    """Keep only the provider's record of a receipt that PostgreSQL does not take as it is: its provider would send it
    again for ever. It is listed with those that match nothing. False: not even that can be stored.
    """
    log.error(
        "account %s: a receipt cannot be stored as it is; only its record is kept: %s",
        account,
        type(error.orig).__name__,
    )
    try:
        _write(database, [(account, Receipt(ReceiptStatus.unclassified, None, raw=receipt.raw))])
    except DBAPIError as again:
        log.error(
            "account %s: the record of this receipt cannot be stored either: %s", account, type(again.orig).__name__
        )
        return False
    return True


def apply_waiting_receipts(
    database: Database, stopping: Callable[[], bool] = lambda: False, *, job_s: float = JOB_S
) -> bool:
    """Apply parked receipts, oldest first, for at most `job_s` seconds; returns whether some are left that are due."""
    end = time.monotonic() + job_s
    while True:
        seen = _apply_batch(database)
        if seen < BATCH:
            return False
        if stopping() or time.monotonic() >= end:
            return True


def _apply_batch(database: Database) -> int:
    """Apply the next batch; a receipt that PostgreSQL refuses to apply is set aside alone. Returns how many
    were seen.
    """
    taken: Taken = {}
    try:
        with database.transaction() as connection:
            taken = ledger.take_receipts(connection, BATCH)
            ledger.apply_taken_receipts(connection, taken)
    except DBAPIError as error:
        if not lies_in_the_data(error):
            raise

        def apply_these(receipts: Sequence[tuple[int, date]]) -> None:
            with database.transaction() as connection:
                ledger.apply_taken_receipts(connection, ledger.take_receipts_by_id(connection, dict(receipts)))

        def set_aside(receipt: tuple[int, date], error: DBAPIError) -> None:
            receipt_id, in_month = receipt
            log.error("receipt %s cannot be applied and is set aside: %s", receipt_id, type(error.orig).__name__)
            with database.transaction() as connection:
                ledger.set_aside_receipt(connection, in_month, receipt_id, type(error.orig).__name__)

        write_by_halves(apply_these, list(taken.items()), set_aside)
    return len(taken)
