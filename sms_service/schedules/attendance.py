"""Who came to an event: ticked off afterwards, by name; counted by unit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.earlier import select_outcome, select_outcomes
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.campaigns.moving import move_campaign, open_campaign
from sms_service.campaigns.placing import place_items
from sms_service.campaigns.states import CANCELLED, CampaignStatus
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict, Invalid
from sms_service.ledger.models import Message, Run
from sms_service.said import say
from sms_service.schedules.attendance_models import Attendance
from sms_service.schedules.event import INVITATION, THANKS, begins_of
from sms_service.schedules.event_changes import require_event

MOST_TICKED = 2_000  # people of one event who are ticked off


class Expected(NamedTuple):
    """Somebody to whom an event's invitation went or was to go. `invited`: it left, or may have left; `declined`: their
    last yes or no was a no; `came`: as it was ticked off, None: not yet.
    """

    person_id: int
    person: str
    unit_id: int
    unit: str
    invited: bool
    declined: bool
    came: bool | None


class Participation(NamedTuple):
    """Of the events of a subtree of which it is ticked off: how many, how many people they were for, how many came."""

    events: int
    expected: int
    came: int


def list_expected(session: Session, actor: Actor, campaign_id: int) -> list[Expected]:
    """All people of an event by unit and name, at most 2,001 of them. Raises NotFound or Forbidden."""
    require_event(session, actor, Permission.read, campaign_id)
    runs = select(Run.id, Run.month).where(Run.campaign_id == campaign_id, Run.item == INVITATION)
    runs = runs.where(Run.kind == "campaign")
    found = session.execute(runs).all()
    if not found:
        return []
    months, ids = {row.month for row in found}, [row.id for row in found]
    own = (
        select(Message.person_id, func.min(Message.unit_id).label("unit_id"))
        .where(Message.month.in_(months), Message.run_id.in_(ids))
        .group_by(Message.person_id)
        .subquery("own")
    )
    asked = [("texted", INVITATION), ("declined", None)]
    invited, declined = (Person.id.in_(found) for found in select_outcomes(session, campaign_id, asked))
    ticked = select(Attendance.came).where(Attendance.campaign_id == campaign_id, Attendance.person_id == Person.id)
    rows = session.execute(
        select(Person.id, Person.name, Unit.id, Unit.name, invited, declined, ticked.scalar_subquery())
        .join(own, own.c.person_id == Person.id)
        .join(Unit, Unit.id == own.c.unit_id)
        .order_by(Unit.path, Person.name, Person.id)
        .limit(MOST_TICKED + 1)
    )
    return [Expected(*row) for row in rows]


def record_attendance(session: Session, actor: Actor, campaign_id: int, people: Collection[int]) -> tuple[int, int]:
    """Tick off who came to an event that has begun, of those to whom its invitation went or was to go; whoever is not
    named did not. Returns how many came, and of how many.

    The thanks go to those who came and were not thanked yet: at their time, or, where that is over, as soon as they
    may. Raises NotFound, Forbidden, Conflict unless it has begun and was not called off, and Invalid
    (`people`) for somebody who was not to come, or more people than can be ticked off.
    """
    campaign, path = open_campaign(session, actor, CampaignAct.tick_off, campaign_id)
    now: datetime = session.scalars(select(func.sms_now())).one()
    rule = campaign.schedule or {}
    if begins_of(rule) > now or rule.get(CANCELLED):
        raise Conflict(say("the event of campaign {campaign} has not taken place", campaign=campaign_id))
    expected = list_expected(session, actor, campaign_id)
    if len(expected) > MOST_TICKED:
        raise Conflict(say("more than {most} people are too many to be ticked off by name", most=MOST_TICKED))
    strangers = set(people) - {one.person_id for one in expected}
    if strangers:
        raise Invalid("people", min(strangers), "is nobody to whom the invitation went or was to go")
    session.execute(delete(Attendance).where(Attendance.campaign_id == campaign_id))
    if expected:
        same: dict[str, Any] = {"campaign_id": campaign_id, "recorded_by": actor.account_id, "recorded_at": now}
        own = [(one.person_id, one.unit_id, one.person_id in people) for one in expected]
        names = ("person_id", "unit_id", "came")
        session.execute(insert(Attendance), [same | dict(zip(names, one, strict=True)) for one in own])
    came = len(set(people))
    _thank_again(session, campaign, came)
    details = {"came": came, "expected": len(expected)}
    trail.record_act(session, actor.account_id, "event.attendance", "campaign", campaign_id, path, **details)
    return came, len(expected)


def count_participation(
    session: Session, paths: Sequence[str], since: datetime | None = None, until: datetime | None = None
) -> Participation:
    """Of the people of the units that are now within the subtrees at `paths`: at how many events, that were ticked off
    from `since` on and before `until`, they were to be, and were. The caller has asked for the scope.
    """
    within = or_(*(Unit.path.op("^@")(path) for path in paths)) if paths else Unit.id.is_(None)
    counted = select(
        func.count(Attendance.campaign_id.distinct()),
        func.count(),
        func.count().filter(Attendance.came),
    )
    counted = counted.join(Unit, Unit.id == Attendance.unit_id).where(within)
    if since is not None:
        counted = counted.where(Attendance.recorded_at >= since)
    if until is not None:
        counted = counted.where(Attendance.recorded_at < until)
    return Participation(*session.execute(counted).one())


def erase_attendances(session: Session, person_id: int) -> None:
    """A person is erased: that they came, or did not, is known no more, nor counted."""
    session.execute(delete(Attendance).where(Attendance.person_id == person_id))


def _thank_again(session: Session, campaign: Campaign, came: int) -> None:
    """Where the thanks went already, or could not, they go to those who are ticked off only now."""
    item = session.get(CampaignItem, (campaign.id, THANKS), populate_existing=True)
    if item is None or item.skipped or (campaign.schedule or {})["thanks_days"] is None:
        return
    waits = select_outcome(session, campaign.id, "came").except_(select_outcome(session, campaign.id, "texted", THANKS))
    if item.fired_at is None or not came or session.scalar(select(func.count()).select_from(waits.subquery())) == 0:
        return
    item.fired_at = None
    session.flush()
    place_items(session, campaign)
    if campaign.status == CampaignStatus.ended:
        move_campaign(session, campaign, CampaignAct.tick_off, CampaignStatus.active)
