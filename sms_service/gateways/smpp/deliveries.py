"""Reads what arrives over a line: a deliver_sm is a receipt or an inbound text.

A receipt names its text by the optional parameters receipted_message_id and message_state. If the SMSC does not send
them, the words in the text do (SMPP 3.4, appendix B): `id:… sub:… dlvrd:… submit date:… done date:… stat:… err:…`.
A text with these words that is not marked as a receipt may still be one, or a person may have written it. It is read
both ways, and the code that stores it decides by the id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sms_service import parts
from sms_service.gateways.base import Receipt, ReceiptStatus, Reply
from sms_service.gateways.codes import Code
from sms_service.gateways.numbers import e164
from sms_service.gateways.smpp import pdus
from sms_service.gateways.smpp.pdus import Deliver, Malformed, Pdu

# Section 5.2.28.
STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
_WORDS = ("id", "stat", "err", "done date")  # the words that are used here
# One search finds all of them. The value after a word is matched by look-ahead only, since the next word may begin in
# it ("id:1;stat:…"). A value may be empty: "stat: err:000" says no state.
_NEXT = "(?:id|sub|dlvrd|submit date|done date|stat|err|text):"
_WORD = re.compile(rf"\b((?a:{'|'.join(_WORDS)})):(?=\s*(?!{_NEXT})(\S+))", re.IGNORECASE)
_TEXT = re.compile(r"\btext:", re.IGNORECASE)  # what follows is the text's own beginning
_SAR = (pdus.SAR_MSG_REF_NUM, pdus.SAR_TOTAL_SEGMENTS, pdus.SAR_SEGMENT_SEQNUM)
_NO_ERROR = re.compile(r"0*")
# Data codings of inbound texts; Chinese SMSCs use 15 for GBK. Section 5.2.19.
_CHARSETS = {0: "gsm", 1: "ascii", 3: "latin-1", 8: "utf-16", 15: "gb18030"}

Canonical = Callable[[str], str]


def read_delivery(
    pdu: Pdu, codes: Mapping[str, Code[ReceiptStatus]], canonical_id: Canonical, zone: ZoneInfo
) -> Receipt | Reply:
    """The receipt or reply in a deliver_sm. Nothing is lost: if it cannot be read, it becomes an unclassified receipt
    with its raw text.

    `canonical_id` makes the id of a receipt comparable with that of an answer; `zone` is that of the SMSC's times.
    """
    try:
        deliver = pdus.deliver_sm(pdu)
    except Malformed as error:
        return Receipt(ReceiptStatus.unclassified, None, raw=json.dumps({"pdu": pdu.body.hex()}), raw_code=str(error))
    if deliver.is_receipt or pdus.RECEIPTED_MESSAGE_ID in deliver.options:
        return _receipt(deliver, codes, canonical_id, zone)
    reply = _reply(deliver)
    if reply.parts == 1 and _words_of(deliver)[1].keys() == set(_WORDS):
        return replace(reply, receipt=_receipt(deliver, codes, canonical_id, zone))
    return reply


def _receipt(
    deliver: Deliver, codes: Mapping[str, Code[ReceiptStatus]], canonical_id: Canonical, zone: ZoneInfo
) -> Receipt:
    said, words = _words_of(deliver)
    name = deliver.options.get(pdus.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("ascii", "replace")
    state = deliver.options.get(pdus.MESSAGE_STATE, b"")
    word = (STATES.get(state[0], f"state {state[0]}") if state else words.get("stat", "")).upper()
    error = words.get("err", "")
    exact = word if _NO_ERROR.fullmatch(error) else f"{word} {error}"
    known = codes.get(exact) or codes.get(word)
    return Receipt(
        status=known.result if known else ReceiptStatus.unclassified,
        provider_id=canonical_id(name or words.get("id", "")) or None,
        raw=_raw(deliver, said),
        # The source of a receipt should be the handset, but some SMSCs leave the addresses as in the submit_sm.
        phone=e164(deliver.source) or e164(deliver.destination),
        error=known.error if known else None,
        raw_code=exact or None,
        occurred_at=_time(words.get("done date", ""), zone),
    )


def _words_of(deliver: Deliver) -> tuple[str, dict[str, str]]:
    """A receipt's text and the words in it. The text is read as ASCII or UTF-16, whatever its data_coding says."""
    said = narrow = deliver.user_data.decode("ascii", "replace").replace("\0", " ")  # some SMSCs end the words with one
    if not (words := _words_in(said)):
        said = _decode_utf16(deliver.user_data).replace("\0", " ")
        words = _words_in(said)
    return (said, words) if words else (narrow, {})


def _words_in(said: str) -> dict[str, str]:
    """Each word with the first value that it has before the quoted beginning of the text."""
    words: dict[str, str] = {}
    for name, value in _WORD.findall(_TEXT.split(said, maxsplit=1)[0]):
        words.setdefault(name.lower(), value)
    return words


def _reply(deliver: Deliver) -> Reply:
    header, data = _split_header(deliver)
    series, number, place = _concatenation(deliver, header)
    text = _decode(data, deliver.data_coding, is_part=number > 1)
    return Reply(
        phone=e164(deliver.source) or deliver.source,
        text=text,
        raw=_raw(deliver, deliver.user_data.hex()),
        to=e164(deliver.destination) or deliver.destination or None,
        part=place,
        parts=number,
        series=series,
    )


def _split_header(deliver: Deliver) -> tuple[bytes, bytes]:
    """The user data header without its length, and the text."""
    data = deliver.user_data
    if not deliver.has_header or not data or data[0] >= len(data):
        return b"", data
    return data[1 : data[0] + 1], data[data[0] + 1 :]


def _concatenation(deliver: Deliver, header: bytes) -> tuple[str | None, int, int]:
    """The series, number of parts and part of a long text; (None, 1, 1) for a whole one."""
    series: int | None = None
    number = place = 1
    while len(header) >= 2 and len(header) - 2 >= header[1]:
        element, value = header[0], header[2 : 2 + header[1]]
        if (element == 0 and len(value) == 3) or (element == 8 and len(value) == 4):
            series, number, place = int.from_bytes(value[:-2], "big"), value[-2], value[-1]
        header = header[2 + header[1] :]
    if all(tag in deliver.options for tag in _SAR):
        series, number, place = (int.from_bytes(deliver.options[tag], "big") for tag in _SAR)
    if series is None or not 1 <= place <= number <= parts.MOST_PARTS or number == 1:
        return None, 1, 1
    return str(series), number, place


def _decode(data: bytes, data_coding: int, *, is_part: bool) -> str:
    """A text; half a character at the end of a part is kept for the next one, see gateways/halves.py."""
    charset = _charset(data_coding)
    if charset == "gsm":
        # Two escapes are a whole pair; only an escape with no septet after it waits for the next part.
        escapes = len(data) - len(data.rstrip(b"\x1b"))
        return parts.decode_gsm(data[:-1]) + "\x1b" if is_part and escapes % 2 else parts.decode_gsm(data)
    if charset == "utf-16":
        return _decode_utf16(data, "surrogatepass" if is_part and len(data) % 2 == 0 else "replace")
    return data.decode(charset, "replace")


def _charset(data_coding: int) -> str:
    """The charset: below 0x10 by SMPP's own table (5.2.19), else by the groups of 3GPP TS 23.038, section 4."""
    if data_coding < 0x10:
        return _CHARSETS.get(data_coding, "latin-1")
    group = data_coding >> 4
    if group < 0x8:  # general data coding, perhaps to be deleted: bits 3 and 2 are the alphabet
        return ("gsm", "latin-1", "utf-16", "gsm")[data_coding >> 2 & 3]
    if group == 0xE:  # a "message waiting" indication, in UCS-2
        return "utf-16"
    if group == 0xF:  # a class of its own: bit 2 is the alphabet
        return "latin-1" if data_coding & 4 else "gsm"
    return "gsm"  # reserved groups are read as the GSM alphabet


def _decode_utf16(data: bytes, errors: str = "replace") -> str:
    """Decode as big-endian, unless a byte order mark says otherwise; the mark is not part of the text."""
    charset = "utf-16-le" if data.startswith(b"\xff\xfe") else "utf-16-be"
    return data.decode(charset, errors).removeprefix("\ufeff")


def _raw(deliver: Deliver, said: str) -> str:
    return json.dumps(
        {
            "source": deliver.source,
            "destination": deliver.destination,
            "esm_class": deliver.esm_class,
            "data_coding": deliver.data_coding,
            "text": said,
            "options": {f"0x{tag:04X}": value.hex() for tag, value in deliver.options.items()},
        }
    )


def _time(written: str, zone: ZoneInfo) -> datetime | None:
    """A time as YYMMDDhhmm or YYMMDDhhmmss, of this century."""
    if len(written) not in (10, 12) or not (written.isascii() and written.isdecimal()):
        return None
    try:
        return datetime.fromisoformat(f"20{written[:6]}T{written[6:]}").replace(tzinfo=zone)
    except ValueError:
        return None


def as_text(name: str) -> str:
    """The id unchanged."""
    return name.strip()


def as_number(base: int) -> Canonical:
    """For ids that are numbers in this base: makes them decimal without leading zeros; other ids stay unchanged."""

    def canonical(name: str) -> str:
        try:
            return str(int(name, base))
        except ValueError:
            return name.strip()

    return canonical
