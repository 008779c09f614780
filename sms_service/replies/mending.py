"""Texts that were read in a wrong encoding on their way to us: what they must have been.

Three mistakes are common. GBK is sent as UCS-2 (an SMPP data_coding of 8 for text that a phone wrote in GBK), GBK or
UTF-8 is read as Latin-1, and UTF-8 is read as GBK.
"""

from __future__ import annotations

from collections.abc import Iterator

# (what it was read as, what it is)
_MISTAKES = (("utf-16-be", "gb18030"), ("latin-1", "utf-8"), ("latin-1", "gb18030"), ("gb18030", "utf-8"))


def mend_text(text: str) -> str | None:
    """What the text was before a wrong decoding, or None: it makes sense as it is, or nothing does."""
    if _is_usual(text):
        return None
    return next((mended for mended in _guesses(text) if _is_usual(mended)), None)


def _guesses(text: str) -> Iterator[str]:
    for wrong, right in _MISTAKES:
        try:
            yield text.encode(wrong).decode(right)
        except UnicodeError:
            continue


def _is_usual(text: str) -> bool:
    """Whether all its letters beyond ASCII are those of everyday Chinese, with the usual signs."""
    return all(
        (character.isascii() and (character.isprintable() or character.isspace())) or _is_everyday(character)
        for character in text
    )


def _is_everyday(character: str) -> bool:
    """Of GB 2312 (GB 2312-80): the signs of rows 1 to 3 and the 3,755 characters of level 1."""
    try:
        first = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return 0xA1 <= first <= 0xA3 or 0xB0 <= first <= 0xD7
