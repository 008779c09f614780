"""Events as people read them: the list of those that come, and one with its texts, their times and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, cast, false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.earlier import select_outcomes
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import list_acts
from sms_service.campaigns.states import CANCELLED, MOVED, CampaignKind, CampaignStatus
from sms_service.directory.models import Person, Unit
from sms_service.schedules.attendance_models import Attendance
from sms_service.schedules.event import INVITATION, Placed, begins_of, ends_of, place_event
from sms_service.schedules.event_changes import require_event
from sms_service.schedules.viewing import list_item_runs

MOST_NAMED = 200  # people who said no
_OVER = (CampaignStatus.withdrawn, CampaignStatus.rejected)


def begins_column() -> ColumnElement[datetime]:
    """SQL over campaigns that are events: when they begin."""
    return cast(Campaign.schedule["begins"].astext, DateTime(timezone=True))


def find_events(paths: Sequence[str], since: datetime | None = None) -> Select[Campaign, Unit]:
    """The events of the units that are now within the subtrees at `paths`, but for those that were given up, each with
    its unit; not ordered. `since`: those that begin later.
    """
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    statement = (
        select(Campaign, Unit)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Campaign.kind == CampaignKind.event, Campaign.status.not_in(_OVER), within)
    )
    return statement if since is None else statement.where(begins_column() >= since)


def describe_event(campaign: Campaign, unit: Unit) -> dict[str, Any]:
    """An event as lists show it."""
    rule = campaign.schedule or {}
    return {
        "campaign_id": campaign.id,
        "name": campaign.name,
        "unit_id": unit.id,
        "unit": unit.name,
        "path": unit.path,
        "zone": unit.timezone,
        "status": campaign.status,
        "undecided": campaign.undecided,
        "begins": begins_of(rule),
        "ends": None if rule["ends"] is None else ends_of(rule),
        "place": campaign.values.get("地点"),
        "time": campaign.values.get("时间"),
        "subject": campaign.values.get("主题"),
        "cancelled": bool(rule.get(CANCELLED)),
        "moved": rule.get(MOVED, 0),
    }


def get_event(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """What lists show of it, and: the `acts` that are open to the actor, how many people were `invited`, whether it has
    `begun`, how many `came` of how many `expected`, None if that is not ticked off yet. Raises NotFound or Forbidden.
    """
    return _read(session, actor, campaign_id)[0]


def view_event(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """The same with its `rule`, its `signature`, its `items` with `note` and `runs`, and who `declined` (at most 200).
    Raises NotFound or Forbidden.
    """
    event, campaign, unit, now, declined = _read(session, actor, campaign_id)
    content = content_of(session, campaign, held=False)
    named = session.execute(
        select(Person.id, Person.name).where(Person.id.in_(declined)).order_by(Person.name, Person.id).limit(MOST_NAMED)
    ).all()
    return event | {
        "rule": campaign.schedule,
        "signature": campaign.signature,
        "items": _items(session, content, unit, now),
        "declined": [{"person_id": row.id, "name": row.name} for row in named],
    }


def _read(
    session: Session, actor: Actor, campaign_id: int
) -> tuple[dict[str, Any], Campaign, Unit, datetime, Select[int]]:
    """An event as `get_event` has it, with its campaign, its unit, the time, and who declined."""
    campaign, _ = require_event(session, actor, Permission.read, campaign_id)
    unit = session.get_one(Unit, campaign.unit_id)
    invited, declined = select_outcomes(session, campaign_id, [("texted", INVITATION), ("declined", None)])
    ticked = Attendance.campaign_id == campaign_id
    now, number, expected, came = session.execute(
        select(
            func.sms_now(),
            select(func.count()).select_from(invited.subquery()).scalar_subquery(),
            select(func.count()).where(ticked).scalar_subquery(),
            select(func.count()).where(ticked, Attendance.came).scalar_subquery(),
        )
    ).one()
    event = describe_event(campaign, unit) | {
        "acts": list_acts(actor, campaign, unit.path),
        "invited": number,
        "came": came if expected else None,
        "expected": expected,
        "begun": begins_of(campaign.schedule or {}) <= now,
    }
    return event, campaign, unit, now, declined


def list_placed(session: Session, content: Content, unit: Unit, now: datetime) -> dict[int, Placed]:
    """When each text of the content's event goes if nothing changes, with why that is not when its rule says."""
    items = [item for item in content.items if not item.skipped]
    return place_event(session, content.campaign.schedule or {}, unit, items, now)


def _items(session: Session, content: Content, unit: Unit, now: datetime) -> list[dict[str, Any]]:
    runs, placed = list_item_runs(session, content.campaign.id), list_placed(session, content, unit, now)
    return [
        {
            "number": item.number,
            "label": item.label,
            "text": (item.version or content.version).body,
            "values": content.of_item(item).values,
            "template_version_id": (item.version or content.version).id,
            "class_": item.class_ or content.class_,
            "skipped": item.skipped,
            "next_at": item.next_at,
            "fired_at": item.fired_at,
            "note": placed[item.number].note if item.number in placed and item.fired_at is None else None,
            "approved": item.approved == content.of_item(item).digest(),
            "runs": runs[item.number],
        }
        for item in content.items
    ]
