"""Receipts in the ledger: stored as they came, then applied to attempts and messages in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from sms_service.db.statements import Statement
from sms_service.gateways.base import Receipt

STORE_RECEIPTS = Statement(__file__, "store_receipts")
APPLY_RECEIPTS = Statement(__file__, "apply_receipts")


@dataclass(frozen=True, slots=True)
class Applied:
    """One batch: receipts looked at, receipts that matched an attempt, messages that changed."""

    seen: int
    applied: int
    moved: int


def attempt_reference(month: date, attempt_id: int) -> str:
    """Our own name for an attempt, "YYYYMM-id", at most 25 ASCII characters; providers that can, echo it."""
    return f"{month:%Y%m}-{attempt_id}"


def store(connection: Connection, account: str, receipts: Sequence[Receipt]) -> int:
    """Store receipts of the gateway account named `account`; returns how many. The caller acknowledges only after the
    commit.
    """
    return STORE_RECEIPTS(
        connection,
        account=account,
        raws=[r.raw for r in receipts],
        references=[r.reference for r in receipts],
        provider_ids=[r.provider_id for r in receipts],
        phones=[r.phone for r in receipts],
        parts=[r.part for r in receipts],
        statuses=[r.status.value for r in receipts],
        errors=[r.error.value if r.error else None for r in receipts],
        raw_codes=[r.raw_code for r in receipts],
        occurred=[r.occurred_at for r in receipts],
    ).rowcount


def apply(connection: Connection, size: int) -> Applied:
    """Apply up to `size` parked receipts, oldest first."""
    row = APPLY_RECEIPTS(connection, size=size).one()
    return Applied(row.seen, row.applied, row.moved)
