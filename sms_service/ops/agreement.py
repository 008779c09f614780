"""Compares our ledger with a simulator's own, which proves that nobody was lost and nobody was texted twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.gateways.base import ReceiptStatus
from sms_service.gateways.simulator.answers import CODES
from sms_service.ledger.models import Attempt, Message, ReceiptRow
from sms_service.ledger.receipts import attempt_reference
from sms_service.reports.parts import TAKEN

UNDECIDED = ("submitting", "unknown")
_WAITING = ("pending", "claimed", "submitting")
_NOT_TAKEN = ("refused", "throttled")
_FINAL = (ReceiptStatus.delivered, ReceiptStatus.undelivered)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The disagreements of the two ledgers, as references of attempts (`YYYYMM-id`); all are empty if they agree.

    `lost`: our ledger says taken, and the simulator never had it. `duplicated`: the simulator took one run's text to
    one phone more than once; each entry has all attempts that did it. `contradicted`: any other disagreement, by its
    kind. `waiting`: messages (`YYYYMM-id`) that have not left yet or are leaving; at the end of a test they are lost
    too.
    """

    lost: list[str]
    duplicated: list[str]
    contradicted: dict[str, list[str]]
    waiting: list[str]

    def sentences(self) -> list[str]:
        """One sentence per kind of disagreement; none if there is none."""
        kinds = {"lost": self.lost, "duplicated": self.duplicated, **self.contradicted}
        return [f"{len(names)} texts {what}" for what, names in kinds.items() if names]


@dataclass(frozen=True, slots=True)
class _Ours:
    """An attempt and its message as our ledger has them."""

    status: str
    run_id: int
    phone: str | None
    last: bool  # whether it is the message's latest
    message_status: str


@dataclass(frozen=True, slots=True)
class _Theirs:
    """What the simulators took, by our reference: the `times` it was taken, the phone, the statuses of the final
    receipts that were to be sent, and of those that we acknowledged.
    """

    times: Counter[str]
    phones: dict[str, str]
    planned: dict[str, set[ReceiptStatus]]
    acknowledged: dict[str, set[ReceiptStatus]]


def disagreements(session: Session, simulators: Iterable[Mapping[str, Any]], runs: Sequence[int]) -> list[str]:
    """One sentence per kind of disagreement about these runs, none if there is none; see `compare`."""
    return compare_ledgers(session, simulators, runs).sentences()


def compare_ledgers(session: Session, simulators: Iterable[Mapping[str, Any]], runs: Sequence[int]) -> Agreement:
    """Compare our ledger of these runs with the lines of one simulator's ledger, or of several.

    The simulators must have served this ledger only, and nobody may have sent an unknown text again.
    """
    theirs = _read(simulators)
    ours = _attempts(session)
    wanted = set(runs)
    here = {name: attempt for name, attempt in ours.items() if attempt.run_id in wanted}
    to_phone: dict[tuple[int, str], list[str]] = defaultdict(list)
    for name, times in theirs.times.items():
        if name in here:
            to_phone[here[name].run_id, theirs.phones[name]] += [name] * times
    contradictions: dict[str, list[str]] = defaultdict(list)
    parked = _parked(session)
    for name, attempt in here.items():
        for what in _contradictions(name, attempt, theirs):
            if what != UNHEARD or name not in parked:
                contradictions[what].append(name)
    if ghosts := [name for name in theirs.times if name not in ours]:
        contradictions["that no attempt of ours names"] = ghosts
    return Agreement(
        lost=[name for name, attempt in here.items() if attempt.status in TAKEN and name not in theirs.times],
        duplicated=[" ".join(sorted(set(names))) for names in to_phone.values() if len(names) > 1],
        contradicted=dict(contradictions),
        waiting=_waiting(session, runs),
    )


UNHEARD = "whose acknowledged receipt was not applied"


def _contradictions(name: str, ours: _Ours, theirs: _Theirs) -> Iterator[str]:
    taken = name in theirs.times
    if taken and ours.status in _NOT_TAKEN:
        yield "contradicted"
    if taken and theirs.phones[name] != ours.phone:
        yield "sent to another phone"
    if ours.last and not _follows(ours):
        yield "whose message does not follow its attempt"
    said = theirs.acknowledged.get(name, set())
    if said and ours.status != ("delivered" if ReceiptStatus.delivered in said else "undelivered"):
        yield UNHEARD
    if ours.status in _FINAL and taken and ours.status not in theirs.planned.get(name, set()):
        yield "whose final word no receipt says"


def _follows(ours: _Ours) -> bool:
    """Whether the message's status follows from its latest attempt; `delivered` may come from an earlier attempt."""
    if ours.status in _NOT_TAKEN:
        return ours.message_status not in (*TAKEN, *UNDECIDED) or ours.message_status == "delivered"
    return ours.message_status in (ours.status, "delivered")


def _read(simulators: Iterable[Mapping[str, Any]]) -> _Theirs:
    theirs = _Theirs(Counter(), {}, defaultdict(set), defaultdict(set))
    for line in simulators:
        if line.get("event", "message") not in ("message", "receipt"):
            continue
        name = line.get("reference", "")
        if line.get("id") and "to" in line:
            theirs.times[name] += 1
            theirs.phones[name] = line["to"]
            theirs.planned[name] |= {CODES.receipts[code].result for _, code in line.get("receipts", ())}
        elif line.get("acknowledged") and (said := CODES.receipts[line["code"]].result) in _FINAL:
            theirs.acknowledged[name].add(said)
    return theirs


def _attempts(session: Session) -> dict[str, _Ours]:
    rows = session.execute(
        select(
            Attempt.month,
            Attempt.id,
            Attempt.status,
            Attempt.run_id,
            Message.phone,
            (Attempt.number == Message.attempts).label("last"),
            Message.status.label("message_status"),
        ).join(Message, (Message.month == Attempt.month) & (Message.id == Attempt.message_id))
    )
    return {
        attempt_reference(row.month, row.id): _Ours(row.status, row.run_id, row.phone, row.last, row.message_status)
        for row in rows
    }


def _parked(session: Session) -> set[str]:
    """The attempts that are named by receipts which are not applied yet."""
    rows = session.execute(
        select(ReceiptRow.month, ReceiptRow.attempt_id).where(
            ReceiptRow.applied_at.is_(None), ReceiptRow.attempt_id.is_not(None)
        )
    )
    return {attempt_reference(month, attempt_id) for month, attempt_id in rows if month and attempt_id}


def _waiting(session: Session, runs: Sequence[int]) -> list[str]:
    rows = session.execute(
        select(Message.month, Message.id).where(Message.run_id.in_(runs), Message.status.in_(_WAITING))
    )
    return [attempt_reference(month, message_id) for month, message_id in rows]
