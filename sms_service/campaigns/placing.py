"""When the items of a schedule fire. The room `schedules` knows the rules; it says here how to ask it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.campaigns.cohort_items import list_had, list_items_of_cohort
from sms_service.campaigns.items import ITEMS, Item, read_items
from sms_service.campaigns.models import Campaign, CampaignItem, SeriesCohort
from sms_service.campaigns.states import CANCELLED, MOVED
from sms_service.directory.models import Unit
from sms_service.errors import Invalid


class Schedules(Protocol):
    """What the room above knows."""

    def place(
        self, session: Session, campaign: Campaign, unit: Unit, items: Sequence[Item], now: datetime
    ) -> Mapping[int, datetime | None]:
        """When each of these items, by its number, fires next if the campaign is started `now`; None: not any more."""


_installed: Schedules | None = None


def install_schedules(source: Schedules) -> None:
    """Called once, when the room that knows is loaded (sms_service/tables.py loads it in every process)."""
    global _installed
    _installed = source


def place_items(session: Session, campaign: Campaign) -> None:
    """Write when each item fires next, also for those who joined late, as the schedule and the calendars say now. The
    caller has locked the campaign.

    Raises Invalid (`schedule`) where nothing would fire.
    """
    assert _installed is not None, "a process imports sms_service.tables when it starts"
    session.flush()
    items = read_items(session.scalar(select(ITEMS).select_from(Campaign).where(Campaign.id == campaign.id)))
    now: datetime = session.scalars(select(func.sms_now())).one()
    unit = session.get_one(Unit, campaign.unit_id)
    asked = [item for item in items if not item.skipped or item.fired_at is not None]
    placed = _installed.place(session, campaign, unit, asked, now)
    times = {item.number: None if item.skipped else placed.get(item.number) for item in items}
    late = _place_cohorts(session, campaign, unit, items, now) if campaign.has_cohorts else False
    if not late and not any(times.values()):
        raise Invalid("schedule", None, "nothing of it lies ahead; choose later days")
    write_times(session, campaign.id, times)


def find_cohort_time(
    session: Session,
    campaign: Campaign,
    unit: Unit,
    items: Sequence[Item],
    had: Collection[int],
    fired_at: datetime,
    now: datetime,
) -> datetime | None:
    """When the next of these items fires for a cohort that had some of them, the last for the time `fired_at`; None: it
    had all.
    """
    assert _installed is not None, "a process imports sms_service.tables when it starts"
    own = list_items_of_cohort(items, had, fired_at)
    times = _installed.place(session, campaign, unit, own, now)
    return min((at for item in own if (at := times.get(item.number)) is not None), default=None)


def _place_cohorts(session: Session, campaign: Campaign, unit: Unit, items: Sequence[Item], now: datetime) -> bool:
    """Write when each cohort has its next item; whether some has one. A cohort that did not begin yet is forgotten: one
    begins when the next item fires.
    """
    had = list_had(session, campaign.id)
    cohorts = session.scalars(select(SeriesCohort).where(SeriesCohort.campaign_id == campaign.id)).all()
    for one in cohorts:
        if one.fired_at is None:
            session.delete(one)
        else:
            one.next_at = find_cohort_time(session, campaign, unit, items, had[one.firing], one.fired_at, now)
    session.flush()
    return any(one.next_at for one in cohorts if one.fired_at)


def write_times(session: Session, campaign_id: int, times: Mapping[int, datetime | None]) -> None:
    """Set when these items fire next."""
    rows = [{"campaign_id": campaign_id, "number": number, "next_at": at} for number, at in times.items()]
    if rows:
        session.execute(update(CampaignItem), rows)


def copy_schedule(session: Session, old: Campaign, new: Campaign) -> None:
    """Give a new draft the schedule and the items of another campaign; what was decided on them counts nothing, nor
    what became of it. Rules that ask about the old campaign's texts ask about the new one's.
    """
    kept_rule = {name: value for name, value in (old.schedule or {}).items() if name not in (CANCELLED, MOVED)}
    new.kind, new.schedule = old.kind, kept_rule
    rows = session.scalars(
        select(CampaignItem).where(CampaignItem.campaign_id == old.id).order_by(CampaignItem.position)
    ).all()
    kept = ("position", "label", "template_version_id", "values", "asks", "skipped")
    session.add_all(
        CampaignItem(
            campaign_id=new.id,
            number=number,
            rule=_ask_of(row.rule, old.id, new.id),
            **{name: getattr(row, name) for name in kept},
        )
        for number, row in enumerate(rows, start=1)
    )
    session.flush()


def _ask_of(rule: Any, old_id: int, new_id: int) -> Any:
    """The rule with its questions about the one campaign put about the other."""
    if isinstance(rule, list):
        return [_ask_of(one, old_id, new_id) for one in rule]
    if not isinstance(rule, dict):
        return rule
    asked = rule.get("campaign")
    if isinstance(asked, dict) and asked.get("id") == old_id:
        return {"campaign": {**asked, "id": new_id}}
    return {name: _ask_of(one, old_id, new_id) for name, one in rule.items()}
