"""Receipts in the ledger. They are stored as they came, then applied to attempts and messages in batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection

from sms_service.db.statements import Statement
from sms_service.gateways.base import Receipt, ReceiptStatus
from sms_service.gateways.words import LONGEST_RECORD, bound_id, bound_word
from sms_service.ledger.receipt_matching import (
    NO_TEXT,
    TOO_MANY,
    Match,
    Taken,
    by_month,
    find_groups,
    match_receipts,
)
from sms_service.parts import MOST_PARTS

STORE_RECEIPTS = Statement(__file__, "store_receipts")
APPLY_RECEIPTS = Statement(__file__, "apply_receipts")
RECORD_PARTS = Statement(__file__, "record_parts")
NAME_PARTS = Statement(__file__, "name_parts")
RECEIPT_MONTHS = Statement(__file__, "receipt_months")
TAKE_RECEIPTS = Statement(__file__, "take_receipts")
TAKE_THESE = Statement(__file__, "take_these")
LOCK_ATTEMPTS = Statement(__file__, "lock_attempts")
PARK_RECEIPTS = Statement(__file__, "park_receipts")
SET_ASIDE_RECEIPT = Statement(__file__, "set_aside_receipt")

_STATUSES = frozenset(ReceiptStatus)
_NO_PART = 32_767  # what a number that no part can have is kept as: it counts for nothing

_Groups = dict[date, dict[int, dict[int, str]]]
_Told = dict[date, dict[int, str]]


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


def insert_receipts(connection: Connection, receipts: Iterable[tuple[str, Receipt]]) -> None:
    """Store receipts, each with the name of its gateway account, all or none. The caller acknowledges only after the
    commit. Raises sqlalchemy.exc.IntegrityError if the database does not know an account.
    """
    rows = [_row(account, receipt) for account, receipt in receipts]
    STORE_RECEIPTS(connection, receipts=json.dumps(rows, ensure_ascii=False))


def _row(account: str, said: Receipt) -> dict[str, Any]:
    """A receipt as its table can keep it, whatever an adapter makes of what a provider says."""
    return {
        "account": account,
        "raw": bound_word(said.raw, LONGEST_RECORD),
        "reference": bound_word(said.reference) or None,
        "provider_id": bound_id(said.provider_id) or None,
        "phone": bound_word(said.phone) or None,
        "part": said.part if 0 <= said.part <= MOST_PARTS else _NO_PART,
        "status": said.status if str(said.status) in _STATUSES else ReceiptStatus.unclassified,
        "error": bound_word(said.error),
        "raw_code": bound_word(said.raw_code),
        "occurred_at": said.occurred_at and said.occurred_at.isoformat(),
    }


def take_receipts(connection: Connection, size: int) -> Taken:
    """Up to `size` parked receipts of each month that are due, oldest first, which this transaction holds from now on.
    Of each month, so that none waits for another's.
    """
    months = RECEIPT_MONTHS(connection).scalars().all()
    return {
        id_: month for month in months for id_ in TAKE_RECEIPTS(connection, in_month=month, size=size).scalars().all()
    }


def take_receipts_by_id(connection: Connection, receipts: Taken) -> Taken:
    """The same for these receipts, as far as they are not applied yet."""
    return {
        id_: month
        for month, ids in _in_months(receipts, receipts).items()
        for id_ in TAKE_THESE(connection, in_month=month, ids=ids).scalars().all()
    }


def apply_receipts(connection: Connection, size: int) -> Applied:
    """Apply up to `size` parked receipts, oldest first."""
    return apply_taken_receipts(connection, take_receipts(connection, size))


def apply_taken_receipts(connection: Connection, taken: Taken) -> Applied:
    """Apply receipts that this transaction has locked; a receipt without a text so far waits for its next turn.

    A receipt that names its attempt is certain. A receipt that was matched because only one text was possible is
    matched again once the attempts are locked: an outcome may just have said that it is about another text.
    """
    if not taken:
        return Applied(0, 0, 0)
    found = match_receipts(connection, taken)
    matches, notes = list(found.named), found.notes
    told: _Told = {}
    if found.meant:
        groups = find_groups(connection, found.meant)
        _lock(connection, [*found.named, *found.meant], groups)
        again = match_receipts(connection, {match.receipt_id: taken[match.receipt_id] for match in found.meant})
        held = {(match.month, match.attempt_id) for match in (*found.named, *found.meant)}
        notes |= again.notes
        for match in (*again.named, *again.meant):
            if (match.month, match.attempt_id) in held:
                matches.append(match)
            else:
                notes[match.receipt_id] = NO_TEXT
        matches, unnamed = _name_parts(connection, matches)
        notes |= unnamed
        told = _tell(matches, groups)
    elif len({taken[match.receipt_id] for match in matches}) > 1:
        _lock(connection, matches, {})  # month by month they would be in no order
    moved = 0
    for month, of_month in by_month(matches).items():
        names = told.get(month, {})
        of_receipt = {match.receipt_id: match for match in of_month}
        for in_month, ids in _in_months(of_receipt, taken).items():
            moved += APPLY_RECEIPTS(
                connection,
                month=month,
                in_month=in_month,
                receipt_ids=ids,
                attempt_ids=[of_receipt[id_].attempt_id for id_ in ids],
                parts=[of_receipt[id_].part for id_ in ids],
                told_ids=list(names),
                told_names=list(names.values()),
            ).scalar_one()
    for in_month, ids in _in_months(notes, taken).items():
        PARK_RECEIPTS(connection, in_month=in_month, ids=ids, notes=[notes[id_] for id_ in ids])
    return Applied(len(taken), len(matches), moved)


def _in_months(ids: Iterable[int], taken: Taken) -> dict[date, list[int]]:
    """These receipts by the month in which they came: a statement that changes some is of one month."""
    months: dict[date, list[int]] = {}
    for id_ in ids:
        months.setdefault(taken[id_], []).append(id_)
    return months


def set_aside_receipt(connection: Connection, in_month: date, receipt_id: int, why: str) -> None:
    """Never try this receipt again; it is listed with the reason."""
    SET_ASIDE_RECEIPT(connection, in_month=in_month, id=receipt_id, note=bound_word(f"it cannot be applied: {why}"))


def _lock(connection: Connection, matches: Sequence[Match], groups: _Groups) -> None:
    """Hold all attempts that may be changed, by month and id."""
    for month, of_month in by_month(matches).items():
        members = (member for names in groups.get(month, {}).values() for member in names)
        LOCK_ATTEMPTS(connection, month=month, ids=[*(match.attempt_id for match in of_month), *members])


def _name_parts(connection: Connection, matches: Sequence[Match]) -> tuple[list[Match], dict[int, str]]:
    """Give the ids of receipts to parts that have none; also: the receipts whose text has no such part left."""
    kept = [match for match in matches if not match.names_part]
    notes: dict[int, str] = {}
    for month, of_month in by_month(match for match in matches if match.names_part).items():
        named = {
            (row.attempt_id, row.provider_id): row.part
            for row in NAME_PARTS(
                connection,
                month=month,
                attempt_ids=[match.attempt_id for match in of_month],
                provider_ids=[match.provider_id for match in of_month],
            )
        }
        for match in of_month:
            if (part := named.get((match.attempt_id, match.provider_id or ""))) is None:
                notes[match.receipt_id] = TOO_MANY
            else:
                kept.append(replace(match, part=part))
    return kept, notes


def _tell(matches: Iterable[Match], groups: _Groups) -> _Told:
    """The provider's ids that receipts have told, by month and attempt."""
    told: _Told = {}
    for match in matches:
        if match.is_meant and not match.names_part and match.provider_id is not None:
            names = told.setdefault(match.month, {})
            names.setdefault(match.attempt_id, match.provider_id)
            for member, name in groups.get(match.month, {}).get(match.attempt_id, {}).items():
                names.setdefault(member, name)
    return told
