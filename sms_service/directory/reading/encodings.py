"""Which encoding a CSV file is in. What is not Chinese in an encoding that offices use is refused as what it is."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from pathlib import Path

from sms_service.directory.reading.tables import refuse_file
from sms_service.said import say

# What a person may choose, and the codec that reads it. Big5 and Latin-1 are read only if chosen.
CODECS = {
    "utf-8": "utf-8-sig",
    "gb18030": "gb18030",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "big5": "big5hkscs",
    "latin-1": "cp1252",
}
_CHUNK = 2**20
_SAMPLE = 20_000  # pairs of bytes that are looked at
_BEYOND_ASCII = bytes(range(0x80, 0x100))
_THREE = re.compile(rb"[\xe3-\xef][\x80-\xbf][\x80-\xbf]")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_NEITHER = say("is neither an xlsx file nor text in UTF-8, UTF-16 or GB18030 (GBK)")


def detect_encoding(path: Path, chosen: str | None) -> str:
    """The key of CODECS with which the whole file can be read. Raises Invalid if there is none, or not the chosen one.

    A byte order mark decides; without one it is UTF-8 if the bytes are valid UTF-8 (GB18030 text practically never is),
    else UTF-16 if every other byte of the ASCII characters is 0, else GB18030 if the pairs of bytes are those of
    common Chinese characters.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if chosen is not None:
        if chosen not in CODECS:
            words = tuple(CODECS)
            raise refuse_file(say("cannot be read as {encoding}; choose one of {words}", encoding=chosen, words=words))
        if not _decodes(path, CODECS[chosen]):
            raise refuse_file(say("cannot be read as {encoding}: it holds other bytes", encoding=chosen))
        return chosen
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and not head.startswith(b"\xff\xfe\x00\x00"):
        candidates = ["utf-16"]
    elif b"\x00" in head:
        candidates = _utf_16_without_mark(head)
    else:
        candidates = ["utf-8", "gb18030"]
    for candidate in candidates:
        if _decodes(path, CODECS[candidate]):
            if candidate == "gb18030":
                _check_chinese(path)
            return candidate
    if b"\x00" in head:
        raise refuse_file(_NEITHER)
    _refuse_broken_utf_8(path)
    other = _other_encoding(_pairs(path), path)
    raise refuse_file(_NEITHER if other is None else _say_other(other))


def _utf_16_without_mark(head: bytes) -> list[str]:
    """Delimiters and line ends are ASCII: their upper bytes are 0, at odd places in little-endian text."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    name = "utf-16-le" if odd else "utf-16-be"
    if (even and odd) or not set(",;\t\n") & set(head[: len(head) // 2 * 2].decode(name, "replace")):
        return []
    return [name]


def _decodes(path: Path, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if "\x00" in decoder.decode(chunk):
                    return False
            decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _pairs(path: Path) -> list[bytes]:
    pairs: list[bytes] = []
    with path.open("rb") as file:
        while len(pairs) < _SAMPLE and (chunk := file.read(_CHUNK)):
            pairs += _PAIR.findall(chunk)
    return pairs[:_SAMPLE]


def _check_chinese(path: Path) -> None:
    """Refuse text that GB18030 can decode, but only into characters that nobody writes."""
    _refuse_broken_utf_8(path)
    other = _other_encoding(_pairs(path), path)
    if other is not None:
        raise refuse_file(_say_other(other))


def _refuse_broken_utf_8(path: Path) -> None:
    """In UTF-8 bytes beyond ASCII stand in threes for a Chinese character; few of GB18030 look so by chance."""
    with path.open("rb") as file:
        sample = file.read(_CHUNK)
    beyond = len(sample) - len(sample.translate(None, _BEYOND_ASCII))
    if 3 * len(_THREE.findall(sample)) > 0.6 * beyond:
        raise refuse_file(say("is text in UTF-8 with broken characters; save it as CSV UTF-8 once more"))


def _other_encoding(pairs: list[bytes], path: Path) -> str | None:
    """Big5 or Latin-1 if the text is that rather than GB18030.

    In Chinese text nearly all pairs are those of GB2312, the 6,763 common characters: both bytes from A1 up. In Big5
    four in ten have a second byte below 7F, and its own common characters begin with A4 to C6. In Latin-1 an accented
    letter is followed by a plain letter. Traditional characters in GB18030 have second bytes that Big5 never has.
    """
    common = sum(0xA1 <= pair[0] <= 0xF7 and pair[1] >= 0xA1 for pair in pairs)
    if not pairs or common >= 0.85 * len(pairs):
        return None
    if _share(pairs, lambda pair: pair[0] >= 0xC0 and pair[1:].isalpha()) > 0.6:
        return "latin-1"
    in_big5 = _share(pairs, lambda pair: 0xA1 <= pair[0] <= 0xC6 and (pair[1] < 0x7F or pair[1] >= 0xA1))
    if in_big5 > 0.9 and in_big5 > common / len(pairs) and _decodes(path, CODECS["big5"]):
        return "big5"
    return None


def _share(pairs: list[bytes], test: Callable[[bytes], bool]) -> float:
    return sum(map(test, pairs)) / len(pairs)


def _say_other(encoding: str) -> str:
    name = "Big5" if encoding == "big5" else say("a Western encoding (Latin-1)")
    return say(
        "is text in {name}, not in UTF-8 or GB18030; save it as CSV UTF-8, or choose the encoding {encoding}",
        name=name,
        encoding=encoding,
    )
