"""Recurring: one item that fires again and again, by a rule as RFC 5545 writes it, in the time zone of the unit.

Kept as `{"rrule": "FREQ=MONTHLY;BYMONTHDAY=-1", "first": "2026-12-01", "at": "08:30", "until": "2027-06-30"}`, or
`"count": 10` for so many times; with neither it goes on until somebody ends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr
from sqlalchemy.orm import Session

from sms_service.campaigns.items import Item
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import say

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
PARTS = ("FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST")
LONGEST_RULE = 200  # characters
MOST_TIMES = 1_000
FURTHEST_FIRST = timedelta(days=365)  # ahead
_LONGEST_GAP = timedelta(days=366 * 5)  # between two times
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def read_rule(given: Mapping[str, Any], unit: Unit, now: datetime) -> dict[str, Any]:
    """The rule as it is kept. `first` and `until` are days, local to the unit, both inclusive. Raises Invalid."""
    first = read_first_day(given, unit, now)
    kept: dict[str, Any] = {
        "rrule": _read_rrule(given.get("rrule")),
        "first": first.isoformat(),
        "at": read_clock(given.get("at")),
    }
    if given.get("until") is not None and given.get("count") is not None:
        raise Invalid("schedule.count", given["count"], "give the last day or how many times, not both")
    if given.get("until") is not None:
        until = read_local_day("schedule.until", given["until"])
        if until < first:
            raise Invalid(
                "schedule.until", until.isoformat(), say("must not lie before the first day, {first}", first=first)
            )
        kept["until"] = until.isoformat()
    if given.get("count") is not None:
        count = given["count"]
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_TIMES:
            raise Invalid("schedule.count", count, say("must be from 1 to {most}", most=MOST_TIMES))
        kept["count"] = count
    beginning = datetime.combine(first, time.min, ZoneInfo(unit.timezone))
    if next(list_times(kept, unit, beginning - timedelta(seconds=1)), None) is None:
        raise Invalid("schedule.rrule", kept["rrule"], "names no day within five years; change it or the last day")
    return kept


def plan_times(
    session: Session, rule: Mapping[str, Any], unit: Unit, items: Sequence[Item], now: datetime
) -> Mapping[int, datetime | None]:
    """Its next time that lies ahead; what was past when it was started does not fire. A time that it has fired for, or
    waits for, does not come again.
    """
    since = now - timedelta(minutes=1)  # who starts it at its time means that time
    return {item.number: next(list_times(rule, unit, max(since, item.fired_at or since)), None) for item in items}


def find_following(rule: Mapping[str, Any], unit: Unit, fired_at: datetime) -> datetime | None:
    """The time after this one."""
    return next(list_times(rule, unit, fired_at), None)


def list_times(rule: Mapping[str, Any], unit: Unit, after: datetime) -> Iterator[datetime]:
    """The times (aware, UTC) after this one, in order. A local time that does not exist, since the clocks are put
    forward, is the one that the clocks show instead; one that comes twice is the first.
    """
    zone = ZoneInfo(unit.timezone)
    begin = datetime.combine(date.fromisoformat(rule["first"]), time.fromisoformat(rule["at"]))
    # Without an end, a rule that names no day would be tried up to the year 9999.
    end = max(begin, after.astimezone(zone).replace(tzinfo=None)) + _LONGEST_GAP
    if "until" in rule:
        end = min(end, datetime.combine(date.fromisoformat(rule["until"]), time.max))
    times: rrule = rrulestr(rule["rrule"], dtstart=begin)  # type: ignore[assignment]
    for moment in islice(times.replace(until=end), rule.get("count")):
        at = moment.replace(tzinfo=zone).astimezone(UTC)
        if at > after:
            yield at


def list_next_times(rule: Mapping[str, Any], unit: Unit, after: datetime, most: int = 10) -> list[datetime]:
    """The first of them."""
    return list(islice(list_times(rule, unit, after), most))


def read_first_day(given: Mapping[str, Any], unit: Unit, now: datetime) -> date:
    """The day from which a rule counts, its `first`. Raises Invalid."""
    first = read_local_day("schedule.first", given.get("first"))
    today = now.astimezone(ZoneInfo(unit.timezone)).date()
    if not today - timedelta(days=1) <= first <= today + FURTHEST_FIRST:
        reason = say("must be from today on, at most {most} days ahead", most=FURTHEST_FIRST.days)
        raise Invalid("schedule.first", first.isoformat(), reason)
    return first


def read_local_day(field: str, given: object) -> date:
    """A day given as 2026-12-01. Raises Invalid."""
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        raise Invalid(field, given, "must be a day, such as 2026-12-01") from None


def read_clock(given: object, field: str = "schedule.at") -> str:
    """A time of day given as 8:30, as 08:30. Raises Invalid."""
    match = _CLOCK.fullmatch(str(given))
    if match is None:
        raise Invalid(field, given, "must be a time of day, such as 08:30")
    return f"{int(match[1]):02d}:{match[2]}"


def _read_rrule(given: object) -> str:
    """RFC 5545, section 3.3.10, without the parts below a day and without an end, which has fields of its own."""
    written = str(given or "").strip().upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in written.split(";"))
    if parts.get("FREQ") not in FREQUENCIES or len(written) > LONGEST_RULE:
        reason = say("must be a rule such as FREQ=WEEKLY;BYDAY=MO, its FREQ one of {known}", known=FREQUENCIES)
        raise Invalid("schedule.rrule", given, reason)
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        reason = say(
            "must not have {unknown}; it can have {known}, and the end has its own fields", unknown=unknown, known=PARTS
        )
        raise Invalid("schedule.rrule", given, reason)
    try:
        rrulestr(written, dtstart=datetime(2026, 1, 1))
    except (ValueError, TypeError, KeyError):
        raise Invalid(
            "schedule.rrule", given, "cannot be read; write it as RFC 5545 does, such as FREQ=MONTHLY;BYMONTHDAY=-1"
        ) from None
    return written
