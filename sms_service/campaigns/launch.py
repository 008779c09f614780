"""Launch: the one run of a plain campaign, now or at a time; or the start of a schedule, which fires many."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audience.reach import is_dotted
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.approval import latest_decision
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.linting import lint_content
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import lock_campaign, require_status
from sms_service.campaigns.planning import plan_approved_run
from sms_service.campaigns.services import LATEST, check_ahead
from sms_service.campaigns.starting import start_schedule
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.findings import require_clean
from sms_service.content.language import get_compiled
from sms_service.content.values import RECIPIENT_FIELDS
from sms_service.errors import Conflict
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.said import Said, say


def launch_campaign(session: Session, actor: Actor, campaign_id: int, at: datetime | None = None) -> tuple[Run, bool]:
    """Plan the campaign's run for now, or for `at` (aware); returns the run and whether this call made it.

    If the campaign was launched before and its run has begun, and `at` is None or the run's time, this returns that
    run. Raises Conflict for another time, and where the run waits for its time or was cancelled, which it says; for a
    campaign with a schedule; and unless the campaign is approved, its content is still what was approved and lint does
    not refuse it. Raises Invalid if no run can be planned for `at`.
    """
    # Two launches at once queue here; the later one finds the run. Without this lock the unique index would stop it.
    campaign, path = lock_campaign(session, actor, CampaignAct.launch, campaign_id)
    now: datetime = session.scalars(select(func.sms_now())).one()
    existing = session.scalar(select(Run).where(Run.campaign_id == campaign_id))
    if existing is not None:
        over = existing.status == RunStatus.cancelled or (
            existing.status == RunStatus.planned and existing.due_at > now
        )
        if over or (at is not None and not _is_its_time(existing, at)):
            raise Conflict(_launched_before(campaign_id, existing))
        return existing, False
    require_status(campaign, CampaignAct.launch)
    content = _require_approved(session, campaign, path)
    return plan_approved_run(session, actor, content, _due(at, now)), True


def start_campaign(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """Start the schedule of an approved campaign: from now on the clock fires its items, each at its time. One that was
    started stays as it is.

    Raises NotFound, Forbidden, Conflict as `launch_campaign` does, and Invalid where nothing is left to fire.
    """
    campaign, path = lock_campaign(session, actor, CampaignAct.start, campaign_id)
    if campaign.status != CampaignStatus.active:
        require_status(campaign, CampaignAct.start)
        start_schedule(session, actor, _require_approved(session, campaign, path))
    return campaign


def _require_approved(session: Session, campaign: Campaign, path: str) -> Content:
    content = content_of(session, campaign)
    decision = latest_decision(session, campaign.id)
    if decision is None or decision.digest != content.digest():
        raise Conflict(
            say("campaign {campaign} is not what was approved any more; submit it again", campaign=campaign.id)
        )
    # A word may have been listed since the approval.
    require_clean(lint_content(session, content, path))
    return content


def missing_values(content: Content) -> list[str]:
    """The variables that only recipients' attributes can fill: the campaign's values and people's own fields do not.
    Those of the texts of a schedule that are still to go.
    """
    texts = [content.of_item(item) for item in content.items if not item.skipped] or [content]
    required = {
        name
        for text in texts
        for name in set(get_compiled(text.version.id, text.version.body).required) - set(text.values)
    }
    return sorted(name for name in required - set(RECIPIENT_FIELDS) if not is_dotted(name))


def _is_its_time(run: Run, at: datetime) -> bool:
    """Whether the run was launched for `at`; a time just past was taken as now (see `_due`)."""
    at_once = run.due_at <= run.created_at + timedelta(seconds=1)
    return at == run.due_at or (at_once and run.due_at - LATEST <= at < run.due_at)


def _launched_before(campaign_id: int, run: Run) -> Said:
    due_at = run.due_at.isoformat(timespec="minutes")
    if run.status == RunStatus.planned:
        return say(
            "campaign {campaign} is launched already: its run {run} begins at {due_at}; change its time, or cancel it",
            campaign=campaign_id,
            run=run.id,
            due_at=due_at,
        )
    return say(
        "campaign {campaign} was launched as run {run} for {due_at}, which is {status}; a campaign is launched once",
        campaign=campaign_id,
        run=run.id,
        due_at=due_at,
        status=RunStatus(run.status),
    )


def _due(at: datetime | None, now: datetime) -> datetime:
    if at is None:
        return now
    check_ahead("at", at, now, "lies in the past; leave it out to launch now")
    return max(at, now)
