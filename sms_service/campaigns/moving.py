"""A campaign under the eyes of somebody who may act on it, and its way from one status to the next."""

from __future__ import annotations

from typing import NoReturn

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CAMPAIGN_TRANSITIONS, CampaignStatus
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, NotFound
from sms_service.said import say


def require_on_campaign(
    session: Session, actor: Actor, permission: Permission, campaign_id: int
) -> tuple[Campaign, str]:
    """The campaign, and its unit's path, if the actor has the permission on it. Raises NotFound or Forbidden."""
    found = session.execute(
        select(Campaign, Unit.path).join(Unit, Unit.id == Campaign.unit_id).where(Campaign.id == campaign_id)
    ).first()
    if found is None:
        raise NotFound("campaign", campaign_id)
    actor.require(permission, found[1])
    return found[0], found[1]


def move_campaign(session: Session, campaign: Campaign, target: CampaignStatus) -> None:
    """Change the status in one conditional statement. Raises Conflict if the present status does not allow that."""
    sources = [source for source, targets in CAMPAIGN_TRANSITIONS.items() if target in targets]
    moved = session.scalar(
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.status.in_(sources))
        .values(status=target.value, updated_at=func.now())
        .returning(Campaign.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(campaign)
    if moved is None:
        _refuse_move(campaign)


def require_movable(campaign: Campaign, target: CampaignStatus) -> None:
    """Raises Conflict if the status of the campaign, whose row the caller has locked, does not allow that one next."""
    if target not in CAMPAIGN_TRANSITIONS[CampaignStatus(campaign.status)]:
        _refuse_move(campaign)


def _refuse_move(campaign: Campaign) -> NoReturn:
    possible = sorted(CAMPAIGN_TRANSITIONS[CampaignStatus(campaign.status)])
    if not possible:
        ended = "campaign {campaign} is {status}; it can become: nothing"
        raise Conflict(say(ended, campaign=campaign.id, status=CampaignStatus(campaign.status)))
    message = "campaign {campaign} is {status}; it can become: {possible}"
    raise Conflict(say(message, campaign=campaign.id, status=CampaignStatus(campaign.status), possible=possible))
