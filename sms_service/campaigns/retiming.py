"""Another time for a run that waits for its own."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import open_campaign
from sms_service.campaigns.renewing import mark_undecided
from sms_service.campaigns.reserving import reserve_quota
from sms_service.campaigns.services import check_ahead
from sms_service.directory.models import Unit
from sms_service.errors import Conflict
from sms_service.ledger.models import Run
from sms_service.ledger.runs import retime_run
from sms_service.said import as_said, say

_CHANGED = as_said("its planned time was changed; it waits until somebody approves that")


def change_planned_time(session: Session, actor: Actor, campaign_id: int, at: datetime) -> Campaign:
    """Let the run of a launched plain campaign begin `at` another time (aware), as long as it waits for its time.

    Where the approver saw a planned time, the run is held until the new one is approved, too. Raises NotFound,
    Forbidden without the right to change it and to launch it, Invalid for a time that is past or over a year ahead, and
    Conflict unless its run waits.
    """
    campaign, path = open_campaign(session, actor, CampaignAct.retime, campaign_id)
    now: datetime = session.scalars(select(func.sms_now())).one()
    check_ahead("at", at, now, "lies in the past; choose a later time, or launch it now")
    run_id = session.scalar(select(Run.id).where(Run.campaign_id == campaign_id))
    assert run_id is not None, "an active plain campaign has its run"
    seen = campaign.planned_at is not None
    before = campaign.planned_at if seen else session.scalar(select(Run.due_at).where(Run.id == run_id))
    assert before is not None, "each run has its time"
    if seen:
        campaign.planned_at, campaign.updated_at = at, func.now()
        session.flush()
        mark_undecided(session, campaign)
    hold = _CHANGED if campaign.undecided else None
    zone = ZoneInfo(session.get_one(Unit, campaign.unit_id).timezone)
    day = at.astimezone(zone).date()
    if not retime_run(session, run_id, at, day, hold):
        raise Conflict(say("run {run} has begun or is cancelled; its time cannot be changed any more", run=run_id))
    reserve_quota(session, [run_id])  # it may be of another month now
    # Who changes the planned time has a hand in what is approved next.
    act = "campaign.change" if seen else "campaign.retime"
    changes = {"planned_at": [before.isoformat(), at.isoformat()]}
    trail.record_act(session, actor.account_id, act, "campaign", campaign_id, path, run=run_id, changes=changes)
    return campaign
