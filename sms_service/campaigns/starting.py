"""A campaign with a schedule is started once; from then on the clock fires its items."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.contents import Content
from sms_service.campaigns.moving import move_campaign
from sms_service.campaigns.placing import place_items
from sms_service.campaigns.states import CampaignStatus


def start_schedule(session: Session, actor: Actor, content: Content, **details: Any) -> None:
    """Let the items of an approved campaign, whose row the caller has locked, fire from now on, and write that the
    actor launched it, with these details.

    Raises Invalid where nothing is left to fire, Conflict unless the campaign is approved.
    """
    campaign = content.campaign
    place_items(session, campaign)
    move_campaign(session, campaign, CampaignAct.start, CampaignStatus.active)
    path = unit_path(session, campaign.unit_id)
    trail.record_act(session, actor.account_id, "campaign.launch", "campaign", campaign.id, path, **details)
