"""Encoding and parts: how a text is sent over the air. Only this module decides how many SMS a text takes.

Source: 3GPP TS 23.038 (alphabets, 140 octets a message) and TS 23.040 §9.2.3.24.1 (concatenation: a header of 6 octets
with an 8-bit reference). National language shift tables are not used: carriers here do not offer them.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Encoding = Literal["GSM-7", "UCS-2"]

SINGLE: dict[Encoding, int] = {"GSM-7": 160, "UCS-2": 70}  # units that fit in a text of one part
MULTI: dict[Encoding, int] = {"GSM-7": 153, "UCS-2": 67}  # units that fit in each part of a longer text

GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "\f^{}\\[~]|€"  # two septets each: an escape and the character

MOST_PARTS = 255  # the header has one octet for their number

_GSM_TEXT = re.compile(f"[{re.escape(GSM_BASIC + GSM_EXTENSION)}]*")
_EXTENDED = re.compile(f"[{re.escape(GSM_EXTENSION)}]")


class Measure(NamedTuple):
    """What a text takes: `units` are septets in GSM-7 and UTF-16 code units in UCS-2; `parts` is the number of SMS."""

    encoding: Encoding
    units: int
    parts: int


def measure_text(text: str) -> Measure:
    """Encoding, units and parts of a text. `measure(t).parts == len(split(t))`; the empty text takes one part.

    Raises UnicodeEncodeError if the text holds half a surrogate pair, which is no text.
    """
    # If every character takes one unit, arithmetic is enough; only emoji and extension characters make parts uneven.
    if _GSM_TEXT.fullmatch(text):
        encoding: Encoding = "GSM-7"
        units = len(text) + len(_EXTENDED.findall(text))
    else:
        encoding = "UCS-2"
        units = len(text.encode("utf-16-le")) // 2
    if units <= SINGLE[encoding]:
        return Measure(encoding, units, 1)
    if units == len(text):
        return Measure(encoding, units, -(-units // MULTI[encoding]))
    return Measure(encoding, units, len(_cut(text, encoding)))


def split_text(text: str) -> list[str]:
    """The text of each part, in order. Each part is filled as far as possible, and no character is cut in two.

    Raises UnicodeEncodeError if the text holds half a surrogate pair.
    """
    encoding, units, _ = measure_text(text)
    return [text] if units <= SINGLE[encoding] else _cut(text, encoding)


def _cut(text: str, encoding: Encoding) -> list[str]:
    limit = MULTI[encoding]
    parts, start, units = [], 0, 0
    for position, character in enumerate(text):
        size = 2 if (character > "\uffff" if encoding == "UCS-2" else character in GSM_EXTENSION) else 1
        if units + size > limit:
            parts.append(text[start:position])
            start, units = position, 0
        units += size
    parts.append(text[start:])
    return parts


def encode_part(text: str, encoding: Encoding) -> bytes:
    """A text, or one part of it, as it is sent over the air: UTF-16 without a byte order mark, or GSM-7 with one septet
    in each octet, as in SMPP. Raises UnicodeEncodeError if the encoding does not have one of its characters.
    """
    if encoding == "UCS-2":
        return text.encode("utf-16-be")
    try:
        return b"".join(_GSM_OCTETS[character] for character in text)
    except KeyError as error:
        place = text.index(error.args[0])
        raise UnicodeEncodeError("GSM-7", text, place, place + 1, "is not in the alphabet") from None


def decode_gsm(data: bytes) -> str:
    """The text of GSM-7 with one septet in each octet; a septet that is not a character becomes U+FFFD."""
    return _GSM_SEPTETS.sub(lambda found: _GSM_CHARACTERS.get(found[0], "\ufffd"), data.decode("latin-1"))


_ESCAPE = "\x1b"
_GSM_CHARACTERS = {  # the table has a place for the escape, which GSM_BASIC leaves out
    **{chr(place if place < 0x1B else place + 1): character for place, character in enumerate(GSM_BASIC)},
    **{_ESCAPE + code: character for code, character in zip("\x0a\x14()/<=>@e", GSM_EXTENSION, strict=True)},
}
_GSM_SEPTETS = re.compile(f"{_ESCAPE}?.", re.DOTALL)
_GSM_OCTETS = {character: code.encode("latin-1") for code, character in _GSM_CHARACTERS.items()}
