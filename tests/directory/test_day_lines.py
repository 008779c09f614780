"""Days as people write them in calendars: read, or refused with what would be right; never guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.directory.day_lines import (
    DayLine,
    RefusedLine,
    Span,
    UnreadableDay,
    read_day_lines,
    read_span,
)


def days(first: str, last: str | None = None) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last or first))


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("2027-02-05", days("2027-02-05")),
        ("2027/2/5", days("2027-02-05")),
        ("２０２７年２月５日", days("2027-02-05")),
        ("20270205", days("2027-02-05")),
        ("46423", days("2027-02-05")),  # as a spreadsheet keeps it
        ("2027-02-05 00:00:00", days("2027-02-05")),
        ("2月5日", days("2027-02-05")),
        ("2月5号（周五）", days("2027-02-05")),
        ("2027-02-05 至 2027-02-11", days("2027-02-05", "2027-02-11")),
        ("2027年2月5日—11日", days("2027-02-05", "2027-02-11")),
        ("2月5日（农历腊月二十九、周五）至11日（周四）", days("2027-02-05", "2027-02-11")),
        ("2027-02-05~02-11", days("2027-02-05", "2027-02-11")),
        ("12月30日至1月3日", days("2027-12-30", "2028-01-03")),
        ("2026年12月31日至2027年1月2日", days("2026-12-31", "2027-01-02")),
    ],
)
def test_a_cell_is_read(written: str, span: Span) -> None:
    assert read_span(written, 2027) == span


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("2027-02-30", "is no day of the calendar"),
        ("2月5日（周六）", "2027-02-05 is a 周五, not a 周六"),
        ("2027-02-11 至 2027-02-05", "must be a day after"),
        ("2027-02-05 至 2029-02-05", "must be a day after"),
        ("2027年2月", "is no day; write it like 2027-02-05"),
        ("春节", "is no day; write it like 2027-02-05"),
        ("", "is no day"),
    ],
)
def test_a_cell_that_is_no_day_says_what_would_be_right(written: str, reason: str) -> None:
    with pytest.raises(UnreadableDay, match=reason):
        read_span(written, 2027)


def test_a_day_without_a_year_needs_one() -> None:
    with pytest.raises(UnreadableDay, match="names no year; write it like 2027年2月5日"):
        read_span("2月5日")


def test_a_line_of_the_notice_is_taken_apart() -> None:
    written = (
        "\n二、春节：2月15日（农历腊月二十八、周日）至23日（周一）放假，共9天。2月14日（周六）、2月28日（周六）上班。"
    )
    (line,) = read_day_lines(written, 2026)
    assert isinstance(line, DayLine)
    assert (line.row, line.heading) == (2, "二、春节:")
    assert [one.span for one in line.spans] == [
        days("2026-02-15", "2026-02-23"),
        days("2026-02-14"),
        days("2026-02-28"),
    ]
    assert [one.words for one in line.spans] == ["放假,共9天。", "、", "上班。"]


def test_a_last_day_that_cannot_be_read_is_not_left_out() -> None:
    (line,) = read_day_lines("2027-02-05 至 2027 春节")
    assert isinstance(line, RefusedLine)
    assert "the last day cannot be read" in line.reason


@given(st.text(max_size=80), st.sampled_from([None, 2027]))
def test_any_text_is_read_or_refused(written: str, year: int | None) -> None:
    for line in read_day_lines(written, year):
        assert line.row >= 1
        if isinstance(line, DayLine):
            assert all(one.span.first <= one.span.last for one in line.spans)


@given(st.dates(date(2000, 1, 1), date(2100, 12, 31)), st.integers(0, 399))
def test_what_is_written_out_is_read_back(first: date, more: int) -> None:
    last = min(date.fromordinal(first.toordinal() + more), date(2100, 12, 31))
    assert read_span(f"{first} 至 {last}") == (first, last)
    long = f"{first.year}年{first.month}月{first.day}日至{last.year}年{last.month}月{last.day}日"
    assert read_span(long) == (first, last)
