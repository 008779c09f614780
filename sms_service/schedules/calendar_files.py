"""Calendars of a year from files, and from lines as people write or paste them.

A line says days, what they are, and whether people work: `2027-02-05 至 2027-02-11 春节 放假`, `2027-02-07 春节 上班`;
or it is one of the State Council's notice: `二、春节：2月5日（周五）至11日放假调休，共7天。2月14日（周日）上班。`
A file has the columns 日期, 名称, 安排 and, where a row is for several days, 结束日期.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sms_service.directory.columns import Column
from sms_service.directory.day_lines import (
    LONGEST_QUOTED,
    DayLine,
    RefusedLine,
    Span,
    SpanInLine,
    UnreadableDay,
    read_day_lines,
    read_span,
)
from sms_service.directory.reading.encodings import CODECS, detect_encoding
from sms_service.directory.short_files import read_short_file
from sms_service.directory.text import plain_text
from sms_service.errors import Invalid
from sms_service.said import Said, say
from sms_service.schedules.calendar_days import LONGEST_NAME, MOST_DAYS, OFF, ON, CalendarEntry, span_of_year

CALENDAR_COLUMNS: Mapping[str, Column] = {
    "day": Column(
        "日期", ("开始日期", "起始日期", "开始时间", "开始", "时间", "day", "date", "from", "first"), required=True
    ),
    "last": Column("结束日期", ("截止日期", "终止日期", "结束时间", "结束", "截止", "to", "until", "last")),
    "name": Column(
        "名称", ("节日", "节日名称", "节假日", "节假日名称", "假日", "假期", "事由", "说明", "name", "holiday")
    ),
    "works": Column("安排", ("放假或上班", "上班或放假", "类型", "类别", "状态", "是否上班", "works", "kind", "type")),
}
ON_NAME = "调休上班"  # of a day on which people work, where nothing says why
LONGEST_TEXT = 20_000  # characters of pasted lines
# What says that people work, and that they do not; 调休 alone can mean either.
_WORKS = re.compile(
    r"(?P<on>不(?:放假|休息)|(?:调休|补|调)?上班|补班|调班)"
    r"|(?P<off>不(?:上班|工作)|非工作日?|放假(?:调休)?|调休放假|休息日?|休假|补休|(?:法定)?(?:节假日|假日|假期))"
    r"|(?P<on_too>工作日?|\bwork(?:s|ing)?(?: day)?\b)|(?P<off_too>\b(?:holidays?|day off|off)\b)",
    re.IGNORECASE,
)
_LAST_WORD = {"班": True, "休": False, "假": False}
_CELLS = {**_LAST_WORD, "是": True, "否": False, "true": True, "false": False, "1": True, "0": False}
_COUNTED = re.compile(r"共? *\d+ *天")
_NUMBERED = re.compile(r" *(?:\((?:[一二三四五六七八九十]+|\d+)\)|(?:[一二三四五六七八九十]+|\d+) *[、.])")
_MARKS = " ,，.。、;；:：-–—()（）"
_JOINED = re.compile(rf"[{re.escape(_MARKS)}和及与]*")


@dataclass(frozen=True, slots=True)
class ReadCalendar:
    """What a file or lines say: entries by date, each day once, and the rows that cannot be read. Where one cannot,
    nothing of it is to be set.
    """

    entries: tuple[CalendarEntry, ...]
    refused: tuple[RefusedLine, ...]


def read_calendar_text(written: str, year: int | None = None) -> ReadCalendar:
    """Lines, the empty ones left out. `year`: of days that name none, such as 2月5日.

    Raises Invalid (`text`, `year`).
    """
    if len(written) > LONGEST_TEXT:
        raise Invalid("text", None, say("must have at most {most} characters", most=LONGEST_TEXT))
    _check_year(year)
    reading = _Reading()
    for line in read_day_lines(written, year):
        if isinstance(line, RefusedLine):
            reading.refused.append(line)
        else:
            _read_line(line, reading)
    return reading.finish("text")


def read_calendar_file(data: bytes, file_name: str, year: int | None = None) -> ReadCalendar:
    """A file: xlsx or CSV with a row for a day or for several in a row, or a text of lines (.txt).

    Raises Invalid (`file`, `year`).
    """
    _check_year(year)
    if file_name.lower().endswith(".txt"):
        if len(data) > 4 * LONGEST_TEXT:
            raise Invalid("file", None, say("must have at most {most} characters", most=LONGEST_TEXT))
        try:
            return read_calendar_text(_decode(data), year)
        except Invalid as error:
            raise Invalid("file", None, error.reason) from None
    reading = _Reading()
    for row, cells in read_short_file(data, CALENDAR_COLUMNS, MOST_DAYS):
        _read_row(row, {name: plain_text(cell or "") for name, cell in cells.items()}, year, reading)
    return reading.finish("file")


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.entries: dict[date, CalendarEntry] = {}
        self.rows: dict[date, int] = {}
        self.refused: list[RefusedLine] = []

    def refuse(self, row: int, value: str, reason: Said) -> None:
        self.refused.append(RefusedLine(row, value[:LONGEST_QUOTED], reason))

    def take(self, row: int, written: str, span: Span, works: bool, name: str) -> None:
        name = name or (ON_NAME if works else OFF)
        if len(name) > LONGEST_NAME:
            longer = "its name has more than {most} characters: {name}"
            self.refuse(row, written, say(longer, most=LONGEST_NAME, name=name[:LONGEST_QUOTED]))
            return
        for day in _days_of(span):
            if day in self.entries and (self.entries[day].works, self.entries[day].name) != (works, name):
                message = "says something else about {day} than row {row}; keep one"
                self.refuse(row, written, say(message, day=day, row=self.rows[day]))
                return
        for day in _days_of(span):
            self.entries[day] = CalendarEntry(day, works, name)
            self.rows.setdefault(day, row)

    def finish(self, field: str) -> ReadCalendar:
        """Raises Invalid(field) where there is nothing, or too much."""
        if not self.entries and not self.refused:
            raise Invalid(field, None, "has no day in it")
        if len(self.entries) > MOST_DAYS:
            raise Invalid(field, len(self.entries), say("has more than {most} days; split it", most=MOST_DAYS))
        return ReadCalendar(tuple(sorted(self.entries.values())), tuple(self.refused))


def _read_line(line: DayLine, reading: _Reading) -> None:
    heading = _NUMBERED.sub("", line.heading, count=1).strip(_MARKS)
    for spans, words in _share_words(line.spans):
        works = _read_works(words)
        if works is None and not _WORKS.search(words):
            works = _read_works(heading)
        if works is None:
            reading.refuse(line.row, line.written, _ask_for_works(words))
            return
        name = _clean(heading) or _clean(words)
        if works and _clean(heading) and not name.endswith("调休"):
            name += "调休"
        for span in spans:
            reading.take(line.row, line.written, span, works, name)


def _share_words(spans: tuple[SpanInLine, ...]) -> Iterator[tuple[list[Span], str]]:
    """Spans that only marks divide have the words behind the last of them: 2月14日、2月28日上班."""
    together: list[Span] = []
    for number, (span, words) in enumerate(spans, start=1):
        together.append(span)
        if number == len(spans) or not _JOINED.fullmatch(words):
            yield together, words.strip(_MARKS)
            together = []


def _read_row(row: int, cells: Mapping[str, str], year: int | None, reading: _Reading) -> None:
    day, last, name, said = (cells.get(field, "") for field in CALENDAR_COLUMNS)
    written = " ".join(cell for cell in (day, last, name, said) if cell)
    if not day:
        reading.refuse(row, written, say("has no day; write it like {example}", example="2027-02-05"))
        return
    try:
        span = read_span(day, year)
        if last:
            span = Span(span.first, read_span(last, span.first.year).last)
    except UnreadableDay as error:
        reading.refuse(row, written, error.reason)
        return
    if not 0 <= (span.last - span.first).days < MOST_DAYS:
        message = "{last} must be a day after {first}, less than {most} days later"
        reading.refuse(row, written, say(message, last=span.last, first=span.first, most=MOST_DAYS))
        return
    works = _CELLS.get(said.casefold(), _read_works(said)) if said else _read_works(name)
    if works is None:
        reading.refuse(row, written, _ask_for_works(said or name))
        return
    reading.take(row, written, span, works, _clean(name))


def _read_works(words: str) -> bool | None:
    """Whether people work; None where the words say neither, or both."""
    last = words.rpartition(" ")[2]
    if last in _LAST_WORD:
        return _LAST_WORD[last]
    found = {(match.lastgroup or "").startswith("on") for match in _WORKS.finditer(words)}
    return found.pop() if len(found) == 1 else None


def _clean(words: str) -> str:
    """What day it is, without what says whether people work and for how many days."""
    rest = _COUNTED.sub(" ", _WORKS.sub(" ", words)).split()
    if rest and rest[-1] in _LAST_WORD:
        rest.pop()
    return " ".join(rest).strip(_MARKS)


def _ask_for_works(words: str) -> Said:
    message = "says neither that people work nor that they do not: {words}; write {off} or {on}"
    return say(message, words=words[:LONGEST_QUOTED] or "—", off=OFF, on=ON)


def _days_of(span: Span) -> list[date]:
    return [span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)]


def _check_year(year: int | None) -> None:
    if year is not None:
        span_of_year(year)


def _decode(data: bytes) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return data.decode(CODECS[detect_encoding(Path(file.name), None)])
