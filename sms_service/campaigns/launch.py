"""Launch: the one run of a campaign, now or at a time. A second launch returns the first run."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.reach import is_dotted
from sms_service.campaigns.approval import latest_decision
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.linting import lint_content
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.planning import plan_approved_run
from sms_service.campaigns.services import LATEST, check_ahead
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.language import get_compiled
from sms_service.content.lint import require_clean
from sms_service.content.models import TemplateVersion
from sms_service.content.values import RECIPIENT_FIELDS
from sms_service.errors import Conflict
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.said import Said, say


def launch_campaign(session: Session, actor: Actor, campaign_id: int, at: datetime | None = None) -> tuple[Run, bool]:
    """Plan the campaign's run for now, or for `at` (aware); returns the run and whether this call made it.

    If the campaign was launched before, and `at` is None or the run's time, this returns that run; with another time it
    raises Conflict. Raises Conflict too unless the campaign is approved, its content is still what was approved and
    lint does not refuse it, and Invalid if no run can be planned for `at`.
    """
    campaign, path = require_on_campaign(session, actor, Permission.operate_campaigns, campaign_id)
    # Two launches at once queue here; the later one finds the run. Without this lock the unique index would stop it.
    session.execute(select(Campaign.id).where(Campaign.id == campaign_id).with_for_update())
    session.refresh(campaign)
    existing = session.scalar(select(Run).where(Run.campaign_id == campaign_id))
    if existing is not None:
        if at is not None and not _is_its_time(existing, at):
            raise Conflict(_launched_before(campaign_id, existing))
        return existing, False
    if campaign.status != CampaignStatus.approved:
        raise Conflict(
            say(
                "campaign {campaign} is {status}; only an approved one can be launched",
                campaign=campaign_id,
                status=CampaignStatus(campaign.status),
            )
        )
    content = content_of(session, campaign)
    decision = latest_decision(session, campaign_id)
    if decision is None or decision.digest != content.digest():
        raise Conflict(
            say("campaign {campaign} is not what was approved any more; submit it again", campaign=campaign_id)
        )
    # A word may have been listed since the approval.
    require_clean(lint_content(session, content, path))
    now: datetime = session.scalars(select(func.sms_now())).one()
    return plan_approved_run(session, actor, content, _due(at, now)), True


def missing_values(campaign: Campaign, version: TemplateVersion) -> list[str]:
    """The variables that only recipients' attributes can fill: the campaign's values and people's own fields do not."""
    required = get_compiled(version.id, version.body).required
    return sorted(name for name in set(required) - set(campaign.values) - set(RECIPIENT_FIELDS) if not is_dotted(name))


def _is_its_time(run: Run, at: datetime) -> bool:
    """Whether the run was launched for `at`; a time just past was taken as now (see `_due`)."""
    at_once = run.due_at <= run.created_at + timedelta(seconds=1)
    return at == run.due_at or (at_once and run.due_at - LATEST <= at < run.due_at)


def _launched_before(campaign_id: int, run: Run) -> Said:
    due_at = run.due_at.isoformat(timespec="minutes")
    if run.status == RunStatus.planned:
        return say(
            "campaign {campaign} was launched as run {run} for {due_at}; its time cannot be changed: "
            "cancel the run and launch another campaign",
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
