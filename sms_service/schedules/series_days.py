"""The days of a series: which text goes when, and between them the days on which people do not work."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.campaigns.contents import Content
from sms_service.directory.models import Unit
from sms_service.ledger.models import Run
from sms_service.said import Said
from sms_service.schedules import series
from sms_service.schedules.working_days import WorkingDays, load_working_days

_AHEAD = timedelta(days=60)  # in which the next working day is looked for


@dataclass(frozen=True, slots=True)
class SeriesDays:
    """When each text goes or went, by the number of its item, in order of time. `working`: the days from the first of
    the first month to the last of the last one; None where there is no time.
    """

    rule: Mapping[str, Any]
    zone: str
    times: Mapping[int, datetime]
    working: WorkingDays | None

    @property
    def by_day(self) -> dict[date, int]:
        """The number of the item of each day, local to the unit."""
        return {self.day_of(at): number for number, at in self.times.items()}

    @property
    def first(self) -> datetime | None:
        """When the first text goes."""
        return min(self.times.values(), default=None)

    @property
    def last(self) -> datetime | None:
        """When the last text goes."""
        return max(self.times.values(), default=None)

    @property
    def warning(self) -> Said | None:
        """What to tell where the calendar does not know the holidays of all its years."""
        if self.working is None or self.last is None or self.rule["days"] != series.WORKING:
            return None
        return self.working.warn_unknown(self.day_of(self.last))

    def day_of(self, at: datetime) -> date:
        """The day of a time, local to the unit."""
        return at.astimezone(ZoneInfo(self.zone)).date()


def view_series_days(
    session: Session, content: Content, unit: Unit, now: datetime, given: Mapping[str, Any] | None = None
) -> SeriesDays:
    """The days of the content's campaign as they are planned; `given`: as they would be by this rule instead, which
    nobody keeps. Raises Invalid (`schedule.<field>`).
    """
    rule: Mapping[str, Any] = content.campaign.schedule or {}
    planned = {item.number: item.next_at or item.fired_at for item in content.items}
    if given is not None:
        rule = series.read_rule(given, unit, now)
        went = {item.number: item.fired_at for item in content.items}
        planned = {**went, **series.plan_times(session, rule, unit, content.items, now)}
    times = dict(sorted(((number, at) for number, at in planned.items() if at is not None), key=lambda one: one[1]))
    found = SeriesDays(rule, unit.timezone, times, None)
    if found.first is None or found.last is None:
        return found
    first, last = found.day_of(found.first).replace(day=1), found.day_of(found.last)
    last = last.replace(day=calendar.monthrange(last.year, last.month)[1])
    return SeriesDays(rule, unit.timezone, times, load_working_days(session, unit.path, first, last))


def find_next_working_day(session: Session, unit: Unit, now: datetime) -> date:
    """The first working day of the unit after today; tomorrow where none is known."""
    tomorrow = now.astimezone(ZoneInfo(unit.timezone)).date() + timedelta(days=1)
    return load_working_days(session, unit.path, tomorrow, tomorrow + _AHEAD).next_on_or_after(tomorrow) or tomorrow


class SeriesRun(NamedTuple):
    """The run by which a text went to those who began with the series. `people`: in its audience, None before it is
    known.
    """

    id: int
    item: int
    status: str
    people: int | None


def list_series_runs(session: Session, campaign_id: int) -> dict[int, SeriesRun]:
    """These runs of a campaign that the caller may read, by the number of the item; nothing is counted for it."""
    first = (Run.campaign_id == campaign_id, Run.kind == "campaign", Run.firing == 1)
    rows = session.execute(select(Run.id, Run.item, Run.status, Run.audience).where(*first))
    return {row.item: SeriesRun(*row) for row in rows}
