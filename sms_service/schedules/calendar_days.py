"""The entries of the calendar of working days: what units say about days, and who may say it.

What a unit says holds for all below it, where no nearer unit says something else; changing it needs `manage_directory`
over the unit that said it. Series that are under way follow at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.directory.day_lines import LONGEST_SPAN, Span
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.directory.units import usable_from
from sms_service.errors import Invalid, NotFound
from sms_service.said import say
from sms_service.schedules.calendar_models import CalendarDay
from sms_service.schedules.replacing import place_series_anew

MOST_DAYS = LONGEST_SPAN  # set at once
LONGEST_NAME = 50  # characters
FIRST_YEAR, LAST_YEAR = 2000, 2100
OFF, ON = "放假", "上班"  # as files and lines say it


class CalendarEntry(NamedTuple):
    """A day, local to the unit; whether people work on it; and what day it is: 春节, 春节调休."""

    day: date
    works: bool
    name: str


class CalendarSpan(NamedTuple):
    """Days in a row with the same words."""

    first: date
    last: date
    works: bool
    name: str

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def write(self) -> str:
        """As a line that can be read again: `2027-02-05 至 2027-02-11 春节 放假`."""
        until = "" if self.first == self.last else f" 至 {self.last}"
        return f"{self.first}{until} {self.name} {ON if self.works else OFF}"


@dataclass(frozen=True, slots=True)
class CalendarPlan:
    """What setting entries would do to those that the unit has: the ones that are new, that say something else, and
    that say just this already.
    """

    added: tuple[CalendarEntry, ...]
    changed: tuple[CalendarEntry, ...]
    same: tuple[CalendarEntry, ...]


def set_calendar_days(
    session: Session, actor: Actor, unit_id: int, entries: Sequence[CalendarEntry]
) -> list[CalendarDay]:
    """Let a unit say about these days what the entries say, instead of what it said; its other days stay. Returns them
    by date.

    Raises NotFound, Forbidden without `manage_directory` over the unit, or Invalid: from 1 to 400 days, each once.
    """
    path, rows = own_calendar(session, actor, unit_id), _check_entries(entries)
    held = _read_entries(session, unit_id, rows)
    found = write_entries(session, actor, unit_id, rows)
    before, written = ([span.write() for span in group_entries(some)] for some in (held.values(), rows))
    details = {"days": written, "rows": len(found), "changes": {"days": [before, written]}}
    trail.record_act(session, actor.account_id, "calendar.set", "unit", unit_id, path, **details)
    place_series_anew(session, path)
    return found


def plan_calendar_days(session: Session, actor: Actor, unit_id: int, entries: Sequence[CalendarEntry]) -> CalendarPlan:
    """What `set_calendar_days` would do; nothing changes. Raises what it raises."""
    own_calendar(session, actor, unit_id)
    rows = _check_entries(entries) if entries else []
    now = _read_entries(session, unit_id, rows)
    return CalendarPlan(
        added=tuple(row for row in rows if row.day not in now),
        changed=tuple(row for row in rows if now.get(row.day, row) != row),
        same=tuple(row for row in rows if now.get(row.day) == row),
    )


def remove_calendar_day(session: Session, actor: Actor, calendar_day_id: int) -> CalendarEntry:
    """Take an entry out: a unit above or the day of the week says again what the day is. Returns what it said.

    Raises NotFound, or Forbidden without `manage_directory` over its unit.
    """
    row = session.execute(
        select(CalendarDay.unit_id, CalendarDay.day).where(CalendarDay.id == calendar_day_id)
    ).one_or_none()
    gone = () if row is None else clear_calendar_days(session, actor, row.unit_id, Span(row.day, row.day))
    if not gone:  # or somebody else was quicker
        raise NotFound("calendar day", calendar_day_id)
    return gone[0]


def clear_calendar_days(session: Session, actor: Actor, unit_id: int, span: Span) -> tuple[CalendarEntry, ...]:
    """Take all entries of these days out that the unit itself has; returns what they said, by date.

    Raises NotFound, or Forbidden without `manage_directory` over the unit.
    """
    path = own_calendar(session, actor, unit_id)
    rows = session.execute(
        delete(CalendarDay)
        .where(CalendarDay.unit_id == unit_id, CalendarDay.day.between(*span))
        .returning(CalendarDay.day, CalendarDay.works, CalendarDay.name)
        .execution_options(synchronize_session=False)
    )
    gone = sorted(CalendarEntry(row.day, row.works, row.name) for row in rows)
    session.expire_all()
    if gone:
        days = [one.write() for one in group_entries(gone)]
        trail.record_act(session, actor.account_id, "calendar.remove", "unit", unit_id, path, days=days, rows=len(gone))
        place_series_anew(session, path)
    return tuple(gone)


def find_calendar_days(paths: Sequence[str], year: int | None = None) -> Select[CalendarDay, Unit]:
    """The entries that hold somewhere in the subtrees at `paths`, each with its unit; not ordered. `year`: of it only.

    Raises Invalid (`year`).
    """
    statement = select(CalendarDay, Unit).join(Unit, Unit.id == CalendarDay.unit_id).where(usable_from(paths))
    return statement if year is None else statement.where(CalendarDay.day.between(*span_of_year(year)))


def group_entries(entries: Iterable[CalendarEntry]) -> list[CalendarSpan]:
    """The entries by date, those that follow each other and say the same as one."""
    spans: list[CalendarSpan] = []
    for day, works, name in sorted(entries):
        last = spans[-1] if spans else None
        if last is not None and (last.works, last.name) == (works, name) and last.last + timedelta(days=1) == day:
            spans[-1] = last._replace(last=day)
        else:
            spans.append(CalendarSpan(day, day, works, name))
    return spans


def entry_of(one: CalendarDay) -> CalendarEntry:
    """What a row says."""
    return CalendarEntry(one.day, one.works, one.name)


def span_of_year(year: int) -> Span:
    """Its first and last day. Raises Invalid (`year`) for one that no calendar is about."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid("year", year, say("must be from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR))
    return Span(date(year, 1, 1), date(year, 12, 31))


def write_entries(session: Session, actor: Actor, unit_id: int, entries: Sequence[CalendarEntry]) -> list[CalendarDay]:
    """Write what was checked; the trail is the caller's. Rows are written by date, so that two writers never wait for
    each other in a circle.
    """
    rows = [{**row._asdict(), "unit_id": unit_id, "created_by": actor.account_id} for row in sorted(entries)]
    new = insert(CalendarDay).values(rows)
    found = session.scalars(
        new.on_conflict_do_update(
            index_elements=[CalendarDay.unit_id, CalendarDay.day],
            set_={name: new.excluded[name] for name in ("works", "name", "created_by")},
        ).returning(CalendarDay),
        execution_options={"populate_existing": True},
    ).all()
    return sorted(found, key=lambda one: one.day)


def _read_entries(session: Session, unit_id: int, days: Iterable[CalendarEntry]) -> dict[date, CalendarEntry]:
    """What the unit says now about the days of these entries."""
    held = select(CalendarDay).where(CalendarDay.unit_id == unit_id, CalendarDay.day.in_([one.day for one in days]))
    return {one.day: entry_of(one) for one in session.scalars(held)}


def own_calendar(session: Session, actor: Actor, unit_id: int) -> str:
    """The path of a unit whose entries the actor may change. Raises NotFound or Forbidden."""
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, path)
    return path


def _check_entries(entries: Sequence[CalendarEntry]) -> list[CalendarEntry]:
    if not 1 <= len(entries) <= MOST_DAYS:
        raise Invalid("days", len(entries), say("must be from 1 to {most} days", most=MOST_DAYS))
    seen: dict[date, CalendarEntry] = {}
    for number, (day, works, name) in enumerate(entries):
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            years = say("must lie in the years from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR)
            raise Invalid(f"days[{number}].day", day.isoformat(), years)
        if day in seen:
            raise Invalid(f"days[{number}].day", day.isoformat(), "is given twice; keep one")
        seen[day] = CalendarEntry(day, works, required_line(f"days[{number}].name", name, LONGEST_NAME))
    return sorted(seen.values())
