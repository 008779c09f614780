"""Numbers of a workbook as a person sees them: number formats (ECMA-376, 18.8.30) as far as members' lists use them.

Kept: leading zeros, decimals, percent, literal text ("M"0000, 0"岁"), hyphens. A date is written 2026-11-23, with its
time if it has one; a format that shows no day gives 2026-11. Left out: thousands separators and currency signs, because
they would keep the number from being one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?",
    13: "# ??/??", 14: "yyyy-m-d", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-m-d h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    # Of Chinese editions:
    27: 'yyyy"年"m"月"', 28: 'm"月"d"日"', 29: 'm"月"d"日"', 30: "m-d-yy", 31: 'yyyy"年"m"月"d"日"', 32: "h:mm",
    33: "h:mm:ss", 34: "h:mm", 35: "h:mm:ss", 36: 'yyyy"年"m"月"', 50: 'yyyy"年"m"月"', 51: 'm"月"d"日"',
    52: 'yyyy"年"m"月"', 53: 'm"月"d"日"', 54: 'm"月"d"日"', 55: "h:mm", 56: "h:mm:ss", 57: 'yyyy"年"m"月"',
    58: 'm"月"d"日"',
}  # fmt: skip
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[(?P<bracket>[^\]]*)\]|(?P<ampm>AM/PM|A/P|上午/下午)'
    r"|(?P<general>General|G/通用格式)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_DATE_LETTERS = frozenset("yYmMdDhHsSeEbBgGaA")
_MOST_DAYS = 2_958_466  # the day after 9999-12-31
_DIGITS_KEPT = 15
LONGEST_FORMAT = 255

Shown = Callable[[str], str]


def show_general(raw: str) -> str:
    """A number as the format General shows it, but never in scientific notation: 0.1+0.2 is 0.3."""
    if raw.isdigit() and len(raw) <= _DIGITS_KEPT and (raw[0] != "0" or raw == "0"):
        return raw
    return _fixed(_decimal(raw))


def loses_digits(raw: str) -> bool:
    """Whether a spreadsheet has lost digits of this number: it keeps 15, and a longer number ends in noughts."""
    if len(raw) <= _DIGITS_KEPT and "e" not in raw and "E" not in raw:
        return False
    return bool(abs(_decimal(raw)) >= 10**_DIGITS_KEPT)


def show_lossy(raw: str) -> str:
    """A number that lost digits, as the format General shows it: no digit that nobody wrote."""
    return f"{float(raw):.5E}"


@lru_cache(maxsize=1024)
def read_format(code: str, epoch_1904: bool) -> Shown:
    """How numbers with this format are shown. Raises ValueError where the number is none."""
    section = _split_sections(code[:LONGEST_FORMAT])[0]
    tokens = list(_TOKEN.finditer(section))
    if any(token["general"] for token in tokens):
        return show_general
    elapsed = any(re.fullmatch(r"[hHmMsS]+", token["bracket"] or "") for token in tokens)
    plain = "".join(token["other"] or "" for token in tokens)
    if not elapsed and not any(character in "0#?" for character in plain) and not set(plain) & _DATE_LETTERS:
        return show_general  # text formats (@), and those that show no digit at all
    if elapsed:
        return _show_elapsed
    if re.search(r"[yYdDhHsS]", plain) or ("m" in plain.lower() and not re.search("[0#?]", plain)):
        return lambda raw: _show_date(raw, plain, epoch_1904)
    if "/" in plain or re.search(r"[eE][+-]", plain):
        return show_general  # fractions and scientific notation show less than is there
    return _number_shower(tokens)


def _split_sections(code: str) -> list[str]:
    sections, current = [], ""
    for token in _TOKEN.finditer(code):
        if token["other"] == ";":
            sections.append(current)
            current = ""
        else:
            current += token[0]
    return [*sections, current]


def _number_shower(tokens: list[re.Match[str]]) -> Shown:
    """Digits in their places: `0` and `#` from the right, literal text between them."""
    before: list[str] = []  # of the whole part: digit places and literals, in their order
    decimals, percent, dot = 0, False, False
    after = ""
    for token in tokens:
        literal = token["quoted"] or token["escaped"]
        other = token["other"] or ""
        if other == ".":
            dot = True
        elif other in ("0", "#", "?") and other:
            if dot:
                decimals += 1
            else:
                before.append("0" if other == "0" else "#")
        elif other == "%":
            percent = True
            literal = "%"
        elif (other and other in "-() /") or (other and ord(other) > 127 and other not in "¥￥€£"):
            literal = other
        if literal and literal not in ("¥", "￥", "$", "€", "£"):
            if dot:
                after += literal
            else:
                before.append("=" + literal)
    places = [index for index, part in enumerate(before) if part in ("0", "#")]
    least = sum(part == "0" for part in before)
    inner = any(part[0] == "=" for part in before[places[0] : places[-1]]) if places else False

    def show(raw: str) -> str:
        number = _decimal(raw)
        if percent:
            number *= 100
        rounded = _fixed(number, decimals)
        sign, rounded = ("-", rounded[1:]) if rounded.startswith("-") else ("", rounded)
        whole, _, fraction = rounded.partition(".")
        whole = whole.rjust(least, "0")
        tail = f".{fraction}" if fraction else ""
        if not inner:
            first = places[0] if places else len(before)
            head = "".join(part[1:] for part in before[:first] if part[0] == "=")
            rest = "".join(part[1:] for part in before[first:] if part[0] == "=")
            return f"{head}{sign}{whole}{tail}{rest}{after}".strip()
        out: list[str] = []
        left = whole
        for index in range(len(before) - 1, -1, -1):
            part = before[index]
            if part[0] == "=":
                out.append(part[1:])
            elif index == places[0]:
                out.append(left)
                left = ""
            elif left:
                out.append(left[-1])
                left = left[:-1]
        return f"{sign}{''.join(reversed(out))}{tail}{after}".strip()

    return show


@lru_cache(maxsize=8192)  # many people have one date
def _show_date(raw: str, plain: str, epoch_1904: bool) -> str:
    number = _decimal(raw)
    letters = plain.lower()
    has_time = "h" in letters or "s" in letters
    has_day = "d" in letters
    has_year = "y" in letters or "e" in letters
    if not 0 <= number < _MOST_DAYS or (has_year and not has_day and not has_time and number < 1):
        return show_general(raw)
    seconds = int((number * 86_400).to_integral_value())
    days, seconds = divmod(seconds, 86_400)
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")
    if not has_year and not has_day:
        return time if has_time else show_general(raw)
    if epoch_1904:
        start = datetime(1904, 1, 1)
    elif days == 60:
        return "1900-02-29"  # a day that only spreadsheets know
    else:
        start = datetime(1899, 12, 30) if days > 60 else datetime(1899, 12, 31)
    try:
        day = start + timedelta(days=days)
    except OverflowError:
        return show_general(raw)
    if has_year and not has_day and not has_time:
        return f"{day:%Y-%m}" if day.year >= 1000 else show_general(raw)
    written = day.date().isoformat()
    return f"{written} {time}" if seconds and has_time else written


def _show_elapsed(raw: str) -> str:
    number = _decimal(raw)
    if not 0 <= number < _MOST_DAYS:
        return show_general(raw)
    seconds = int((number * 86_400).to_integral_value())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")


def _decimal(raw: str) -> Decimal:
    """The number with the 15 digits that a spreadsheet shows. Raises ValueError for a text that is no number."""
    try:
        number = float(raw)
    except ValueError:
        raise ValueError(raw[:40]) from None
    try:
        return Decimal(f"{number:.{_DIGITS_KEPT}g}")
    except InvalidOperation:
        raise ValueError(raw[:40]) from None


def _fixed(number: Decimal, decimals: int | None = None) -> str:
    if not number.is_finite():
        raise ValueError(str(number))
    if decimals is not None:
        places = Decimal(1).scaleb(-min(decimals, 10))
        rounded = number.quantize(places, ROUND_HALF_UP) if abs(number) < 10**_DIGITS_KEPT else number
        return f"{rounded if rounded else abs(rounded):f}"
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
