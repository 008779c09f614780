"""A campaign that recurs, as tests of schedules begin with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns import approval, services
from sms_service.campaigns.models import Campaign
from sms_service.controls.accounts import synchronise_gateways
from sms_service.directory.models import Unit
from sms_service.schedules.scheduling import set_schedule
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways
from tests.factories import make_actor, make_person, make_segment, make_template, make_unit

ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Branch:
    """A branch with a person, and who writes, decides and launches there."""

    unit: Unit
    officer: Actor
    approver: Actor
    now: datetime

    def clock_in(self, minutes: int) -> datetime:
        """The local time in so many minutes, at a full minute."""
        return (self.now + timedelta(minutes=minutes)).astimezone(ZONE).replace(second=0, microsecond=0)


def make_branch(session: Session) -> Branch:
    """A branch of a city of its own."""
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, parent=make_unit(session), **ALL_DAY)
    make_person(session, unit)
    now = session.scalars(select(func.sms_now())).one()
    return Branch(unit, make_actor(session, unit), make_actor(session, unit, ("approver",)), now)


def write_campaign(session: Session, branch: Branch, body: str = "请按时参加学习。", **given: object) -> Campaign:
    """A draft to everybody of the branch."""
    return services.create_campaign(
        session,
        branch.officer,
        unit_id=branch.unit.id,
        name="每周学习",
        template_version_id=make_template(session, branch.unit, body).id,
        segment_id=make_segment(session, branch.unit, {"everyone": True}).id,
        signature="城东街道",
        **given,  # type: ignore[arg-type]
    )


def write_daily(session: Session, branch: Branch, minutes: int = 5, **rule: object) -> Campaign:
    """A draft that is sent daily, the first time in so many minutes."""
    first = branch.clock_in(minutes)
    campaign = write_campaign(session, branch, launch_on_approval=True)
    given = {"rrule": "FREQ=DAILY", "first": first.date().isoformat(), "at": f"{first:%H:%M}", **rule}
    return set_schedule(session, branch.officer, campaign.id, "recurring", given)


def approve_campaign(session: Session, branch: Branch, campaign: Campaign) -> None:
    """Submit it and say yes."""
    if not campaign.undecided:
        services.submit_campaign(session, branch.officer, campaign.id)
    approval.decide_approval(session, branch.approver, campaign.id, approve=True)
