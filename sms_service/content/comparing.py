"""The values of a template while it is rendered: how they are read as numbers and lists, and how they compare."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from jinja2 import Undefined

from sms_service.content.days import read_day
from sms_service.errors import ServiceError
from sms_service.said import say

MOST_ITEMS = 50  # of a list

_BETWEEN_ITEMS = re.compile(r"[、，,；;\n]")
_LONGEST_NUMBER = 30  # characters of what counts as a number
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?")


class CannotRender(ServiceError):
    """This text cannot be made from these values. The message names variables, never values."""


class Unfilled(str):
    """What a preview shows in the place of a value that is not known yet."""

    __slots__ = ()


class Items(str):
    """A list as a text, 甲、乙; loops go through its members."""

    __slots__ = ("members",)
    members: tuple[str, ...]

    def __new__(cls, members: Sequence[str]) -> Items:
        made = super().__new__(cls, "、".join(members))
        made.members = tuple(members)
        return made


def write_plain(value: float) -> str:
    """A number as people write it: 100, not 100.0; 0.0000001, not 1e-07."""
    if isinstance(value, int):
        return str(value)
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_decimal(value: object) -> Decimal | None:
    """The number that a value is, also where it is written with commas or full-width digits; None: it is none."""
    text = unicodedata.normalize("NFKC", write_plain(value) if isinstance(value, (int, float)) else str(value)).strip()
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None


def split_items(value: object) -> tuple[str, ...]:
    """The members of a list: of a text, what stands between 、，；, commas and line breaks.

    Raises CannotRender if there are more than 50.
    """
    text = needed_text(value)
    if isinstance(text, Unfilled):
        return (text,)
    members = text.members if isinstance(text, Items) else tuple(one.strip() for one in _BETWEEN_ITEMS.split(text))
    members = tuple(one for one in members if one)
    if len(members) > MOST_ITEMS:
        raise CannotRender(
            say("a list has {number} entries; at most {most} are allowed", number=len(members), most=MOST_ITEMS)
        )
    return members


def compare_values(left: object, *compared: object) -> bool:
    """Whether a chain of comparisons holds: operator and operand in turn, as they follow the first operand.

    Attributes and form fields are texts. What is compared with a number, or asked whether it is more or less, is
    compared as a number or as a day. Raises CannotRender where it is neither, so that nothing is false without a word.
    """
    for operator, right in zip(compared[::2], compared[1::2], strict=True):
        assert isinstance(operator, str)
        if not _holds(operator, left, right):
            return False
        left = right
    return True


def _holds(operator: str, left: object, right: object) -> bool:
    if isinstance(left, Unfilled) or isinstance(right, Unfilled):
        return False
    match operator:
        case "eq":
            return _is_equal(left, right)
        case "ne":
            return not _is_equal(left, right)
        case "in":
            return _is_in(left, right)
        case "notin":
            return not _is_in(left, right)
    difference = _difference(left, right)
    return {"lt": difference < 0, "lteq": difference <= 0, "gt": difference > 0, "gteq": difference >= 0}[operator]


def _is_equal(left: object, right: object) -> bool:
    if isinstance(left, (int, float)) or isinstance(right, (int, float)):
        first, second = read_decimal(_given(left)), read_decimal(_given(right))
        if (first is None and _text(left)) or (second is None and _text(right)):
            raise CannotRender("a comparison with a number meets a value that is no number")
        return first == second
    return _text(left) == _text(right)


def _is_in(left: object, right: object) -> bool:
    if isinstance(right, (list, tuple)):
        return any(_is_equal(left, one) for one in right)
    if isinstance(right, Items):
        return any(_is_equal(left, one) for one in right.members)
    return _text(left) in _text(right)


def _difference(left: object, right: object) -> int:
    """Negative, zero or positive, as the left is less than the right, equal or more."""
    first, second = read_decimal(_given(left)), read_decimal(_given(right))
    if first is not None and second is not None:
        return (first > second) - (first < second)
    one, other = read_day(_text(left)), read_day(_text(right))
    if one and other and one.year and other.year:
        return (one > other) - (one < other)
    raise CannotRender("more and less compare numbers or whole dates, and a value is neither")


def _given(value: object) -> object:
    """The value. Raises UndefinedError for one that is missing."""
    if isinstance(value, Undefined):
        str(value)
    return value


def _text(value: object) -> str:
    value = _given(value)
    return unicodedata.normalize("NFKC", write_plain(value) if isinstance(value, (int, float)) else str(value)).strip()


def needed_text(value: object) -> str:
    """The value as a text, as people write it. Raises UndefinedError for one that is missing."""
    value = _given(value)
    return value if isinstance(value, str) else write_plain(value) if isinstance(value, (int, float)) else str(value)
