"""Phone numbers as providers write them, between their form and ours, which is E.164."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

_CHINESE_MOBILE = re.compile(r"(?:(?:\+|00)?86)?(1[3-9][0-9]{9})")
_DIGITS = re.compile(r"\+?[0-9]{3,20}")


def e164(written: str, region: str = "CN") -> str | None:
    """A provider's way to write a number (with or without +, 00 or country code) in E.164; None if it is no whole
    number. Without a country code it is one of `region` (ISO 3166-1).
    """
    if region == "CN" and (found := _CHINESE_MOBILE.fullmatch(written)):  # nearly all; the library is slow
        return f"+86{found[1]}"
    return _read(written, region)


def national(phone: str) -> str:
    """The number of a phone (E.164) without its country code, as providers of one country want it."""
    if phone.startswith("+86"):
        return phone[3:]
    return str(phonenumbers.national_significant_number(phonenumbers.parse(phone)))


@lru_cache(maxsize=10_000)
def _read(written: str, region: str) -> str | None:
    if not _DIGITS.fullmatch(written):
        return None
    candidates = (written, f"+{written.removeprefix('00')}") if not written.startswith("+") else (written,)
    for candidate in candidates:
        try:
            number = phonenumbers.parse(candidate, region)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return None
