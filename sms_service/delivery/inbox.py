"""Receipts on their way in: stored before they are acknowledged, applied in batches by any worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from sms_service.db.engine import Database
from sms_service.gateways.base import Receipt
from sms_service.ledger import receipts as ledger

BATCH = 500


def store(connection: Connection, account: str, receipts: Sequence[Receipt]) -> int:
    """Store what a provider pushed to `account`; returns how many. Acknowledge only after the commit."""
    return ledger.store(connection, account, receipts) if receipts else 0


def apply_waiting(database: Database, stopping: Callable[[], bool] = lambda: False) -> int:
    """Apply parked receipts until none is due; returns how many were looked at."""
    seen = 0
    while not stopping():
        with database.transaction() as connection:
            batch = ledger.apply(connection, BATCH)
        seen += batch.seen
        if batch.seen < BATCH:
            break
    return seen
