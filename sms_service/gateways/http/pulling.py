"""Asking a provider for receipts and replies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sms_service.gateways.base import BadCallback, OutcomeKind, Pulled, Receipt, Reply
from sms_service.gateways.http import documents, paths, records
from sms_service.gateways.http.documents import Unreadable
from sms_service.gateways.http.plan import Plan, Pulling
from sms_service.gateways.http_client import HttpAnswer, HttpClient, Result

_log = logging.getLogger(__name__)


class PullFailed(Exception):
    """The provider gave nothing; the message says why, without anything personal."""


def pull_records(plan: Plan, client: HttpClient, values: Mapping[str, Any]) -> Pulled:
    """The new records of each kind that the account pulls.

    Raises PullFailed if every pull failed. If one kind failed, the records of the other are kept, since a provider may
    give a record only once. For the same reason a record that cannot be read is kept.
    """
    results = client.send_all([pulling.composer.request(values) for pulling in plan.pulls])
    receipts: list[Receipt] = []
    replies: list[Reply] = []
    more, failed = False, []
    for pulling, result in zip(plan.pulls, results, strict=True):
        try:
            items = _items(plan, pulling, result)
        except (PullFailed, BadCallback, Unreadable) as error:
            failed.append(str(error))
            continue
        for item in items:
            _keep(pulling.reader, item, receipts, replies)
        more |= pulling.pull.page is not None and len(items) >= pulling.pull.page
    if failed and len(failed) == len(plan.pulls):
        raise PullFailed(failed[0])
    for reason in failed:
        _log.warning("one of two pulls failed: %s", reason)
    return Pulled(receipts, replies, more)


def _items(plan: Plan, pulling: Pulling, result: Result) -> list[Any]:
    """The records in an answer. Raises PullFailed, BadCallback or Unreadable."""
    if not isinstance(result, HttpAnswer):
        raise PullFailed(result.reason)
    if not 200 <= result.status < 300:
        raise PullFailed(f"HTTP {result.status}")
    reader = pulling.reader.reader
    document = documents.read_document(result.body, reader.format, reader.charset)  # type: ignore[arg-type]
    if pulling.pull.code is None:
        items = reader.items(document)
        if len(items) == 1 and not _is_readable(pulling.reader, items[0]):
            # An answer that is neither a list nor a record is an error for which the account has no code.
            raise PullFailed("the answer has no records")
        return items
    code = documents.field(document, paths.parse_path(pulling.pull.code))
    known = plan.codes.answers.get(code or "")
    if known is None or known.result is not OutcomeKind.accepted:
        raise PullFailed(f"the provider answers {code or 'without a code'}")
    try:
        return reader.items(document)
    except BadCallback:
        return []  # a provider that reports success and has nothing new may leave the list out


def _is_readable(reading: records.ReceiptRecords | records.ReplyRecords, item: Any) -> bool:
    try:
        return bool(list(reading.of(item, "")))
    except BadCallback:
        return False


def _keep(
    reading: records.ReceiptRecords | records.ReplyRecords, item: Any, receipts: list[Receipt], replies: list[Reply]
) -> None:
    """Add what is in one record to its list."""
    raw = documents.raw(item)
    try:
        if isinstance(reading, records.ReceiptRecords):
            receipts += reading.of(item, raw)
        else:
            replies += reading.of(item, raw)
    except BadCallback as error:
        _log.warning("a pulled record cannot be read: %s", error)
        # An unreadable receipt is stored, and listed there; there is no list for a reply without a phone.
        if isinstance(reading, records.ReceiptRecords):
            receipts.append(reading.unusable(raw))
