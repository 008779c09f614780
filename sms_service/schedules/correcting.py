"""Mending single items of a schedule, while it is a draft and while it runs. What was corrected waits until somebody
approves it; all others go on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.cohort_items import list_late_items
from sms_service.campaigns.models import Campaign, CampaignItem, SeriesCohort
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.placing import place_items
from sms_service.campaigns.renewing import mark_undecided
from sms_service.campaigns.services import EDITABLE, note_change, open_for_change
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.compose import check_beginning
from sms_service.content.library import get_version
from sms_service.content.values import check_values
from sms_service.directory.text import required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.said import say

UNDER_WAY = (CampaignStatus.active, CampaignStatus.suspended)
LONGEST_LABEL = 100  # characters
CHANGEABLE = ("label", "values", "template_version_id", "skipped")


def open_items(
    session: Session, actor: Actor, campaign_id: int, unchanged_since: datetime | None = None
) -> tuple[Campaign, str]:
    """The campaign, locked until the commit, and its unit's path, for whoever changes its items: a draft, or one whose
    schedule runs. The clock fires nothing of it meanwhile.

    Raises NotFound, Forbidden, or Conflict: it has no schedule, cannot be changed any more, or was changed since.
    """
    campaign, path = require_on_campaign(session, actor, Permission.edit_campaigns, campaign_id)
    session.refresh(campaign, with_for_update=True)
    if campaign.schedule is None:
        raise Conflict(say("campaign {campaign} has no schedule", campaign=campaign_id))
    if campaign.status in UNDER_WAY and unchanged_since in (None, campaign.updated_at):
        return campaign, path
    return open_for_change(session, actor, campaign_id, unchanged_since)


def note_items(session: Session, actor: Actor, campaign: Campaign, path: str, numbers: Collection[int]) -> None:
    """Write that the actor changed these items, place all of them anew, and make the campaign a draft; or, where its
    schedule runs, ask for another decision if what is to come is not what was approved.
    """
    session.flush()
    if campaign.status in EDITABLE or has_times(session, campaign):
        place_items(session, campaign)
    if campaign.status in EDITABLE:
        note_change(session, actor, campaign, path, ["items"])
        return
    campaign.updated_at = func.now()
    mark_undecided(session, campaign)
    details = {"fields": ["items"], "items": sorted(numbers)}
    trail.record_act(session, actor.account_id, "campaign.change", "campaign", campaign.id, path, **details)


def change_item(
    session: Session,
    actor: Actor,
    campaign_id: int,
    number: int,
    changes: Mapping[str, Any],
    unchanged_since: datetime | None = None,
) -> CampaignItem:
    """Give an item another label, other values or another text, or skip it or take that back. Of a running schedule it
    then waits, it alone, until somebody approves it.

    Raises NotFound, Forbidden, Conflict as `open_items` does and where the item was sent already, and Invalid
    (`items[number].<field>`).
    """
    campaign, path = open_items(session, actor, campaign_id, unchanged_since)
    item = session.get(CampaignItem, (campaign_id, number), populate_existing=True)
    if item is None:
        raise NotFound("item", number)
    if campaign.status in UNDER_WAY and not _is_to_come(session, campaign, item):
        raise Conflict(
            say(
                "item {item} of campaign {campaign} was sent or comes no more; it cannot be changed",
                item=number,
                campaign=campaign_id,
            )
        )
    at = f"items[{number}]"
    for name in changes:
        if name not in CHANGEABLE:
            raise Invalid(f"{at}.{name}", None, say("cannot be set; these can: {fields}", fields=CHANGEABLE))
    if "label" in changes:
        item.label = required_line(f"{at}.label", changes["label"], LONGEST_LABEL)
    if "values" in changes:
        check_values(changes["values"])
        item.values = dict(changes["values"])
    if "template_version_id" in changes:
        item.template_version_id = check_item_version(session, actor, campaign, changes["template_version_id"], at)
    if "skipped" in changes:
        item.skipped = bool(changes["skipped"])
    if session.is_modified(item):
        item.updated_at = func.now()
        note_items(session, actor, campaign, path, [number])
    return item


def has_times(session: Session, campaign: Campaign) -> bool:
    """Whether anything of the schedule still fires; not where it was ended."""
    coming = (
        exists().where(table.campaign_id == campaign.id, table.next_at.is_not(None))
        for table in (CampaignItem, SeriesCohort)
    )
    return session.scalar(select(or_(*coming))) or False


def _is_to_come(session: Session, campaign: Campaign, item: CampaignItem) -> bool:
    """Whether it still fires, could (a notice of an event, one that was skipped), has a run that waits and was never
    frozen, or is to come for people who joined late.
    """
    waits = select(Run.id).where(
        Run.campaign_id == item.campaign_id,
        Run.item == item.number,
        Run.status.in_((RunStatus.planned, RunStatus.held)),
        Run.frozen_at.is_(None),
    )
    if item.fired_at is None or item.next_at is not None:
        return has_times(session, campaign)
    return session.scalar(waits.limit(1)) is not None or item.number in list_late_items(session, campaign.id)


def check_item_version(
    session: Session, actor: Actor, campaign: Campaign, version_id: int | None, at: str
) -> int | None:
    """The version that an item takes, None for the campaign's own. Raises NotFound, Forbidden, Invalid
    (`<at>.template_version_id`).
    """
    if version_id is None:
        return None
    template, version = get_version(session, actor, version_id)
    if template.archived_at is not None:
        raise Invalid(f"{at}.template_version_id", version_id, "belongs to a template that is archived")
    check_beginning(version.body, campaign.signature)
    return version.id
