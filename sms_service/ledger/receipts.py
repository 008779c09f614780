"""Receipts in the ledger: stored as they came, then applied to attempts and messages in batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from sms_service.db.statements import Statement
from sms_service.gateways.base import Receipt

STORE_RECEIPTS = Statement(__file__, "store_receipts")
APPLY_RECEIPTS = Statement(__file__, "apply_receipts")
RECORD_PARTS = Statement(__file__, "record_parts")
NAME_PARTS = Statement(__file__, "name_parts")


@dataclass(frozen=True, slots=True)
class Applied:
    """One batch: receipts looked at, receipts that matched an attempt, messages that changed."""

    seen: int
    applied: int
    moved: int


def attempt_reference(month: date, attempt_id: int) -> str:
    """Our own name for an attempt, "YYYYMM-id", at most 25 ASCII characters; providers that can, echo it."""
    return f"{month:%Y%m}-{attempt_id}"


def record_parts(connection: Connection, month: date, part_ids: Mapping[int, Sequence[str]]) -> None:
    """Keep what the provider calls part 1, 2, … of each attempt (by its id). Belongs into the transaction that writes
    the outcome: a receipt of a part that is not known yet waits until it is.
    """
    named = [
        (attempt, number, name)
        for attempt, names in part_ids.items()
        for number, name in enumerate(names, 1)
        if name  # a part that has no name is found by its number only
    ]
    RECORD_PARTS(
        connection,
        month=month,
        attempt_ids=[attempt for attempt, _, _ in named],
        parts=[number for _, number, _ in named],
        provider_ids=[name for _, _, name in named],
    )


def store(connection: Connection, receipts: Iterable[tuple[str, Receipt]]) -> None:
    """Store receipts, each with the name of its gateway account, all or none. The caller acknowledges only after the
    commit. Raises sqlalchemy.exc.IntegrityError if the database does not know an account.
    """
    rows = [
        {
            "account": account,
            "raw": r.raw,
            "reference": r.reference,
            "provider_id": r.provider_id,
            "phone": r.phone,
            "part": r.part,
            "status": r.status,
            "error": r.error,
            "raw_code": r.raw_code,
            "occurred_at": r.occurred_at and r.occurred_at.isoformat(),
        }
        for account, r in receipts
    ]
    STORE_RECEIPTS(connection, receipts=json.dumps(rows, ensure_ascii=False))


def apply(connection: Connection, size: int) -> Applied:
    """Apply up to `size` parked receipts, oldest first."""
    row = APPLY_RECEIPTS(connection, size=size).one()
    return Applied(row.seen, row.applied, row.moved)


def name_parts(connection: Connection, size: int) -> int:
    """Find which unknown long texts some of the parked receipts are of, and name their parts; returns how many
    receipts are due again. In a transaction of its own: `apply` locks attempts in another order.
    """
    return NAME_PARTS(connection, size=size).rowcount
