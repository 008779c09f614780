"""Series that are under way follow the calendar of working days, also when it is changed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.campaigns.models import Campaign
from sms_service.campaigns.placing import place_items
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.directory.models import Unit
from sms_service.schedules.correcting import has_times


def place_series_anew(session: Session, path: str) -> None:
    """Give the texts that are still to come of the active series in the subtree at `path` the days that the calendar
    says now. The others are placed when they start or go on.
    """
    series = (
        select(Campaign)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(
            Campaign.kind == CampaignKind.series,
            Campaign.status == CampaignStatus.active,
            Campaign.schedule["days"].astext == "working",
            Unit.path.op("^@")(path),
        )
        .order_by(Campaign.id)
        .with_for_update(of=Campaign)
        .execution_options(populate_existing=True)
    )
    for campaign in session.scalars(series).all():
        if has_times(session, campaign):
            place_items(session, campaign)
