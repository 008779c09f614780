"""Who uses a segment: campaigns, and other segments, by which further campaigns use it too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.models import Segment
from sms_service.audience.nesting import UsedSegment, find_users
from sms_service.campaigns import overview
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.directory.models import Unit

MOST_USES = 50  # campaigns that are named
# What a change of the segment touches: its approval counts no longer, or is being given.
DECIDED = (CampaignStatus.submitted, CampaignStatus.approved, CampaignStatus.active)


@dataclass(frozen=True, slots=True)
class SegmentUses:
    """The segments that use a segment, and the campaigns that use it or one of them, as `describe_campaign` has them:
    first those that are decided on, then the newest, at most 50. `hidden`: segments that the actor may not read.
    """

    segments: Sequence[UsedSegment]
    campaigns: Sequence[dict[str, Any]]
    hidden: int

    @property
    def decided(self) -> list[dict[str, Any]]:
        """The campaigns that are submitted, approved or active."""
        return [campaign for campaign in self.campaigns if campaign["status"] in DECIDED]


def list_segment_uses(session: Session, actor: Actor, segment: Segment) -> SegmentUses:
    """Who uses the segment, as far as the actor may read it."""
    users = find_users(session, segment.id)
    shown = [user for user in users.values() if actor.may_use(user.path)]
    rows = session.execute(
        overview.find_campaigns(actor.scope(Permission.read), segment_ids=[segment.id, *users])
        .order_by(Campaign.status.in_(DECIDED).desc(), Campaign.id.desc())
        .limit(MOST_USES)
    )
    return SegmentUses(shown, [overview.describe_campaign(row) for row in rows], len(users) - len(shown))


def count_campaigns_of_segments(session: Session, segment_ids: Collection[int], paths: Sequence[str]) -> dict[int, int]:
    """How many campaigns of the units within the subtrees at `paths` use each of these segments by name; one of none is
    not there.
    """
    rows = session.execute(
        select(Campaign.segment_id, func.count())
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Campaign.segment_id.in_(segment_ids), or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
        .group_by(Campaign.segment_id)
    )
    return {row[0]: row[1] for row in rows}
