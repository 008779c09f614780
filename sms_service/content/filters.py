"""The filters of templates, each with an English and a Chinese name.

Every result is bounded: a filter makes a text longer by some characters at most. A place of a preview that nothing
fills yet (`Unfilled`) goes through every filter as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sms_service.content.comparing import CannotRender, Unfilled, needed_text, read_decimal, split_items
from sms_service.content.days import read_day, read_day_and_time, read_time_of_day
from sms_service.said import Said, as_said, say

_COMPOUND_SURNAMES = re.compile(
    "欧阳|太史|端木|上官|司马|东方|独孤|南宫|万俟|闻人|夏侯|诸葛|尉迟|公羊|赫连|澹台|皇甫|宗政|濮阳|公冶|太叔|申屠|公孙|"
    "慕容|仲孙|钟离|长孙|宇文|司徒|鲜于|司空|令狐|百里|呼延|东郭|南门|西门|第五"
)
_CHINESE_DIGITS = "零一二三四五六七八九"


def _misfit(filter_: str, wanted: Said) -> CannotRender:
    """The value itself may be what a log must not hold."""
    return CannotRender(say("the filter {filter} needs {wanted}, and its value is none", filter=filter_, wanted=wanted))


def _is_spoken(text: str) -> bool:
    """Whether a date or time is written in words already and stays as it is: 12月1日, 下午2点半."""
    return any(character in "月周期末今明后点时午" for character in text)


def _write_date(text: str, form: str = "") -> str:
    day = read_day(text)
    if day is None:
        both = read_day_and_time(text)
        if both is None:
            raise _misfit("日期", as_said("a date such as 12月1日"))
        day = both.day
    elif not form and _is_spoken(text):
        return text.strip()
    return day.write(year=form == "年") + (f"（周{day.weekday()}）" if form == "周" and day.weekday() else "")


def _write_weekday(text: str) -> str:
    both = None if (day := read_day(text)) else read_day_and_time(text)
    day = day or (both.day if both else None)
    if day is None or day.weekday() is None:
        raise _misfit("星期", as_said("a date with its year"))
    return f"星期{day.weekday()}"


def _write_time(text: str) -> str:
    both = None if (clock := read_time_of_day(text)) else read_day_and_time(text)
    if clock is None and both is None:
        raise _misfit("时间", as_said("a time such as 9:00"))
    if clock is None:
        return _write_span(text)
    return text.strip() if _is_spoken(text) else clock.write()


def _write_span(text: str) -> str:
    both = read_day_and_time(text)
    assert both is not None
    return both.clock.write() + (f"至{both.until.write()}" if both.until else "")


def _write_moment(text: str) -> str:
    both = read_day_and_time(text)
    if both is None:
        raise _misfit("日期时间", as_said("a date with a time"))
    if _is_spoken(text):
        return text.strip()
    weekday = both.day.weekday()
    return both.day.write() + (f"（周{weekday}）" if weekday else "") + _write_span(text)


def _write_number(text: str, decimals: int = 0) -> str:
    number = read_decimal(text)
    if number is None:
        raise _misfit("数字", as_said("a number"))
    if decimals:
        return f"{number:,.{decimals}f}"
    return f"{number:,f}"


def _write_chinese_number(text: str) -> str:
    number = read_decimal(text)
    if number is None or number != number.to_integral_value() or not 0 <= number < 10_000:
        raise _misfit("中文数字", as_said("a whole number below 10,000"))
    return _spell(int(number))


def _spell(number: int) -> str:
    if number == 0:
        return "零"
    spelt, digits = "", str(number)
    for place, digit in enumerate(digits):
        unit = ("", "十", "百", "千")[len(digits) - place - 1]
        spelt += f"{_CHINESE_DIGITS[int(digit)]}{unit}" if digit != "0" else "零"
    spelt = re.sub("零+", "零", spelt).rstrip("零")
    return spelt[1:] if spelt.startswith("一十") else spelt


def _write_list(text: str, between: str = "、") -> str:
    return between.join(split_items(text))


def _add_title(text: str, title: str = "同志") -> str:
    name = text.strip()
    return name if not name or name.endswith(title) else f"{name}{title}"


def _find_surname(text: str) -> str:
    """欧 of 欧海, 欧阳 of 欧阳海; the whole of a name that is not Chinese."""
    name = text.strip()
    if not name or not all("\u3400" <= character <= "\u9fff" for character in name):
        return name
    return name[:2] if len(name) > 2 and _COMPOUND_SURNAMES.match(name) else name[:1]


def _truncate(text: str, length: int) -> str:
    """At most `length` characters, the last of them `…` if something was cut. (Jinja2's own cuts at spaces.)"""
    return text if len(text) <= length else text[: length - 1] + "…"


def _replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new)


@dataclass(frozen=True, slots=True)
class FilterRule:
    """`forms`: how it is written, for the error; `fits`: whether these constants may be its arguments (None is no
    constant); `make`: None for Jinja2's own `default`.
    """

    form: Said
    fits: Callable[[list[object]], bool]
    make: Callable[..., str] | None


def _none(arguments: list[object]) -> bool:
    return not arguments


def _default_fits(arguments: list[object]) -> bool:
    match arguments:
        case [str() | int() | float() as value] | [str() | int() | float() as value, bool()]:
            return not isinstance(value, bool)
    return False


def _replace_fits(arguments: list[object]) -> bool:
    match arguments:
        case [str(old), str(new)]:  # never longer, so that a chain of them cannot grow
            return len(old) > 0 and len(new) <= len(old)
    return False


def _whole(least: int, most: int) -> Callable[[list[object]], bool]:
    def fits(arguments: list[object]) -> bool:
        match arguments:
            case [int(number)]:
                return not isinstance(number, bool) and least <= number <= most
        return False

    return fits


def _text_of(most: int) -> Callable[[list[object]], bool]:
    """Nothing, or a text of at most so many characters."""

    def fits(arguments: list[object]) -> bool:
        match arguments:
            case []:
                return True
            case [str(text)]:
                return len(text) <= most
        return False

    return fits


def _one_of(*forms: str) -> Callable[[list[object]], bool]:
    return lambda arguments: not arguments or (len(arguments) == 1 and arguments[0] in forms)


def _alone(name: str, make: Callable[..., str]) -> FilterRule:
    return FilterRule(say("{filter}, without arguments", filter=name), _none, make)


_FILTERS: dict[tuple[str, ...], FilterRule] = {
    ("default",): FilterRule(as_said("default('text') or default('text', true)"), _default_fits, None),
    ("lower",): _alone("lower", str.lower),
    ("upper",): _alone("upper", str.upper),
    ("trim",): _alone("trim", str.strip),
    ("replace",): FilterRule(
        as_said("replace('old', 'new'), the new text not longer than the old"), _replace_fits, _replace
    ),
    ("truncate",): FilterRule(as_said("truncate(n), n from 1 to 1000"), _whole(1, 1_000), _truncate),
    ("日期", "date"): FilterRule(as_said("日期, 日期('年') or 日期('周')"), _one_of("年", "周"), _write_date),
    ("星期", "weekday"): _alone("星期", _write_weekday),
    ("时间", "time"): _alone("时间", _write_time),
    ("日期时间", "moment"): _alone("日期时间", _write_moment),
    ("数字", "number"): FilterRule(
        as_said("数字, or 数字(n) with n decimals, 1 to 4"),
        lambda arguments: not arguments or _whole(1, 4)(arguments),
        _write_number,
    ),
    ("中文数字", "chinese_number"): _alone("中文数字", _write_chinese_number),
    ("列表", "list"): FilterRule(
        as_said("列表, or 列表('between'), at most 4 characters between"), _text_of(4), _write_list
    ),
    ("称呼", "salutation"): FilterRule(
        as_said("称呼, or 称呼('title'), a title of at most 10 characters"), _text_of(10), _add_title
    ),
    ("姓", "surname"): _alone("姓", _find_surname),
}
FILTERS = {name: made for names, made in _FILTERS.items() for name in names}


def _guarded(make: Callable[..., str]) -> Callable[..., str]:
    def apply(value: object, *arguments: object) -> str:
        text = needed_text(value)
        return text if isinstance(text, Unfilled) else make(text, *arguments)

    return apply


MADE = {name: _guarded(one.make) for name, one in FILTERS.items() if one.make is not None}
