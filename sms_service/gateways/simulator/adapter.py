"""Adapter of the simulator gateway: one text per POST, our reference echoed in every receipt."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sms_service.gateways import codes
from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    Capabilities,
    ErrorClass,
    Finding,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    Question,
    Receipt,
    ReceiptStatus,
    Text,
)
from sms_service.gateways.http_client import Answer, HttpClient, NotWritten, Result
from sms_service.gateways.options import between, http_url, look_up_after, not_empty, option

SIGNATURE_HEADER = "X-Simulator-Signature"
LOOK_UPS_IN_FLIGHT = 4
CODES = codes.load(Path(__file__).with_name("codes.csv"))


@dataclass(frozen=True, slots=True)
class Options:
    """`url`: the simulator's address. `secret`: shared with it, both ways. `connections`: requests under way at once.

    `total_timeout_s`: no hand-over of a group takes longer, in seconds. `look_up_after`: see `options.look_up_after`.
    """

    url: str = option(check=http_url)
    secret: str = option(secret=True, check=not_empty)
    connections: int = option(default=50, check=between(1, 1000))
    total_timeout_s: float = option(default=30.0, check=between(0.2, 300))
    look_up_after: float = look_up_after()


def sign(secret: str, body: bytes) -> str:
    """The signature of a callback's body: hexadecimal HMAC-SHA256."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class SimulatorAdapter:
    """One account at a simulator; see `base.Adapter` for what its methods promise."""

    def __init__(self, options: Options, callback_url: str) -> None:
        self.capabilities = Capabilities(
            largest_group=1000,
            total_timeout_s=options.total_timeout_s,
            echoes_reference=True,
            sends_receipts=True,
            rate=100_000,  # as fast as it can
            simulated=True,
            look_up_after_s=options.look_up_after,
            look_up_complete=True,  # it writes a text down before it answers
        )
        self._secret = options.secret
        self._callback_url = callback_url
        # Questions have connections of their own, so that no text ever waits behind one.
        self._client, self._look_ups = (
            HttpClient(
                options.url.rstrip("/") + "/messages",
                headers={"Authorization": f"Bearer {options.secret}", "Content-Type": "application/json"},
                in_flight=in_flight,
                total_timeout_s=options.total_timeout_s,
            )
            for in_flight in (options.connections, LOOK_UPS_IN_FLIGHT)
        )

    def submit(self, group: Group) -> list[Outcome]:
        """Hand over each text in a POST of its own."""
        results = self._client.post_all([self._body(text, group.validity_s) for text in group.texts])
        if results and all(isinstance(result, NotWritten) for result in results):
            raise NotTaken(f"the simulator cannot be reached: {results[0].reason}")  # type: ignore[union-attr]
        return [_outcome(text.reference, result) for text, result in zip(group.texts, results, strict=True)]

    def verify(self, request: CallbackRequest) -> bool:
        """Whether the body carries the signature that only holders of the secret can make."""
        given = request.headers.get(SIGNATURE_HEADER, "")
        return hmac.compare_digest(sign(self._secret, request.body).encode(), given.encode("utf-8", "replace"))

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """The reports in `{"receipts": [{id, reference, to, code, time}, …]}`; `time` is seconds since 1970 in UTC."""
        document = _json(request.body)
        items = document.get("receipts") if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise BadCallback('the body must be a JSON object with a list "receipts"')
        return [_receipt(item, place) for place, item in enumerate(items)]

    def look_up(self, questions: Sequence[Question]) -> list[Finding | None]:
        """Ask for each text by our reference."""
        results = self._look_ups.get_all([{"reference": question.reference} for question in questions])
        return [_finding(question, result) for question, result in zip(questions, results, strict=True)]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._look_ups.close()

    def _body(self, text: Text, validity_s: int | None) -> bytes:
        message = {
            "reference": text.reference,
            "to": text.phone,
            "text": text.body,
            "callback_url": self._callback_url,
            "validity_s": validity_s,
        }
        return json.dumps(message, ensure_ascii=False).encode()


def create(name: str, options: Options, callback_url: str) -> SimulatorAdapter:
    """The adapter of one simulator; receipts come back to `callback_url`."""
    return SimulatorAdapter(options, callback_url)


def _outcome(reference: str, result: Result) -> Outcome:
    if isinstance(result, NotWritten):
        # Others of its group were written, so the group as a whole may be taken; this one surely is not.
        return Outcome(reference, OutcomeKind.refused, error=ErrorClass.later, detail=result.reason)
    if not isinstance(result, Answer):
        return Outcome(reference, OutcomeKind.unknown, detail=result.reason)
    document = _json(result.body)
    answer: dict[str, Any] = document if isinstance(document, dict) else {}
    if result.status == 201 and isinstance(identifier := answer.get("id"), str) and identifier:
        return Outcome(reference, OutcomeKind.accepted, provider_id=identifier)
    raw_code = answer.get("code")
    known = CODES.answers.get(raw_code) if isinstance(raw_code, str) else None
    if known is not None and not 200 <= result.status < 300:
        return Outcome(
            reference,
            known.result,
            error=known.error,
            raw_code=raw_code,
            detail=known.meaning,
            retry_after_s=_seconds(result.headers.get("Retry-After")),
        )
    if 400 <= result.status < 500 and isinstance(raw_code, str):
        return Outcome(reference, OutcomeKind.refused, error=ErrorClass.unclassified, raw_code=raw_code[:40])
    return Outcome(reference, OutcomeKind.unknown, detail=f"HTTP {result.status} without a readable answer")


def _finding(question: Question, result: Result) -> Finding | None:
    document = _json(result.body) if isinstance(result, Answer) and result.status == 200 else None
    lines = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        return None
    # A simulator that outlived our database has texts of others under our references.
    taken = [
        line["id"]
        for line in lines
        if (line.get("to"), line.get("text")) == (question.phone, question.body) and isinstance(line.get("id"), str)
    ]
    return Finding(taken[0] if taken else None)


def _receipt(item: Any, place: int) -> Receipt:
    where = f"receipts[{place}]"
    if not isinstance(item, dict):
        raise BadCallback(f"{where} must be a JSON object")
    for key in ("id", "reference", "to", "code"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise BadCallback(f"{where}.{key} must be a text that is not empty")
    try:
        occurred_at = datetime.fromtimestamp(item["time"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise BadCallback(f"{where}.time must be seconds since 1970") from None
    known = CODES.receipts.get(item["code"])
    return Receipt(
        status=known.result if known else ReceiptStatus.unclassified,
        provider_id=item["id"],
        raw=json.dumps(item, ensure_ascii=False),
        reference=item["reference"],
        phone=item["to"],
        error=known.error if known else None,
        raw_code=item["code"],
        occurred_at=occurred_at,
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdecimal() else None
