"""The official holidays and swapped working days of the years that a library knows, taken over as data of a unit.

Nothing else asks the library: what it says counts only once somebody took it over, and can be changed like any other
entry. It learns a year with the release that follows the State Council's notice, each November.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.errors import Invalid
from sms_service.said import say
from sms_service.schedules.calendar_days import CalendarEntry, own_calendar, write_entries
from sms_service.schedules.calendar_models import CalendarDay
from sms_service.schedules.replacing import place_series_anew

_NAMES = {"清明": "清明节", "端午": "端午节", "中秋": "中秋节"}
_SWAPPED = "调休"
_CHRISTMAS = (12, 25)  # what lies after it and before New Year belongs to the notice of the next year


def list_official_years() -> range:
    """The years that the library knows."""
    from chinese_calendar import holidays  # two thousand days, which few processes ever need

    years = {day.year for day in holidays}
    return range(min(years), max(years) + 1)


def read_official_year(year: int) -> list[CalendarEntry]:
    """The entries of a year by date, with those of the last days of the year before that belong to its New Year.

    Raises Invalid (`year`) for one that the library does not know.
    """
    from chinese_calendar import Holiday, holidays, workdays

    years = list_official_years()
    if year not in years:
        message = "is not known yet: the library knows {first} to {last}; read the notice of the year in instead"
        raise Invalid("year", year, say(message, first=years[0], last=years[-1]))
    first, last = date(year - 1, *_CHRISTMAS), date(year, 12, 31)
    names = {one.value: _NAMES.get(one.chinese, one.chinese) for one in Holiday}
    entries = [CalendarEntry(day, False, names[name]) for day, name in holidays.items() if first <= day <= last]
    entries += [
        CalendarEntry(day, True, f"{names[name]}{_SWAPPED}") for day, name in workdays.items() if first <= day <= last
    ]
    return sorted(entries)


def take_over_year(session: Session, actor: Actor, unit_id: int, year: int) -> list[CalendarDay]:
    """Let the unit say about the year's days what the library says; its entries for other days stay. Returns them by
    date.

    Raises NotFound, Forbidden without `manage_directory` over the unit, or Invalid (`year`).
    """
    path, entries = own_calendar(session, actor, unit_id), read_official_year(year)
    made = write_entries(session, actor, unit_id, entries)
    trail.record_act(session, actor.account_id, "calendar.take_over", "unit", unit_id, path, year=year, rows=len(made))
    place_series_anew(session, path)
    return made
