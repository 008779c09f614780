"""Dates as people write them, in one form: 1985-03-01, which the rules of segments compare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from sms_service.directory.text import plain_text
from sms_service.said import say

EARLIEST_YEAR, LATEST_YEAR = 1850, 2150
_CLOCK = r"(?:[ T]*(\d{1,2}:\d{2})(?::\d{2})?(?:\.\d+)?)?"
_FULL = re.compile(r"(\d{4})(?: *[-/.] *| )(\d{1,2})(?: *[-/.] *| )(\d{1,2})" + _CLOCK)
_CHINESE = re.compile(r"(\d{4}) *年 *(\d{1,2}) *月 *(\d{1,2}) *[日号]?" + _CLOCK)
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})")
_LAST_YEAR = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + _CLOCK)
_MONTH = re.compile(r"(\d{4}) *(?:[-/.] *(\d{1,2})|年 *(\d{1,2}) *月?|(\d{2}))")
_TENTH_OR_FIRST = re.compile(r"\d{4}\.1")  # a spreadsheet shows the number 1987.10 so
_SURELY = re.compile(r"\s*\d{4}\s*[-/年－／]")
_DAY_NUMBER = re.compile(r"[1-6]\d{4}")  # 1927 to 2091
_OF_DATES = re.compile(
    r"(日期|年月|年月日|生日|出生|(入党|入团|加入|参加|转正|出生|任职|毕业|调入|调出)\S*时间|\b(date|birthday|birth|born))$|_on$",
    re.IGNORECASE,
)
_NUMERALS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "○": 0}
_IN_NUMERALS = re.compile(
    r"([〇零○一二三四五六七八九]{4}) *年 *(?:([一二三四五六七八九十]+) *月 *(?:([一二三四五六七八九十]+) *[日号]?)?)"
)

_NOT_A_DATE = say("is not a date like 1985-03-01; kept as written, and no date rule finds it")
_FIRST_OR_TENTH = say("may be January or October; write it like 1987-10-01; kept as written, and no date rule finds it")


@dataclass(frozen=True, slots=True)
class DateReading:
    """What a cell says: `day`, ISO 8601, or `problem`, why it is none. `note` says what was decided in reading it."""

    day: str | None = None
    problem: str | None = None
    note: str | None = None


@lru_cache(maxsize=1_024)  # asked for each cell of a column
def holds_dates(header: str) -> bool:
    """Whether a column with this header holds dates: 入党日期, 出生年月, 转正时间, birthday, joined_on."""
    return bool(_OF_DATES.search(re.sub(r"\(.*?\)", "", plain_text(header)).strip("*: ")))


def read_date(raw: str) -> DateReading:
    """Read a cell of a column of dates. A month without a day is its first day, with a note.

    Understood: 1985-3-1, 1985/3/1, 1985.3.1, 1985年3月1日, 19850301, 一九八五年三月一日, 31.12.1999, 12/31/1999, a
    month alone (1985.03, 1985年3月, 198503), and the number of a day in a spreadsheet (31107). A time is left out.
    """
    text = _plain(raw)
    if found := _FULL.fullmatch(text) or _CHINESE.fullmatch(text):
        return _day(found[1], found[2], found[3], clock=found[4])
    if found := _DIGITS.fullmatch(text):
        return _day(found[1], found[2], found[3])
    if found := _LAST_YEAR.fullmatch(text):
        return _year_last(found)
    if _TENTH_OR_FIRST.fullmatch(text):
        return DateReading(problem=_FIRST_OR_TENTH)
    if found := _MONTH.fullmatch(text):
        return _day(found[1], found[2] or found[3] or found[4], None)
    if _DAY_NUMBER.fullmatch(text):
        day = date(1899, 12, 30) + timedelta(days=int(text))
        return DateReading(day.isoformat(), note=say("was read as the day number of a spreadsheet: {day}", day=day))
    return DateReading(problem=_NOT_A_DATE)


def find_date(raw: str) -> str | None:
    """The day, if this cell of any column is surely a date (1985-3-1, 1985/3/1, 1985年3月1日); else None."""
    text = _plain(raw) if _SURELY.match(raw) else ""
    found = _FULL.fullmatch(text) or _CHINESE.fullmatch(text)
    if found is None or (found[4] and found[4].strip("0:")):
        return None
    return _day(found[1], found[2], found[3]).day


def _plain(raw: str) -> str:
    text = plain_text(raw)
    if found := _IN_NUMERALS.fullmatch(text):
        year = "".join(str(_NUMERALS[numeral]) for numeral in found[1])
        text = f"{year}年{_count(found[2])}月" + (f"{_count(found[3])}日" if found[3] else "")
    return text


def _count(numerals: str) -> int:
    """十 is 10, 十二 is 12, 二十 is 20, 三十一 is 31."""
    tens, ten, ones = numerals.rpartition("十")
    if not ten:
        return _NUMERALS[ones] if len(ones) == 1 else 0
    return 10 * (_NUMERALS.get(tens, 0) if tens else 1) + (_NUMERALS.get(ones, 0) if ones else 0)


def _year_last(found: re.Match[str]) -> DateReading:
    """31.12.1999 has its day first. With other signs either may come first: only what can mean one day is taken."""
    first, second, year = int(found[1]), int(found[3]), found[4]
    if found[2] == "." or first > 12:
        return _day(year, found[3], found[1], clock=found[5])
    if second > 12 or first == second:
        return _day(year, found[1], found[3], clock=found[5])
    return DateReading(problem=_NOT_A_DATE)


def _day(year: str, month: str, day: str | None, clock: str | None = None) -> DateReading:
    try:
        found = date(int(year), int(month), int(day or 1))
    except ValueError:
        return DateReading(problem=_NOT_A_DATE)
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        return DateReading(problem=_NOT_A_DATE)
    note: str | None = None
    if day is None:
        note = say("says no day; the first of the month was taken: {day}", day=found)
    elif clock and clock.strip("0:"):
        note = say("was taken without its time: {day}", day=found)
    return DateReading(found.isoformat(), note=note)
