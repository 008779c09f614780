"""Giving a campaign its schedule and its items, while it is a draft; and stopping the schedule when it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.changing import note_change, open_for_change
from sms_service.campaigns.models import Campaign, CampaignItem, SeriesCohort
from sms_service.campaigns.moving import move_campaign, open_campaign
from sms_service.campaigns.placing import place_items
from sms_service.campaigns.renewing import mark_undecided
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Invalid
from sms_service.said import say
from sms_service.schedules.kinds import KINDS


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item as a kind of schedule gives it; `number` is kept for good."""

    number: int
    label: str
    values: Mapping[str, Any] = field(default_factory=dict)
    template_version_id: int | None = None
    rule: Mapping[str, Any] | None = None
    asks: Mapping[str, Any] | None = None


def set_schedule(
    session: Session,
    actor: Actor,
    campaign_id: int,
    kind: str,
    given: Mapping[str, Any],
    items: Sequence[NewItem] = (),
    unchanged_since: datetime | None = None,
) -> Campaign:
    """Let a draft fire by this rule, with these items in this order; by default one, with the campaign's own text.
    What was decided before counts no longer.

    Raises NotFound, Forbidden, Conflict as `change_campaign` does, and Invalid: `kind`, `schedule.<field>`, or
    `schedule` where nothing would fire.
    """
    if kind not in KINDS:
        raise Invalid("kind", kind, say("must be one of {known}", known=tuple(KINDS)))
    campaign, path = open_for_change(session, actor, campaign_id, unchanged_since)
    if campaign.planned_at is not None:
        raise Invalid("planned_at", campaign.planned_at.isoformat(), "must be empty: the schedule says when it is sent")
    now: datetime = session.scalars(select(func.sms_now())).one()
    before = campaign.schedule
    campaign.schedule = KINDS[kind].read_rule(given, session.get_one(Unit, campaign.unit_id), now)
    campaign.kind = kind
    session.execute(delete(CampaignItem).where(CampaignItem.campaign_id == campaign_id))
    session.add_all(
        CampaignItem(
            campaign_id=campaign_id,
            number=item.number,
            position=position,
            label=item.label,
            values=dict(item.values),
            template_version_id=item.template_version_id,
            rule=None if item.rule is None else dict(item.rule),
            asks=None if item.asks is None else dict(item.asks),
        )
        for position, item in enumerate(items or [NewItem(1, campaign.name)], start=1)
    )
    place_items(session, campaign)
    note_change(session, actor, campaign, path, ["schedule"], {"schedule": [before, campaign.schedule]})
    return campaign


def clear_schedule(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """Make a draft a plain campaign again. Raises as `change_campaign` does."""
    campaign, path = open_for_change(session, actor, campaign_id)
    if campaign.schedule is not None:
        session.execute(delete(CampaignItem).where(CampaignItem.campaign_id == campaign_id))
        before = campaign.schedule
        campaign.kind, campaign.schedule = CampaignKind.plain.value, None
        note_change(session, actor, campaign, path, ["schedule"], {"schedule": [before, None]})
    return campaign


def suspend_campaign(session: Session, actor: Actor, campaign_id: int, why: str) -> Campaign:
    """Let nothing of a schedule fire until somebody goes on with it. A run under way goes on; it is paused by itself.

    Raises NotFound, Forbidden, Invalid without a reason, Conflict unless the campaign is active and has a schedule.
    """
    campaign, path = open_campaign(session, actor, CampaignAct.suspend, campaign_id)
    why = required_line("why", why, LONGEST_WHY)
    move_campaign(session, campaign, CampaignAct.suspend, CampaignStatus.suspended)
    trail.record_act(session, actor.account_id, "campaign.suspend", "campaign", campaign_id, path, why=why)
    return campaign


def continue_campaign(session: Session, actor: Actor, campaign_id: int, why: str) -> Campaign:
    """Let the schedule of a suspended campaign fire again, from now on. Raises as `suspend_campaign` does, and Invalid
    where nothing of it lies ahead any more: it can be ended.
    """
    campaign, path = open_campaign(session, actor, CampaignAct.go_on, campaign_id)
    why = required_line("why", why, LONGEST_WHY)
    place_items(session, campaign)
    move_campaign(session, campaign, CampaignAct.go_on, CampaignStatus.active)
    trail.record_act(session, actor.account_id, "campaign.continue", "campaign", campaign_id, path, why=why)
    return campaign


def end_schedule(session: Session, actor: Actor, campaign_id: int, why: str) -> Campaign:
    """Fire nothing more of a schedule, for good. Runs that it made go on; each can be cancelled by itself. The campaign
    ends when they are over. Raises as `suspend_campaign` does; a suspended one can be ended, too.
    """
    campaign, path = open_campaign(session, actor, CampaignAct.end, campaign_id)
    why = required_line("why", why, LONGEST_WHY)
    for table in (CampaignItem, SeriesCohort):
        session.execute(update(table).where(table.campaign_id == campaign_id).values(next_at=None))
    mark_undecided(session, campaign)  # what does not go any more waits for nobody
    move_campaign(session, campaign, CampaignAct.end, CampaignStatus.active)
    trail.record_act(session, actor.account_id, "campaign.end", "campaign", campaign_id, path, why=why)
    return campaign
