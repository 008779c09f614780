"""Self-service: whether somebody may send a campaign by a rule, without another person's yes."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.also_posted import has_channels_from_above
from sms_service.campaigns.approval_rules import AskedApproval
from sms_service.campaigns.contents import Content
from sms_service.content.findings import LintFinding, Severity
from sms_service.said import Said, as_said, say


def say_why_no_self_service(
    session: Session,
    actor: Actor,
    content: Content,
    path: str,
    asked: AskedApproval,
    findings: Iterable[LintFinding],
) -> Said | None:
    """Why the actor may not send by themselves this content of the unit at `path`, which asks for that; None: they may.

    Self-service gives nobody more than their own rights: who uses it may write and send what the unit sends. Nobody
    uses a rule that they made, and what an approver has to tick still needs one. So does what is posted to a group of a
    unit above: the rule counts the people whom the campaign texts, not those who read that group.
    """
    if asked.approvals > 0:
        return say("it needs an approval: {words}", words=asked.words)
    if actor.account_id is None:
        return as_said("only a person sends by self-service")
    if not (actor.can(Permission.edit_campaigns, path) and actor.can(Permission.operate_campaigns, path)):
        return as_said("who sends by self-service must be allowed to send what the unit sends")
    if asked.changed_by == actor.account_id:
        return as_said("who made the rule does not send by it")
    if has_channels_from_above(session, path, content.campaign.channels):
        return as_said("it is posted to a channel of a unit above, which an approver has to allow")
    if any(one.severity == Severity.tick for one in findings):
        return as_said("an approver has to see and tick what the check found")
    return None
