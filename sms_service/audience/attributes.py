"""The part of a rule that asks for an attribute: JSON into checked objects.

Attributes are texts, as people wrote them. How they are compared is said by the rule: as texts (`is`, `in`), as numbers
(`less`, `more`, `at_least`, `at_most`), as dates (`before`, `after`), by the whole years since a date (`age`), or by
its day and month (`anniversary`). A text that is no number, or no date like 1985-03-01, is not found by such a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sms_service.errors import Invalid
from sms_service.said import say

MAX_TEXT = 200  # characters of a tag, role, code, attribute's name or value
MAX_VALUES = 100  # of "in"
LARGEST = 10**15  # of a number to compare with
MOST_YEARS = 150

NUMBERS = ("less", "more", "at_least", "at_most")
ANNIVERSARIES = ("today", "tomorrow", "this_month", "next_month")
_COMPARISONS = ("is", "in", "exists", "before", "after", *NUMBERS, "age", "anniversary")
# How far a day may be from today; of the days that lie ahead the number is kept as a negative one.
_AWAY = {
    "days_ago": ("days", MOST_YEARS * 366, 1),
    "months_ago": ("months", MOST_YEARS * 12, 1),
    "years_ago": ("years", MOST_YEARS, 1),
    "days_ahead": ("days", MOST_YEARS * 366, -1),
}


@dataclass(frozen=True, slots=True)
class Away:
    """A day so many days, months or years before today; after it where the number is negative."""

    unit: str
    number: int


@dataclass(frozen=True, slots=True)
class Age:
    """How the whole years since a date compare."""

    comparison: str
    years: int


@dataclass(frozen=True, slots=True)
class Attribute:
    """The attribute compares so. `comparison` decides the type of `value`: a text for `is`, `anniversary` and a day
    like 1985-03-01, several for `in`, bool for `exists`, a number, a day by its distance from today, or an age.
    """

    name: str
    comparison: str
    value: str | tuple[str, ...] | bool | Decimal | Away | Age


def read_attribute(value: object, where: str) -> Attribute:
    """The checked object of what stands under "attribute". Raises Invalid (field: the place in the rule)."""
    if not isinstance(value, Mapping) or "name" not in value:
        raise Invalid(
            where, None, say("must be an object with a name and one of {comparisons}", comparisons=_COMPARISONS)
        )
    given = [key for key in value if key != "name"]
    unknown = next((key for key in given if key not in _COMPARISONS), None)
    if unknown is not None:
        raise Invalid(
            f"{where}.{unknown}"[:MAX_TEXT],
            None,
            say("is not known; right is one of {comparisons}", comparisons=_COMPARISONS),
        )
    if len(given) != 1:
        raise Invalid(
            where, None, say("must have exactly one of {comparisons}; join several with all", comparisons=_COMPARISONS)
        )
    comparison = given[0]
    name = read_text(value["name"], f"{where}.name")
    return Attribute(name, comparison, _operand(comparison, value[comparison], f"{where}.{comparison}"))


def _operand(comparison: str, operand: object, where: str) -> str | tuple[str, ...] | bool | Decimal | Away | Age:
    match comparison:
        case "exists":
            if not isinstance(operand, bool):
                raise Invalid(where, None, "must be true or false")
            return operand
        case "in":
            if not isinstance(operand, list) or not 1 <= len(operand) <= MAX_VALUES:
                raise Invalid(where, None, say("must be a list of 1 to {most} texts", most=MAX_VALUES))
            return tuple(read_text(text, f"{where}[{i}]") for i, text in enumerate(operand))
        case "before" | "after":
            return _away(operand, where) if isinstance(operand, Mapping) else _date(operand, where)
        case "less" | "more" | "at_least" | "at_most":
            return _number(operand, where)
        case "age":
            return _age(operand, where)
        case "anniversary":
            if operand not in ANNIVERSARIES:
                raise Invalid(where, None, say("must be one of {days}", days=ANNIVERSARIES))
            return str(operand)
    return read_text(operand, where)


def read_text(value: object, where: str) -> str:
    """The text, which must be one line of a rule's. Raises Invalid."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise Invalid(where, None, say("must be a text of 1 to {most} characters", most=MAX_TEXT))
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Invalid(where, None, "contains a character that no text may hold")
    return value


def _date(value: Any, where: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise Invalid(
            where, None, 'must be a date like 1985-03-01, or a day by its distance from today, like {"years_ago": 1}'
        ) from None


def _away(value: Mapping[Any, Any], where: str) -> Away:
    if len(value) != 1 or (key := next(iter(value))) not in _AWAY:
        raise Invalid(where, None, say("must have exactly one of {distances}", distances=tuple(_AWAY)))
    unit, most, direction = _AWAY[key]
    return Away(unit, direction * _whole(value[key], f"{where}.{key}", most))


def _age(value: object, where: str) -> Age:
    if not isinstance(value, Mapping) or len(value) != 1 or (key := next(iter(value))) not in NUMBERS:
        raise Invalid(where, None, say("must be an object with exactly one of {comparisons}", comparisons=NUMBERS))
    return Age(key, _whole(value[key], f"{where}.{key}", MOST_YEARS))


def _whole(value: object, where: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Invalid(where, None, say("must be a whole number from 0 to {most}", most=most))
    return value


def _number(value: object, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(where, None, "must be a number, without quotes")
    if not abs(value) <= LARGEST:  # said so, what is not a number is refused too
        raise Invalid(where, None, say("must be at most {most:,}", most=LARGEST))
    return Decimal(str(value))
