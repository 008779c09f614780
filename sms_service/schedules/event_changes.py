"""What may befall an event that people know of: it is moved, or called off. Whoever was invited learns of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.earlier import select_outcome
from sms_service.audit import trail
from sms_service.audit.changes import compare_before_after
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.approval import renew_by_self_service
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.control import cancel_run
from sms_service.campaigns.models import Campaign, CampaignItem, Decision
from sms_service.campaigns.moving import move_campaign, open_campaign, require_on_campaign
from sms_service.campaigns.picks import take_picks
from sms_service.campaigns.placing import place_items, write_times
from sms_service.campaigns.renewing import mark_undecided
from sms_service.campaigns.states import CANCELLED, MOVED, CampaignKind, CampaignStatus
from sms_service.content.models import TemplateVersion
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.ledger.models import Message, Run
from sms_service.ledger.questions import move_closing
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.said import say
from sms_service.schedules.event import CANCELLATION, INVITATION, MOVE_NOTICE, REMINDER, begins_of, ends_of, read_rule
from sms_service.schedules.event_planning import NUMBERS, share_values

_LIVE = (RunStatus.planned, RunStatus.freezing, RunStatus.running, RunStatus.paused, RunStatus.held)

_LOOKED_AT = 20  # decisions


class EventChange(NamedTuple):
    """An event that was moved or called off. `told`: how many people were invited, and so get a text about it."""

    campaign: Campaign
    told: int


def move_event(
    session: Session,
    actor: Actor,
    campaign_id: int,
    begins: datetime,
    *,
    why: str,
    ends: datetime | None = None,
    values: Mapping[str, Any] | None = None,
    picks: Mapping[str, int | None] | None = None,
) -> EventChange:
    """Let an event that runs begin at another time (aware), and perhaps elsewhere. Without `ends` it lasts as long as
    before. `values` and `picks` stand over those that it has.

    What is still to go gets new times. A text that had not left all people is stopped and goes to the others anew;
    everybody who was invited already gets the notice of the move. What is still to go is new: it counts as approved
    where the actor could send it by self-service, else it is held until somebody approves it.

    Raises NotFound, Forbidden without the right to change and to operate it, Invalid as `read_rule` and `share_values`
    do or without a reason, and Conflict unless it is an event that is to come.
    """
    campaign, path, now = _open_event(session, actor, CampaignAct.move, campaign_id)
    why = required_line("why", why, LONGEST_WHY)
    rule = dict(campaign.schedule or {})
    if ends is None and rule["ends"] is not None:
        ends = begins + (ends_of(rule) - begins_of(rule))
    unit = session.get_one(Unit, campaign.unit_id)
    moved = read_rule({**rule, "begins": begins, "ends": ends}, unit, now)
    if MOVED in rule:
        moved[MOVED] = rule[MOVED]
    before = moved == rule, campaign.values, campaign.picks
    given: dict[str, Any] = {"values": {**campaign.values, **(values or {})}}
    if picks is not None:
        given["picks"] = {**campaign.picks, **picks}
    take_picks(
        session,
        campaign,
        path,
        session.get_one(TemplateVersion, campaign.template_version_id),
        given,
        reworded=False,
    )
    if before == (True, campaign.values, campaign.picks):
        raise Invalid("begins", begins.isoformat(timespec="minutes"), "is when and where it is already")
    stopped = _stop_runs(session, actor, campaign, (INVITATION, REMINDER, MOVE_NOTICE), why)
    told = _count_invited(session, campaign_id)
    if told:
        moved[MOVED] = rule.get(MOVED, 0) + 1
    campaign.schedule = moved
    move_closing(session, campaign_id, INVITATION, begins_of(moved))
    _ask_again(session, campaign, stopped, told > 0)
    share_values(session, campaign)
    place_items(session, campaign)
    campaign.updated_at = func.now()
    mark_undecided(session, campaign)
    times = [{field: one[field] for field in ("begins", "ends")} for one in (rule, moved)]
    details = {"why": why, "told": told, "changes": compare_before_after(*times)}
    trail.record_act(session, actor.account_id, "event.move", "campaign", campaign_id, path, **details)
    renew_by_self_service(session, actor, campaign, path)
    return EventChange(campaign, told)


def cancel_event(session: Session, actor: Actor, campaign_id: int, why: str) -> EventChange:
    """Call off an event that runs. Exactly those whose invitation left, or may have left, get the notice of it, as soon
    as texts may leave; all else of it is stopped. If nobody was invited yet it just ends.

    The notice was approved with the invitation. It names the time and place that people know: a move that nobody
    approved is taken back. Raises NotFound, Forbidden, Invalid without a reason, and Conflict unless it is to
    come.
    """
    campaign, path, _now = _open_event(session, actor, CampaignAct.cancel, campaign_id)
    why = required_line("why", why, LONGEST_WHY)
    _stop_runs(session, actor, campaign, NUMBERS, why)
    told = _count_invited(session, campaign_id)
    if campaign.undecided:
        _take_move_back(session, campaign)
    campaign.schedule = {**(campaign.schedule or {}), CANCELLED: True}
    campaign.updated_at = func.now()
    session.flush()
    becomes = CampaignStatus.active
    try:
        if not told:
            raise Invalid("schedule", None, "nobody was invited")
        place_items(session, campaign)
    except Invalid:  # nobody to tell, or no time for it before it begins
        told, becomes = 0, CampaignStatus.ended
        write_times(session, campaign_id, dict.fromkeys(NUMBERS))
    move_campaign(session, campaign, CampaignAct.cancel, becomes)
    mark_undecided(session, campaign)
    trail.record_act(session, actor.account_id, "event.cancel", "campaign", campaign_id, path, why=why, told=told)
    return EventChange(campaign, told)


def require_event(session: Session, actor: Actor, permission: Permission, campaign_id: int) -> tuple[Campaign, str]:
    """The campaign, which is an event, and its unit's path. Raises Forbidden, or NotFound, also where it is none."""
    campaign, path = require_on_campaign(session, actor, permission, campaign_id)
    if campaign.kind != CampaignKind.event:
        raise NotFound("event of campaign", campaign_id)
    return campaign, path


def _open_event(session: Session, actor: Actor, act: CampaignAct, campaign_id: int) -> tuple[Campaign, str, datetime]:
    """The campaign of an event that is to come, locked until the commit, its unit's path, and now."""
    campaign, path = open_campaign(session, actor, act, campaign_id)
    now: datetime = session.scalars(select(func.sms_now())).one()
    rule = campaign.schedule or {}
    if rule.get(CANCELLED):
        raise Conflict(say("the event of campaign {campaign} is called off already", campaign=campaign_id))
    if begins_of(rule) <= now:
        raise Conflict(say("the event of campaign {campaign} has begun", campaign=campaign_id))
    return campaign, path, now


def _stop_runs(session: Session, actor: Actor, campaign: Campaign, items: Collection[int], why: str) -> set[int]:
    """Cancel the runs of these items that are not over; returns their items, but for those of which all texts had left.
    What is at the gate has left after this.
    """
    waits = select(Message.id).where(
        Message.month == Run.month,
        Message.run_id == Run.id,
        Message.status.in_((MessageStatus.pending, MessageStatus.claimed)),
    )
    unsent = or_(Run.frozen_at.is_(None), exists(waits))
    rows = session.execute(
        select(Run.item, Run.id, unsent.label("unsent")).where(
            Run.campaign_id == campaign.id, Run.kind == "campaign", Run.item.in_(items), Run.status.in_(_LIVE)
        )
    ).all()
    for row in rows:
        cancel_run(session, actor, row.id, why)
    return {row.item for row in rows if row.unsent}


def _count_invited(session: Session, campaign_id: int) -> int:
    """The people whose invitation left or may have left."""
    invited = select_outcome(session, campaign_id, "texted", INVITATION).subquery()
    return session.scalar(select(func.count()).select_from(invited)) or 0


def _ask_again(session: Session, campaign: Campaign, stopped: Collection[int], invited: bool) -> None:
    """Let items fire again: an invitation that did not reach all goes to the others, a reminder that went comes before
    the new day, and so does the notice of the move.
    """
    texted = {"campaign": {"id": campaign.id, "outcome": "texted", "item": INVITATION}}
    for item in session.scalars(select(CampaignItem).where(CampaignItem.campaign_id == campaign.id)):
        if item.number == INVITATION and INVITATION in stopped:
            item.fired_at = None
            item.rule = {"not": texted} if invited else None
        elif item.number == REMINDER or (item.number == MOVE_NOTICE and invited):
            item.fired_at = None
    session.flush()


def _take_move_back(session: Session, campaign: Campaign) -> None:
    """Say again what was approved last, which is what people were told."""
    item = session.get_one(CampaignItem, (campaign.id, CANCELLATION), populate_existing=True)
    now = campaign.values, campaign.schedule
    decisions = session.scalars(
        select(Decision)
        .where(Decision.campaign_id == campaign.id, Decision.decided == "approved", Decision.content.is_not(None))
        .order_by(Decision.id.desc())
        .limit(_LOOKED_AT)
    ).all()
    for decision in decisions:  # of two approvals that were needed there may be one
        covered = (decision.content or {})["covered"]
        if covered.get("kind") != CampaignKind.event:
            break
        campaign.values, campaign.schedule = dict(covered["values"]), dict(covered["schedule"])
        session.flush()
        content = content_of(session, campaign)
        if any(content.of_item(one).digest() == item.approved for one in content.items if one.number == CANCELLATION):
            return
    campaign.values, campaign.schedule = now
    session.flush()
