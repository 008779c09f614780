"""Working days: Monday to Friday but holidays, and the swapped days on which people work instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.directory.models import Unit
from sms_service.directory.units import split_path
from sms_service.said import Said, say
from sms_service.schedules.calendar_models import CalendarDay

# Named as holidays in a year by who knows all of it; an official year has 11 at least. Fewer are a unit's own days.
LEAST_HOLIDAYS = 10
_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Which days from `first` to `last` are working days of a unit. `exceptions`: the days that are not as their day of
    the week says, True where people work. `known_until`: the last day of the last year whose holidays are known, all
    years from that of `first` on; None: those of its year are not. `names`: what the exceptions are called.
    """

    first: date
    last: date
    exceptions: Mapping[date, bool]
    known_until: date | None
    names: Mapping[date, str] = field(default_factory=dict)

    def works(self, day: date) -> bool:
        """Whether people work on the day. Raises ValueError for one that lies outside."""
        if not self.first <= day <= self.last:
            raise ValueError(f"{day} is not between {self.first} and {self.last}")
        return self.exceptions.get(day, day.weekday() < _SATURDAY)

    def next_on_or_after(self, day: date) -> date | None:
        """The day itself or the first working day after it; None: none is left up to `last`."""
        return next(self._from(day), None)

    def list_from(self, first: date, count: int) -> list[date]:
        """The first `count` working days from `first` on; fewer where `last` comes before."""
        days = self._from(first)
        return [day for day, _ in zip(days, range(count), strict=False)]

    def warn_unknown(self, until: date) -> Said | None:
        """What to tell who plans up to that day, where the calendar does not know all years up to it."""
        if self.known_until is not None and until <= self.known_until:
            return None
        first = self.first.year if self.known_until is None else self.known_until.year + 1
        years = tuple(str(year) for year in range(first, max(until.year, first) + 1))
        message = "no holidays are known for {years}: Monday to Friday count as working days until its calendar is here"
        return say(message, years=years)

    def _from(self, day: date) -> Iterator[date]:
        day = max(day, self.first)
        while day <= self.last:
            if self.works(day):
                yield day
            day += _DAY


def load_working_days(session: Session, path: str, first: date, last: date) -> WorkingDays:
    """The working days of the unit at `path` from `first` to `last`, in one statement."""
    begin, end = date(first.year, 1, 1), date(last.year, 12, 31)
    rows = session.execute(
        select(CalendarDay.day, CalendarDay.works, CalendarDay.name)
        .join(Unit, Unit.id == CalendarDay.unit_id)
        .where(Unit.id.in_(split_path(path)), CalendarDay.day.between(begin, end))
        .order_by(func.length(Unit.path))
    )
    held = {row.day: row for row in rows}  # the nearer unit's comes later
    within = {day: row for day, row in held.items() if first <= day <= last}
    known_until = find_known_end(((day, row.works) for day, row in held.items()), first.year, last.year)
    exceptions = {day: row.works for day, row in within.items()}
    return WorkingDays(first, last, exceptions, known_until, {day: row.name for day, row in within.items()})


def find_known_end(days: Iterable[tuple[date, bool]], first: int, last: int) -> date | None:
    """The last day of the last of the years from `first` to `last` whose holidays are known, all before it known too.
    `days`: the exceptions, True where people work.
    """
    holidays = [day.year for day, works in days if not works]
    end = None
    for year in range(first, last + 1):
        if holidays.count(year) < LEAST_HOLIDAYS:
            break
        end = date(year, 12, 31)
    return end
