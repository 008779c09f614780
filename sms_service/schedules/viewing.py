"""A schedule as people read it: its items, and when they fire next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.controls.quiet_days import list_quiet_dates
from sms_service.directory.models import Unit
from sms_service.ledger.archived import count_archived_runs
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.said import Said
from sms_service.schedules.cohorts import list_cohorts
from sms_service.schedules.kinds import KINDS
from sms_service.schedules.rhythms import describe_recurrence
from sms_service.schedules.series import describe_series

MOST_TIMES_SHOWN = 10
MOST_RUNS_SHOWN = 20  # of each item
_LEFT = (
    *(MessageStatus.submitting, MessageStatus.accepted, MessageStatus.unknown),
    *(MessageStatus.delivered, MessageStatus.undelivered, MessageStatus.no_receipt),
)
_OPEN = (RunStatus.planned, RunStatus.freezing, RunStatus.running, RunStatus.paused, RunStatus.held)


class FiredRun(NamedTuple):
    """A run of an item. `audience`: its recipients; None before they are written down."""

    id: int
    status: str
    held_for: str | None
    due_at: datetime
    audience: int | None

    @property
    def is_to_come(self) -> bool:
        """Whether its list is still to be made, so that a change since the approval counts for it."""
        return self.audience is None and self.status in (RunStatus.planned, RunStatus.held)


class ItemRun(NamedTuple):
    """A run of one of a schedule's texts. `people`: in its audience; `left`: texts that left or may have left."""

    id: int
    status: str
    held_for: str | None
    due_at: datetime
    people: int
    left: int


class ComingTime(NamedTuple):
    """When something fires. `quiet`: what day that is, if texts of its class do not leave then and wait for the day
    after.
    """

    at: datetime
    quiet: str | None


def view_schedule(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """The campaign's `kind`, `rule`, the same in `words`, `items` with the ids of their `runs`, its `next_times`, at
    most ten, which of these are on `quiet_days`, with the names of the days, and the `cohorts` of those who joined a
    series late. Raises NotFound or Forbidden.
    """
    campaign, _ = require_on_campaign(session, actor, Permission.read, campaign_id)
    content = content_of(session, campaign, held=False)
    items = [{**item, "runs": [run.id for run in item["runs"]]} for item in view_items(session, content)]
    times = list_coming(session, content)
    unit = session.get_one(Unit, campaign.unit_id)
    quiet = mark_quiet_days(session, unit, content.class_, times)
    return {
        "kind": campaign.kind,
        "rule": campaign.schedule,
        "words": describe_schedule(campaign),
        "items": items,
        "next_times": times,
        "quiet_days": {one.at.isoformat(): one.quiet for one in quiet if one.quiet is not None},
        "cohorts": list_cohorts(session, campaign, content.items),
    }


def view_items(session: Session, content: Content) -> list[dict[str, Any]]:
    """The items of the content's campaign, in their order, each with its `runs`, the newest first, at most 20. `waits`:
    it is still to go, and not as it was approved.
    """
    under_way = content.campaign.status in (CampaignStatus.active, CampaignStatus.suspended)
    runs, items = _list_runs(session, content.campaign.id), []
    for item in content.items:
        approved = item.approved == content.of_item(item).digest()
        is_to_come = item.next_at is not None or any(run.is_to_come for run in runs[item.number])
        items.append(
            {
                "number": item.number,
                "label": item.label,
                "values": item.values,
                "text": None if item.version is None else item.version.body,
                "skipped": item.skipped,
                "next_at": item.next_at,
                "fired_at": item.fired_at,
                "approved": approved,
                "waits": under_way and is_to_come and not (approved or item.skipped),
                "runs": runs[item.number],
            }
        )
    return items


def _list_runs(session: Session, campaign_id: int) -> defaultdict[int, list[FiredRun]]:
    place = func.row_number().over(partition_by=Run.item, order_by=Run.firing.desc())
    columns = (Run.item, Run.id, Run.status, Run.held_for, Run.due_at, Run.audience)
    numbered = select(*columns, place.label("place")).where(Run.campaign_id == campaign_id).subquery()
    found = defaultdict[int, list[FiredRun]](list)
    for row in session.execute(select(numbered).where(numbered.c.place <= MOST_RUNS_SHOWN).order_by(numbered.c.place)):
        found[row.item].append(FiredRun(row.id, row.status, row.held_for, row.due_at, row.audience))
    return found


def count_open_runs(session: Session, campaign_id: int) -> int:
    """How many runs of the campaign are under way or wait."""
    return session.scalars(
        select(func.count()).where(Run.campaign_id == campaign_id, Run.status.in_(_OPEN), Run.kind == "campaign")
    ).one()


def find_next_time(session: Session, content: Content) -> datetime | None:
    """When the content's schedule would fire next if somebody went on with it now; None: not any more."""
    campaign, items = content.campaign, [item for item in content.items if not item.skipped]
    now: datetime = session.scalars(select(func.sms_now())).one()
    unit = session.get_one(Unit, campaign.unit_id)
    times = KINDS[campaign.kind].plan_times(session, campaign.schedule or {}, unit, items, now)
    return min((at for at in times.values() if at is not None), default=None)


def describe_schedule(campaign: Campaign) -> Said | None:
    """By what rule it fires, in words; None where its kind says that in another way."""
    match campaign.kind:
        case CampaignKind.recurring:
            return describe_recurrence(campaign.schedule or {})
        case CampaignKind.series:
            return describe_series(campaign.schedule or {})
    return None


def mark_quiet_days(session: Session, unit: Unit, class_: str, times: Iterable[datetime]) -> list[ComingTime]:
    """These times, with the quiet days of the unit on which they are for texts of this class."""
    quiet, zone = list_quiet_dates(session, unit.path, class_), ZoneInfo(unit.timezone)
    return [ComingTime(at, quiet.get(at.astimezone(zone).date())) for at in times]


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


def list_item_runs(session: Session, campaign_id: int) -> defaultdict[int, list[ItemRun]]:
    """By item all its runs, the newest first; for schedules whose items fire once."""
    rows = session.scalars(
        select(Run).where(Run.campaign_id == campaign_id, Run.kind == "campaign").order_by(Run.id.desc())
    ).all()
    counted = select(Message.run_id, func.count(), func.count().filter(Message.status.in_(_LEFT)))
    counted = counted.where(
        Message.month.in_({run.month for run in rows}), Message.run_id.in_([run.id for run in rows])
    )
    counts = {row[0]: (row[1], row[2]) for row in session.execute(counted.group_by(Message.run_id))}
    for run_id, statuses in count_archived_runs(session, [run.id for run in rows if run.id not in counts]).items():
        counts[run_id] = sum(statuses.values()), sum(statuses.get(status, 0) for status in _LEFT)
    found = defaultdict[int, list[ItemRun]](list)
    for run in rows:
        found[run.item].append(ItemRun(run.id, run.status, run.held_for, run.due_at, *counts.get(run.id, (0, 0))))
    return found
