"""A year of the calendar as it holds for one unit: what the unit itself says and what those above it say."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.directory.models import Unit
from sms_service.directory.units import get_unit, split_path
from sms_service.said import Said
from sms_service.schedules.calendar_days import CalendarEntry, CalendarSpan, entry_of, group_entries, span_of_year
from sms_service.schedules.calendar_models import CalendarDay
from sms_service.schedules.working_days import WorkingDays, find_known_end


class HeldDay(NamedTuple):
    """An entry that holds for a unit, with its id and the unit that said it."""

    id: int
    entry: CalendarEntry
    unit: Unit


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """A unit's year: the entries that hold, by date, and its working days."""

    unit: Unit
    year: int
    held: tuple[HeldDay, ...]
    working: WorkingDays

    @property
    def warning(self) -> Said | None:
        """What to tell where the holidays of the year are not known."""
        return self.working.warn_unknown(self.working.last)

    @property
    def spans(self) -> list[tuple[CalendarSpan, Unit]]:
        """The entries that follow each other and say the same as one, each with the unit that says it."""
        by_unit = groupby(self.held, lambda one: one.unit)
        return [(span, unit) for unit, held in by_unit for span in group_entries(one.entry for one in held)]

    @property
    def working_days(self) -> int:
        """How many days of the year are working days."""
        return len(self.working.list_from(self.working.first, 366))


def get_calendar_year(session: Session, actor: Actor, unit_id: int, year: int) -> CalendarYear:
    """The year as it holds for the unit. Raises NotFound, Forbidden if the actor may not read it, or Invalid."""
    unit, (first, last) = get_unit(session, actor, unit_id), span_of_year(year)
    rows = session.execute(
        select(CalendarDay, Unit)
        .join(Unit, Unit.id == CalendarDay.unit_id)
        .where(Unit.id.in_(split_path(unit.path)), CalendarDay.day.between(first, last))
        .order_by(func.length(Unit.path))
    )
    held = {row.CalendarDay.day: HeldDay(row.CalendarDay.id, entry_of(row.CalendarDay), row.Unit) for row in rows}
    exceptions = {day: one.entry.works for day, one in held.items()}
    working = WorkingDays(first, last, exceptions, find_known_end(exceptions.items(), year, year))
    return CalendarYear(unit, year, tuple(held[day] for day in sorted(held)), working)
