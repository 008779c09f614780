"""The way of a message to the wire and what came of it: claim, gate, release, outcomes, withdrawal.

Each function is one statement in one transaction of its own; none is open while a gateway is called. What may follow
what is in `states.py`; why each statement is as it is stands in its `.sql` file; the protocol as a whole is told in
docs/sending.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from sms_service.db.statements import Statement
from sms_service.gateways.base import OutcomeKind
from sms_service.ledger.receipts import record_parts

CLAIM = Statement(__file__, "claim")
CLAIM_IDS = Statement(__file__, "claim_ids")
GATE = Statement(__file__, "gate")
RELEASE = Statement(__file__, "release")
REFUSE_UNRENDERED = Statement(__file__, "refuse_unrendered")
RECORD_OUTCOMES = Statement(__file__, "record_outcomes")
FREE_CAPS = Statement(__file__, "free_caps")
WITHDRAW = Statement(__file__, "withdraw")
WITHDRAW_ATTEMPTS = Statement(__file__, "withdraw_attempts")
WITHDRAW_UNKNOWN = Statement(__file__, "withdraw_unknown")

# The longest that the gate waits for one lock; longer than deadlock_timeout, so that a deadlock is found before.
LOCK_WAIT_S = 3.0


# Taken in part, and the rest cannot be: the network's final word could be no other.
_STATUS = {OutcomeKind.partial: "undelivered"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on rows of one run, for one gateway account. `token` (a UUID) proves that the rows are still this
    claim's.

    An account that is `fresh` for the run takes every row but those that `accounts` surely did not take; any other
    takes only those. `ids`: only these messages.
    """

    run_id: int
    month: date
    gateway_account_id: int
    token: str
    fresh: bool = True
    accounts: tuple[int, ...] = ()
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed row. `values` are the recipient's own; `text` is set if an earlier attempt rendered it."""

    id: int
    values: Mapping[str, Any] | None = field(repr=False)
    text: str | None = field(repr=False)
    parts: int | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A claimed row with its final text and how many parts it takes."""

    id: int
    text: str = field(repr=False)
    parts: int


@dataclass(frozen=True, slots=True)
class Passed:
    """A row that passed the gate: its attempt is written, and it may be handed over. `number` counts its attempts
    from 1. `template_id`, `parameters`: what the provider calls the run's template, and its variables in the provider's
    order, where the account takes registered templates alone. `question_id`: what the run asks, if it asks.
    """

    attempt_id: int
    message_id: int
    phone: str = field(repr=False)
    text: str = field(repr=False)
    parts: int
    number: int
    validity_s: float
    template_id: str | None = None
    parameters: tuple[str, ...] = ()
    question_id: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a hand-over ended, for the ledger. `retry_after_s`: the message waits that long and goes again; None: it
    does not. `blamed`: a refusal that lies with the account. `part_ids`: what the provider calls part 1, 2, …
    """

    attempt_id: int
    kind: OutcomeKind
    provider_id: str | None = None
    error: str | None = None
    raw_code: str | None = None
    detail: str | None = None
    retry_after_s: float | None = None
    blamed: bool = False
    part_ids: tuple[str, ...] = ()


def claim_rows(connection: Connection, claim: Claim, size: int, lease_s: float) -> list[Claimed]:
    """Lease up to `size` due rows for `lease_s` seconds."""
    # A lease that a crash forgets costs nothing, and the gate's durable COMMIT comes after it in the same log.
    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    lease = {
        "run_id": claim.run_id,
        "month": claim.month,
        "gateway_account_id": claim.gateway_account_id,
        "token": claim.token,
        "size": size,
        "lease_s": lease_s,
        "fresh": claim.fresh,
        "accounts": list(claim.accounts),
    }
    rows = CLAIM(connection, **lease) if claim.ids is None else CLAIM_IDS(connection, **lease, ids=list(claim.ids))
    return [Claimed(row.id, row.values, row.text, row.parts) for row in rows]


def pass_gate(
    connection: Connection, claim: Claim, rows: Sequence[Rendered], lease_s: float, lock_wait_s: float = LOCK_WAIT_S
) -> list[Passed]:
    """Write an attempt for every row that may leave now. Nothing may be handed over before this commit was seen to
    succeed, nor long after this was called: what forbids a hand-over was asked when it began.

    Raises what `waited_in_vain` knows if a lock was not free within `lock_wait_s` seconds; nothing is written then.
    """
    passed = GATE(
        connection,
        run_id=claim.run_id,
        month=claim.month,
        gateway_account_id=claim.gateway_account_id,
        token=claim.token,
        ids=[row.id for row in rows],
        texts=[row.text for row in rows],
        parts=[row.parts for row in rows],
        lease_s=lease_s,
        lock_wait=f"{round(lock_wait_s * 1000)}ms",
    )
    return [
        Passed(
            *(row.attempt_id, row.id, row.phone, row.text, row.parts, row.attempts, row.validity_s),
            row.provider_template_id,
            tuple(row.parameters or ()),
            row.question_id,
        )
        for row in passed
    ]


def waited_in_vain(error: DBAPIError) -> bool:
    """Whether a statement gave up because somebody else held a lock for too long."""
    return isinstance(error.orig, LockNotAvailable)


def release_rows(connection: Connection, claim: Claim, ids: Sequence[int], again_s: float = 0.0) -> dict[int, str]:
    """Give back rows that did not pass; returns what each became. What waits is not looked at for `again_s` seconds."""
    rows = RELEASE(connection, month=claim.month, token=claim.token, ids=list(ids), again_s=again_s)
    return {row.id: row.status for row in rows}


def refuse_unrendered(connection: Connection, claim: Claim, errors: Mapping[int, str]) -> None:
    """Refuse rows whose text cannot be rendered, each with the template's error."""
    REFUSE_UNRENDERED(
        connection,
        month=claim.month,
        token=claim.token,
        ids=list(errors),
        errors=[error[:200] for error in errors.values()],
    )


def record_outcomes(
    connection: Connection, month: date, outcomes: Sequence[Recorded], claim: Claim | None = None
) -> dict[int, str]:
    """Write outcomes by attempt; returns what those messages became that followed.

    `claim`: whose hand-over this was, for the breaker to count.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.attempt_id)
    rows = RECORD_OUTCOMES(
        connection,
        month=month,
        ids=[o.attempt_id for o in ordered],
        statuses=[_STATUS.get(o.kind, o.kind.value) for o in ordered],
        provider_ids=[o.provider_id for o in ordered],
        errors=[o.error for o in ordered],
        raw_codes=[o.raw_code for o in ordered],
        details=[o.detail for o in ordered],
        retry_after=[o.retry_after_s for o in ordered],
        blamed=[o.blamed for o in ordered],
        gateway_account_id=claim and claim.gateway_account_id,
        run_id=claim and claim.run_id,
    )
    became = {row.id: row.status for row in rows}
    if parts := {o.attempt_id: o.part_ids for o in outcomes if o.part_ids}:
        record_parts(connection, month, parts)
    _free_caps(connection, month, [id_ for id_, status in became.items() if status in ("pending", "refused")])
    return became


def withdraw_rows(connection: Connection, claim: Claim, ids: Sequence[int]) -> int:
    """Take back a claim's messages that were surely not handed over, also those whose lease is over by now; returns
    how many wait again.
    """
    its = {"month": claim.month, "token": claim.token}
    attempts = WITHDRAW_ATTEMPTS(connection, **its, ids=list(ids)).all()
    waiting = [row.id for row in WITHDRAW(connection, **its, run_id=claim.run_id)]
    # The gate's COMMIT was still under way: its attempts are seen only after its messages were waited for.
    attempts = attempts or WITHDRAW_ATTEMPTS(connection, **its, ids=waiting).all()
    swept = {row.message_id: row.number for row in attempts if row.message_id not in set(waiting)}
    if swept:
        WITHDRAW_UNKNOWN(connection, month=claim.month, ids=list(swept), numbers=list(swept.values()))
    _free_caps(connection, claim.month, [*waiting, *swept])
    return len(waiting)


def _free_caps(connection: Connection, month: date, ids: Sequence[int]) -> None:
    if ids:
        FREE_CAPS(connection, month=month, ids=list(ids))
