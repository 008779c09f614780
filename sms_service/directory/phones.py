"""Reads phone numbers as people write them into E.164. Only numbers that can get a text are taken; nothing is guessed.

`phonenumbers` (Google's libphonenumber) has the data that says which numbers are valid and which are mobile.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from sms_service.directory.text import visible_text
from sms_service.errors import Invalid
from sms_service.said import Said, read_said, say

REGION = "CN"  # of numbers written without a country code

# What offices write into a cell to say that there is no number.
_NO_NUMBER = frozenset({"", "/", "\\", "-", "--", "无", "没有", "暂无", "未填", "空", "none", "null", "n/a", "#n/a"})
_SEPARATORS = re.compile(r"[/;,、|\n\r或和及]|(?<=\d{11})[ -]+(?=1\d{10}$)")
_LABEL = re.compile(
    r"(手机号码|手机号|手机|联系电话|移动电话|电话|本人|telephone|tel|mobile|phone)[:. ]*(?=[+(0-9])", re.IGNORECASE
)
_OWN = re.compile(r" *\((本人|自己|手机)\)$")
_EXTENSION = re.compile(r"0[1-9]\d{1,2}[- ]?\d{7,8}[- ]+\d{1,6}")  # 00 begins a country code
_SCIENTIFIC = re.compile(r"\d(\.\d+)?e[+-]?\d+", re.IGNORECASE)
_SPREADSHEET_FLOAT = re.compile(r"(\+?\d{7,15})\.0+")
_WRITTEN = re.compile(r"\(?\+?[0-9][0-9() .-]*")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−_", "-"))
_APOSTROPHES = "'‘’`\""
_DATA: Any = PhoneMetadata.metadata_for_region(REGION)
_COUNTRY_CODE = _DATA.country_code
_PLAIN_MOBILE = re.compile(_DATA.mobile.national_number_pattern)
_OTHER_KINDS = [
    re.compile(kind.national_number_pattern)
    for kind in (_DATA.premium_rate, _DATA.toll_free, _DATA.shared_cost, _DATA.voip, _DATA.personal_number,
                 _DATA.pager, _DATA.uan, _DATA.voicemail, _DATA.fixed_line)
    if kind is not None and kind.national_number_pattern
]  # fmt: skip
_PREFIX = re.compile(_DATA.national_prefix_for_parsing or "(?!)")
_DIGITS, _LONGEST_PLAIN = re.compile(r"[0-9]+"), 16
_CAN_GET_TEXTS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_ODD = "contains {odd}: only digits, blanks, hyphens, brackets and a leading + belong in a number"
_NO_PHONE = "has {number} digits and is no phone number; right is 13800000000 or +8613800000000"
_WRONG_LENGTH = "has {number} digits; a mobile number has 11"


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """What a cell says: `phone` in E.164, or `problem`, why it is unusable. With neither, no number was given.

    `note` says what was decided in reading a usable number.
    """

    phone: str | None = None
    problem: str | None = None
    note: str | None = None


def read_phone(raw: str | None) -> PhoneReading:
    """Read one cell. Of several numbers in it (`a/b`, `a;b`, `a、b`) the first that can get a text is taken."""
    if raw is not None and _is_plain_mobile(raw):
        return PhoneReading(phone=f"+{_COUNTRY_CODE}{raw}")
    readings = _read_all(raw or "")
    if not readings:
        return PhoneReading()
    usable = _usable(readings)
    if not usable:
        return readings[0]
    if len(usable) == 1 and all(reading.phone for reading in readings):
        return PhoneReading(phone=usable[0])
    note = say("{number} numbers in one cell: the first that can get a text was taken", number=len(readings))
    return PhoneReading(phone=usable[0], note=note)


def list_phones(raw: str) -> list[str]:
    """All the numbers in a cell that can get a text, in E.164."""
    return _usable(_read_all(raw))


def _read_all(raw: str) -> list[PhoneReading]:
    """Each number in a cell; none if it says that there is none."""
    text = unicodedata.normalize("NFKC", raw).translate(_DASHES)
    pieces = [visible_text(piece).strip(_APOSTROPHES + " ") for piece in _SEPARATORS.split(text.strip())]
    pieces = list(dict.fromkeys(piece for piece in pieces if piece.casefold() not in _NO_NUMBER))
    return [] if visible_text(text).casefold() in _NO_NUMBER else [_read_one(piece) for piece in pieces]


def _usable(readings: list[PhoneReading]) -> list[str]:
    return list(dict.fromkeys(reading.phone for reading in readings if reading.phone))


def _is_plain_mobile(text: str) -> bool:
    """Whether these are just the digits of one mobile number of the region, by the library's own patterns; then the
    library, which takes ten times as long, would say the same (tests/directory/test_phones.py).
    """
    return (
        len(text) < _LONGEST_PLAIN
        and _DIGITS.fullmatch(text) is not None
        and _PLAIN_MOBILE.fullmatch(text) is not None
        and not any(other.fullmatch(text) for other in _OTHER_KINDS)
        and _PREFIX.match(text) is None
    )


def parse_phone(field: str, raw: str) -> str:
    """One phone number in E.164. Raises Invalid naming `field` unless there is exactly one, and it can get a text."""
    reading = read_phone(raw)
    if reading.phone is None or reading.note is not None:
        raise Invalid(field, raw, reading.problem or reading.note or "must be a mobile number, like +8613800000000")
    return reading.phone


def recall_problem(problem: str, pair: Mapping[str, Any] | None) -> Said:
    """What `PhoneReading.problem` said, of the sentence in `people.phone_problem` and the pair beside it.

    Where that is missing, as in rows of before there was one, it is read from the sentence.
    """
    said = read_said(problem, pair)
    if said.values:
        return said
    for message in (_ODD, _NO_PHONE, _WRONG_LENGTH):
        before, name, after = re.split(r"\{(\w+)\}", message)
        if problem.startswith(before) and problem.endswith(after):
            return say(message, **{name: problem[len(before) : len(problem) - len(after)]})
    return said


def _read_one(text: str) -> PhoneReading:
    if _SCIENTIFIC.fullmatch(text):
        return _unusable("is in scientific notation: its last digits are lost; write the number out as text")
    if mended := _SPREADSHEET_FLOAT.fullmatch(text):
        text = mended[1]
    if "*" in text and re.fullmatch(r"[\d*+() -]+", text):
        return _unusable("hides digits behind *; write the whole number")
    text = _OWN.sub("", _LABEL.sub("", text, count=1) if _LABEL.match(text) else text)
    if _EXTENSION.fullmatch(text):
        return _unusable("is a landline, which cannot get texts")
    if odd := next((c for c in text if not (c.isascii() and (c.isdigit() or c in "+() .-"))), None):
        return _unusable(say(_ODD, odd=repr(odd)))
    digits = re.sub(r"\D", "", text)
    if not _WRITTEN.fullmatch(text):
        return _unusable("is not written like a phone number; right is 13800000000 or +8613800000000")
    try:
        number = phonenumbers.parse(("+" if text.lstrip("(").startswith("+") else "") + digits, REGION)
    except NumberParseException:
        return _unusable(say(_NO_PHONE, number=len(digits)))
    kind = phonenumbers.number_type(number)
    if kind in _CAN_GET_TEXTS:
        return PhoneReading(phone=phonenumbers.format_number(number, PhoneNumberFormat.E164))
    if kind == PhoneNumberType.FIXED_LINE:
        return _unusable("is a landline, which cannot get texts")
    if kind != PhoneNumberType.UNKNOWN:
        return _unusable("is a service number, which cannot get texts")
    if number.country_code == 86 and len(digits.removeprefix("0086").removeprefix("86")) != 11:
        return _unusable(say(_WRONG_LENGTH, number=len(digits)))
    return _unusable("is not in the ranges given to mobile numbers")


def _unusable(problem: str) -> PhoneReading:
    return PhoneReading(problem=problem)
