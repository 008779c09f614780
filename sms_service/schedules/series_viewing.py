"""A series as people read it: its texts in their order, with their days and runs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.models import CampaignItem
from sms_service.directory.models import Unit
from sms_service.ledger.states import RunStatus
from sms_service.schedules.series import describe_series, warn_of_calendar
from sms_service.schedules.series_planning import require_series
from sms_service.schedules.viewing import list_item_runs

_WAITS = (RunStatus.planned, RunStatus.held)


def view_series(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """The series: its campaign with `status`, `undecided` and `updated_at`, its unit's `zone`, its `rule` and what that
    is in words (`said`), its `items`, how many of them `went`, when the `last` goes, and a `warning` where that is a
    year whose holidays are not known. `fixed`: the place of the last that was sent; it and all before it stay.

    Raises Forbidden, or NotFound, also where it is no series.
    """
    campaign, _ = require_series(session, actor, Permission.read, campaign_id)
    unit, rule = session.get_one(Unit, campaign.unit_id), campaign.schedule or {}
    content = content_of(session, campaign, held=False)
    items = _items(session, content, unit)
    times = [item["next_at"] for item in items if item["next_at"] is not None]
    last = max(times, default=None)
    return {
        "campaign_id": campaign.id,
        "name": campaign.name,
        "unit_id": unit.id,
        "unit": unit.name,
        "zone": unit.timezone,
        "status": campaign.status,
        "undecided": campaign.undecided,
        "updated_at": campaign.updated_at,
        "rule": rule,
        "said": describe_series(rule),
        "items": items,
        "went": sum(any(run.status not in _WAITS for run in item["runs"]) for item in items),
        "fixed": max((item["position"] for item in items if item["fired_at"] is not None), default=0),
        "last": last,
        "warning": None if last is None else warn_of_calendar(session, rule, unit, last.date()),
    }


def _items(session: Session, content: Content, unit: Unit) -> list[dict[str, Any]]:
    runs, zone = list_item_runs(session, content.campaign.id), ZoneInfo(unit.timezone)
    rows = select(CampaignItem.number, CampaignItem.position, CampaignItem.updated_at)
    places = {row.number: row for row in session.execute(rows.where(CampaignItem.campaign_id == content.campaign.id))}
    return [
        {
            "number": item.number,
            "position": places[item.number].position,
            "label": item.label,
            "values": item.values,
            "text": (item.version or content.version).body,
            "template_version_id": None if item.version is None else item.version.id,
            "skipped": item.skipped,
            "next_at": item.next_at and item.next_at.astimezone(zone),
            "fired_at": item.fired_at and item.fired_at.astimezone(zone),
            "approved": item.approved == content.of_item(item).digest(),
            "updated_at": places[item.number].updated_at,
            "runs": runs[item.number],
        }
        for item in content.items
    ]
