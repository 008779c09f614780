"""A schedule as people read it: its items, and when they fire next."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.moving import require_on_campaign
from sms_service.directory.models import Unit
from sms_service.ledger.models import Run
from sms_service.schedules.kinds import KINDS

MOST_TIMES_SHOWN = 10
MOST_RUNS_SHOWN = 20  # of each item


def view_schedule(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """The campaign's `kind`, `rule`, `items` with the ids of their `runs`, and its `next_times`, at most ten. Raises
    NotFound or Forbidden.
    """
    campaign, _ = require_on_campaign(session, actor, Permission.read, campaign_id)
    content = content_of(session, campaign, held=False)
    place = func.row_number().over(partition_by=Run.item, order_by=Run.firing.desc())
    numbered = select(Run.item, Run.id, place.label("place")).where(Run.campaign_id == campaign_id).subquery()
    runs = defaultdict[int, list[int]](list)
    for row in session.execute(select(numbered).where(numbered.c.place <= MOST_RUNS_SHOWN).order_by(numbered.c.place)):
        runs[row.item].append(row.id)
    items = [
        {
            "number": item.number,
            "label": item.label,
            "values": item.values,
            "text": None if item.version is None else item.version.body,
            "skipped": item.skipped,
            "next_at": item.next_at,
            "fired_at": item.fired_at,
            "approved": item.approved == content.of_item(item).digest(),
            "runs": runs[item.number],
        }
        for item in content.items
    ]
    times = list_coming(session, content)
    return {"kind": campaign.kind, "rule": campaign.schedule, "items": items, "next_times": times}


def list_coming(session: Session, content: Content, most: int = MOST_TIMES_SHOWN) -> list[datetime]:
    """When the content's campaign fires next, in order."""
    unit = session.get_one(Unit, content.campaign.unit_id)
    rule, times = content.campaign.schedule or {}, list[datetime]()
    for item in content.items:
        at, found = item.next_at, 0
        while at is not None and found < most:
            times.append(at)
            at, found = KINDS[content.campaign.kind].find_following(rule, unit, at), found + 1
    return sorted(times)[:most]
