"""Cleaning what people typed: invisible characters, odd blanks, full-width forms."""

from __future__ import annotations

import re
import unicodedata

from sms_service.errors import Invalid
from sms_service.said import say

LONGEST_WHY = 200  # characters of the reason that a person gives for an act

_BLANKS = re.compile(r"\s+")
_HAN = r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_BLANK_BETWEEN_HAN = re.compile(rf"(?<={_HAN}) (?={_HAN})")


def visible_text(text: str) -> str:
    """The text without format characters (zero-width, bidirectional), with controls as blanks and blanks single."""
    kept = "".join(
        " " if category == "Cc" else character
        for character, category in ((character, unicodedata.category(character)) for character in text)
        if category not in ("Cf", "Cs")
    )
    return _BLANKS.sub(" ", kept).strip()


def plain_text(text: str) -> str:
    """`visible`, and in NFKC: full-width digits, letters and blanks become the ordinary ones. For codes and words."""
    if text.isascii() and text.isprintable():
        return _BLANKS.sub(" ", text).strip()
    return visible_text(unicodedata.normalize("NFKC", text))


def person_name(text: str) -> str:
    """A name as written, without outer blanks and invisible characters.

    It is not normalised: rare characters have look-alikes that NFKC would put in their place. Blanks and line breaks
    between two Chinese characters (alignment in a printed list) are dropped; a blank beside a Latin letter stays.
    """
    return _BLANK_BETWEEN_HAN.sub("", visible_text(text))


def required_line(field: str, value: str, longest: int) -> str:
    """`visible(value)` with 1 to `longest` characters. Raises Invalid naming `field` otherwise."""
    line = visible_text(value)
    if not 1 <= len(line) <= longest:
        raise Invalid(field, value[:200], say("must have 1 to {most} characters", most=longest))
    return line
