"""What waits for somebody: each kind once, with how many there are, by right and scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Text, cast, exists, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.contacts import is_unreached
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.authorship import AUTHORSHIP
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.controls.models import AccountState, GatewayAccount
from sms_service.delivery.lost_checks import count_open_checks
from sms_service.directory.models import Unit
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ledger.states import AttemptStatus, MessageStatus, RunStatus
from sms_service.reports.counts import stood_under
from sms_service.vocabulary import Words


class TaskKind(Words):
    """What can wait for a person."""

    approval = "approval"  # campaigns that somebody else submitted
    returned = "returned"  # campaigns that one wrote and an approver sent back
    held_run = "held_run"  # runs that wait for a decision
    gateway_paused = "gateway_paused"  # gateway accounts that take nothing
    unknown = "unknown"  # texts of which nobody can tell whether they were taken
    branch_without_contact = "branch_without_contact"  # branches in which nobody with a role can be texted
    lost_check = "lost_check"  # people whom texts do not reach, to be looked for


@dataclass(frozen=True, slots=True)
class Task:
    """So many of a kind wait for the actor; never zero."""

    kind: TaskKind
    number: int


def list_tasks(session: Session, actor: Actor) -> list[Task]:
    """What waits for the actor within the scope of each right, in the order of TaskKind; one statement."""
    counts = {
        TaskKind.approval: _approvals(actor),
        TaskKind.returned: _returned(actor),
        TaskKind.held_run: _held_runs(actor),
        TaskKind.gateway_paused: _paused_accounts(actor),
        TaskKind.unknown: _unknown(actor),
        TaskKind.branch_without_contact: _branches(actor),
        TaskKind.lost_check: count_open_checks(actor),
    }
    asked = {kind: count.scalar_subquery().label(kind) for kind, count in counts.items() if count is not None}
    if not asked:
        return []
    row = session.execute(select(*asked.values())).one()
    return [Task(kind, number) for kind, number in zip(asked, row, strict=True) if number]


def _approvals(actor: Actor) -> Select[int] | None:
    """Those of which one is an author, as far as the trail names the account itself, wait for somebody else."""
    own = exists().where(
        TrailEntry.target_kind == "campaign",
        TrailEntry.target_id == cast(Campaign.id, Text),
        TrailEntry.act.in_(AUTHORSHIP),
        TrailEntry.account_id == actor.account_id,
    )
    return _of_units(
        actor,
        Permission.approve_campaigns,
        select(func.count(Campaign.id))
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Campaign.status == CampaignStatus.submitted, ~own),
    )


def _returned(actor: Actor) -> Select[int] | None:
    written = select(func.count(Campaign.id)).join(Unit, Unit.id == Campaign.unit_id)
    written = written.where(Campaign.status == CampaignStatus.rejected, Campaign.created_by == actor.account_id)
    return _of_units(actor, Permission.edit_campaigns, written)


def _held_runs(actor: Actor) -> Select[int] | None:
    held = select(func.count(Run.id)).join(Unit, Unit.id == Run.unit_id).where(Run.status == RunStatus.held)
    return _of_units(actor, Permission.operate_campaigns, held)


def _paused_accounts(actor: Actor) -> Select[int] | None:
    if not actor.scope(Permission.operate_service):
        return None
    return select(func.count(GatewayAccount.id)).where(GatewayAccount.state == AccountState.paused)


def _unknown(actor: Actor) -> Select[int] | None:
    """Found by the unknown attempts, of which an index is kept."""
    paths = actor.scope(Permission.operate_campaigns)
    if not paths:
        return None
    within: ColumnElement[bool] = true() if "/" in paths else or_(false(), *(stood_under(path) for path in paths))
    return (
        select(func.count(Attempt.id))
        .join(
            Message,
            (Message.month == Attempt.month)
            & (Message.id == Attempt.message_id)
            & (Message.attempts == Attempt.number)
            & (Message.status == MessageStatus.unknown),
        )
        .where(Attempt.status == AttemptStatus.unknown, within)
    )


def _branches(actor: Actor) -> Select[int] | None:
    return _of_units(actor, Permission.manage_directory, select(func.count(Unit.id)).where(is_unreached()))


def _of_units(actor: Actor, permission: Permission, count: Select[int]) -> Select[int] | None:
    paths = actor.scope(permission)
    return count.where(_within(Unit.path, paths)) if paths else None


def _within(path: InstrumentedAttribute[str], paths: Sequence[str]) -> ColumnElement[bool]:
    return or_(false(), *(path.op("^@")(prefix) for prefix in paths))
