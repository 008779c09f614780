"""Reads what the simulator answers: the outcome of a text or of a group, and the finding of a look-up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sms_service.gateways import codes
from sms_service.gateways.base import (
    ErrorClass,
    Finding,
    Outcome,
    OutcomeKind,
    Question,
    Receipt,
    ReceiptStatus,
    Text,
    unwritten,
)
from sms_service.gateways.http_client import HttpAnswer, NotWritten, Result

CODES = codes.load_code_table(Path(__file__).with_name("codes.csv"))

# Refusals for which the account is to blame and not a text: a smaller group would be refused too.
_OF_THE_ACCOUNT = (ErrorClass.credentials, ErrorClass.balance, ErrorClass.rate, ErrorClass.later)


def outcome(reference: str, result: Result) -> Outcome:
    """How the hand-over ended of a text that had its own POST."""
    if not isinstance(result, HttpAnswer):
        return _unanswered(reference, result)
    answer = _answer(result)
    if result.status in (201, 207):
        return _of_one(reference, answer, result)
    return _refused(reference, result, answer.get("code")) or _unreadable(reference, result)


def outcomes(texts: Sequence[Text], result: Result) -> list[Outcome]:
    """How the hand-over of the texts of one POST ended, in their order."""
    if not isinstance(result, HttpAnswer):
        return [_unanswered(text.reference, result) for text in texts]
    answer = _answer(result)
    if result.status != 200:
        return [_of_a_refused_group(text.reference, len(texts), result, answer) for text in texts]
    listed = answer.get("results")
    by_reference = {
        item["reference"]: item
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict) and isinstance(item.get("reference"), str)
    }
    return [_of_one(text.reference, by_reference.get(text.reference, {}), result) for text in texts]


def finding(question: Question, result: Result, now: float) -> Finding | None:
    """What the simulator's records answer to a question, at `now` in seconds since 1970; None if they are
    unreadable.
    """
    document = json_or_none(result.body) if isinstance(result, HttpAnswer) and result.status == 200 else None
    lines = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        return None
    # If the simulator is older than our database, it has texts of another database under the same references.
    taken = [
        line
        for line in lines
        if (line.get("to"), line.get("text")) == (question.phone, question.body)
        and isinstance(line.get("id"), str)
        and question.provider_id in (None, line["id"])
    ]
    return Finding(taken[0]["id"], _arrival(taken[0], now)) if taken else Finding(None)


def json_or_none(body: bytes) -> Any:
    """The JSON in `body`; None if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _answer(result: HttpAnswer) -> dict[str, Any]:
    document = json_or_none(result.body)
    return document if isinstance(document, dict) else {}


def _of_one(reference: str, answer: dict[str, Any], result: HttpAnswer) -> Outcome:
    """What an answer says about one text: the answer to its own POST, or an entry in the answer to a group."""
    identifier, code = answer.get("id"), answer.get("code")
    if isinstance(identifier, str) and identifier:
        if code == "partial":
            return Outcome(
                reference, OutcomeKind.partial, identifier, ErrorClass.partial, code, "some parts were taken"
            )
        return Outcome(reference, OutcomeKind.accepted, provider_id=identifier)
    if result.status == 200 and isinstance(code, str):
        return _of_code(reference, code, answer.get("retry_after_s"))
    return _unreadable(reference, result)


def _of_a_refused_group(reference: str, size: int, result: HttpAnswer, answer: dict[str, Any]) -> Outcome:
    refused = _refused(reference, result, answer.get("code"))
    if refused is None:
        return _unreadable(reference, result)
    if size == 1 or refused.error in _OF_THE_ACCOUNT:
        return refused
    return Outcome(
        reference, refused.kind, error=refused.error, raw_code=refused.raw_code, detail=refused.detail, whole_group=True
    )


def _refused(reference: str, result: HttpAnswer, code: Any) -> Outcome | None:
    """The refusal that an error status and its code mean; None if they do not say."""
    if not isinstance(code, str) or 200 <= result.status < 300:
        return None
    if code not in CODES.answers and not 400 <= result.status < 500:
        return None
    return _of_code(reference, code, _seconds(result.headers.get("Retry-After")))


def _of_code(reference: str, code: str, retry_after_s: Any) -> Outcome:
    known = CODES.answers.get(code)
    if known is None:
        return Outcome(reference, OutcomeKind.refused, error=ErrorClass.unclassified, raw_code=code[:40])
    again = float(retry_after_s) if type(retry_after_s) in (int, float) else None
    return Outcome(reference, known.result, error=known.error, raw_code=code, detail=known.meaning, retry_after_s=again)


def _unanswered(reference: str, result: Result) -> Outcome:
    assert not isinstance(result, HttpAnswer)
    if isinstance(result, NotWritten):
        # Other texts of the group may have been written and taken; this one was not, for certain.
        return unwritten(reference, result.reason)
    return Outcome(reference, OutcomeKind.unknown, detail=result.reason)


def _unreadable(reference: str, result: HttpAnswer) -> Outcome:
    return Outcome(reference, OutcomeKind.unknown, detail=f"HTTP {result.status} without a readable answer")


def _arrival(line: dict[str, Any], now: float) -> Receipt | None:
    """The last receipt for the whole text that is due by now, whether it was pushed or not."""
    try:
        due = [(at, code) for at, code, *part in (line.get("receipts") or line.get("kept_back") or ()) if not part]
        at, code = max((at, code) for at, code in due if at <= now)
        occurred_at = datetime.fromtimestamp(at, UTC)
    except (TypeError, ValueError, OverflowError, OSError):  # ValueError: none is due
        return None
    known = CODES.receipts.get(code)
    return Receipt(
        status=known.result if known else ReceiptStatus.unclassified,
        provider_id=line["id"],
        raw=json.dumps(
            {key: line[key] for key in ("id", "reference", "to") if key in line} | {"code": code, "time": at}
        ),
        reference=line.get("reference"),
        phone=line.get("to"),
        error=known.error if known else None,
        raw_code=code,
        occurred_at=occurred_at,
    )


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdecimal() else None
