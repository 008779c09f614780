"""Series: many texts in their order, one a day, at one time of day in the time zone of the unit.

Kept as `{"first": "2026-12-01", "at": "08:30", "days": "working", "late": "today"}`. `days`: `working` (those of the
unit's calendar), `all`, or days of the week as `MO,WE,FR`. `late`: what people get first who join later; `today`: the
text of that day, with all others; `first`: the first one, as a cohort of their own (`cohorts.py`). A text that is
skipped takes no day; the next one moves up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sms_service.campaigns.items import Item
from sms_service.campaigns.states import FROM_FIRST, LATE
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say
from sms_service.schedules import rhythms
from sms_service.schedules.recurring import read_clock, read_first_day
from sms_service.schedules.working_days import load_working_days

WORKING, ALL = "working", "all"
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LATE_CHOICES = ("today", FROM_FIRST)
USUAL_CLOCK = "08:30"
_SPARE = 400  # days beyond those that the texts of one day of the week take
_DAY = timedelta(days=1)


def read_rule(given: Mapping[str, Any], unit: Unit, now: datetime) -> dict[str, Any]:
    """The rule as it is kept. `first` is a day, local to the unit. Raises Invalid."""
    late = given.get(LATE) or LATE_CHOICES[0]
    if late not in LATE_CHOICES:
        raise Invalid("schedule.late", late, say("must be one of {known}", known=LATE_CHOICES))
    return {
        "first": read_first_day(given, unit, now).isoformat(),
        "at": read_clock(given.get("at") or USUAL_CLOCK),
        "days": _read_days(given.get("days") or WORKING),
        LATE: late,
    }


def plan_times(
    session: Session, rule: Mapping[str, Any], unit: Unit, items: Sequence[Item], now: datetime
) -> Mapping[int, datetime | None]:
    """A day for each item that did not go yet, in their order, from the first one whose time lies ahead and that comes
    after every day on which an item went.
    """
    zone, clock = ZoneInfo(unit.timezone), time.fromisoformat(rule["at"])
    since = now - timedelta(minutes=1)  # who starts it at its time means that time
    went = [item.fired_at.astimezone(zone).date() + _DAY for item in items if item.fired_at is not None]
    first = max(date.fromisoformat(rule["first"]), since.astimezone(zone).date(), *went)
    if datetime.combine(first, clock, zone) < since:
        first += _DAY
    waiting = [item.number for item in items if item.fired_at is None and not item.skipped]
    days = list_series_days(session, rule, unit, first, first + len(waiting) * 7 * _DAY + _SPARE * _DAY)
    times = (datetime.combine(day, clock, zone).astimezone(UTC) for day in days)
    return dict(zip(waiting, times, strict=False))


def find_following(rule: Mapping[str, Any], unit: Unit, fired_at: datetime) -> datetime | None:
    """No text of a series comes twice."""
    return None


def describe_series(rule: Mapping[str, Any]) -> Said:
    """The kept rule in words."""
    days = {WORKING: as_said("each working day"), ALL: as_said("each day")}.get(rule["days"])
    named = [rhythms.WEEKDAYS[WEEKDAYS.index(name)] for name in rule["days"].split(",")] if days is None else []
    said = days or say("each {days}", days=named)
    return say("one text {days} at {clock} from {first}", days=said, clock=rule["at"], first=rule["first"])


def list_series_days(session: Session, rule: Mapping[str, Any], unit: Unit, first: date, last: date) -> list[date]:
    """The days of a rule from `first` to `last`, in order."""
    between = [first + number * _DAY for number in range((last - first).days + 1)]
    if rule["days"] == WORKING:
        working = load_working_days(session, unit.path, first, last)
        return [day for day in between if working.works(day)]
    return [day for day in between if rule["days"] == ALL or WEEKDAYS[day.weekday()] in rule["days"].split(",")]


def warn_of_calendar(session: Session, rule: Mapping[str, Any], unit: Unit, last: date) -> Said | None:
    """What to tell who plans a series up to this day, where the calendar does not know all years up to it."""
    if rule["days"] != WORKING:
        return None
    return load_working_days(session, unit.path, date.fromisoformat(rule["first"]), last).warn_unknown(last)


def _read_days(given: object) -> str:
    if given in (WORKING, ALL):
        return str(given)
    named = {name.strip() for name in str(given).upper().split(",")}
    if not named <= set(WEEKDAYS):
        message = "must be {working}, {all}, or days of the week such as {example}"
        raise Invalid("schedule.days", given, say(message, working=WORKING, all=ALL, example="MO,WE,FR"))
    return ",".join(name for name in WEEKDAYS if name in named)
