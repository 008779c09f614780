"""What a form shows of a rule, and the rule that it makes of that, are one and the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.catalogues import get_catalogue
from sms_service.directory.models import Unit
from sms_service.said import translate
from sms_service.schedules.recurring import list_next_times
from sms_service.schedules.rhythms import Rhythm, describe_recurrence, read_rhythm, write_rrule

FIRST = date(2026, 12, 1)  # a Tuesday
UNIT = Unit(timezone="Asia/Shanghai", window_opens=480, window_closes=1200)
NOW = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
DAYS = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])

rhythms = st.one_of(
    st.sampled_from([Rhythm("day"), Rhythm("year")]),
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: Rhythm("week", tuple(sorted(days)))),
    st.sampled_from([-1, *range(1, 32)]).map(lambda day: Rhythm("month_day", day=day)),
    st.builds(
        lambda nth, day: Rhythm("month_weekday", (day,), nth=nth), st.sampled_from([1, 2, 3, 4, -1]), st.integers(0, 6)
    ),
)
rules = st.one_of(
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY", "FREQ=DAILY;INTERVAL=1;WKST=SU"]),
    st.lists(DAYS, min_size=1, max_size=8).map(lambda days: f"BYDAY={','.join(days)};FREQ=WEEKLY"),
    st.integers(-1, 31).filter(bool).map(lambda day: f"FREQ=MONTHLY;BYMONTHDAY={day}"),
    st.builds(lambda nth, day: f"FREQ=MONTHLY;BYDAY={nth}{day}", st.sampled_from([-1, 1, 2, 3, 4, "+2"]), DAYS),
)


def times(rrule: str, first: date) -> list[datetime]:
    return list_next_times({"rrule": rrule, "first": first.isoformat(), "at": "08:30"}, UNIT, NOW)


@given(rhythms, st.dates(date(2026, 12, 1), date(2027, 12, 1)))
def test_a_rhythm_comes_back_as_it_was(rhythm: Rhythm, first: date) -> None:
    assert read_rhythm(write_rrule(rhythm), first) == rhythm


@given(rules, st.dates(date(2026, 12, 1), date(2027, 12, 1)))
def test_a_rule_that_a_form_can_show_keeps_its_times(rrule: str, first: date) -> None:
    rhythm = read_rhythm(rrule, first)
    assert rhythm is not None
    assert times(write_rrule(rhythm), first) == times(rrule, first)


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYMONTHDAY=-2",
        "FREQ=MONTHLY;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=-2FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=7;BYMONTHDAY=1",
        "FREQ=DAILY;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=1MO",
    ],
)
def test_a_rule_that_says_more_stays_a_rule(rrule: str) -> None:
    assert read_rhythm(rrule, FIRST) is None
    assert rrule in describe_recurrence({"rrule": rrule, "first": "2026-12-01", "at": "08:30"})


@pytest.mark.parametrize(
    ("rrule", "more", "english", "chinese"),
    [
        ("FREQ=DAILY", {}, "Every day at 08:30", "每天 08:30"),
        (
            "FREQ=WEEKLY;BYDAY=MO,TH",
            {"until": "2027-06-30"},
            "Every Monday, Thursday at 08:30, until 2027-06-30",
            "每周一、周四 08:30，至 2027-06-30",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15",
            {"count": 10},
            "On day 15 of each month at 08:30, 10 times in all",
            "每月15日 08:30，共 10 次",
        ),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", {}, "On the last day of each month at 08:30", "每月最后一天 08:30"),
        ("FREQ=MONTHLY;BYDAY=2TU", {}, "On the second Tuesday of each month at 08:30", "每月第二个周二 08:30"),
        ("FREQ=MONTHLY;BYDAY=-1FR", {}, "On the last Friday of each month at 08:30", "每月最后一个周五 08:30"),
        ("FREQ=YEARLY", {}, "Each year on 1 December at 08:30", "每年12月1日 08:30"),
        (
            "FREQ=WEEKLY;INTERVAL=2",
            {},
            "By the rule FREQ=WEEKLY;INTERVAL=2 at 08:30",
            "按规则 FREQ=WEEKLY;INTERVAL=2 08:30",
        ),
    ],
)
def test_the_rule_in_words(rrule: str, more: dict[str, Any], english: str, chinese: str) -> None:
    said = describe_recurrence({"rrule": rrule, "first": "2026-12-01", "at": "08:30", **more})
    assert (said, translate(said, get_catalogue("zh"))) == (english, chinese)
