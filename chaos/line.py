"""Translates the SMSC's ledger into that of a simulator over HTTP.

SMPP sends back no name of ours. But a part shows which attempt it belongs to: by its phone, its words (chaos makes them
different for every campaign), the concatenation reference (computed from the attempt's name), and its time. The whole
texts in the SMSC's ledger cannot be used: like a handset, the SMSC may join a part to one that an unfinished text left
under the same reference, since there are only 256 references.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from chaos.plan import LINE
from sms_service import parts
from sms_service.gateways.base import ReceiptStatus
from sms_service.gateways.simulator.answers import CODES
from sms_service.gateways.smpp.texts import concatenation_reference
from sms_service.ledger.receipts import attempt_reference

_ATTEMPTS = text("""
SELECT a.month, a.id, m.phone, m.text, extract(epoch FROM a.started_at)::float, a.status, a.error
FROM attempts a
JOIN messages m ON m.month = a.month AND m.id = a.message_id
JOIN gateway_accounts g ON g.id = a.account_id
WHERE g.name = :account
ORDER BY a.started_at
""")
_FAILED, _DELIVERED = "UNDELIV", "DELIVRD"
# Of an unknown text of which a part was taken nothing can be said; one that is accepted or delivered is not whole.
_MAY_BE_TAKEN_IN_PART = ("undelivered", "refused", "throttled")


@dataclass(slots=True)
class Sent:
    """An attempt over the line as our ledger has it. `taken`: the SMSC's ids of its parts, by place."""

    name: str
    phone: str
    text: str
    started_at: float
    status: str
    error: str | None = None
    taken: dict[int, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Said:
    """The codes of the receipts of parts: those that were to be sent, and those that we acknowledged."""

    planned: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def name_texts(
    session: Session, lines: Iterable[dict[str, Any]], our_time: Callable[[float], float]
) -> Iterator[dict[str, Any]]:
    """The lines of the SMSC's ledger as `ops.agreement.compare` reads them: one for each time that a text was taken,
    and one for the final word of it that we acknowledged. `our_time`: what the service's clock said at a time of
    theirs.

    A text counts as taken if all its parts were; one of which a part was, if ours calls it undelivered or not taken.
    """
    rows = session.execute(_ATTEMPTS, {"account": LINE})
    attempts = [Sent(attempt_reference(row.month, row.id), *row[2:]) for row in rows]
    return compare_parts(attempts, lines, our_time)


def compare_parts(
    attempts: Sequence[Sent], lines: Iterable[dict[str, Any]], our_time: Callable[[float], float]
) -> Iterator[dict[str, Any]]:
    """`name_texts` of these attempts, which are in the order of their beginning."""
    of_part: dict[tuple[Any, ...], list[Sent]] = defaultdict(list)
    for attempt in attempts:
        pieces = parts.split_text(attempt.text)
        reference = concatenation_reference(attempt.name) if len(pieces) > 1 else 0
        for place, piece in enumerate(pieces, 1):
            attempt.taken[place] = []
            of_part[attempt.phone, reference, len(pieces), place, piece].append(attempt)
    said = _Said()
    for line in lines:
        if line["event"] == "receipt" and line["acknowledged"]:
            said.acknowledged[line["id"]].append(line["code"])
        elif line["event"] == "part" and line["id"]:
            said.planned[line["id"]] += [code for _, code in line["receipts"]]
            key = (line["to"], line["ref"], line["total"], line["seq"], line["text"])
            if whose := _whose(of_part[key], line["seq"], our_time(line["time"])):
                whose.taken[line["seq"]].append(line["id"])
            else:
                yield _taken("", line["to"], None)
    for attempt in attempts:
        yield from _told(attempt, said)


def _whose(attempts: list[Sent], place: int, at: float) -> Sent | None:
    """The newest attempt that had begun by then; of two that would both do, one that still lacks the part."""
    begun = [attempt for attempt in reversed(attempts) if attempt.started_at <= at]
    return next((attempt for attempt in begun if not attempt.taken[place]), begun[0] if begun else None)


def _told(attempt: Sent, said: _Said) -> Iterator[dict[str, Any]]:
    ids = list(attempt.taken.values())
    planned = _final_code([[code for name in names for code in said.planned[name]] for names in ids])
    if all(ids):
        for _ in range(max(map(len, ids))):  # a part that was taken twice was read twice
            yield _taken(attempt.name, attempt.phone, planned)
    elif any(ids) and attempt.status in _MAY_BE_TAKEN_IN_PART:
        yield _taken(attempt.name, attempt.phone, _FAILED if attempt.error == "partial" else planned)
    if code := _final_code([[code for name in names for code in said.acknowledged[name]] for names in ids]):
        yield {"event": "receipt", "reference": attempt.name, "acknowledged": True, "code": code}


def _taken(name: str, phone: str, code: str | None) -> dict[str, Any]:
    """The line of a text that was taken, under our name for it, with the code of its final receipt, if one was sent."""
    receipts = [[0, code]] if code else []
    return {"event": "message", "id": name or "?", "reference": name, "to": phone, "receipts": receipts}


def _final_code(of_parts: list[list[str]]) -> str | None:
    """The word on a whole text: one part that did not arrive, or all that did."""
    results = [Counter(CODES.receipts[code].result for code in codes) for codes in of_parts]
    if any(result[ReceiptStatus.undelivered] for result in results):
        return _FAILED
    return _DELIVERED if all(result[ReceiptStatus.delivered] for result in results) else None
