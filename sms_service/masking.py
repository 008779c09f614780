"""Hides phone numbers in data that leaves a door.

It is for what people and files wrote, never for our own sentences, which may contain examples of a date or a number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sms_service.said import Said, Value, Word, as_said

FEWEST_DIGITS = 7  # the digits of a local number in a town
_LONGEST_GAP = 10  # characters between two digits of one number, invisible ones included

# All of these look at texts as `_sketch` draws them.
_RUN = re.compile(rf"\+?[0-9](?:[^0-9x]{{0,{_LONGEST_GAP}}}[0-9])*")
_MONTH, _DAY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_DATE = rf"(?:19|20)\d\d(?:{_MONTH}{_DAY}|[-./](?:{_MONTH}|[1-9])[-./](?:{_DAY}|[1-9]))"
_TIME = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_DATES_AND_TIMES = re.compile(rf"(?:{_DATE}|{_TIME})(?:[^0-9]+(?:{_DATE}|{_TIME}))*")
# Digits only: mainland mobile numbers, and fixed lines with their area code, after 0, 86 or 0086.
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_FIXED = re.compile(r"(?:0|86)(?:10|2[0-9]|[3-9][0-9]{2})[2-9][0-9]{6,7}")
_WITHIN_TOWN = re.compile(r"[2-9][0-9]{6,7}")


def mask_phone(phone: str) -> str:
    """The number with all but its first digits and its last four replaced: `+86138****1234`, `****1234`.

    If the number has fewer than 9 characters, only the last two are shown.
    """
    if len(phone) < 9:
        return "****" + phone[-2:]
    return phone[: max(0, len(phone) - 8)] + "****" + phone[-4:]


def mask_text(text: str, *, identifier: bool = False) -> str:
    """The text with every number masked that may be a phone number, in digits of any script, and with blanks, dots,
    dashes, commas, brackets or invisible characters between them.

    Seven or more digits in a row count as a phone number; dates and times do not. `identifier`: the text is an office's
    own number, so only what reads like a phone number is masked.
    """
    return _mask(text, lambda run: _may_be_phone(run, identifier=identifier))


def mask_quoted(sentence: str, *sources: object) -> str:
    """One of our sentences, with those numbers masked that it quotes from the `sources`: what a file or a caller wrote.

    The sentence's own examples stay, since the sources do not contain them.
    """
    written = [_digits(_sketch(source)) for source in sources if isinstance(source, str)]
    return _mask(sentence, lambda run: any(_digits(run) in digits for digits in written) and _may_be_phone(run))


def mask_said(said: str, mask: Callable[[str], str]) -> Said:
    """The sentence and its values, masked by `mask`; the values never show more than the sentence does."""
    said, sentence = as_said(said), mask(said)
    masked = Said(said.message, {name: _mask_value(value, mask) for name, value in said.values.items()})
    return masked if masked == sentence else as_said(sentence)  # what only shows between values hides them all


def _mask_value(value: Value, mask: Callable[[str], str]) -> Value:
    match value:
        case tuple():
            return tuple(_mask_one(member, mask) for member in value)
        case str():
            return _mask_one(value, mask)
    return value


def _mask_one(text: str, mask: Callable[[str], str]) -> str:
    match text:
        case Word():
            return text
        case Said():
            return mask_said(text, mask)
    return mask(text)


def mask_values(value: Any) -> Any:
    """A JSON value with every text in it masked, the names of its fields included."""
    match value:
        case str():
            return mask_text(value)
        case dict():
            return {mask_text(name): mask_values(inner) for name, inner in value.items()}
        case list() | tuple():
            return [mask_values(inner) for inner in value]
    return value


def _mask(text: str, hidden: Callable[[str], bool]) -> str:
    kept, end = list[str](), 0
    for run in _RUN.finditer(_sketch(text)):
        if hidden(run[0]):
            kept += [text[end : run.start()], _masked(run[0])]
            end = run.end()
    return "".join([*kept, text[end:]])


def _digits(sketch: str) -> str:
    return re.sub(r"[^0-9]", "", sketch)


def _sketch(text: str) -> str:
    """The text, character for character, with every digit of any script as 0 to 9, letters as x, signs as they are."""
    return "".join(map(_drawn, text))


@lru_cache(maxsize=4096)
def _drawn(character: str) -> str:
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if unicodedata.category(character)[0] in "LN":
        return "x"
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain in ("+", "-", ".", "/", ":") else " "


def _may_be_phone(run: str, *, identifier: bool = False) -> bool:
    digits = _digits(run)
    if len(digits) < FEWEST_DIGITS:
        return False
    if _MOBILE.search(digits):
        return True
    if _DATES_AND_TIMES.fullmatch(run):
        return False
    if run[0] == "+":
        return True
    unbroken = run == digits
    if identifier:  # many begin with 01; without separators they are not numbers of Beijing
        return _FIXED.search(digits) is not None and not (unbroken and digits.startswith("01"))
    return (
        re.search(rf"[0-9]{{{FEWEST_DIGITS}}}", run) is not None
        or digits.startswith("00")
        or _FIXED.search(digits) is not None
        or _WITHIN_TOWN.fullmatch(digits) is not None
    )


def _masked(run: str) -> str:
    digits = _digits(run)
    if run[0] == "+" and len(digits) <= 15:
        return mask_phone("+" + digits)
    alone = len(re.sub(r"^(00)?86(?=1)", "", digits)) <= 11
    if alone or not (_MOBILE.search(digits) or _FIXED.search(digits)):
        return mask_phone(digits)
    return digits[:3] + "****" + digits[-2:]  # several numbers, or one among other digits: its beginning is unknown
