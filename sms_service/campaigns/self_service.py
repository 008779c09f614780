"""Self-service: whether somebody may send a campaign by a rule, without another person's yes."""

from __future__ import annotations

from collections.abc import Iterable

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.approval_rules import AskedApproval
from sms_service.content.lint import LintFinding, Severity
from sms_service.said import Said, as_said, say


def say_why_no_self_service(
    actor: Actor, path: str, asked: AskedApproval, findings: Iterable[LintFinding]
) -> Said | None:
    """Why the actor may not send by themselves what asks for this, as a campaign of the unit at `path`; None: they may.

    Self-service gives nobody more than their own rights: who uses it may write and send what the unit sends. Nobody
    uses a rule that they made, and what an approver has to tick still needs one.
    """
    if asked.approvals > 0:
        return say("it needs an approval: {words}", words=asked.words)
    if actor.account_id is None:
        return as_said("only a person sends by self-service")
    if not (actor.can(Permission.edit_campaigns, path) and actor.can(Permission.operate_campaigns, path)):
        return as_said("who sends by self-service must be allowed to send what the unit sends")
    if asked.changed_by == actor.account_id:
        return as_said("who made the rule does not send by it")
    if any(one.severity == Severity.tick for one in findings):
        return as_said("an approver has to see and tick what the check found")
    return None
