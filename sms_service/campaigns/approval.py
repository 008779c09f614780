"""Approval: one person says yes or no to exactly one content; a yes allows the launch of nothing else."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.wording import describe_rule
from sms_service.audit import trail
from sms_service.campaigns.authorship import list_authors, say_why_not
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.linting import lint_content, require_ticks
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.planning import find_due_time, plan_approved_run
from sms_service.campaigns.services import move_campaign, require_on_campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.lint import require_clean
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.said import say, to_json

LONGEST_COMMENT = 500


def decide_approval(
    session: Session,
    actor: Actor,
    campaign_id: int,
    *,
    approve: bool,
    comment: str | None = None,
    digest: bytes | None = None,
    ticks: Collection[str] = (),
) -> Campaign:
    """Approve or reject a submitted campaign, as it stands now. An approval of one with `launch_on_approval` plans its
    run for its planned time, in the same transaction; if that was missed by more than the grace it stays approved, and
    somebody launches it or gives it up.

    `digest`: the digest of the content that the actor has read; `ticks`: the keys of lint's findings that the actor has
    ticked, which the decision keeps. Raises Invalid (`ticks`) where a finding needs a tick and has none. Raises
    Forbidden if the actor wrote, changed or
    submitted the campaign, may be the same person as somebody who did, or lacks the permission over its unit; Conflict
    unless it is submitted and has that digest; Invalid for a rejection without a comment.
    """
    campaign, path = require_on_campaign(session, actor, Permission.approve_campaigns, campaign_id)
    if actor.account_id is not None:
        why_not = say_why_not(session, actor, campaign, list_authors(session, campaign))
        if why_not is not None:
            raise Forbidden(why_not)
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise Invalid(
            "comment", f"{len(comment)} characters", say("must have at most {most} characters", most=LONGEST_COMMENT)
        )
    if not approve and not comment:
        raise Invalid("comment", comment, "must say why it is rejected")
    move_campaign(session, campaign, CampaignStatus.approved if approve else CampaignStatus.rejected)
    content = content_of(session, campaign)
    if digest is not None and digest != content.digest():
        raise Conflict(
            say(
                "campaign {campaign} is not what was read: its segment has changed since; read it again",
                campaign=campaign_id,
            )
        )
    ticked = []
    if approve:
        findings = lint_content(session, content, path)
        require_clean(findings)
        ticked = [to_json(one.text) for one in require_ticks(findings, ticks)]
    decided = "approved" if approve else "rejected"
    now: datetime = session.scalars(select(func.sms_now())).one()
    session.add(
        Decision(
            campaign_id=campaign_id,
            account_id=actor.account_id,
            decided=decided,
            digest=content.digest(),
            content={
                "covered": content.covered(),
                **({"ticked": ticked} if ticked else {}),
                "whom": to_json(describe_rule(session, SYSTEM, campaign.unit_id, content.segment_rule)),
            },
            comment=comment,
            at=now,
        )
    )
    act = "campaign.approve" if approve else "campaign.reject"
    due_at = find_due_time(campaign.planned_at, now)
    missed = approve and campaign.launch_on_approval and due_at is None
    details = {"missed": str(campaign.planned_at)} if missed else {}
    trail.record_act(session, actor.account_id, act, "campaign", campaign_id, path, **details)
    if approve and campaign.launch_on_approval and due_at is not None:
        plan_approved_run(session, actor, content, due_at, on_approval=True)
    return campaign


def latest_decision(session: Session, campaign_id: int) -> Decision | None:
    """The latest decision on a campaign."""
    return session.scalar(
        select(Decision).where(Decision.campaign_id == campaign_id).order_by(Decision.id.desc()).limit(1)
    )
