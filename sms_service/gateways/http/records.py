"""Reads receipts and replies from what a provider pushes, or gives when it is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from sms_service.gateways.base import BadCallback, Receipt, ReceiptStatus, Reply
from sms_service.gateways.codes import CodeTable
from sms_service.gateways.extensions import read_extension
from sms_service.gateways.http import documents, options, paths
from sms_service.gateways.http.documents import Unreadable
from sms_service.gateways.http.phones import Phones

LONGEST_TEXT = 10_000  # characters of a reply; a text of 255 parts has 17,000 octets at most
MOST_PARTS = 255

T = TypeVar("T", Receipt, Reply)


class RecordReader:
    """Reads the records of one kind (receipts, replies) of one account."""

    def __init__(self, records: options.Records, phones: Phones, zone: tzinfo, charset: str) -> None:
        self.format, self.charset = records.format, charset
        self._phones, self._zone, self._time_format = phones, zone, records.time_format
        self._list = None if records.list is None else paths.parse_path(records.list)
        self._places = {
            name: paths.parse_path(written)
            for name in records.__dataclass_fields__
            if name not in ("format", "list", "push", "pull", "time_format")
            and (written := getattr(records, name)) is not None
        }

    def items(self, document: Any) -> list[Any]:
        """The records in a document. Raises BadCallback if the document has no place for them."""
        found = document if self._list is None else paths.find_path(document, self._list)
        if found is paths.MISSING:
            raise BadCallback("the list of records is missing")
        if found is None or found == "":  # an empty element of XML is an empty text
            return []
        return found if isinstance(found, list) else [found]

    def field(self, item: Any, name: str, longest: int = documents.LONGEST) -> str | None:
        """A field of a record. Raises BadCallback if it is unusable."""
        try:
            return documents.field(item, self._places.get(name), longest)
        except Unreadable as error:
            raise BadCallback(f"{name}: {error}") from None

    def number(self, item: Any, name: str, missing: int) -> int:
        """A small whole number in a record. Raises BadCallback if it is not one."""
        written = self.field(item, name)
        if written is None:
            return missing
        if not (written.isascii() and written.isdecimal() and int(written) <= MOST_PARTS):
            raise BadCallback(f"{name} must be a whole number up to {MOST_PARTS}")
        return int(written)

    def phones(self, item: Any, name: str) -> list[str]:
        """The phones in a field that may be a list: in E.164 if they can be read as such, else as they were written."""
        return [self._phones.read(one) or one for one in self.written(item, name)]

    def written(self, item: Any, name: str) -> list[str]:
        """What stands in a field that may be a list. Raises BadCallback if it is unusable."""
        value = paths.find_path(item, self._places[name]) if name in self._places else paths.MISSING
        if value is paths.MISSING:
            return []
        try:
            found = [documents.scalar(one) for one in (value if isinstance(value, list) else [value]) if one]
        except Unreadable as error:
            raise BadCallback(f"{name}: {error}") from None
        return [one for one in found if one]

    def time(self, item: Any) -> datetime | None:
        """When it happened. None if the time is missing or cannot be read: a record is not lost for that."""
        try:
            written = documents.field(item, self._places.get("time"))
            return _time(written, self._time_format, self._zone) if written else None
        except (Unreadable, ValueError, OverflowError, OSError):
            return None


class ReceiptRecords:
    """Reads receipts."""

    def __init__(
        self, receipts: options.Receipts, codes: CodeTable, reader: RecordReader, *, needs_phone: bool
    ) -> None:
        self.reader, self._codes, self._needs_phone = reader, codes, needs_phone
        self._has_phone = receipts.phone is not None

    def of(self, item: Any, raw: str) -> Iterator[Receipt]:
        """The receipts in one record: one for each of its phones. Raises BadCallback."""
        reader = self.reader
        status, error = reader.field(item, "status"), reader.field(item, "error")
        identifier, reference = reader.field(item, "id"), reader.field(item, "reference")
        if status is None:
            raise BadCallback("status is missing")
        if identifier is None and reference is None:
            raise BadCallback("id or reference is missing")
        phones: list[str | None] = [*reader.phones(item, "phone")]
        if not phones and self._needs_phone and reference is None:
            raise BadCallback("phone is missing; the id alone names a whole group")
        known = self._codes.receipts.get(status)
        why = self._codes.receipts.get(error) if error else None
        meaning = known or why
        failed = meaning is not None and meaning.result is ReceiptStatus.undelivered
        for phone in phones or [None]:
            yield Receipt(
                status=meaning.result if meaning else ReceiptStatus.unclassified,
                provider_id=identifier,
                raw=raw,
                reference=reference,
                phone=phone,
                part=reader.number(item, "part", 0),
                error=((why.error if why else None) or meaning.error) if meaning and failed else None,
                raw_code=error if error and (failed or meaning is None) else status,
                occurred_at=reader.time(item),
            )

    def unusable(self, raw: str) -> Receipt:
        """The receipt to store for a record that cannot be read and will not be given again."""
        return Receipt(ReceiptStatus.unclassified, None, raw)


class ReplyRecords:
    """Reads replies, whose number may have so many `digits` behind the account's own `number`."""

    def __init__(self, reader: RecordReader, number: str, digits: int) -> None:
        self.reader, self._number, self._digits = reader, number, digits

    def of(self, item: Any, raw: str) -> Iterator[Reply]:
        """The reply in one record. Raises BadCallback."""
        reader = self.reader
        phones, text = reader.phones(item, "phone"), reader.field(item, "text", LONGEST_TEXT)
        if len(phones) != 1:
            raise BadCallback("phone is missing")
        to, at = reader.phones(item, "to"), reader.time(item)
        parts, series = reader.number(item, "parts", 1), reader.field(item, "series")
        part = reader.number(item, "part", 1) if parts > 1 and series else 1
        yield Reply(
            phone=phones[0],
            text=text or "",
            raw=raw,
            provider_id=reader.field(item, "id") or (_name(phones[0], text or "", at, part) if at else None),
            to=to[0] if to else None,
            occurred_at=at,
            part=part,
            parts=parts if parts > 1 and series else 1,
            series=series if parts > 1 else None,
            stop=reader.field(item, "stop") in ("true", "1"),
            extension=read_extension(next(iter(reader.written(item, "to")), None), self._number, self._digits),
        )


def all_of(
    document: Any, reader: RecordReader, of: Callable[[Any, str], Iterator[T]], whole: str | None = None
) -> list[T]:
    """What `of` reads from each record of a document. `whole`: the raw text to store if the document is one record.

    Raises BadCallback if one cannot be read.
    """
    items = reader.items(document)
    if len(items) == 1 and whole is not None:
        return list(of(items[0], whole))
    return [found for item in items for found in of(item, documents.raw(item))]


def _name(phone: str, text: str, at: datetime, part: int) -> str:
    """An id for a reply to which the provider gives none. The same words of the same moment get the same id, so they
    count as one reply, however often and however late they are sent.
    """
    return hashlib.sha256("\n".join((phone, at.isoformat(), str(part), text)).encode()).hexdigest()[:32]


def _time(written: str, pattern: str, zone: tzinfo) -> datetime:
    if pattern in ("epoch", "epoch_ms"):
        return datetime.fromtimestamp(float(written) / (1000 if pattern == "epoch_ms" else 1), UTC)
    try:
        found = datetime.strptime(written, pattern)
    except ValueError:
        found = datetime.fromisoformat(written)
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    return found.astimezone(UTC)
