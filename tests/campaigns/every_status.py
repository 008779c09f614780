"""A campaign of each kind in every status, brought there by people's acts, and a way to do each act to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns import approval, resending, services
from sms_service.campaigns.acts import CampaignAct, CampaignStatus
from sms_service.campaigns.launch import launch_campaign, start_campaign
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import move_campaign
from sms_service.campaigns.retiming import change_planned_time
from sms_service.campaigns.states import CampaignKind
from sms_service.content.language import compile_template
from sms_service.directory.models import Person, Unit
from sms_service.ledger.models import Message, Run
from sms_service.schedules import attendance, correcting, event_changes, scheduling
from sms_service.schedules.event_planning import plan_event
from sms_service.schedules.series_planning import SeriesRow, set_series
from tests.campaigns.approving import Tree
from tests.dispatch.city import make_run
from tests.factories import make_segment, make_template

A, S, K = CampaignAct, CampaignStatus, CampaignKind
STUDY = "每日一学：{{ 内容 }}"
INVITATION = "请于{{ 时间 }}到{{ 地点 }}参加。"
OLD_RUN = 99  # the item of a run that is over, of which a text can be sent again


def write_kind(session: Session, tree: Tree, unit: Unit, author: Actor, kind: CampaignKind) -> Campaign:
    """A draft of this kind to everybody of the unit, which begins in some days."""
    at = now_of(session) + timedelta(days=6)
    given = {"name": "学习", "segment_id": make_segment(session, unit, {"everyone": True}).id, "signature": "城东街道"}
    if kind == K.event:
        version = make_template(
            session, unit, INVITATION, "invitation", variables=compile_template(INVITATION).variables
        )
        given |= {"template_version_id": version.id, "values": {"地点": "二楼"}}
        campaign = services.create_campaign(session, author, unit_id=unit.id, **given)
        return plan_event(session, author, campaign.id, {"begins": at})
    if kind == K.series:
        version = make_template(session, unit, STUDY, variables=compile_template(STUDY).variables)
        campaign = tree.write(unit, author, **given, template_version_id=version.id)
        rows = [SeriesRow(text=f"第{number}课。") for number in range(1, 4)]
        return set_series(session, author, campaign.id, {"first": at.date().isoformat(), "at": "09:00"}, rows)
    campaign = tree.write(unit, author, **given)
    if kind == K.recurring:
        rule = {"rrule": "FREQ=DAILY", "first": at.date().isoformat(), "at": "09:00"}
        return scheduling.set_schedule(session, author, campaign.id, kind, rule)
    return campaign


def bring_to(
    session: Session, campaign: Campaign, status: CampaignStatus, author: Actor, approver: Actor
) -> Campaign | None:
    """Let people bring a draft into this status; None if no campaign of its kind comes there."""
    id_, plain = campaign.id, campaign.kind == K.plain
    if status == S.draft:
        return campaign
    if status == S.withdrawn:
        return services.withdraw_campaign(session, author, id_)
    services.submit_campaign(session, author, id_)
    if status == S.submitted:
        return campaign
    if status == S.rejected:
        return approval.decide_approval(session, approver, id_, approve=False, comment="不妥")
    approval.decide_approval(session, approver, id_, approve=True)
    if status == S.approved:
        return campaign
    if plain:
        launch_campaign(session, author, id_, now_of(session) + timedelta(days=1))
    else:
        start_campaign(session, author, id_)
    if status == S.suspended:
        return None if plain else scheduling.suspend_campaign(session, author, id_, "等等")
    if status == S.ended:
        session.execute(update(Run).where(Run.campaign_id == id_).values(status="cancelled"))
        move_campaign(session, campaign, A.finish, S.ended)  # as the clock does
    return campaign


def add_old_run(session: Session, campaign: Campaign) -> int:
    """A run of the campaign, long over, with a text that was refused; returns its id."""
    unit = session.get_one(Unit, campaign.unit_id)
    now = now_of(session)
    frozen = {"status": "finished", "frozen_at": now, "launched_at": now, "expires_at": now + timedelta(days=1)}
    run = make_run(session, unit, campaign_id=campaign.id, item=OLD_RUN, audience=1, finished_at=now, **frozen)
    run.values = campaign.values
    text = {name: getattr(run, name) for name in ("month", "unit_id", "unit_path", "class_", "template_version_id")}
    text["person_id"] = session.scalars(select(Person.id).order_by(Person.id)).first()
    ended = {"status": "refused", "reason": "balance", "attempts": 1, "not_before": now, "changed_at": now}
    session.add(Message(run_id=run.id, phone="+8613900000001", route_id=run.route_id, expires_at=now, **text, **ended))
    session.flush()
    return run.id


def now_of(session: Session) -> datetime:
    """PostgreSQL's time, to the minute."""
    now: datetime = session.scalars(select(func.sms_now())).one()
    return now.replace(second=0, microsecond=0)


def _old_run_of(session: Session, campaign: Campaign) -> int:
    return session.scalars(select(Run.id).where(Run.campaign_id == campaign.id, Run.item == OLD_RUN)).one()


DO: Mapping[CampaignAct, Callable[[Session, Actor, Campaign], object]] = {
    A.change: lambda s, a, c: services.change_campaign(s, a, c.id, {"name": "别的"}),
    A.submit: lambda s, a, c: services.submit_campaign(s, a, c.id),
    A.withdraw: lambda s, a, c: services.withdraw_campaign(s, a, c.id),
    A.approve: lambda s, a, c: approval.decide_approval(s, a, c.id, approve=True),
    A.reject: lambda s, a, c: approval.decide_approval(s, a, c.id, approve=False, comment="不妥"),
    A.launch: lambda s, a, c: launch_campaign(s, a, c.id),
    A.start: lambda s, a, c: start_campaign(s, a, c.id),
    A.retime: lambda s, a, c: change_planned_time(s, a, c.id, now_of(s) + timedelta(days=2)),
    A.correct: lambda s, a, c: correcting.change_item(s, a, c.id, 1, {"values": {"说明": "改"}}),
    A.suspend: lambda s, a, c: scheduling.suspend_campaign(s, a, c.id, "等等"),
    A.go_on: lambda s, a, c: scheduling.continue_campaign(s, a, c.id, "继续"),
    A.end: lambda s, a, c: scheduling.end_schedule(s, a, c.id, "够了"),
    A.move: lambda s, a, c: event_changes.move_event(s, a, c.id, now_of(s) + timedelta(days=7), why="改期"),
    A.cancel: lambda s, a, c: event_changes.cancel_event(s, a, c.id, "取消"),
    A.tick_off: lambda s, a, c: attendance.record_attendance(s, a, c.id, []),
    A.resend: lambda s, a, c: resending.retry_run(s, a, _old_run_of(s, c), "已充值"),
}
