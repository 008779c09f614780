"""In which language a page speaks, and how it writes times and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent
from flask import g, request

from sms_service.accounts.models import LANGUAGES
from sms_service.catalogues import get_catalogue
from sms_service.console.cookies import LANGUAGE, read_cookie
from sms_service.directory.models import CITY_ZONE
from sms_service.said import say, translate
from sms_service.web.words import ENGLISH

_LOCALES = {"zh": "zh_Hans_CN", "en": "en_GB"}
_TAGS = {"zh": "zh-Hans", "en": "en"}
_DAY = {"zh": "M月d日", "en": "d MMM"}
_DAY_OF_WEEK = {"zh": "M月d日（EEE）", "en": "EEE d MMM"}
_LONG_DAY = {"zh": "y年M月d日", "en": "d MMM y"}
_LONG_DAY_OF_WEEK = {"zh": "y年M月d日（EEE）", "en": "EEE d MMM y"}


def choose_language(chosen: str | None = None) -> str:
    """`zh` or `en`: what the account or this browser chose, else what the browser asks for, else Chinese."""
    for wanted in (chosen, read_cookie(LANGUAGE)):
        if wanted in LANGUAGES:
            return wanted
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def page_language() -> str:
    """The language of the page that is being made."""
    return str(g.get("language") or choose_language())


def language_tag() -> str:
    """The same as the page's `lang` says it (BCP 47)."""
    return _TAGS[page_language()]


def page_catalogue() -> Mapping[str, str]:
    """The translations into the page's language; into English, those of the words that are no words of English."""
    language = page_language()
    return ENGLISH if language == "en" else get_catalogue(language)


def say_here(message: str, /, **values: object) -> str:
    """`_("Sent to {count} people", count=3)`: the message in the page's language."""
    return translate(say(message, **values), page_catalogue())


def translate_here(said: str | None) -> str:
    """What a room said, in the page's language; nothing where it said nothing."""
    return "" if said is None else translate(said, page_catalogue())


def write_number(number: float) -> str:
    """`11,000`."""
    return format_decimal(number, locale=_LOCALES[page_language()])


def write_yuan(fen: float) -> str:
    """`11,000.50` of 1100050 fen."""
    return format_decimal(fen / 100, format="#,##0.00", locale=_LOCALES[page_language()])


def write_percent(share: float) -> str:
    """`98.5%` of 0.985. Only nothing is `0%` and only the whole `100%`: what is nearly so is `<0.1%` or `>99.9%`."""
    if share in (0, 1):
        return f"{share:.0%}"
    near = "<" if 0 < share < 0.0005 else ">" if 0.9995 <= share < 1 else ""
    shown = {"<": 0.001, ">": 0.999}.get(near, share)
    return near + format_percent(shown, format="#,##0.0%", locale=_LOCALES[page_language()])


def write_time(moment: datetime | None, zone: str = CITY_ZONE) -> str:
    """`12月1日 09:00`, with the year where it is another one; an empty text for None."""
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{write_day(local.date())} {format_time(local, 'HH:mm', locale=_LOCALES[page_language()])}"


def write_time_on_paper(moment: datetime, zone: str = CITY_ZONE) -> str:
    """`2026年12月1日 09:00`: with the year, since paper is read in other years."""
    local = moment.astimezone(ZoneInfo(zone))
    day = format_date(local.date(), _LONG_DAY[page_language()], locale=_LOCALES[page_language()])
    return f"{day} {local:%H:%M}"


def write_second(moment: datetime, zone: str = CITY_ZONE) -> str:
    """`10:03:05`."""
    return format_datetime(moment.astimezone(ZoneInfo(zone)), "HH:mm:ss", locale=_LOCALES[page_language()])


def write_day(day: date, today: date | None = None) -> str:
    """`12月1日`, with the year where it is another one than now; of a moment, its day in the city."""
    language = page_language()
    if isinstance(day, datetime):
        day = day.astimezone(ZoneInfo(CITY_ZONE)).date()
    this_year = (today or datetime.now(UTC).astimezone(ZoneInfo(CITY_ZONE)).date()).year
    return format_date(day, (_DAY if day.year == this_year else _LONG_DAY)[language], locale=_LOCALES[language])


def write_weekday(day: date) -> str:
    """`12月1日（周二）`, without the year."""
    language = page_language()
    return format_date(day, _DAY_OF_WEEK[language], locale=_LOCALES[language])


def write_coming(moment: datetime, zone: str = CITY_ZONE) -> str:
    """`2027年12月1日（周三）09:00`."""
    language, local = page_language(), moment.astimezone(ZoneInfo(zone))
    day = format_date(local.date(), _LONG_DAY_OF_WEEK[language], locale=_LOCALES[language])
    return f"{day} {local:%H:%M}"


def write_month(day: date) -> str:
    """`十二月`."""
    return format_date(day, "LLLL", locale=_LOCALES[page_language()])


def write_year_month(day: date) -> str:
    """`2026年12月`."""
    return format_date(day, {"zh": "y年M月", "en": "LLLL y"}[page_language()], locale=_LOCALES[page_language()])


def write_short_weekday(day: date) -> str:
    """`周二`."""
    return format_date(day, "ccc", locale=_LOCALES[page_language()])


def write_narrow_weekday(day: date) -> str:
    """`二`, as small calendars have it on top of a column."""
    return format_date(day, "ccccc", locale=_LOCALES[page_language()])
