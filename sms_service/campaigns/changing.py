"""Who may change a campaign's content, and what a change leaves behind: an entry of the trail, and a draft."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.audit.changes import Changes, read_before_after
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.authorship import list_authors
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import move_campaign, open_campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.errors import Conflict
from sms_service.said import say

# What the trail tells before and after; of words and questions the decisions keep what was decided on.
_TOLD = (
    *("name", "template_version_id", "segment_id", "signature", "route_id", "validity_s", "channels", "planned_at"),
    *("urgent", "canary_receipts", "launch_on_approval"),
)


def open_for_change(
    session: Session, actor: Actor, campaign_id: int, unchanged_since: datetime | None = None
) -> tuple[Campaign, str]:
    """The campaign, locked until the commit, and its unit's path, for whoever changes its content. Raises as
    `change_campaign` does.
    """
    campaign, path = open_campaign(session, actor, CampaignAct.change, campaign_id)
    if unchanged_since is not None and campaign.updated_at != unchanged_since:
        who = next((one.name for one in reversed(list_authors(session, campaign)) if one.name), "system")
        message = (
            "{who} changed campaign {campaign} since you opened it, and your change was not made; look at it again"
        )
        raise Conflict(say(message, who=who, campaign=campaign.id))
    return campaign, path


def note_change(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    path: str,
    fields: Iterable[str],
    changes: Changes | None = None,
) -> None:
    """Write that the actor changed these fields, and make the campaign a draft. `changes`: what was before and after,
    by default of what was not flushed yet.
    """
    changes = read_before_after(campaign, _TOLD) if changes is None else changes
    campaign.updated_at = func.now()
    session.flush()
    if campaign.status != CampaignStatus.draft:
        move_campaign(session, campaign, CampaignAct.change, CampaignStatus.draft)
    details = {"fields": sorted(fields), "changes": changes}
    trail.record_act(session, actor.account_id, "campaign.change", "campaign", campaign.id, path, **details)
