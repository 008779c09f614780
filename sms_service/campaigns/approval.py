"""Approval: people say yes or no to exactly one content; what was approved allows the launch of nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience.wording import describe_rule
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.approval_rules import AskedApproval, ask_approval
from sms_service.campaigns.approvers import HeldRight, count_given, find_right, list_given
from sms_service.campaigns.authorship import list_authors
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.linting import lint_content, require_ticks
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.moving import move_campaign, open_campaign
from sms_service.campaigns.planning import find_due_time, plan_approved_run
from sms_service.campaigns.renewing import approve_items, release_changed_runs
from sms_service.campaigns.self_service import say_why_no_self_service
from sms_service.campaigns.starting import start_schedule
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.content.findings import LintFinding, Severity, require_clean
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.said import Said, say, to_json

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
    """Approve or reject a submitted campaign, or an active one of which something was changed, as it stands now. Where
    the rules ask for several approvals, it stays as it is until so many people have approved exactly this; one
    rejection ends that. The last approval of a changed one releases its runs that are held for the change.

    The last approval of one with `launch_on_approval` plans its run for its planned time, or starts its schedule, in
    the same transaction; if the planned time was missed by more than the grace it stays approved, and somebody launches
    it or gives it up.

    `digest`: the digest of the content that the actor has read; `ticks`: the keys of lint's findings that the actor has
    ticked, which the decision keeps. Raises Invalid (`ticks`) where a finding needs a tick and has none. Raises
    Forbidden if the actor wrote, changed or submitted the campaign or approved it before, may be the same person as
    somebody who did, or lacks the permission over its unit, or on the level that the rules ask for; Conflict unless it
    is submitted and has that digest; Invalid for a rejection without a comment.
    """
    # Two approvers at once queue here; the later one sees what the first has decided.
    act = CampaignAct.approve if approve else CampaignAct.reject
    campaign, path = open_campaign(session, actor, act, campaign_id)
    _check_comment(comment, approve=approve)
    content = content_of(session, campaign)
    asked = ask_approval(session, content, path) if approve else None
    given = list_given(session, campaign, content.digest()) if approve else []
    right = find_right(session, actor, campaign, path, list_authors(session, campaign), asked, given)
    if isinstance(right, Said):
        raise Forbidden(right)
    if digest is not None and digest != content.digest():
        raise Conflict(
            say(
                "campaign {campaign} is not what was read: its segment has changed since; read it again",
                campaign=campaign_id,
            )
        )
    if asked is None:
        _write_decision(session, actor, content, right, None, comment)
        if campaign.undecided:
            campaign.submissions += 1  # who approves it after all begins anew
            session.flush()
        else:
            move_campaign(session, campaign, act, CampaignStatus.rejected)
        trail.record_act(session, actor.account_id, "campaign.reject", "campaign", campaign_id, path, **_lent(right))
        return campaign
    findings = lint_content(session, content, path)
    require_clean(findings)
    ticked = require_ticks(findings, ticks)
    now = _write_decision(session, actor, content, right, asked, comment, ticked)
    number = count_given(asked, given) + 1
    details = _lent(right) | ({"given": number, "needed": asked.by_others} if asked.by_others > 1 else {})
    if number < asked.by_others:
        trail.record_act(session, actor.account_id, "campaign.approve", "campaign", campaign_id, path, **details)
        return campaign
    _carry_out(session, actor, content, path, "campaign.approve", now, **details)
    return campaign


def approve_by_self_service(
    session: Session, actor: Actor, content: Content, path: str, findings: Iterable[LintFinding]
) -> bool:
    """Approve a submitted campaign, whose row the caller has locked, as its submitter where a rule lets them send it by
    themselves; returns whether it does. What follows is what follows an approver's yes.
    """
    asked = ask_approval(session, content, path)
    if say_why_no_self_service(session, actor, content, path, asked, findings) is not None:
        return False
    now = _write_decision(session, actor, content, None, asked, None)
    _carry_out(session, actor, content, path, "campaign.self_approve", now, rule=asked.rule_id, people=asked.people)
    return True


def renew_by_self_service(session: Session, actor: Actor, campaign: Campaign, path: str) -> None:
    """Approve what the actor changed of an active campaign, whose row they have locked, where a rule would let them
    send it by themselves.
    """
    if not campaign.undecided:
        return
    content = content_of(session, campaign)
    asked = ask_approval(session, content, path)
    if say_why_no_self_service(session, actor, content, path, asked, ()) is None:
        findings = lint_content(session, content, path)
        if all(one.severity != Severity.refused for one in findings):
            approve_by_self_service(session, actor, content, path, findings)


def latest_decision(session: Session, campaign_id: int) -> Decision | None:
    """The latest decision on a campaign."""
    return session.scalar(
        select(Decision).where(Decision.campaign_id == campaign_id).order_by(Decision.id.desc()).limit(1)
    )


def _check_comment(comment: str | None, *, approve: bool) -> None:
    if comment is not None and len(comment) > LONGEST_COMMENT:
        reason = say("must have at most {most} characters", most=LONGEST_COMMENT)
        raise Invalid("comment", f"{len(comment)} characters", reason)
    if not approve and not comment:
        raise Invalid("comment", comment, "must say why it is rejected")


def _write_decision(
    session: Session,
    actor: Actor,
    content: Content,
    right: HeldRight | None,
    asked: AskedApproval | None,
    comment: str | None,
    ticked: Sequence[LintFinding] = (),
) -> datetime:
    """Keep a yes to what is `asked`, by this right or, without one, by self-service; or a no. Returns when it was."""
    now: datetime = session.scalars(select(func.sms_now())).one()
    campaign = content.campaign
    session.add(
        Decision(
            campaign_id=campaign.id,
            account_id=actor.account_id,
            decided="rejected" if asked is None else "approved",
            digest=content.digest(),
            content={
                "covered": content.covered(),
                **({"ticked": [to_json(one.text) for one in ticked]} if ticked else {}),
                **({} if asked is None else {"asked": asked.as_json()}),
                "whom": to_json(describe_rule(session, SYSTEM, campaign.unit_id, content.segment_rule)),
            },
            comment=comment,
            at=now,
            submission=campaign.submissions,
            people=None if asked is None else asked.people,
            self_service=right is None,
            level=right.level if right is not None else None,
            lender_id=right.lender_id if right is not None else None,
        )
    )
    session.flush()
    return now


def _carry_out(
    session: Session, actor: Actor, content: Content, path: str, act: str, now: datetime, **details: Any
) -> None:
    """The campaign is approved; if its approval launches it, its run is planned or its schedule starts. Of an active
    one, the runs that are held for the change wait for their time again.
    """
    campaign = content.campaign
    under_way, starts = campaign.undecided, campaign.launch_on_approval and not campaign.undecided
    approve_items(session, content)
    if not under_way:
        move_campaign(session, campaign, CampaignAct.approve, CampaignStatus.approved)
    due_at = find_due_time(campaign.planned_at, now)
    if starts and due_at is None:
        details["missed"] = str(campaign.planned_at)
    trail.record_act(session, actor.account_id, act, "campaign", campaign.id, path, **details)
    if under_way:
        release_changed_runs(session, content)
    elif starts and campaign.kind != CampaignKind.plain:
        start_schedule(session, actor, content, on_approval=True)
    elif starts and due_at is not None:
        plan_approved_run(session, actor, content, due_at, on_approval=True)


def _lent(right: HeldRight) -> dict[str, int]:
    return {} if right.lender_id is None else {"lender": right.lender_id}
