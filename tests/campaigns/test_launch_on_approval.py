"""A campaign that its approval launches: once, at its planned time, and never late."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import approval, overview, services
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign, Decision
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Run
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways
from tests.factories import make_actor, make_person, make_segment, make_template, make_unit

HOUR = timedelta(hours=1)


@pytest.fixture
def district(session: Session) -> Unit:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, parent=make_unit(session), **ALL_DAY)
    make_person(session, unit)
    return unit


@pytest.fixture
def officer(session: Session, district: Unit) -> Actor:
    return make_actor(session, district)


@pytest.fixture
def approver(session: Session, district: Unit) -> Actor:
    return make_actor(session, district, ("approver",))


@pytest.fixture
def now(session: Session) -> datetime:
    return session.scalars(select(func.sms_now())).one()


def write(session: Session, actor: Actor, unit: Unit, planned_at: datetime | None = None, **kw: bool) -> Campaign:
    return services.create_campaign(
        session,
        actor,
        unit_id=unit.id,
        name="主题党日",
        template_version_id=make_template(session, unit).id,
        segment_id=make_segment(session, unit, {"everyone": True}).id,
        signature="城东街道",
        planned_at=planned_at,
        **{"launch_on_approval": True, **kw},
    )


def submitted(session: Session, officer: Actor, unit: Unit, planned_at: datetime | None = None) -> Campaign:
    return services.submit_campaign(session, officer, write(session, officer, unit, planned_at).id)


def runs_of(session: Session, campaign: Campaign) -> list[Run]:
    return list(session.scalars(select(Run).filter_by(campaign_id=campaign.id)))


def plan(session: Session, campaign: Campaign, at: datetime) -> None:
    """Let the planned time come nearer, as waiting does."""
    session.execute(update(Campaign).where(Campaign.id == campaign.id).values(planned_at=at))
    session.refresh(campaign)


def test_an_approval_launches_for_the_planned_time(
    session: Session, district: Unit, officer: Actor, approver: Actor, now: datetime
) -> None:
    campaign = submitted(session, officer, district, now + HOUR)
    approval.decide_approval(session, approver, campaign.id, approve=True)
    (run,) = runs_of(session, campaign)
    assert (campaign.status, run.status, run.due_at) == ("active", "planned", now + HOUR)
    acts = select(TrailEntry.act, TrailEntry.account_id, TrailEntry.details).order_by(TrailEntry.id.desc()).limit(2)
    assert session.execute(acts).all() == [
        ("campaign.launch", approver.account_id, {"run": run.id, "on_approval": True}),
        ("campaign.approve", approver.account_id, {}),
    ]
    with pytest.raises(Conflict, match="is launched already: its run"):
        launch_campaign(session, officer, campaign.id)


@pytest.mark.parametrize("late", [None, timedelta(minutes=29)])
def test_without_a_time_or_within_the_grace_it_is_launched_at_once(
    session: Session, district: Unit, officer: Actor, approver: Actor, now: datetime, late: timedelta | None
) -> None:
    campaign = submitted(session, officer, district)
    if late is not None:
        plan(session, campaign, now - late)
    approval.decide_approval(session, approver, campaign.id, approve=True)
    (run,) = runs_of(session, campaign)
    assert run.status == "planned"
    assert now <= run.due_at <= now + timedelta(minutes=1)


def test_one_that_was_approved_too_late_is_not_launched_and_says_why(
    session: Session, district: Unit, officer: Actor, approver: Actor, now: datetime
) -> None:
    campaign = submitted(session, officer, district, now + HOUR)
    plan(session, campaign, now - timedelta(minutes=31))
    approval.decide_approval(session, approver, campaign.id, approve=True)
    assert (campaign.status, runs_of(session, campaign)) == ("approved", [])
    found = overview.get_campaign(session, officer, campaign.id)
    assert "was missed before it was approved" in found["unlaunched"]
    act = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
    assert (act.act, list(act.details)) == ("campaign.approve", ["missed"])
    run, made = launch_campaign(session, officer, campaign.id)
    assert (made, run.status) == (True, "planned")
    assert overview.get_campaign(session, officer, campaign.id)["unlaunched"] is None


def test_a_rejection_launches_nothing_and_neither_does_an_approval_without_the_wish(
    session: Session, district: Unit, officer: Actor, approver: Actor, now: datetime
) -> None:
    rejected = submitted(session, officer, district)
    approval.decide_approval(session, approver, rejected.id, approve=False, comment="有错字")
    plain = write(session, officer, district, now + HOUR, launch_on_approval=False)
    services.submit_campaign(session, officer, plain.id)
    approval.decide_approval(session, approver, plain.id, approve=True)
    assert (rejected.status, plain.status) == ("rejected", "approved")
    assert session.scalars(select(Run)).all() == []
    assert overview.get_campaign(session, officer, plain.id)["unlaunched"] is None


def test_a_second_approval_launches_nothing(session: Session, district: Unit, officer: Actor, approver: Actor) -> None:
    campaign = submitted(session, officer, district)
    approval.decide_approval(session, approver, campaign.id, approve=True)
    with pytest.raises(Conflict):
        approval.decide_approval(session, approver, campaign.id, approve=True)
    assert len(runs_of(session, campaign)) == 1


def test_two_approvers_at_once_launch_one_run(
    database: Database, session: Session, district: Unit, officer: Actor
) -> None:
    approvers = [make_actor(session, district, ("approver",)) for _ in range(2)]
    campaign = submitted(session, officer, district)
    session.commit()
    together = threading.Barrier(2)

    def click(approver: Actor) -> bool:
        with database.session() as own:
            own.get_one(Campaign, campaign.id)
            together.wait(30)
            try:
                approval.decide_approval(own, approver, campaign.id, approve=True)
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(click, approvers))
    assert answers == [False, True]
    assert len(runs_of(session, campaign)) == 1
    assert session.scalar(select(func.count()).select_from(Decision)) == 1


def test_time_and_wish_are_part_of_what_is_approved(
    session: Session, district: Unit, officer: Actor, approver: Actor, now: datetime
) -> None:
    campaign = write(session, officer, district, now + HOUR)
    digests = {approval.content_of(session, campaign).digest()}
    for change in ({"planned_at": now + 2 * HOUR}, {"launch_on_approval": False}, {"planned_at": None}):
        services.change_campaign(session, officer, campaign.id, change)
        digests.add(approval.content_of(session, campaign).digest())
    assert len(digests) == 4


def test_only_who_may_launch_submits_what_an_approval_launches(session: Session, district: Unit, now: datetime) -> None:
    """Whoever approves decides on the content; that it leaves by itself is the submitter's word."""
    campaign = write(session, SYSTEM, district, now + HOUR)
    approver = make_actor(session, district, ("approver",))
    with pytest.raises(Forbidden):
        services.submit_campaign(session, approver, campaign.id)


def test_a_time_that_cannot_be_kept_is_refused(session: Session, district: Unit, officer: Actor, now: datetime) -> None:
    for at in (now - HOUR, now + timedelta(days=366), now.replace(tzinfo=None)):
        with pytest.raises(Invalid, match="planned_at"):
            write(session, officer, district, at)
    campaign = write(session, officer, district, now + HOUR)
    plan(session, campaign, now - HOUR)
    with pytest.raises(Invalid, match="planned_at: lies in the past"):
        services.submit_campaign(session, officer, campaign.id)
    services.change_campaign(session, officer, campaign.id, {"name": "改名", "planned_at": campaign.planned_at})
