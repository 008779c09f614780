"""Campaigns of the demonstration, through the rooms that a real one uses: written, submitted, approved, launched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience import segments
from sms_service.campaigns import approval, launch, services
from sms_service.campaigns.quota_setting import set_quota
from sms_service.campaigns.quotas import find_month
from sms_service.campaigns.rule_acts import add_approval_rule
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.models import Template, TemplateVersion
from sms_service.directory.models import Unit
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.reports.targets import set_targets

SIGNATURE = "云州先锋"
APPROVERS = ("city-approver", "second-approver")  # of whom one decides first
WHY = "年度安排"  # of quotas and targets
SELF_SERVICE_UP_TO = 100  # people of a branch; its largest has 79
ONE_APPROVAL_UP_TO = 5_000  # people of the city


def write_demonstration_campaign(
    session: Session,
    author: Actor,
    *,
    unit_id: int,
    name: str,
    template: str,
    values: Mapping[str, str],
    route: str = DEFAULT_ROUTE,
) -> int:
    """A draft to everybody of the unit, of the newest version of the installed template; returns its id."""
    segment = segments.create_segment(session, author, unit_id, f"{name}：全体成员", {"everyone": True})
    versions = select(TemplateVersion.id).join(Template, Template.id == TemplateVersion.template_id)
    newest = versions.where(Template.name == template).order_by(TemplateVersion.number.desc()).limit(1)
    campaign = services.create_campaign(
        session,
        author,
        unit_id=unit_id,
        name=name,
        template_version_id=session.scalars(newest).one(),
        segment_id=segment.id,
        signature=SIGNATURE,
        values=dict(values),
        route=route,
    )
    return campaign.id


def set_demonstration_rules(session: Session, city_id: int) -> None:
    """What the city asks for: a branch sends to itself, more needs its district, and what goes to all two approvals."""
    ask = partial(add_approval_rule, session, SYSTEM, unit_id=city_id)
    ask(level="branch", up_to=SELF_SERVICE_UP_TO, approvals=0)
    ask(level="branch", approvals=1, approver_level="district")
    ask(level="city", up_to=ONE_APPROVAL_UP_TO, approvals=1)
    ask(level="city", approvals=2)


def set_demonstration_quotas(session: Session, city_id: int) -> None:
    """What may be sent in a month, far more than is sent, and what branches are to reach in the year."""
    give = partial(set_quota, session, SYSTEM, city_id, None, why=WHY)
    give({"people": 60_000, "parts": 120_000})
    give({"people": 20_000}, level="district")
    give({"people": 1_000}, level="branch")
    year = find_month(session, session.get_one(Unit, city_id)).year
    set_targets(session, SYSTEM, city_id, year, {"theme_days": 12, "texts": 600}, WHY, level="branch")


def send_demonstration_campaign(
    session: Session,
    author: Actor,
    approvers: Sequence[Actor],
    *,
    unit_id: int,
    name: str,
    template: str,
    values: Mapping[str, str],
    route: str = DEFAULT_ROUTE,
    at: datetime | None = None,
) -> int:
    """The same, approved by as many as it needs and launched, now or at a time; returns its run's id."""
    campaign_id = write_demonstration_campaign(
        session, author, unit_id=unit_id, name=name, template=template, values=values, route=route
    )
    campaign = services.submit_campaign(session, author, campaign_id)
    for approver in approvers:
        if campaign.status == CampaignStatus.submitted:
            approval.decide_approval(session, approver, campaign_id, approve=True)
    run, _ = launch.launch_campaign(session, author, campaign_id, at)
    return run.id
