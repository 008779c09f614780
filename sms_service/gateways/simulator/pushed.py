"""Reads what the simulator pushes: receipts and replies.

    POST <callback URL>          {"receipts": [{id, reference, to, code, time, part?}, …]}
    POST <callback URL>/replies  {"replies": [{id?, from, to, text, time, part?, parts?, series?, stop?}, …]}

`time` is seconds since 1970 in UTC; `part` counts from 1.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sms_service.gateways.base import BadCallback, Receipt, ReceiptStatus, Reply
from sms_service.gateways.simulator.answers import CODES, json_or_none
from sms_service.parts import MOST_PARTS


def read_pushed_receipts(body: bytes) -> list[Receipt]:
    """The receipts in the body of a callback. Raises BadCallback."""
    return [_receipt(item, f"receipts[{place}]") for place, item in enumerate(_items(body, "receipts"))]


def read_pushed_replies(body: bytes) -> list[Reply]:
    """The replies in the body of a callback. Raises BadCallback."""
    return [_reply(item, f"replies[{place}]") for place, item in enumerate(_items(body, "replies"))]


def _items(body: bytes, name: str) -> list[Any]:
    document = json_or_none(body)
    items = document.get(name) if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise BadCallback(f'the body must be a JSON object with a list "{name}"')
    return items


def _receipt(item: Any, where: str) -> Receipt:
    _check_texts(item, where, ("id", "reference", "to", "code"))
    known = CODES.receipts.get(item["code"])
    return Receipt(
        status=known.result if known else ReceiptStatus.unclassified,
        provider_id=item["id"],
        raw=json.dumps(item, ensure_ascii=False),
        reference=item["reference"],
        phone=item["to"],
        part=_count(item, "part", where, 0),
        error=known.error if known else None,
        raw_code=item["code"],
        occurred_at=_time(item, where),
    )


def _reply(item: Any, where: str) -> Reply:
    _check_texts(item, where, ("from", "to"))
    if not isinstance(item.get("text"), str):
        raise BadCallback(f"{where}.text must be a text")
    for key in ("id", "series"):
        if item.get(key) is not None and (not isinstance(item[key], str) or not item[key]):
            raise BadCallback(f"{where}.{key} must be a text that is not empty, or be left out")
    part, parts = _count(item, "part", where, 1), _count(item, "parts", where, 1)
    if not 1 <= part <= parts:
        raise BadCallback(f"{where}.part must be from 1 to its parts")
    if not isinstance(item.get("stop", False), bool):
        raise BadCallback(f"{where}.stop must be true or false")
    return Reply(
        phone=item["from"],
        text=item["text"],
        raw=json.dumps(item, ensure_ascii=False),
        provider_id=item.get("id"),
        to=item["to"],
        occurred_at=_time(item, where),
        part=part,
        parts=parts,
        series=item.get("series"),
        stop=item.get("stop", False),
    )


def _check_texts(item: Any, where: str, keys: tuple[str, ...]) -> None:
    if not isinstance(item, dict):
        raise BadCallback(f"{where} must be a JSON object")
    for key in keys:
        if not isinstance(item.get(key), str) or not item[key]:
            raise BadCallback(f"{where}.{key} must be a text that is not empty")


def _time(item: dict[str, Any], where: str) -> datetime:
    try:
        return datetime.fromtimestamp(item["time"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise BadCallback(f"{where}.time must be seconds since 1970") from None


def _count(item: dict[str, Any], key: str, where: str, otherwise: int) -> int:
    count = item.get(key, otherwise)
    if type(count) is not int or not 0 <= count <= MOST_PARTS:
        raise BadCallback(f"{where}.{key} must be a whole number up to {MOST_PARTS}")
    return count
