"""What Pigeon pushes: proved to be Pigeon's, and read."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sms_service.gateways.base import BadCallback, CallbackRequest, Receipt, ReceiptStatus, Replayed, Reply
from sms_service.gateways.codes import Code
from sms_service.gateways.numbers import e164

OLDEST_S = 300  # seconds; Pigeon signs anew whenever it tries again


def signature(secret: str, sent_at: str, body: bytes) -> str:
    """What X-Pigeon-Signature must be."""
    return hmac.new(secret.encode(), sent_at.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_genuine(secret: str, request: CallbackRequest, now: float) -> bool:
    """Whether Pigeon made the request. Raises Replayed if it did so more than OLDEST_S before `now`."""
    sent_at, given = request.headers.get("X-Pigeon-Time", ""), request.headers.get("X-Pigeon-Signature", "")
    if not sent_at.isascii() or not sent_at.isdecimal() or len(sent_at) > 12:
        return False
    if not hmac.compare_digest(signature(secret, sent_at, request.body).encode(), given.encode("utf-8", "replace")):
        return False
    if now - int(sent_at) > OLDEST_S:
        raise Replayed(f"the callback was signed more than {OLDEST_S} s ago")
    return True


def receipts(body: bytes, codes: Mapping[str, Code[ReceiptStatus]]) -> list[Receipt]:
    """The receipts in a callback. Raises BadCallback."""
    found = []
    for place, item in enumerate(_items(body, "reports")):
        where = f"reports[{place}]"
        code, known = _text(item, "code", where), codes.get(_text(item, "code", where))
        part = item.get("part", 0)
        if type(part) is not int or not 0 <= part <= 255:
            raise BadCallback(f"{where}.part must be a whole number from 0 to 255")
        found.append(
            Receipt(
                status=known.result if known else ReceiptStatus.unclassified,
                provider_id=_text(item, "id", where),
                raw=json.dumps(item, ensure_ascii=False),
                reference=_text(item, "ref", where),
                phone=_phone(item, "to", where),
                part=part,
                error=known.error if known else None,
                raw_code=code,
                occurred_at=_time(item, where),
            )
        )
    return found


def replies(body: bytes) -> list[Reply]:
    """The replies in a callback. Raises BadCallback."""
    return [
        Reply(
            phone=_text(item, "from", f"messages[{place}]"),  # read where it is stored, in any spelling
            text=_text(item, "text", f"messages[{place}]"),
            raw=json.dumps(item, ensure_ascii=False),
            provider_id=_text(item, "id", f"messages[{place}]"),
            occurred_at=_time(item, f"messages[{place}]"),
            stop=item.get("stop") is True,
        )
        for place, item in enumerate(_items(body, "messages"))
    ]


def _items(body: bytes, name: str) -> list[dict[str, Any]]:
    try:
        items = json.loads(body)[name]
    except (ValueError, RecursionError, TypeError, LookupError):
        items = None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadCallback(f'the body must be a JSON object with a list "{name}" of objects')
    return items


def _text(item: dict[str, Any], key: str, where: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise BadCallback(f"{where}.{key} must be a text that is not empty")
    return value


def _phone(item: dict[str, Any], key: str, where: str) -> str:
    phone = e164(_text(item, key, where))
    if phone is None:
        raise BadCallback(f"{where}.{key} must be a phone number")
    return phone


def _time(item: dict[str, Any], where: str) -> datetime:
    try:
        return datetime.fromtimestamp(item["at"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise BadCallback(f"{where}.at must be seconds since 1970") from None
