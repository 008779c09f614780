"""Which campaigns use a segment."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.campaigns.models import Campaign
from sms_service.directory.models import Unit


def count_campaigns_of_segments(session: Session, segment_ids: Collection[int], paths: Sequence[str]) -> dict[int, int]:
    """How many campaigns of the units within the subtrees at `paths` use each of these segments; one of none is not
    there.
    """
    rows = session.execute(
        select(Campaign.segment_id, func.count())
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Campaign.segment_id.in_(segment_ids), or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
        .group_by(Campaign.segment_id)
    )
    return {row[0]: row[1] for row in rows}
