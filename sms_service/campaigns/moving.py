"""A campaign under the eyes of somebody who may act on it, and its way from one status to the next."""

from __future__ import annotations

from typing import NoReturn

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.acts import ACTS, CampaignAct
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
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


def open_campaign(session: Session, actor: Actor, act: CampaignAct, campaign_id: int) -> tuple[Campaign, str]:
    """The campaign, and its unit's path, for whoever does this to it now: locked until the commit, so that neither
    anybody else nor the clock does anything to it meanwhile.

    Raises NotFound, Forbidden, or Conflict if the act is not for a campaign of its kind or status.
    """
    campaign, path = lock_campaign(session, actor, act, campaign_id)
    require_status(campaign, act)
    return campaign, path


def lock_campaign(session: Session, actor: Actor, act: CampaignAct, campaign_id: int) -> tuple[Campaign, str]:
    """The same in whatever status it is, for an act that answers what it did before; `require_status` follows."""
    first, *others = ACTS[act].rights
    campaign, path = require_on_campaign(session, actor, first, campaign_id)
    for right in others:
        actor.require(right, path)
    session.refresh(campaign, with_for_update=True)
    _require_kind(campaign, act)
    return campaign, path


def require_status(campaign: Campaign, act: CampaignAct) -> None:
    """Raises Conflict if the act is not for a campaign of this status; the caller has locked its row."""
    if not _is_open(campaign, act):
        _refuse(campaign, act)


def list_acts(actor: Actor, campaign: Campaign, path: str) -> list[CampaignAct]:
    """What the actor may do by right about the campaign of the unit at `path` as it stands. What else an act asks for
    (another person than its authors, a run that waits, …) it says when it is tried.
    """
    return [
        act
        for act, terms in ACTS.items()
        if terms.rights
        and campaign.kind in terms.kinds
        and _is_open(campaign, act)
        and all(actor.can(right, path) for right in terms.rights)
    ]


def move_campaign(session: Session, campaign: Campaign, act: CampaignAct, target: CampaignStatus) -> None:
    """Change the status by this act, in one conditional statement. Raises Conflict if the table does not have that."""
    sources = [source for source, targets in ACTS[act].moves.items() if target in targets]
    moved = session.scalar(
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.status.in_(sources))
        .values(status=target.value, updated_at=func.now())
        .returning(Campaign.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(campaign)
    if moved is None:
        _refuse(campaign, act)


def _is_open(campaign: Campaign, act: CampaignAct) -> bool:
    terms = ACTS[act]
    return campaign.status in terms.moves and (campaign.undecided or campaign.status not in terms.undecided)


def _require_kind(campaign: Campaign, act: CampaignAct) -> None:
    kinds = ACTS[act].kinds
    if campaign.kind in kinds:
        return
    if kinds == (CampaignKind.event,):
        raise NotFound("event of campaign", campaign.id)
    if campaign.schedule is None:
        raise Conflict(say("campaign {campaign} has no schedule; it is launched", campaign=campaign.id))
    raise Conflict(say("campaign {campaign} has a schedule, which makes its runs; start that", campaign=campaign.id))


def _refuse(campaign: Campaign, act: CampaignAct) -> NoReturn:
    sources = [source for source in ACTS[act].moves if source not in ACTS[act].undecided]
    message = "campaign {campaign} is {status}; to {act} it, it must be {sources: or }"
    raise Conflict(say(message, campaign=campaign.id, status=CampaignStatus(campaign.status), act=act, sources=sources))
