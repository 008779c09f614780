"""What the SMSC's ledger says, in the words of a simulator over HTTP.

SMPP echoes no name of ours. So a text is known by its phone and its words, which chaos makes different for every
campaign; its receipts are those of its parts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from chaos.plan import LINE
from sms_service.gateways.base import ReceiptStatus
from sms_service.gateways.simulator.answers import CODES

# Of several attempts at one text, the one that the carrier may have taken comes first.
_ATTEMPTS = text("""
SELECT m.phone, m.text, to_char(a.month, 'YYYYMM') || '-' || a.id AS name
FROM attempts a
JOIN messages m ON m.month = a.month AND m.id = a.message_id
JOIN gateway_accounts g ON g.id = a.account_id
WHERE g.name = :account
ORDER BY a.status IN ('refused', 'throttled'), a.id
""")
# Texts of which the carrier took a part only: there is no whole text of them.
_PARTIAL = text("""
SELECT m.phone, to_char(a.month, 'YYYYMM') || '-' || a.id AS name
FROM attempts a
JOIN messages m ON m.month = a.month AND m.id = a.message_id
JOIN gateway_accounts g ON g.id = a.account_id
WHERE g.name = :account AND a.error = 'partial'
ORDER BY a.id
""")


def name_texts(session: Session, lines: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The lines of the SMSC's ledger as `ops.agreement.compare` reads them: one for each whole text that was taken, and
    one for the final word of it that we acknowledged. One of which a part was taken counts as taken and not delivered.
    """
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in session.execute(_ATTEMPTS, {"account": LINE}):
        names[row.phone, row.text].append(row.name)
    planned: dict[str, list[str]] = defaultdict(list)
    acknowledged: dict[str, list[str]] = defaultdict(list)
    texts, loose = [], {}
    for line in lines:
        if line["event"] == "part" and line["id"]:
            loose[line["id"]] = line["to"]
            planned[line["id"]] += [receipt[1] for receipt in line["receipts"]]
        elif line["event"] == "receipt" and line["acknowledged"]:
            acknowledged[line["id"]].append(line["code"])
        elif line["event"] == "message" and line["id"]:
            texts.append(line)
    for line in texts:
        for part_id in line["part_ids"]:
            loose.pop(part_id)
        ours = names[line["to"], line["text"]]
        name = ours.pop(0) if len(ours) > 1 else (ours or [""])[0]
        code = _final_code([planned[part_id] for part_id in line["part_ids"]])
        yield _taken(name, line["to"], code)
        if code := _final_code([acknowledged[part_id] for part_id in line["part_ids"]]):
            yield {"event": "receipt", "reference": name, "acknowledged": True, "code": code}
    phones = Counter(loose.values())
    for row in session.execute(_PARTIAL, {"account": LINE}):
        if phones[row.phone]:
            phones[row.phone] -= 1
            yield {
                "event": "message",
                "id": row.name,
                "reference": row.name,
                "to": row.phone,
                "receipts": [[0, _FAILED]],
            }


def _taken(name: str, phone: str, code: str | None) -> dict[str, Any]:
    """The line of a text that was taken, under our name for it, with the code of its final receipt, if one was sent."""
    receipts = [[0, code]] if code else []
    return {"event": "message", "id": name or "?", "reference": name, "to": phone, "receipts": receipts}


def _final_code(parts: list[list[str]]) -> str | None:
    """The code that decides on a whole text: one part that did not arrive, or the last of those that did."""
    finals = [[code for code in codes if CODES.receipts[code].result in _FINAL] for codes in parts]
    failed = [code for codes in finals for code in codes if CODES.receipts[code].result == ReceiptStatus.undelivered]
    if failed:
        return failed[0]
    return finals[-1][-1] if all(finals) else None


_FAILED = "UNDELIV"
_FINAL = (ReceiptStatus.delivered, ReceiptStatus.undelivered)
