"""The adapter of Pigeon, which takes a whole group in one POST and pushes receipts and replies.

    POST <url>/texts  {"notify": URL, "texts": [{"ref", "to", "text"}, …]}
                      → 200 {"results": [{"ref", "id"} or {"ref", "code"}, …]}, or an error status and {"code"}:
                      then nothing of the POST was taken
    Pigeon calls      <notify>          {"reports": [{"id", "ref", "to", "code", "at", "part"?}, …]}
                      <notify>/replies  {"messages": [{"id", "from", "text", "at", "stop"?}, …]}

with the time of sending in X-Pigeon-Time and, in X-Pigeon-Signature, the HMAC-SHA256 of time, full stop and body.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pigeon_gateway import pushed
from sms_service.gateways import codes
from sms_service.gateways.base import (
    CallbackRequest,
    Capabilities,
    ErrorClass,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    Receipt,
    Reply,
)
from sms_service.gateways.http_client import HttpAnswer, HttpClient, NotWritten, Result
from sms_service.gateways.numbers import national_number
from sms_service.gateways.options import between, http_url, not_empty, option

CODES = codes.load_code_table(Path(__file__).with_name("codes.csv"))

# Another group of this account would be refused just the same, so halving this one is of no use.
_OF_THE_ACCOUNT = (ErrorClass.credentials, ErrorClass.balance, ErrorClass.rate, ErrorClass.later)


@dataclass(frozen=True, slots=True)
class Options:
    """`url`: Pigeon's address. `key`: authorizes us there; `secret`: signs what Pigeon pushes.

    `total_timeout_s`: no hand-over of a group takes longer, in seconds.
    """

    url: str = option(check=http_url)
    key: str = option(secret=True, check=not_empty)
    secret: str = option(secret=True, check=not_empty)
    total_timeout_s: float = option(default=30.0, check=between(0.2, 300))


class PigeonAdapter:
    """One account at Pigeon; see `sms_service.gateways.base.Adapter` for what its methods promise."""

    def __init__(self, options: Options, callback_url: str) -> None:
        self.capabilities = Capabilities(
            largest_group=100,
            total_timeout_s=options.total_timeout_s,
            echoes_reference=True,
            sends_receipts=True,
            rate=50,
            meanings=codes.list_meanings(CODES),
        )
        self._secret, self._callback_url = options.secret, callback_url
        self._client = HttpClient(
            f"{options.url.rstrip('/')}/texts",
            headers={"Authorization": f"Bearer {options.key}", "Content-Type": "application/json"},
            in_flight=10,
            total_timeout_s=options.total_timeout_s,
        )

    def submit(self, group: Group) -> list[Outcome]:
        """One POST for the whole group."""
        texts = [{"ref": text.reference, "to": national_number(text.phone), "text": text.body} for text in group.texts]
        body = json.dumps({"notify": self._callback_url, "texts": texts}).encode()
        [result] = self._client.post_all([body])
        if isinstance(result, NotWritten):
            raise NotTaken(f"Pigeon cannot be reached: {result.reason}")
        entries = _entries(result)
        if entries is None:
            whole = _refusal(result)
            return [replace(whole, reference=text.reference) for text in group.texts]
        return [_outcome(text.reference, entries.get(text.reference, {})) for text in group.texts]

    def verify(self, request: CallbackRequest) -> bool:
        """Whether it carries a fresh signature that only holders of the secret can make."""
        return pushed.is_genuine(self._secret, request, time.time())

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """The reports of a callback."""
        return [] if request.is_of_replies else pushed.receipts(request.body, CODES.receipts)

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        """The messages of a callback."""
        return pushed.replies(request.body) if request.is_of_replies else []

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def create(name: str, options: Options, callback_url: str) -> PigeonAdapter:
    """The adapter of one account; Pigeon pushes to `callback_url`."""
    return PigeonAdapter(options, callback_url)


def _entries(result: Result) -> dict[str, dict[str, Any]] | None:
    """What the answer says of each text, by our reference; None if it is no list of texts."""
    document = _document(result) if isinstance(result, HttpAnswer) and result.status == 200 else {}
    results = document.get("results")
    if not isinstance(results, list):
        return None
    return {entry["ref"]: entry for entry in results if isinstance(entry, dict) and isinstance(entry.get("ref"), str)}


def _outcome(reference: str, entry: dict[str, Any]) -> Outcome:
    """How the hand-over of one text ended; unknown where its entry is missing or cannot be read."""
    if isinstance(entry.get("id"), str) and entry["id"]:
        return Outcome(reference, OutcomeKind.accepted, provider_id=entry["id"])
    if isinstance(entry.get("code"), str):
        return _of_code(reference, entry["code"])
    return Outcome(reference, OutcomeKind.unknown, detail="the answer says nothing of this text")


def _refusal(result: Result) -> Outcome:
    """How the hand-over of every text ended, if the answer is one to the whole POST."""
    if not isinstance(result, HttpAnswer):
        return Outcome("", OutcomeKind.unknown, detail=result.reason)
    code = _document(result).get("code")
    # Without a code of Pigeon's own, an error status may come from a proxy that had passed the request on.
    if result.status < 400 or not isinstance(code, str) or (result.status >= 500 and code not in CODES.answers):
        return Outcome("", OutcomeKind.unknown, detail=f"HTTP {result.status} without a readable answer")
    outcome = _of_code("", code)
    if outcome.error in _OF_THE_ACCOUNT:
        again = result.headers.get("Retry-After", "")
        return replace(outcome, retry_after_s=float(again) if again.isascii() and again.isdecimal() else None)
    return replace(outcome, whole_group=True)


def _of_code(reference: str, code: str) -> Outcome:
    known = CODES.answers.get(code)
    if known is None:
        return Outcome(reference, OutcomeKind.refused, error=ErrorClass.unclassified, raw_code=code[:40])
    return Outcome(reference, known.result, error=known.error, raw_code=code, detail=known.meaning)


def _document(answer: HttpAnswer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
