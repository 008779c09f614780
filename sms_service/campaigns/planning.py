"""Runs of approved campaigns: one that somebody launches, and those that a schedule fires."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.approval_rules import find_most_people
from sms_service.campaigns.asking import CLOSES_AT
from sms_service.campaigns.contents import Content
from sms_service.campaigns.moving import move_campaign
from sms_service.campaigns.quiz_asks import POOL
from sms_service.campaigns.reserving import reserve_quota
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.directory.models import Unit
from sms_service.dispatch.freeze import GRACE_MIN, foresee_lane
from sms_service.ledger.models import Run
from sms_service.ledger.runs import plan_run
from sms_service.ledger.states import Lane

GRACE = timedelta(minutes=GRACE_MIN)  # as for a run whose time is missed


def plan_approved_run(session: Session, actor: Actor, content: Content, due_at: datetime, **details: Any) -> Run:
    """Plan the run of an approved campaign without a schedule, whose row the caller has locked, and write that the
    actor launched it, with these details.

    Raises Invalid for a rule that cannot be used, Conflict unless the campaign is approved.
    """
    campaign = content.campaign
    unit = session.get_one(Unit, campaign.unit_id)
    # A rule that cannot be used is refused now, not at night.
    lane = Lane.urgent if campaign.urgent else foresee_lane(session, content.segment_rule, unit.path)
    most_people = find_most_people(session, [campaign.id]).get(campaign.id)
    run_id = plan_run(session, describe_run(content, unit, due_at, lane, most_people))
    reserve_quota(session, [run_id])
    move_campaign(session, campaign, CampaignAct.launch, CampaignStatus.active)
    trail.record_act(
        session, actor.account_id, "campaign.launch", "campaign", campaign.id, unit.path, run=run_id, **details
    )
    return session.get_one(Run, run_id)


def describe_run(content: Content, unit: Unit, due_at: datetime, lane: Lane, most_people: int | None) -> dict[str, Any]:
    """The columns of a run that sends this content at that time, to at most so many recipients without a word."""
    campaign = content.campaign
    day = due_at.astimezone(ZoneInfo(unit.timezone)).date()
    return {
        "campaign_id": campaign.id,
        "unit_id": unit.id,
        "unit_path": unit.path,
        "demonstration": unit.demonstration,
        "of_cohort": campaign.has_cohorts,
        "lane": lane.value,
        "most_people": most_people,
        "due_at": due_at,
        "day": day,
        "month": day.replace(day=1),
        **describe_text(content),
    }


def describe_text(content: Content) -> dict[str, Any]:
    """Those of them that say what is sent to whom and how, with the digest of it."""
    campaign = content.campaign
    return {
        "template_version_id": content.version.id,
        "class_": content.class_,
        "segment_rule": content.segment_rule,
        "values": content.values,
        "signature": campaign.signature,
        "route_id": campaign.route_id,
        "validity_s": campaign.validity_s,
        "canary_receipts": campaign.canary_receipts,
        "digest": content.digest(),
        "asks": find_run_asks(content),
    }


def find_run_asks(content: Content) -> dict[str, Any] | None:
    """What the run's texts ask. An event's question is open until the event begins; a quiz draws from its pool."""
    asks, schedule = content.asks, content.campaign.schedule or {}
    if asks and content.pool is not None:
        return {**asks, POOL: list(content.pool.ids)}
    if asks and "kind" in asks and content.campaign.kind == CampaignKind.event:
        return {**asks, CLOSES_AT: schedule["begins"]}
    return asks


def find_due_time(planned_at: datetime | None, now: datetime) -> datetime | None:
    """When the run of a campaign that its approval launches is due; None: its planned time was missed."""
    if planned_at is None:
        return now
    return None if planned_at < now - GRACE else max(planned_at, now)
