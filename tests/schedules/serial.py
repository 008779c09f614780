"""A series of a branch, as tests begin with it: texts on working days, and a clock that can be turned."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import services
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.content.language import compile_template
from sms_service.db.engine import Database
from sms_service.schedules.calendar_days import set_calendar_days
from sms_service.schedules.official_years import read_official_year
from sms_service.schedules.series_planning import SeriesRow, set_series
from tests.factories import make_segment, make_template
from tests.schedules.eventful import EventTown, make_town
from tests.schedules.recurrence import ZONE

TEXT = "每日一学：{{ 内容 }}"
# A week before National Day, with a swapped Sunday in it; tests live through the days from there on, as they were, in
# the weeks that come: the ledger has no months that are long over.
MONDAY = date(2025, 9, 22)
FREE = {
    *(date(2025, 10, day) for day in range(1, 9)),
    *(date(2026, 1, day) for day in range(1, 4)),
    *(date(2026, 2, day) for day in range(15, 24)),
}
SWAPPED = {date(2025, 9, 28), date(2025, 10, 11), date(2026, 1, 4), date(2026, 2, 14), date(2026, 2, 28)}


def make_study_town(database: Database, people: int = 2) -> EventTown:
    """A branch whose `today` is a Monday that comes, and whose calendar has the official days of 22 September 2025 to
    May 2026 from then on.
    """
    town = make_town(database, people)
    town.today += timedelta(days=-town.today.weekday() % 7)
    shift = town.today.date() - MONDAY
    entries = [
        entry._replace(day=entry.day + shift)
        for year in (2025, 2026)
        for entry in read_official_year(year)
        if MONDAY <= entry.day < date(2026, 6, 1)
    ]
    with database.session() as session:
        set_calendar_days(session, SYSTEM, town.unit.id, entries)
    return town


def write_texts(count: int, first: int = 1) -> list[SeriesRow]:
    """So many different texts."""
    return [SeriesRow(text=f"第{number}课，坚持学习。") for number in range(first, first + count)]


def write_series(
    session: Session, town: EventTown, count: int = 3, *, body: str = TEXT, rows: Any = None, **rule: Any
) -> Campaign:
    """A draft of so many texts from `today` on working days at 08:30, to everybody of the branch."""
    version = make_template(session, town.unit, body, variables=compile_template(body).variables)
    campaign = services.create_campaign(
        session,
        town.officer,
        unit_id=town.unit.id,
        name="百日学习",
        template_version_id=version.id,
        segment_id=make_segment(session, town.unit, {"everyone": True}).id,
        signature="云州先锋",
        launch_on_approval=True,
    )
    town.campaign_id = campaign.id
    given = {"first": town.today.date().isoformat(), "at": "08:30", **rule}
    return set_series(session, town.officer, campaign.id, given, write_texts(count) if rows is None else rows)


def items_of(session: Session, town: EventTown) -> list[CampaignItem]:
    """The items of the series, in their order."""
    session.flush()
    return list(
        session.scalars(
            select(CampaignItem)
            .where(CampaignItem.campaign_id == town.campaign_id)
            .order_by(CampaignItem.position)
            .execution_options(populate_existing=True)
        )
    )


def days_of(session: Session, town: EventTown) -> list[date | None]:
    """The local day on which each item fires next, in their order; all at 08:30."""
    times = [item.next_at and item.next_at.astimezone(ZONE) for item in items_of(session, town)]
    assert {f"{at:%H:%M}" for at in times if at} <= {"08:30"}
    return [at and at.date() for at in times]


def list_working_days(town: EventTown, count: int) -> list[date]:
    """So many working days from `today`, up to March 2026 as it was, reckoned without the service."""
    found: list[date] = []
    day = MONDAY
    while len(found) < count:
        if day in SWAPPED or (day.weekday() < 5 and day not in FREE):
            found.append(day - MONDAY + town.today.date())
        day += timedelta(days=1)
    return found
