"""Campaigns of the demonstration, through the rooms that a real one uses: written, submitted, approved, launched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audience import segments
from sms_service.campaigns import approval, launch, services
from sms_service.content.models import Template, TemplateVersion
from sms_service.gateways.config import DEFAULT_ROUTE

SIGNATURE = "云州先锋"


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


def send_demonstration_campaign(
    session: Session,
    author: Actor,
    approver: Actor,
    *,
    unit_id: int,
    name: str,
    template: str,
    values: Mapping[str, str],
    route: str = DEFAULT_ROUTE,
    at: datetime | None = None,
) -> int:
    """The same, approved and launched, now or at a time; returns its run's id."""
    campaign_id = write_demonstration_campaign(
        session, author, unit_id=unit_id, name=name, template=template, values=values, route=route
    )
    services.submit_campaign(session, author, campaign_id)
    approval.decide_approval(session, approver, campaign_id, approve=True)
    run, _ = launch.launch_campaign(session, author, campaign_id, at)
    return run.id
