"""What was approved and what would be sent now: compared before a run begins, and made one by an approval."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.campaigns.approval_rules import find_most_people
from sms_service.campaigns.cohort_items import list_late_items
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.campaigns.planning import describe_text
from sms_service.ledger.models import Run
from sms_service.ledger.runs import replan_run
from sms_service.ledger.states import HeldFor, RunStatus

_IS_UNFROZEN = Run.status.in_((RunStatus.planned, RunStatus.held)) & Run.frozen_at.is_(None)


def approve_items(session: Session, content: Content) -> None:
    """Keep, for each item of a content that was approved, the digest of what it may send."""
    rows = [
        {"campaign_id": content.campaign.id, "number": item.number, "approved": content.of_item(item).digest()}
        for item in content.items
    ]
    if rows:
        session.execute(update(CampaignItem), rows)


def mark_undecided(session: Session, campaign: Campaign) -> None:
    """Note whether what is still to go of an active campaign, whose row the caller has locked, is what was approved."""
    content = content_of(session, campaign)
    waits = dict(
        session.execute(select(Run.item, Run.digest).where(Run.campaign_id == campaign.id, _IS_UNFROZEN)).all()
    )
    if content.items:
        late = list_late_items(session, campaign.id)
        campaign.undecided = any(
            item.approved != content.of_item(item).digest()
            for item in content.items
            if not item.skipped and (item.next_at is not None or item.number in waits or item.number in late)
        )
    else:
        campaign.undecided = bool(waits) and content.digest() not in waits.values()  # that of its run was approved
    if campaign.undecided:
        campaign.submissions += 1  # what was given for another content counts no more
    session.flush()


def release_changed_runs(session: Session, content: Content) -> None:
    """Let the runs that are held because something was changed go at their time with what is approved now. One whose
    time is missed by more than the grace is held for that. The caller has locked the campaign.
    """
    campaign = content.campaign
    campaign.undecided = False
    held = select(Run).where(
        Run.campaign_id == campaign.id, Run.status == RunStatus.held, Run.held_for == HeldFor.changed
    )
    most_people = find_most_people(session, [campaign.id]).get(campaign.id)
    for run in session.scalars(held).all():
        due_at = campaign.planned_at if campaign.planned_at and not content.items else run.due_at
        again = {"due_at": due_at, "most_people": most_people}
        replan_run(session, run.id, HeldFor.changed, describe_text(text_of_run(content, run)) | again)
    session.flush()


def renew_run(session: Session, run: Run) -> dict[str, Any] | None:
    """The columns by which a run that was never frozen sends what its campaign says now; None where that is not what
    was approved. Then the campaign, whose row is locked, waits for a decision.
    """
    campaign = session.get_one(Campaign, run.campaign_id, with_for_update=True)
    text = text_of_run(content_of(session, campaign), run)
    if text.digest() == (text.item.approved if text.item else run.digest):
        return describe_text(text)
    if not campaign.undecided:
        campaign.undecided, campaign.submissions = True, campaign.submissions + 1
        session.flush()
    return None


def text_of_run(content: Content, run: Run) -> Content:
    """What the run sends of its campaign's content."""
    item = next((one for one in content.items if one.number == run.item), None)
    return content if item is None else content.of_item(item)
