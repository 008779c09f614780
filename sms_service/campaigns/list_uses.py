"""Who uses a list for one campaign: segments whose rule names it, those that use them, and campaigns of all these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, any_, case, cast, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.models import Segment
from sms_service.campaigns import overview
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.campaigns.uses import MOST_USES
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus

# Decided on, or being decided, and not sent: an emptied list would make it a campaign to nobody.
_DECIDED = (CampaignStatus.submitted, CampaignStatus.approved)
_OVER = (RunStatus.finished, RunStatus.closed, RunStatus.cancelled)
_NOT_FROZEN = (RunStatus.planned, RunStatus.freezing, RunStatus.held)


class ListUse(NamedTuple):
    """Whether something waits that needs the list's rows, and when its last run ended; None: it had none."""

    waits: bool
    last_end: datetime | None


def find_list_use(session: Session, list_id: int) -> ListUse:
    """What the list is needed for, for whoever empties it."""
    campaigns = Campaign.segment_id.in_(_select_list_segments(list_id))
    planned = exists().where(
        Run.status.in_(_NOT_FROZEN), Run.frozen_at.is_(None), _names_list(Run.segment_rule.expression, list_id)
    )
    decided = exists().where(campaigns, Campaign.status.in_(_DECIDED))
    under_way = exists().where(campaigns, Run.campaign_id == Campaign.id, Run.status.not_in(_OVER))
    ended = func.coalesce(Run.closed_at, Run.finished_at, case((Run.status == RunStatus.cancelled, Run.due_at)))
    last = select(func.max(ended)).join(Campaign, Campaign.id == Run.campaign_id).where(campaigns)
    row = session.execute(select(or_(planned, decided, under_way), last.scalar_subquery())).one()
    return ListUse(row[0], row[1])


def list_campaigns_of_list(session: Session, actor: Actor, list_id: int) -> Sequence[dict[str, Any]]:
    """The campaigns that use the list, as `describe_campaign` has them, as far as the actor may read them: the newest
    first, at most 50.
    """
    found = overview.find_campaigns(actor.scope(Permission.read)).where(
        Campaign.segment_id.in_(_select_list_segments(list_id))
    )
    rows = session.execute(found.order_by(Campaign.id.desc()).limit(MOST_USES))
    return [overview.describe_campaign(row) for row in rows]


def _select_list_segments(list_id: int) -> Select[int]:
    """The segments whose rule names the list, and those that use them."""
    own = select(Segment.id).where(_names_list(Segment.rule.expression, list_id)).cte("naming", recursive=True)
    naming = own.union(select(Segment.id).join(own, own.c.id == any_(Segment.uses)))
    return select(naming.c.id)


def _names_list(rule: ColumnElement[Any], list_id: int) -> ColumnElement[bool]:
    path, given = cast("$.**.list ? (@ == $id)", JSONPATH), func.jsonb_build_object("id", literal(list_id, BigInteger))
    return func.jsonb_path_exists(rule, path, given)
