"""The times of a recurring campaign: RFC 5545 in the unit's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.schedules.recurring import list_next_times, list_times, read_rule

NOW = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)


def unit(zone: str = "Asia/Shanghai") -> Unit:
    return Unit(timezone=zone, window_opens=480, window_closes=1200)


def local(rule: dict[str, Any], after: datetime = NOW, most: int = 10, zone: str = "Asia/Shanghai") -> list[str]:
    times = list_next_times(rule, unit(zone), after, most)
    return [f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for at in times]


def test_the_last_day_of_each_month() -> None:
    rule = read_rule({"rrule": "FREQ=MONTHLY;BYMONTHDAY=-1", "first": "2026-12-01", "at": "8:30"}, unit(), NOW)
    assert local(rule, most=4) == ["2026-12-31 08:30", "2027-01-31 08:30", "2027-02-28 08:30", "2027-03-31 08:30"]


def test_a_day_that_a_month_does_not_have_is_left_out() -> None:
    rule = read_rule({"rrule": "FREQ=MONTHLY;BYMONTHDAY=31", "first": "2026-12-01", "at": "08:30"}, unit(), NOW)
    assert local(rule, most=3) == ["2026-12-31 08:30", "2027-01-31 08:30", "2027-03-31 08:30"]


@pytest.mark.parametrize(
    ("end", "last"), [({"count": 3}, "2026-12-14 09:00"), ({"until": "2026-12-14"}, "2026-12-14 09:00")]
)
def test_it_ends_by_number_or_by_a_day_inclusive(end: dict[str, Any], last: str) -> None:
    given = {"rrule": "RRULE:freq=weekly;byday=mo", "first": "2026-11-30", "at": "09:00", **end}
    rule = read_rule(given, unit(), NOW)
    found = local(rule)
    assert (len(found), found[-1]) == (3, last)


def test_it_follows_the_clocks_when_they_are_put_forward_and_back() -> None:
    zone = "Europe/Berlin"
    given = {"rrule": "FREQ=DAILY", "first": "2027-03-27", "at": "02:30"}
    rule = read_rule(given, unit(zone), NOW)
    assert local(rule, zone=zone, most=3) == ["2027-03-27 02:30", "2027-03-28 03:30", "2027-03-29 02:30"]
    given = {"rrule": "FREQ=DAILY", "first": "2027-10-30", "at": "02:30"}
    found = list_next_times(read_rule(given, unit(zone), NOW), unit(zone), NOW, 3)
    assert [at.hour for at in found] == [0, 0, 1]  # UTC; of the hour that comes twice, the first


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("rrule", {"rrule": "FREQ=HOURLY"}),
        ("rrule", {"rrule": "FREQ=DAILY;BYHOUR=3"}),
        ("rrule", {"rrule": "FREQ=DAILY;COUNT=3"}),
        ("rrule", {"rrule": "FREQ=MONTHLY;BYMONTHDAY=99"}),
        ("rrule", {"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}),
        ("rrule", {"rrule": "FREQ=DAILY;INTERVAL=x"}),
        ("rrule", {"rrule": None}),
        ("first", {"first": "2026-02-30"}),
        ("first", {"first": "2026-11-01"}),
        ("first", {"first": "2029-01-01"}),
        ("at", {"at": "24:00"}),
        ("until", {"until": "2026-11-30"}),
        ("count", {"count": 0}),
        ("count", {"count": 2, "until": "2027-01-01"}),
    ],
)
def test_a_rule_that_cannot_be_used_names_its_field(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        read_rule({"rrule": "FREQ=DAILY", "first": "2026-12-01", "at": "08:30"} | wrong, unit(), NOW)
    assert refused.value.field == f"schedule.{field}"


_RULES = st.sampled_from(
    ("FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY;BYMONTHDAY=-1,15", "FREQ=YEARLY")
)
_ZONES = st.sampled_from(("Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo", "Asia/Urumqi"))


@given(rule=_RULES, zone=_ZONES, day=st.integers(1, 300), minute=st.integers(0, 1439), hours=st.integers(-48, 9000))
def test_the_time_after_a_time_is_its_neighbour(rule: str, zone: str, day: int, minute: int, hours: int) -> None:
    first = (NOW + timedelta(days=day)).date()
    given = {"rrule": rule, "first": first.isoformat(), "at": f"{minute // 60:02d}:{minute % 60:02d}"}
    kept = read_rule(given, unit(zone), NOW)
    times = list_next_times(kept, unit(zone), NOW + timedelta(hours=hours), 5)
    assert times == sorted(set(times))
    assert all(next(list_times(kept, unit(zone), one)) == other for one, other in pairwise(times))
