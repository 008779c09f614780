"""Approval: one person says yes or no to exactly one content; a yes allows the launch of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.models import Segment
from sms_service.audience.nesting import UsedSegment, load_used, write_out
from sms_service.audience.wording import describe_rule
from sms_service.audit import trail
from sms_service.campaigns.authorship import list_authors, say_why_not
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.planning import find_due_time, plan_approved_run
from sms_service.campaigns.services import move_campaign, require_on_campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.models import Template, TemplateVersion
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.said import say, to_json

LONGEST_COMMENT = 500


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent to whom, as an approver sees it and a run carries it."""

    campaign: Campaign
    version: TemplateVersion
    class_: str
    segment_rule: dict[str, Any]

    def covered(self) -> dict[str, Any]:
        """Everything that decides what is sent, to whom and how, as JSON takes it."""
        covered: dict[str, Any] = {
            "unit": self.campaign.unit_id,
            "template_version": self.version.id,
            "body": self.version.body,
            "class": self.class_,
            "values": self.campaign.values,
            "signature": self.campaign.signature,
            "segment_rule": self.segment_rule,
            "route": self.campaign.route_id,
            "validity_s": self.campaign.validity_s,
        }
        # Only where they are set, so that campaigns approved before these fields existed keep their digest.
        for flag in ("urgent", "canary_receipts", "launch_on_approval"):
            if getattr(self.campaign, flag):
                covered[flag] = True
        if self.campaign.planned_at is not None:
            covered["planned_at"] = self.campaign.planned_at.astimezone(UTC).isoformat()
        return covered

    def digest(self) -> bytes:
        """SHA-256 over what `covered` says; equal contents have equal digests."""
        text = json.dumps(self.covered(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()


def content_of(session: Session, campaign: Campaign, *, held: bool = True) -> Content:
    """The campaign's content as it stands now. `held`: the segment's row is locked and cannot change before the commit,
    for whoever decides on it.
    """
    segment_unit, campaign_unit = aliased(Unit), aliased(Unit)
    statement = (
        select(TemplateVersion, Template.class_, Segment, segment_unit.path, campaign_unit.path)
        .join(Template, Template.id == TemplateVersion.template_id)
        .join(Segment, Segment.id == campaign.segment_id)
        .join(segment_unit, segment_unit.id == Segment.unit_id)
        .join(campaign_unit, campaign_unit.id == campaign.unit_id)
        .where(TemplateVersion.id == campaign.template_version_id)
        .execution_options(populate_existing=True)
    )
    if held:
        statement = statement.with_for_update(read=True, of=Segment)
    version, class_, segment, segment_path, campaign_path = session.execute(statement).one()
    used = load_used(session, segment.uses, held=held) if segment.uses else {}
    return Content(campaign, version, class_, bounded_rule(segment, segment_path, campaign_path, used))


def bounded_rule(
    segment: Segment, segment_path: str, campaign_path: str, used: Mapping[int, UsedSegment]
) -> dict[str, Any]:
    """The segment's rule for a run of the campaign's unit, with the segments that it uses written out (`used`), so that
    who changes one of them changes what was approved.

    A run reaches the campaign's subtree. If the segment belongs to a unit below, it still must not reach outside that
    unit. A rule that cannot be written out for this unit stays as it is, and whoever asks whom it finds is refused.
    """
    own = UsedSegment(segment.id, segment.name, segment.rule, segment.unit_id, segment_path)
    try:
        return write_out({"segment": segment.id}, {**used, segment.id: own}, campaign_path).rule
    except Invalid:
        return {"all": [{"unit": segment.unit_id}, segment.rule]}


def decide_approval(
    session: Session,
    actor: Actor,
    campaign_id: int,
    *,
    approve: bool,
    comment: str | None = None,
    digest: bytes | None = None,
) -> Campaign:
    """Approve or reject a submitted campaign, as it stands now. An approval of one with `launch_on_approval` plans its
    run for its planned time, in the same transaction; if that was missed by more than the grace it stays approved, and
    somebody launches it or gives it up.

    `digest`: the digest of the content that the actor has read. Raises Forbidden if the actor wrote, changed or
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
