"""The rules by which something recurs that a form can show, in words and as RFC 5545 writes them.

A form knows a rhythm; the schedule keeps a rule. `write_rrule` makes the one of the other and `read_rhythm` takes it
apart again. A rule that no rhythm says, such as every second week, stays a rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sms_service.said import Said, as_said, say

DAY, WEEK, MONTH_DAY, MONTH_WEEKDAY, YEAR = RHYTHMS = ("day", "week", "month_day", "month_weekday", "year")
LAST = -1  # of the days of a month, or of its Mondays
NTHS: Mapping[int, Said] = {
    1: as_said("first"),
    2: as_said("second"),
    3: as_said("third"),
    4: as_said("fourth"),
    LAST: as_said("last"),
}
WEEKDAYS = (
    as_said("Monday"),
    as_said("Tuesday"),
    as_said("Wednesday"),
    as_said("Thursday"),
    as_said("Friday"),
    as_said("Saturday"),
    as_said("Sunday"),
)
_MONTHS = (
    *(as_said("January"), as_said("February"), as_said("March"), as_said("April"), as_said("May"), as_said("June")),
    *(as_said("July"), as_said("August"), as_said("September"), as_said("October")),
    *(as_said("November"), as_said("December")),
)
_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NTH_WEEKDAY = re.compile(rf"\+?(-?[1-4])({'|'.join(_CODES)})")
_MONTH_DAY = re.compile(r"\+?([1-9]|[12][0-9]|3[01]|-1)")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """On which days something recurs: each `day`; each `week` on the `weekdays` (0: Monday), of which there is at least
    one; each month on its `day` (`month_day`; -1: the last one) or on the `nth` (-1: the last) of one weekday
    (`month_weekday`); each `year` on the day of the first one.
    """

    kind: str
    weekdays: tuple[int, ...] = ()
    day: int | None = None
    nth: int | None = None


def write_rrule(rhythm: Rhythm) -> str:
    """The rule of RFC 5545 that says the same."""
    match rhythm.kind:
        case "week":
            return f"FREQ=WEEKLY;BYDAY={','.join(_CODES[day] for day in sorted(rhythm.weekdays))}"
        case "month_day":
            return f"FREQ=MONTHLY;BYMONTHDAY={rhythm.day}"
        case "month_weekday":
            return f"FREQ=MONTHLY;BYDAY={rhythm.nth}{_CODES[rhythm.weekdays[0]]}"
        case "year":
            return "FREQ=YEARLY"
    return "FREQ=DAILY"


def read_rhythm(rrule: str, first: date) -> Rhythm | None:
    """What the rule says, counted from its `first` day; None: more than a rhythm can say."""
    parts = dict(part.partition("=")[::2] for part in rrule.split(";"))
    if parts.pop("INTERVAL", "1") != "1":
        return None
    parts.pop("WKST", None)  # it matters to every second week and the like alone
    match parts:
        case {"FREQ": "DAILY", **more} if not more:
            return Rhythm(DAY)
        case {"FREQ": "WEEKLY", **more} if not more:
            return Rhythm(WEEK, (first.weekday(),))
        case {"FREQ": "WEEKLY", "BYDAY": days, **more} if not more and set(days.split(",")) <= set(_CODES):
            return Rhythm(WEEK, tuple(sorted({_CODES.index(day) for day in days.split(",")})))
        case {"FREQ": "MONTHLY", **more} if not more:
            return Rhythm(MONTH_DAY, day=first.day)
        case {"FREQ": "MONTHLY", "BYMONTHDAY": day, **more} if not more and (found := _MONTH_DAY.fullmatch(day)):
            return Rhythm(MONTH_DAY, day=int(found[1]))
        case {"FREQ": "MONTHLY", "BYDAY": day, **more} if not more and (found := _NTH_WEEKDAY.fullmatch(day)):
            nth = int(found[1])
            return Rhythm(MONTH_WEEKDAY, (_CODES.index(found[2]),), nth=nth) if nth in NTHS else None
        case {"FREQ": "YEARLY", **more} if not more:
            return Rhythm(YEAR)
    return None


def describe_recurrence(rule: Mapping[str, Any]) -> Said:
    """The rule of a recurring campaign in words: "Every Monday, Thursday at 08:30, until 2027-06-30"."""
    first = date.fromisoformat(rule["first"])
    rhythm = read_rhythm(rule["rrule"], first)
    days = say("By the rule {rrule}", rrule=rule["rrule"]) if rhythm is None else _describe_rhythm(rhythm, first)
    if "until" in rule:
        return say("{days} at {at}, until {until}", days=days, at=rule["at"], until=rule["until"])
    if "count" in rule:
        return say("{days} at {at}, {count} times in all", days=days, at=rule["at"], count=rule["count"])
    return say("{days} at {at}", days=days, at=rule["at"])


def _describe_rhythm(rhythm: Rhythm, first: date) -> Said:
    weekdays = [WEEKDAYS[day] for day in rhythm.weekdays]
    match rhythm.kind:
        case "week":
            return say("Every {weekdays}", weekdays=weekdays)
        case "month_day" if rhythm.day == LAST:
            return as_said("On the last day of each month")
        case "month_day":
            return say("On day {day} of each month", day=rhythm.day)
        case "month_weekday":
            return say("On the {nth} {weekday} of each month", nth=NTHS[rhythm.nth or 1], weekday=weekdays[0])
        case "year":
            return say("Each year on {day} {month}", day=first.day, month=_MONTHS[first.month - 1])
    return as_said("Every day")
