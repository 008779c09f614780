"""Checks strictly what an SMPP client hands over, and joins the parts of long texts.

Sources: SMPP 3.4 sections 4.4 and 5.2; 3GPP TS 23.040 §9.2.3.24 (user data header), TS 23.038 §6.2.1 (alphabet).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sms_service.gateways.numbers import e164
from sms_service.parts import decode_gsm
from sms_service.simulator import smpp_pdus as pdus
from sms_service.simulator.smpp_pdus import BadPdu, Submit

UDHI = 0x40  # of esm_class: the message begins with a user data header
RECEIPT = 0x04  # of esm_class: an SMSC delivery receipt

_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_AIR_BITS = 140 * 8  # the bits in one SMS


@dataclass(frozen=True, slots=True)
class SubmittedPart:
    """One part of a text to `phone` (E.164): part `number` of `total`, which all have the same `reference`."""

    source: str
    phone: str = field(repr=False)
    text: str = field(repr=False)
    reference: int = 0
    total: int = 1
    number: int = 1
    validity_s: float | None = None

    @property
    def series(self) -> tuple[str, str, int, int]:
        """A key that all parts of one text share, and that two texts under way at once do not share."""
        return self.source, self.phone, self.reference, self.total


def check_submit(submit: Submit, *, require_receipt: bool, now: float) -> SubmittedPart:
    """The part that a submit_sm hands over. Raises BadPdu for a text that a real phone could not show: it would say
    nothing.
    """
    phone = _phone(submit)
    if submit.esm_class & ~(UDHI | 0x83) or submit.esm_class & 0x3C:
        raise BadPdu(pdus.RINVESMCLASS, "esm_class has a message type or a feature that is not for submit_sm")
    if require_receipt and submit.registered_delivery & 0x03 != 1:
        raise BadPdu(pdus.RINVREGDLVFLG, "registered_delivery does not ask for a receipt")
    header, content = _split_header(submit)
    if submit.has_payload and header:
        raise BadPdu(pdus.RSUBMITFAIL, "a message_payload has a user data header")
    if not content:
        raise BadPdu(pdus.RINVMSGLEN, "the part has no text")
    if not submit.has_payload:
        _check_length(submit.data_coding, len(header), len(content))
    reference, total, number = _concatenation(header, submit.tlvs)
    return SubmittedPart(
        source=submit.source,
        phone=phone,
        text=_decode(submit.data_coding, content),
        reference=reference,
        total=total,
        number=number,
        validity_s=_seconds(submit.validity, now),
    )


class Joiner:
    """Joins parts, in whatever order they come.

    If a part comes again unchanged, the same part was sent again, and nothing changes here. A part with another text
    and the same reference begins a new text; the old text stays incomplete for ever.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, int, int], dict[int, tuple[str, str]]] = {}

    def add(self, part: SubmittedPart, identifier: str) -> list[tuple[str, str]] | None:
        """The ids and texts of all parts, in order, if this one makes the text whole; else None."""
        if part.total == 1:
            return [(identifier, part.text)]
        have = self._open.setdefault(part.series, {})
        if part.number in have and have[part.number][1] != part.text:
            have = self._open[part.series] = {}
        have.setdefault(part.number, (identifier, part.text))
        if len(have) < part.total:
            return None
        del self._open[part.series]
        return [have[number] for number in range(1, part.total + 1)]

    def add_line(self, line: Mapping[str, Any]) -> list[tuple[str, str]] | None:
        """As `add`, for a part's line in the ledger."""
        part = SubmittedPart(line["from"], line["to"], line["text"], line["ref"], line["total"], line["seq"])
        return self.add(part, line["id"])


def _phone(submit: Submit) -> str:
    if submit.dest_ton == 1:
        if submit.dest_npi != 1:
            raise BadPdu(pdus.RINVDSTNPI, "the destination is international and its NPI is not 1 (E.164)")
        if not _DIGITS.fullmatch(submit.dest):
            raise BadPdu(pdus.RINVDSTADR, "the destination is not 7 to 15 digits that begin with a country code")
        return f"+{submit.dest}"
    if submit.dest_ton not in (0, 2):
        raise BadPdu(pdus.RINVDSTTON, "the destination's TON is not unknown, international or national")
    if submit.dest_npi not in (0, 1):
        raise BadPdu(pdus.RINVDSTNPI, "the destination's NPI is not unknown or E.164")
    phone = e164(submit.dest)
    if phone is None:
        raise BadPdu(pdus.RINVDSTADR, "the destination is no telephone number")
    return phone


def _split_header(submit: Submit) -> tuple[bytes, bytes]:
    """User data header, with its length octet, and the rest."""
    if not submit.esm_class & UDHI:
        return b"", submit.message
    length = submit.message[0] + 1 if submit.message else 0
    if not 1 < length <= len(submit.message):
        raise BadPdu(pdus.RSUBMITFAIL, "the user data header is not as long as it says")
    return submit.message[:length], submit.message[length:]


def _check_length(data_coding: int, header: int, content: int) -> None:
    """`header` and `content` in octets. Septets start at the septet boundary after the header."""
    if data_coding in (0, 1):
        most = (_AIR_BITS - 8 * header) // 7
        if content > most:
            raise BadPdu(pdus.RINVMSGLEN, f"the part has {content} septets and {most} fit in")
    elif header + content > 140:
        raise BadPdu(pdus.RINVMSGLEN, f"the part has {header + content} octets and 140 fit in")


def _concatenation(header: bytes, tlvs: Mapping[int, bytes]) -> tuple[int, int, int]:
    """Reference, total and number of a part."""
    found = _of_header(header) if header else _of_tlvs(tlvs)
    if found is None:
        return 0, 1, 1
    _, total, number = found
    if not 1 <= number <= total:
        raise BadPdu(pdus.RSUBMITFAIL, f"the part is number {number} of {total}")
    return found


def _of_header(header: bytes) -> tuple[int, int, int] | None:
    at, found = 1, None
    while at < len(header):
        if at + 2 > len(header) or at + 2 + header[at + 1] > len(header):
            raise BadPdu(pdus.RSUBMITFAIL, "an element of the user data header is longer than the header")
        element, length = header[at], header[at + 1]
        content = header[at + 2 : at + 2 + length]
        if (element, length) == (0x00, 3):
            found = content[0], content[1], content[2]
        elif (element, length) == (0x08, 4):
            found = int.from_bytes(content[:2]), content[2], content[3]
        elif element in (0x00, 0x08):
            raise BadPdu(pdus.RSUBMITFAIL, "a concatenation element has the wrong length")
        at += 2 + length
    return found


def _of_tlvs(tlvs: Mapping[int, bytes]) -> tuple[int, int, int] | None:
    sizes = {pdus.SAR_REFERENCE: 2, pdus.SAR_TOTAL: 1, pdus.SAR_SEQUENCE: 1}
    given = [tag for tag in sizes if tag in tlvs]
    if not given:
        return None
    if len(given) < len(sizes) or any(len(tlvs[tag]) != size for tag, size in sizes.items()):
        raise BadPdu(pdus.RSUBMITFAIL, "the sar_ parameters are not all there, or not of their lengths")
    reference, total, number = (int.from_bytes(tlvs[tag]) for tag in sizes)
    return reference, total, number


def _decode(data_coding: int, content: bytes) -> str:
    try:
        match data_coding:
            case 0:
                return _decode_gsm(content)
            case 1:
                return content.decode("ascii")
            case 3:
                return content.decode("latin-1")
            case 8:
                return content.decode("utf-16-be")  # strict: half a surrogate pair is an error
    except ValueError:
        raise BadPdu(pdus.RSUBMITFAIL, f"the part is no text in data_coding {data_coding}") from None
    raise BadPdu(pdus.RINVDCS, f"data_coding {data_coding} is not 0, 1, 3 or 8")


def _decode_gsm(content: bytes) -> str:
    text = decode_gsm(content)
    if "\ufffd" in text:
        raise ValueError
    return text


def _seconds(validity: str, now: float) -> float | None:
    """Section 7.1.1: the time from now until `validity`, which is YYMMDDhhmmsstnnp and absolute, or relative (R)."""
    if not validity:
        return None
    years, months, days, hours, minutes, seconds = (int(validity[at : at + 2]) for at in range(0, 12, 2))
    if validity[15] == "R":
        return timedelta(
            days=365 * years + 30 * months + days, hours=hours, minutes=minutes, seconds=seconds
        ).total_seconds()
    offset = timedelta(minutes=15 * int(validity[13:15])) * (-1 if validity[15] == "-" else 1)
    try:
        at = datetime(2000 + years, months, days, hours, minutes, seconds, tzinfo=timezone(offset))
    except ValueError:
        raise BadPdu(pdus.RINVEXPIRY, "validity_period is no time") from None
    return max((at - datetime.fromtimestamp(now, UTC)).total_seconds(), 0.0)
