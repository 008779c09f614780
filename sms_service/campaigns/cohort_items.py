"""What the cohorts of a series had of its items, and what is still to come for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sms_service.campaigns.items import Item
from sms_service.campaigns.models import CampaignItem, SeriesCohort
from sms_service.ledger.models import Run


def list_had(session: Session, campaign_id: int) -> dict[int, set[int]]:
    """By firing the numbers of the items that fired for a cohort of the campaign, and for those who began with it."""
    had = defaultdict[int, set[int]](set)
    for row in session.execute(select(Run.firing, Run.item).where(Run.campaign_id == campaign_id)):
        had[row.firing].add(row.item)
    return dict(had)


def find_cohort_item(items: Sequence[Item], had: Collection[int]) -> Item | None:
    """The first of a series' items that a cohort did not have; None: it had all."""
    return next((item for item in items if not item.skipped and item.number not in had), None)


def list_items_of_cohort(items: Sequence[Item], had: Collection[int], fired_at: datetime) -> list[Item]:
    """The items that a schedule places for a cohort, for which one fired last for that time."""
    own = [replace(item, fired_at=fired_at if item.number in had else None) for item in items]
    return [item for item in own if item.fired_at or not item.skipped]


def list_late_items(session: Session, campaign_id: int) -> set[int]:
    """The numbers of the items that are still to come for some cohort of the campaign."""
    had = select(Run.id).where(
        Run.campaign_id == campaign_id, Run.item == CampaignItem.number, Run.firing == SeriesCohort.firing
    )
    coming = (
        select(CampaignItem.number)
        .join(SeriesCohort, SeriesCohort.campaign_id == CampaignItem.campaign_id)
        .where(CampaignItem.campaign_id == campaign_id, SeriesCohort.next_at.is_not(None), ~CampaignItem.skipped)
        .where(~exists(had))
    )
    return set(session.scalars(coming))
