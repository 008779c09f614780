"""Dates and times as people write them: 2026-12-01, 2026年12月1日, 12月1日, 本周六上午9时, 9:00至11:00."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from typing import NamedTuple

WEEKDAYS = "一二三四五六日"

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九十")} | {"两": 2, "〇": 0}
_NUMBER = r"[0-9]{1,2}|[〇零一二两三四五六七八九十]{1,3}"
_YEAR = r"(?:19|20)[0-9]{2}"
_DAY = re.compile(
    rf"(?:(?P<iso>{_YEAR})\s*[-/.]\s*(?P<iso_month>[0-9]{{1,2}})\s*[-/.]\s*(?P<iso_day>[0-9]{{1,2}})"
    rf"|(?:(?P<year>{_YEAR})年)?\s*(?P<month>{_NUMBER})月(?P<day>{_NUMBER})[日号]"
    rf"|(?P<word>今天|今日|明天|明日|后天|(?:本周|下周|这周|下下周|周|本星期|下星期|星期|礼拜)[一二三四五六日天末]))"
    rf"\s*(?P<weekday>\(?(?:周|星期|礼拜)[一二三四五六日天]\)?)?"
)
_CLOCK = re.compile(
    rf"(?P<half>凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|晚)?\s*"
    rf"(?P<hour>{_NUMBER})(?:\s*:\s*(?P<minute>[0-9]{{2}})(?::[0-9]{{2}})?"
    rf"|[点时](?:(?P<mark>半|整|一刻|三刻)|(?P<spoken>{_NUMBER})分?)?)"
)
_TO = re.compile(r"\s*(?:-|—|–|~|至|到)+\s*")
_BETWEEN = re.compile(r"[\sT,、]*")
_LEAP_YEAR = 2024  # so that 2月29日 without a year is a day
_MARKS = {"半": 30, "整": 0, "一刻": 15, "三刻": 45, None: 0}
_AFTERNOON = ("下午", "傍晚", "晚上", "晚")
_NEAR = {"今": 0, "明": 1, "后": 2}
_WEEKS = (("下下", 2), ("下", 1), ("本", 0), ("这", 0))
_RELATIVE = re.compile("今天|今日|明天|明日|后天|[本这下](?:周|星期)[一二三四五六日天末]")
_HALF_A_YEAR = timedelta(days=183)


class Day(NamedTuple):
    """A day. `word`: 今天, 本周六 and the like, which stand for themselves; otherwise month and day are known, and the
    year if it was written.
    """

    year: int | None
    month: int
    day: int
    word: str | None = None

    def write(self, *, year: bool = False) -> str:
        """12月1日; with `year`, where it is known, 2026年12月1日."""
        if self.word is not None:
            return self.word
        ahead = f"{self.year}年" if year and self.year is not None else ""
        return f"{ahead}{self.month}月{self.day}日"

    def weekday(self) -> str | None:
        """一 to 日; None: nobody can tell without the year."""
        if self.word is not None:
            named = self.word[-1].replace("天", "日")
            return named if named in WEEKDAYS and self.word[0] not in "今明后" else None
        return None if self.year is None else WEEKDAYS[date(self.year, self.month, self.day).weekday()]


class TimeOfDay(NamedTuple):
    """A time of day, on 24 hours."""

    hour: int
    minute: int

    def write(self) -> str:
        """上午9:00, 中午12:00, 下午3:30, 晚上7:00."""
        half, hour = "上午", self.hour
        if self.hour < 5:
            half = "凌晨"
        elif self.hour == 12:
            half = "中午"
        elif self.hour > 12:
            half, hour = ("下午" if self.hour < 18 else "晚上"), self.hour - 12
        return f"{half}{hour}:{self.minute:02}"


class DayAndTime(NamedTuple):
    """A day, and when on it; `until`: when it ends, where that was written."""

    day: Day
    clock: TimeOfDay
    until: TimeOfDay | None


def read_day(text: str) -> Day | None:
    """The day that the text is, with or without its weekday; None: it is none, such as 2月30日."""
    plain = _plain(text)
    match = _DAY.match(plain)
    return None if match is None or match.end() != len(plain) else _day_of(match)


def read_time_of_day(text: str) -> TimeOfDay | None:
    """The time of day that the text is; None: it is none."""
    plain = _plain(text)
    match = _CLOCK.match(plain)
    return None if match is None or match.end() != len(plain) else _clock_of(match)


def read_day_and_time(text: str) -> DayAndTime | None:
    """The day and time that the text is, or the day with the times from which and to which; None: it is none."""
    plain = _plain(text)
    match = _DAY.match(plain)
    day = None if match is None else _day_of(match)
    if match is None or day is None:
        return None
    start = _CLOCK.match(plain, _skip(_BETWEEN, plain, match.end()))
    clock = None if start is None else _clock_of(start)
    if start is None or clock is None:
        return None
    if start.end() == len(plain):
        return DayAndTime(day, clock, None)
    to = _TO.match(plain, start.end())
    end = None if to is None else _CLOCK.fullmatch(plain, to.end())
    until = None if end is None else _clock_of(end, start["half"])
    return None if until is None else DayAndTime(day, clock, until)


def find_meant_date(text: str, written: date) -> date | None:
    """The date that a day, with or without a time, means where it was `written` on that day: 本周六 is the Saturday of
    that week, 1月5日 written in December the next year's. None: the text is no day, or one that nobody can tell.
    """
    found = read_day(text)
    if found is None:
        both = read_day_and_time(text)
        found = None if both is None else both.day
    return None if found is None else _date_of(found, written)


def move_ahead(text: str, written: date, today: date) -> str | None:
    """What a day, with or without a time, says to whoever offers it again `today`: the date by its name, such as
    12月5日（星期六）上午9时; where it is over, the next such day of the week. Other texts are as they were, but for
    None: they hold a word for a day, such as 明天, that means another one now.
    """
    meant, plain = find_meant_date(text, written), _plain(text)
    if meant is None:
        return None if _RELATIVE.search(plain) else text
    if meant <= today:
        meant = today + timedelta(days=(meant - today).days % 7 or 7)
    match = _DAY.match(plain)
    assert match is not None
    return f"{meant.month}月{meant.day}日（星期{WEEKDAYS[meant.weekday()]}）{plain[match.end() :].lstrip('T,、 ')}"


def _date_of(day: Day, written: date) -> date | None:
    if day.word is None:
        year = written.year if day.year is None else day.year
        try:
            meant = date(year, day.month, day.day)
            if day.year is None and written - meant > _HALF_A_YEAR:
                meant = date(year + 1, day.month, day.day)
        except ValueError:  # 2月29日
            return None
        return meant
    if day.word[0] in _NEAR:
        return written + timedelta(days=_NEAR[day.word[0]])
    weekday = day.weekday()
    if weekday is None:  # 本周末
        return None
    ahead = WEEKDAYS.index(weekday) - written.weekday()
    weeks = next((number for word, number in _WEEKS if day.word.startswith(word)), None)
    return written + timedelta(days=ahead % 7 if weeks is None else ahead + 7 * weeks)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _day_of(match: re.Match[str]) -> Day | None:
    if match["word"]:
        return Day(None, 0, 0, match["word"])
    year = match["iso"] or match["year"]
    month, day = _number(match["iso_month"] or match["month"]), _number(match["iso_day"] or match["day"])
    try:
        date(int(year) if year else _LEAP_YEAR, month, day)
    except ValueError:
        return None
    found = Day(int(year) if year else None, month, day)
    written = match["weekday"]
    if written and found.weekday() is not None and written.strip("()")[-1].replace("天", "日") != found.weekday():
        return None
    return found


def _clock_of(match: re.Match[str], half: str | None = None) -> TimeOfDay | None:
    """`half`: that of the time before it, which holds for 下午2点至4点 too."""
    hour = _number(match["hour"])
    minute = int(match["minute"]) if match["minute"] else _number(match["spoken"]) if match["spoken"] else None
    minute = _MARKS[match["mark"]] if minute is None else minute
    if (match["half"] or half) in _AFTERNOON and hour < 12:
        hour += 12
    if hour == 24 and minute == 0:
        hour = 0
    return TimeOfDay(hour, minute) if hour < 24 and minute < 60 else None


def _number(text: str) -> int:
    """九, 十二, 二十五 or 25."""
    if text.isdecimal():
        return int(text)
    if "十" not in text:
        return int("".join(str(_DIGITS[character]) for character in text))
    tens, _, ones = text.partition("十")
    return _DIGITS.get(tens, 1) * 10 + _DIGITS.get(ones, 0)
