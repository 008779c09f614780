"""Mending single items of a schedule, while it is a draft and while it runs. What was corrected waits until somebody
approves it; all others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.audit.changes import read_before_after
from sms_service.campaigns.acts import EDITABLE, UNDER_WAY, CampaignAct
from sms_service.campaigns.approval import renew_by_self_service
from sms_service.campaigns.asking import read_asks
from sms_service.campaigns.authorship import list_authors
from sms_service.campaigns.changing import open_for_change
from sms_service.campaigns.cohort_items import list_late_items
from sms_service.campaigns.models import Campaign, CampaignItem, SeriesCohort
from sms_service.campaigns.moving import lock_campaign, move_campaign
from sms_service.campaigns.placing import place_items
from sms_service.campaigns.renewing import mark_undecided
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.content.compose import check_beginning
from sms_service.content.library import get_version
from sms_service.content.models import TemplateVersion
from sms_service.content.values import check_values
from sms_service.directory.text import required_line
from sms_service.errors import Conflict, EditedMeanwhile, Invalid, NotFound
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.said import say

LONGEST_LABEL = 100  # characters
CHANGEABLE = ("label", "values", "template_version_id", "asks", "skipped")


def open_items(session: Session, actor: Actor, campaign_id: int) -> tuple[Campaign, str]:
    """The campaign, locked until the commit, and its unit's path, for whoever changes its items: a draft, or one whose
    schedule runs. The clock fires nothing of it meanwhile.

    Raises NotFound, Forbidden, or Conflict: it has no schedule, or cannot be changed any more.
    """
    campaign, path = lock_campaign(session, actor, CampaignAct.correct, campaign_id)
    return (campaign, path) if campaign.status in UNDER_WAY else open_for_change(session, actor, campaign_id)


def note_items(session: Session, actor: Actor, campaign: Campaign, path: str) -> None:
    """Place all items anew after the actor changed some, and make the campaign a draft; or, where its schedule runs,
    ask for another decision if what is to come is not what was approved, unless they may send it by self-service.
    """
    session.flush()
    if campaign.status in EDITABLE or has_times(session, campaign):
        place_items(session, campaign)
    campaign.updated_at = func.now()
    session.flush()
    if campaign.status in UNDER_WAY:
        mark_undecided(session, campaign)
        renew_by_self_service(session, actor, campaign, path)
    elif campaign.status != CampaignStatus.draft:
        move_campaign(session, campaign, CampaignAct.change, CampaignStatus.draft)


def change_item(
    session: Session,
    actor: Actor,
    campaign_id: int,
    number: int,
    changes: Mapping[str, Any],
    unchanged_since: datetime | None = None,
) -> CampaignItem:
    """Give an item another label, other values or another text, let it ask something else than the campaign (`asks`,
    None: the same), or skip it or take that back. Of a running schedule it
    then waits, it alone, until somebody approves it. `unchanged_since`: the `updated_at` of the item, or that of the
    campaign, as the actor read it.

    Raises NotFound, Forbidden, Conflict as `open_items` does and where the item was sent already, EditedMeanwhile where
    somebody changed it since, and Invalid (`items[number].<field>`).
    """
    campaign, path = open_items(session, actor, campaign_id)
    item = load_item(session, campaign, number)
    if unchanged_since is not None and item.updated_at > unchanged_since:
        message = "{who} changed item {item} since you opened it, and your change was not made; look at both"
        said = say(message, who=name_last_author(session, campaign), item=number)
        raise EditedMeanwhile(said, changes, describe_item(item))
    if campaign.status in UNDER_WAY and not _is_to_come(session, campaign, item):
        gone = "item {item} of campaign {campaign} was sent or comes no more; it cannot be changed"
        raise Conflict(say(gone, item=number, campaign=campaign_id))
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
    if "asks" in changes:
        item.asks = _read_item_asks(session, actor, campaign, path, item, changes["asks"])
    if "skipped" in changes:
        item.skipped = bool(changes["skipped"])
    if session.is_modified(item):
        changed = read_before_after(item, ("label", "template_version_id", "skipped"))  # its words are in decisions
        item.updated_at = func.now()
        details = {"item": number, "label": item.label, "fields": sorted(changes), "changes": changed}
        trail.record_act(session, actor.account_id, "item.change", "campaign", campaign_id, path, **details)
        note_items(session, actor, campaign, path)
    return item


def load_item(session: Session, campaign: Campaign, number: int) -> CampaignItem:
    """The item as it stands in the database. Raises NotFound."""
    item = session.get(CampaignItem, (campaign.id, number), populate_existing=True)
    if item is None:
        raise NotFound("item", number)
    return item


def load_order(session: Session, campaign_id: int) -> list[CampaignItem]:
    """All items of a campaign, in their order."""
    rows = select(CampaignItem).where(CampaignItem.campaign_id == campaign_id)
    ordered = rows.order_by(CampaignItem.position, CampaignItem.number)
    return list(session.scalars(ordered.execution_options(populate_existing=True)))


def write_order(items: Sequence[CampaignItem]) -> None:
    """Let these, all of a campaign, stand in this order."""
    for position, item in enumerate(items, start=1):
        item.position = position


def count_fixed(items: Sequence[CampaignItem]) -> int:
    """How many of the first of these keep their places: all up to the last that was sent."""
    return max((place for place, item in enumerate(items, start=1) if item.fired_at is not None), default=0)


def describe_item(item: CampaignItem) -> dict[str, Any]:
    """What stands there, for whoever wanted to write something else."""
    return {name: getattr(item, name) for name in ("number", "position", *CHANGEABLE)}


def name_last_author(session: Session, campaign: Campaign) -> str:
    """The name of who changed it last."""
    return next((one.name for one in reversed(list_authors(session, campaign)) if one.name), "system")


def has_times(session: Session, campaign: Campaign) -> bool:
    """Whether anything of the schedule still fires; not where it was ended."""
    coming = (
        exists().where(table.campaign_id == campaign.id, table.next_at.is_not(None))
        for table in (CampaignItem, SeriesCohort)
    )
    return session.scalar(select(or_(*coming))) or False


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


def _read_item_asks(
    session: Session, actor: Actor, campaign: Campaign, path: str, item: CampaignItem, given: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    at = f"items[{item.number}]"
    if campaign.kind == CampaignKind.event:
        raise Invalid(f"{at}.asks", None, "cannot be set: the invitation of an event asks whether people come")
    if given is None:
        return None
    version = session.get_one(TemplateVersion, item.template_version_id or campaign.template_version_id)
    try:
        asks = read_asks(session, actor, path, given, version)
    except Invalid as error:
        raise Invalid(f"{at}.{error.field}", error.value, error.reason) from None
    return None if asks == campaign.asks else asks


def _is_to_come(session: Session, campaign: Campaign, item: CampaignItem) -> bool:
    """Whether it still fires, could (a notice of an event, one that was skipped), has a run that is held and was never
    frozen (one that is planned begins at once), or is to come for people who joined late.
    """
    waits = select(Run.id).where(
        Run.campaign_id == item.campaign_id,
        Run.item == item.number,
        Run.status == RunStatus.held,
        Run.frozen_at.is_(None),
    )
    if item.fired_at is None or item.next_at is not None:
        return has_times(session, campaign)
    return session.scalar(waits.limit(1)) is not None or item.number in list_late_items(session, campaign.id)
