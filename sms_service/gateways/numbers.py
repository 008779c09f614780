"""Converts phone numbers between the forms that providers use and ours, which is E.164."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

_CHINESE_MOBILE = re.compile(r"(?:\+?(?:00)?86)?(1[3-9][0-9]{9})")
_DIGITS = re.compile(r"\+?[0-9]{3,20}")
_SCHEME = re.compile(r"\s*[a-z]+:(?://)?", re.IGNORECASE)  # "tel:"
_PARAMETERS = re.compile(r";[a-z-]+(?:=|$).*", re.IGNORECASE)  # ";phone-context=+86", RFC 3966
_LONGEST = 100  # characters of a number with everything around and between its digits
# Unicode categories of what people put around and between digits: dashes, brackets, quotes, blanks, invisible marks.
_BETWEEN = frozenset({"Pd", "Ps", "Pe", "Pi", "Pf", "Zs", "Zl", "Zp", "Cc", "Cf", "Mn"})


def e164(written: str, region: str = "CN") -> str | None:
    """A number written by a provider, in E.164; None if it is not a complete number. A number without a country code
    belongs to `region` (ISO 3166-1).

    Every gateway uses this function. It reads any spelling: with or without +, 00 or country code, with blanks, dashes,
    dots and brackets, as `tel:`, in full width.
    """
    if region == "CN" and (found := _CHINESE_MOBILE.fullmatch(written)):  # nearly all; the library is slow
        return f"+86{found[1]}"
    return _read(written, region) if len(written) <= _LONGEST else None


def is_mobile(phone: str) -> bool:
    """Whether a phone (E.164) is one that a person may carry: no short code, no number of a service. Where a country's
    plan cannot tell mobile from fixed, it may be.
    """
    if phone.startswith("+86"):
        return _CHINESE_MOBILE.fullmatch(phone) is not None
    kind = phonenumbers.number_type(phonenumbers.parse(phone))
    return kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def national_number(phone: str) -> str:
    """A phone (E.164) without its country code, as providers that serve one country want it."""
    if phone.startswith("+86"):
        return phone[3:]
    return str(phonenumbers.national_significant_number(phonenumbers.parse(phone)))


@lru_cache(maxsize=10_000)
def _read(written: str, region: str) -> str | None:
    bare = _bare(written)
    if region == "CN" and (found := _CHINESE_MOBILE.fullmatch(bare)):
        return f"+86{found[1]}"
    if not _DIGITS.fullmatch(bare):
        return None
    candidates = (bare, f"+{bare.removeprefix('00')}") if not bare.startswith("+") else (bare,)
    for candidate in candidates:
        try:
            number = phonenumbers.parse(candidate, region)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return None


def _bare(written: str) -> str:
    """The number without everything around and between its digits."""
    wide = _PARAMETERS.sub("", _SCHEME.sub("", unicodedata.normalize("NFKC", written), count=1))
    return "".join(c for c in wide if unicodedata.category(c) not in _BETWEEN and c not in ".·'\"<>")
