"""Which campaigns wait for an approver, and for which of them they wait."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.sizes import count_recipients
from sms_service.campaigns.approval_rules import ask_approval, read_approval_rules, select_approval_rules
from sms_service.campaigns.approvers import has_level, list_levels, select_line
from sms_service.campaigns.contents import Content, content_of, load_contents
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.renewing import text_of_run
from sms_service.campaigns.rule_models import ApprovalRule
from sms_service.campaigns.states import CampaignStatus
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.ledger.models import Run

_MOST_WEIGHED = 200  # campaigns of which it is asked whether they wait for a higher level


class ThenAndNow(NamedTuple):
    """For how many people a campaign was approved last, and how many a run of it has; None where nobody can tell."""

    then: int | None
    now: int | None


def compare_people(session: Session, run: Run) -> ThenAndNow:
    """How many people were approved, and how many the run of a campaign has: on its list or, before that is made, as
    its segment finds them now.
    """
    approved = (
        select(Decision.people)
        .where(Decision.campaign_id == run.campaign_id, Decision.decided == "approved")
        .order_by(Decision.id.desc())
        .limit(1)
    )
    then = session.scalar(approved)
    if run.audience is not None:
        return ThenAndNow(then, run.audience)
    content = content_of(session, session.get_one(Campaign, run.campaign_id), held=False)
    path = session.get_one(Unit, run.unit_id).path
    try:
        return ThenAndNow(then, count_recipients(session, text_of_run(content, run).segment_rule, path))
    except Invalid:
        return ThenAndNow(then, None)


def is_undecided() -> ColumnElement[bool]:
    """SQL over Campaign: it is under way, and what is still to go is not what was approved."""
    return Campaign.undecided & Campaign.status.in_((CampaignStatus.active, CampaignStatus.suspended))


def is_returned() -> ColumnElement[bool]:
    """SQL over Campaign: an approver said no to it as it stands, and it waits for whoever writes it."""
    refused = select(Decision.id).where(
        Decision.campaign_id == Campaign.id,
        Decision.decided == "rejected",
        Decision.submission == Campaign.submissions - 1,  # a no begins the next one; so does each change
    )
    return (Campaign.status == CampaignStatus.rejected) | (is_undecided() & refused.correlate(Campaign).exists())


def is_awaiting() -> ColumnElement[bool]:
    """SQL over Campaign: it waits for an approver, submitted or changed while it is under way."""
    return (Campaign.status == CampaignStatus.submitted) | (is_undecided() & ~is_returned())


def list_barred(session: Session, actor: Actor) -> list[int]:
    """The campaigns within the actor's scope that wait for an approver of a higher level than the actor's. In one
    statement, unless a rule asks for such a level by the number of people; then these are counted.
    """
    paths = actor.scope(Permission.approve_campaigns)
    if not paths or actor.account_id is None:
        return []
    owner = aliased(Unit)
    has_rule = (
        select(ApprovalRule.id)
        .join(owner, owner.id == ApprovalRule.unit_id)
        .where(ApprovalRule.approver_level.is_not(None), Unit.path.op("^@")(owner.path))
        .correlate(Unit)
        .exists()
    )
    rules = select_approval_rules(Unit.path.expression, Unit.level.expression)
    rows = session.execute(
        select(Campaign.id, Unit.path, rules.label("rules"), select_line(Unit.path.expression).label("line"))
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(is_awaiting(), has_rule, or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
        .order_by(Campaign.id)
        .limit(_MOST_WEIGHED)
    ).all()
    short = {}
    for row in rows:
        levels = list_levels(actor, row.path, row.line)
        found = read_approval_rules(row.rules)
        if not all(has_level(levels, rule.approver_level) for rule in found):
            short[row.id] = (row.path, found, levels)
    contents = load_contents(session, short) if short else {}
    return [
        one for one, (path, found, levels) in short.items() if _is_barred(session, contents[one], path, found, levels)
    ]


def _is_barred(
    session: Session, content: Content, path: str, rules: list[ApprovalRule], levels: Collection[str | None]
) -> bool:
    try:
        people = count_recipients(session, content.segment_rule, path)
    except Invalid:  # its segment cannot be used any more; whoever looks at it sees that
        return False
    return not has_level(levels, ask_approval(session, content, path, people, rules).level)
