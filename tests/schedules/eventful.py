"""An event of a branch, as tests begin with it: people with phones, a clock that can be turned, and who answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns import approval, services
from sms_service.campaigns.models import Campaign
from sms_service.content.language import compile_template
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Message, Run
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from sms_service.schedules.event_planning import plan_event
from sms_service.schedules.firing import fire_due_items
from tests.clocks import ahead_by
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain
from tests.factories import fictional_phone, make_actor, make_person, make_segment, make_template, make_unit
from tests.schedules.recurrence import ZONE

INVITATION = "{{ name }}同志：请于{{ 时间 }}到{{ 地点 }}参加“{{ 主题 }}”。不能参加请回复0。"
HOURS = {"window_opens": 480, "window_closes": 1200}


@dataclass
class EventTown:
    """A branch with `people` members, and its clock: `today` is tomorrow 09:00 of the real one."""

    database: Database
    unit: Unit
    officer: Actor
    approver: Actor
    phones: list[str]
    now: datetime
    today: datetime
    adapter: ScriptedAdapter
    gateways: ScriptedGateways
    campaign_id: int = 0
    told: dict[str, list[str]] = field(default_factory=dict)

    def at(self, days: int = 0, clock: str = "09:00") -> datetime:
        """A local time, so many days from `today`."""
        return datetime.combine((self.today + timedelta(days=days)).date(), time.fromisoformat(clock), ZONE)

    @contextmanager
    def clock(self, days: int = 0, clock: str = "09:00") -> Iterator[Database]:
        """The database some seconds after that time."""
        ahead = self.at(days, clock) - self.now
        with ahead_by(self.database.url, f"{int(ahead.total_seconds()) + 5} seconds") as later:
            yield later

    def tick(self, later: Database) -> int:
        """Fire what is due and hand it over; returns how many texts left."""
        before = len(self.adapter.handed)
        fire_due_items(later)
        for run_id in freeze.begin_due_runs(later):
            freeze.freeze_run(later, run_id)
        drain(later, self.gateways)
        return len(self.adapter.handed) - before

    def answer(self, later: Database, number: int, text: str) -> None:
        """The person of this number answers."""
        store_replies(later, "main", [Reply(self.phones[number], text, "{}")])
        matching.match_waiting(later)

    def people_of(self, item: int) -> set[str]:
        """The phones to which texts of this item left."""
        with self.database.session() as session:
            rows = session.scalars(
                select(Message.phone)
                .join(Run, Run.id == Message.run_id)
                .where(Run.campaign_id == self.campaign_id, Run.item == item, Message.attempts > 0)
            )
            return {str(phone) for phone in rows}

    def runs(self) -> list[tuple[int, int, str, str | None]]:
        """Item, firing, status and what it is held for."""
        with self.database.session() as session:
            found = session.scalars(select(Run).where(Run.campaign_id == self.campaign_id).order_by(Run.id)).all()
            return [(run.item, run.firing, run.status, run.held_for) for run in found]


def make_town(database: Database, people: int = 4) -> EventTown:
    """A branch of a city of its own whose hours are 8 to 20."""
    adapter = ScriptedAdapter()
    gateways = ScriptedGateways({"main": adapter})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        unit = make_unit(session, parent=make_unit(session, **HOURS), level="branch", **HOURS)
        phones = [fictional_phone() for _ in range(people)]
        for number, phone in enumerate(phones):
            make_person(session, unit, name=f"党员{number}", phone=phone)
        officer, approver = make_actor(session, unit), make_actor(session, unit, ("approver",))
        now = session.scalars(select(func.sms_now())).one()
    tomorrow = (now + timedelta(days=1)).astimezone(ZONE).replace(hour=9, minute=0, second=0, microsecond=0)
    return EventTown(database, unit, officer, approver, phones, now, tomorrow, adapter, gateways)


def write_event(session: Session, town: EventTown, days: int = 5, clock: str = "09:00", **rule: Any) -> Campaign:
    """A draft of an event so many days from `today`, to everybody of the branch."""
    version = make_template(
        session, town.unit, INVITATION, class_="invitation", variables=compile_template(INVITATION).variables
    )
    campaign = services.create_campaign(
        session,
        town.officer,
        unit_id=town.unit.id,
        name="重温入党誓词",
        template_version_id=version.id,
        segment_id=make_segment(session, town.unit, {"everyone": True}).id,
        signature="云州先锋",
        values={"主题": "重温入党誓词", "地点": "党群服务中心"},
        launch_on_approval=True,
    )
    town.campaign_id = campaign.id
    return plan_event(session, town.officer, campaign.id, {"begins": town.at(days, clock), **rule})


def approve_event(session: Session, town: EventTown) -> None:
    """Submit it, where it is a draft, and say yes."""
    campaign = session.get_one(Campaign, town.campaign_id)
    if not campaign.undecided:
        services.submit_campaign(session, town.officer, town.campaign_id)
    approval.decide_approval(session, town.approver, town.campaign_id, approve=True)
