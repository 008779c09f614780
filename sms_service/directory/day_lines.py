"""Calendars as people write them, line by line: days, what stands before them and what stands behind.

`2027-02-05 至 2027-02-11 春节`, or as the State Council's notices of a year have it:
`二、春节：2月15日（农历腊月二十八、周日）至23日（周一）放假调休，共9天。2月14日（周六）、2月28日（周六）上班。`
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from sms_service.directory.dates import read_date
from sms_service.directory.text import plain_text, visible_text
from sms_service.said import Said, as_said, say

LONGEST_SPAN = 400  # days in a row: a year's calendar
LONGEST_QUOTED = 50  # characters of what cannot be read
_WEEKDAYS = "一二三四五六日"
_FULL = r"\d{4} *年 *\d{1,2} *月 *\d{1,2} *[日号]?|\d{4} *[-/.] *\d{1,2} *[-/.] *\d{1,2}|\d{8}"
_OF_YEAR = r"\d{1,2} *月 *\d{1,2} *[日号]?"
_SHORT = rf"{_FULL}|{_OF_YEAR}|\d{{1,2}} *[-/.] *\d{{1,2}}|\d{{1,2}} *[日号]?"
_WEEKDAY = r" *(?:周|星期|礼拜)([一二三四五六日天])"
_BESIDE = rf"(?: *\(([^()]*)\)|{_WEEKDAY})?"
_TO = r" *(?:-+|–+|—+|~+|至|到|to\b) *"
_SPAN = re.compile(rf"(?<!\d)({_FULL}|{_OF_YEAR})(?!\d){_BESIDE}(?:{_TO}({_SHORT})(?!\d){_BESIDE})?", re.IGNORECASE)
_OPEN_END = re.compile(rf"{_TO}(?=\d|月|年)", re.IGNORECASE)
_DAY_NUMBER = re.compile(r"\d{5}")


class Span(NamedTuple):
    """A day, or several in a row."""

    first: date
    last: date


class SpanInLine(NamedTuple):
    """A span, and what stands between it and the next one."""

    span: Span
    words: str


class DayLine(NamedTuple):
    """A line that can be read. `row`: its number from 1; `heading`: what stands before its first day."""

    row: int
    written: str
    heading: str
    spans: tuple[SpanInLine, ...]


class RefusedLine(NamedTuple):
    """A row or line that cannot be read: its number, what it holds, and what would be right."""

    row: int
    value: str
    reason: Said


class UnreadableDay(ValueError):
    """`reason`: why a text is no day."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = as_said(reason)


def read_day_lines(written: str, year: int | None = None) -> list[DayLine | RefusedLine]:
    """The lines of a calendar but the empty ones. `year`: of days that name none, such as 2月5日."""
    return [
        read_day_line(row, line, year) for row, line in enumerate(written.splitlines(), start=1) if plain_text(line)
    ]


def read_day_line(row: int, line: str, year: int | None = None) -> DayLine | RefusedLine:
    """One line; a day without a year has that of the day before it in the line, else `year`."""
    plain = plain_text(line)
    matches = list(_SPAN.finditer(plain))
    try:
        if not matches:
            raise UnreadableDay(say("has no day; write it like {example}", example="2027-02-05 春节"))
        spans = []
        for match, following in zip(matches, [*matches[1:], None], strict=True):
            span = _span_of(match, year)
            year = span.last.year
            words = plain[match.end() : following.start() if following else len(plain)]
            if _OPEN_END.match(words):
                message = "the last day cannot be read in {words}; write it like {example}"
                words = words.strip()[:LONGEST_QUOTED]
                raise UnreadableDay(say(message, words=words, example="2027-02-05 至 2027-02-11"))
            spans.append(SpanInLine(span, words))
    except UnreadableDay as error:
        return RefusedLine(row, visible_text(line)[:LONGEST_QUOTED], error.reason)
    return DayLine(row, visible_text(line), plain[: matches[0].start()], tuple(spans))


def read_span(written: str, year: int | None = None) -> Span:
    """A cell that is a day or several in a row, and nothing else. Raises UnreadableDay."""
    plain = plain_text(written)
    match = _SPAN.fullmatch(plain)
    if match is None:
        found = read_date(plain)  # also what only a spreadsheet writes, such as the number of a day
        if found.day is None or (found.note is not None and not _DAY_NUMBER.fullmatch(plain)):
            message = "{value} is no day; write it like {example}"
            raise UnreadableDay(say(message, value=plain[:LONGEST_QUOTED], example="2027-02-05"))
        return Span(date.fromisoformat(found.day), date.fromisoformat(found.day))
    return _span_of(match, year)


def _span_of(match: re.Match[str], year: int | None) -> Span:
    first = _read_day(match[1], year)
    _check_weekday(first, match[2], match[3])
    if match[4] is None:
        return Span(first, first)
    last = _read_day(_complete(match[4], first), first.year)
    if last < first and _names_no_year(match[4]) and last.month < first.month:  # 12月30日至1月3日
        last = _read_day(_complete(match[4], first), first.year + 1)
    _check_weekday(last, match[5], match[6])
    if not 0 <= (last - first).days < LONGEST_SPAN:
        message = "{last} must be a day after {first}, less than {most} days later"
        raise UnreadableDay(say(message, last=last, first=first, most=LONGEST_SPAN))
    return Span(first, last)


def _names_no_year(written: str) -> bool:
    return re.match(r"\d{4}", written) is None


def _complete(written: str, first: date) -> str:
    """A last day with the month that it takes from the first one: 11日, 11; and 02-11 as 2月11日."""
    if re.fullmatch(r"\d{1,2} *[日号]?", written):
        return f"{first.month}月{written.strip('日号 ')}日"
    if re.fullmatch(r"\d{1,2} *[-/.] *\d{1,2}", written):
        month, day = re.findall(r"\d+", written)
        return f"{month}月{day}日"
    return written


def _read_day(written: str, year: int | None) -> date:
    if _names_no_year(written):
        if year is None:
            message = "{value} names no year; write it like {example}, or say for which year the list is"
            raise UnreadableDay(say(message, value=written, example=f"2027年{written}"))
        written = f"{year}年{written}"
    day = read_date(written).day
    if day is None:
        raise UnreadableDay(say("{value} is no day of the calendar", value=written))
    return date.fromisoformat(day)


def _check_weekday(day: date, beside: str | None, bare: str | None) -> None:
    found = re.search(_WEEKDAY, beside) if beside else None
    written = bare or (found[1] if found else None)
    if written is None:
        return
    meant = _WEEKDAYS[day.weekday()]
    if written.replace("天", "日") != meant:
        message = "{day} is a {meant}, not a {written}; look whether day and year are right"
        raise UnreadableDay(say(message, day=day, meant=f"周{meant}", written=f"周{written}"))
