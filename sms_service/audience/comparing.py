"""How a rule's comparison of an attribute becomes SQL; never NULL, since NOT NULL would not be true.

Dates compare as texts: each is like 1985-03-01, so no text that people wrote can make the query fail.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Date, Numeric, Text, and_, case, cast, func, or_, select
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.orm import aliased

from sms_service.audience.attributes import Age, Attribute, Away
from sms_service.directory.models import CITY_ZONE, Person, Unit

# What is compared as a date and as a number. [0-9], since \d may be a digit of another script, which no cast takes.
DATE = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
NUMBER = r"^[+-]?[0-9]{1,30}([.][0-9]{1,30})?$"


def compare_attribute(leaf: Attribute, scope_path: str | ColumnElement[str]) -> ColumnElement[bool]:
    """SQL over people for this part of a rule. Today is the day at the unit `scope_path`, by the database's clock."""
    stored: ColumnElement[str] = Person.attributes[leaf.name].astext
    match leaf.comparison, leaf.value:
        case "exists", wanted:
            return stored.is_not(None) if wanted else stored.is_(None)
        case "in", tuple(values):
            return func.coalesce(stored.in_(values), False)
        case comparison, Decimal() as number:
            figure = case((stored.regexp_match(NUMBER), cast(stored, Numeric)))
            return func.coalesce(_compared(figure, comparison, cast(str(number), Numeric)), False)
        case comparison, Away(unit, number):
            return _by_date(stored, "less" if comparison == "before" else "more", _day(scope_path, unit, number))
        case _, Age(comparison, years):
            return _by_age(stored, comparison, years, scope_path)
        case "anniversary", when:
            return _by_anniversary(stored, str(when), scope_path)
        case ("before" | "after") as comparison, day:
            return _by_date(stored, "less" if comparison == "before" else "more", cast(day, Text))
    return func.coalesce(stored == leaf.value, False)


def _compared(left: ColumnElement[Any], comparison: str, right: ColumnElement[Any]) -> ColumnElement[bool]:
    match comparison:
        case "less":
            return left < right
        case "more":
            return left > right
        case "at_least":
            return left >= right
    return left <= right


def _by_date(stored: ColumnElement[str], comparison: str, day: ColumnElement[str]) -> ColumnElement[bool]:
    return func.coalesce(and_(stored.regexp_match(DATE), _compared(stored.collate("C"), comparison, day)), False)


def _by_age(
    stored: ColumnElement[str], comparison: str, years: int, scope_path: str | ColumnElement[str]
) -> ColumnElement[bool]:
    """So many whole years have gone by if the date is not after the same day so many years ago. No age has a date that
    lies ahead.
    """
    whole = years + (comparison in ("more", "at_most"))  # more than 17 is at least 18
    reached = _by_date(stored, "at_most", _day(scope_path, "years", whole))
    if comparison in ("more", "at_least"):
        return reached
    past = _by_date(stored, "at_most", _day(scope_path, "days", 0))
    return and_(past, _by_date(stored, "more", _day(scope_path, "years", whole)))


def _by_anniversary(stored: ColumnElement[str], when: str, scope_path: str | ColumnElement[str]) -> ColumnElement[bool]:
    """By day and month. The 29th of February falls on the 28th in a year that has none."""
    if when in ("this_month", "next_month"):
        month = _day(scope_path, "months", -int(when == "next_month"), "MM")
        return func.coalesce(and_(stored.regexp_match(DATE), func.substr(stored, 6, 2) == month), False)
    ahead = int(when == "tomorrow")
    day, next_day = (_day(scope_path, "days", -ahead - more, "MM-DD") for more in (0, 1))
    its = func.substr(stored, 6, 5)
    leap = and_(its == "02-29", day == "02-28", next_day == "03-01")
    return func.coalesce(and_(stored.regexp_match(DATE), or_(its == day, leap)), False)


def _day(scope_path: str | ColumnElement[str], unit: str, ago: int, shape: str = "YYYY-MM-DD") -> ColumnElement[str]:
    """The day so long before today, as text; a subquery, so that it is reckoned once and not for each person."""
    place = aliased(Unit)
    own = select(place.timezone).where(place.path == scope_path).scalar_subquery()
    today = cast(func.timezone(func.coalesce(own, CITY_ZONE), func.sms_now()), Date)
    moved = today - cast(f"{ago} {unit}", INTERVAL)
    return select(func.to_char(moved, shape, type_=Text).collate("C")).scalar_subquery()
