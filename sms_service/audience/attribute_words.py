"""The part of a rule that asks for an attribute, in words: what follows "who"."""

from __future__ import annotations

from decimal import Decimal

from sms_service.audience.attributes import Age, Attribute, Away
from sms_service.said import Said, say

# By comparison, and whether it holds.
_NUMBERS = {
    ("less", True): "has a {name} below {number}",
    ("less", False): "has no {name} below {number}",
    ("more", True): "has a {name} above {number}",
    ("more", False): "has no {name} above {number}",
    ("at_least", True): "has a {name} of {number} or more",
    ("at_least", False): "has no {name} of {number} or more",
    ("at_most", True): "has a {name} of {number} or less",
    ("at_most", False): "has no {name} of {number} or less",
}
_AGES = {
    ("less", True): "has a {name} less than {years} whole years ago",
    ("less", False): "has no {name} less than {years} whole years ago",
    ("more", True): "has a {name} more than {years} whole years ago",
    ("more", False): "has no {name} more than {years} whole years ago",
    ("at_least", True): "has a {name} at least {years} whole years ago",
    ("at_least", False): "has no {name} at least {years} whole years ago",
    ("at_most", True): "has a {name} at most {years} whole years ago",
    ("at_most", False): "has no {name} at most {years} whole years ago",
}
_DAYS = {
    ("before", True): "has a {name} before {day}",
    ("before", False): "has no {name} before {day}",
    ("after", True): "has a {name} after {day}",
    ("after", False): "has no {name} after {day}",
}
# By comparison, how the day is told, and whether it holds.
_AWAY = {
    ("before", "today", True): "has a {name} before today",
    ("before", "today", False): "has no {name} before today",
    ("after", "today", True): "has a {name} after today",
    ("after", "today", False): "has no {name} after today",
    ("before", "days", True): "has a {name} more than {number} days ago",
    ("before", "days", False): "has no {name} more than {number} days ago",
    ("after", "days", True): "has a {name} later than {number} days ago",
    ("after", "days", False): "has no {name} later than {number} days ago",
    ("before", "months", True): "has a {name} more than {number} months ago",
    ("before", "months", False): "has no {name} more than {number} months ago",
    ("after", "months", True): "has a {name} later than {number} months ago",
    ("after", "months", False): "has no {name} later than {number} months ago",
    ("before", "years", True): "has a {name} more than {number} years ago",
    ("before", "years", False): "has no {name} more than {number} years ago",
    ("after", "years", True): "has a {name} later than {number} years ago",
    ("after", "years", False): "has no {name} later than {number} years ago",
    ("before", "ahead", True): "has a {name} before the day {number} days ahead",
    ("before", "ahead", False): "has no {name} before the day {number} days ahead",
    ("after", "ahead", True): "has a {name} after the day {number} days ahead",
    ("after", "ahead", False): "has no {name} after the day {number} days ahead",
}
_ANNIVERSARIES = {
    ("today", True): "has a {name} of today's day and month",
    ("today", False): "has no {name} of today's day and month",
    ("tomorrow", True): "has a {name} of tomorrow's day and month",
    ("tomorrow", False): "has no {name} of tomorrow's day and month",
    ("this_month", True): "has a {name} in this month, of whatever year",
    ("this_month", False): "has no {name} in this month, of whatever year",
    ("next_month", True): "has a {name} in next month, of whatever year",
    ("next_month", False): "has no {name} in next month, of whatever year",
}


def word_attribute(leaf: Attribute, holds: bool) -> Said:
    """What is true of those whom this part of a rule finds, or with `holds` False of the others."""
    name = leaf.name
    match leaf.comparison, leaf.value:
        case "exists", wanted:
            return say("has a {name}", name=name) if wanted == holds else say("has no {name}", name=name)
        case "in", tuple(values):
            one_of = say("has one of {values: or } as {name}", values=values, name=name)
            return one_of if holds else say("has none of {values: or } as {name}", values=values, name=name)
        case comparison, Decimal() as number:
            return say(_NUMBERS[comparison, holds], name=name, number=f"{number:f}")
        case comparison, Away(unit, number):
            told = "today" if number == 0 else "ahead" if number < 0 else unit
            return say(_AWAY[comparison, told, holds], name=name, number=abs(number))
        case _, Age(comparison, years):
            return say(_AGES[comparison, holds], name=name, years=years)
        case "anniversary", when:
            return say(_ANNIVERSARIES[str(when), holds], name=name)
        case ("before" | "after") as comparison, day:
            return say(_DAYS[comparison, holds], name=name, day=day)
    same = say("has {value} as {name}", value=leaf.value, name=name)
    return same if holds else say("does not have {value} as {name}", value=leaf.value, name=name)
