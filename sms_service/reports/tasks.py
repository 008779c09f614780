"""What waits for somebody: each kind once, with how many there are, by right and scope."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, false, func, literal, or_, select, true, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.contacts import is_unreached
from sms_service.campaigns.authorship import is_of_others
from sms_service.campaigns.awaited import is_awaiting, is_returned, list_barred
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.quotas import count_full_quotas
from sms_service.channels.waiting import count_to_forward, count_to_settle
from sms_service.controls.models import AccountState, GatewayAccount, PausedBy
from sms_service.db.waiting import Waiting, select_waiting
from sms_service.delivery.lost_checks import count_open_checks
from sms_service.directory.importing import count_to_apply
from sms_service.directory.models import Unit
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ledger.states import AttemptStatus, MessageStatus, RunStatus
from sms_service.replies.inbox import count_assigned, count_unread
from sms_service.reports.filters import stood_under
from sms_service.vocabulary import Words
from sms_service.webhooks.waiting import count_disabled


class TaskKind(Words):
    """What can wait for a person."""

    approval = "approval"  # campaigns that somebody else submitted, or changed while they are under way
    returned = "returned"  # campaigns that one wrote and an approver sent back
    held_run = "held_run"  # runs that wait for a decision
    breaker_open = "breaker_open"  # gateway accounts that the breaker paused, since their texts went wrong
    gateway_paused = "gateway_paused"  # gateway accounts that take nothing for another reason
    unknown = "unknown"  # texts of which nobody can tell whether they were taken
    import_to_apply = "import_to_apply"  # files that are checked and not applied
    branch_without_contact = "branch_without_contact"  # branches in which nobody with a role can be texted
    lost_check = "lost_check"  # people whom texts do not reach, to be looked for
    quota = "quota"  # quotas of which 80 % or more are taken in this month
    post_to_forward = "post_to_forward"  # posts in groups that one's own unit has not forwarded yet
    unknown_post = "unknown_post"  # posts of which nobody can tell whether they stand in their group
    webhook_disabled = "webhook_disabled"  # webhooks that took nothing for three days
    unread_reply = "unread_reply"  # replies of one's units that a person has to read
    assigned_reply = "assigned_reply"  # replies that one is asked to see to


@dataclass(frozen=True, slots=True)
class Task:
    """So many of a kind wait for the actor; never zero. `oldest` and `newest`: since when the first and the last of
    them wait; None where nobody wrote that down.
    """

    kind: TaskKind
    number: int
    oldest: datetime | None
    newest: datetime | None


def list_tasks(session: Session, actor: Actor, kinds: Collection[str] | None = None) -> list[Task]:
    """What waits for the actor within the scope of each right, in the order of TaskKind; one statement, and what
    `list_barred` takes. `kinds`: only these.
    """
    wanted = [kind for kind in TaskKind if kinds is None or kind in kinds]
    found = {kind: waiting for kind in wanted if (waiting := _ASK[kind](actor)) is not None}
    if TaskKind.approval in found:
        found[TaskKind.approval] = _without_barred(session, actor, found[TaskKind.approval])
    if not found:
        return []
    asked = [(kind, waiting.subquery()) for kind, waiting in found.items()]
    each = [select(literal(kind.value), one.c.number, one.c.oldest, one.c.newest) for kind, one in asked]
    rows = {row[0]: row for row in session.execute(union_all(*each))}
    return [Task(kind, *rows[kind.value][1:]) for kind, _ in asked if rows[kind.value][1]]


def list_kinds_of(actor: Actor) -> list[TaskKind]:
    """The kinds of which something can wait for the actor, whether or not anything does."""
    return [kind for kind in TaskKind if _ASK[kind](actor) is not None]


def find_single_approval(session: Session, actor: Actor) -> int | None:
    """The campaign that waits for the actor's decision, if only one does."""
    waiting = _approvals(actor)
    if waiting is None:
        return None
    waiting = _without_barred(session, actor, waiting)
    found = session.scalars(waiting.with_only_columns(Campaign.id, maintain_column_froms=True).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _approvals(actor: Actor) -> Waiting | None:
    """Those of which one is an author, as far as the trail names the account itself, wait for somebody else."""
    waiting = select_waiting(Campaign.id, Campaign.updated_at.expression).join(Unit, Unit.id == Campaign.unit_id)
    return _of_units(actor, Permission.approve_campaigns, waiting.where(is_awaiting(), is_of_others(actor)))


def _without_barred(session: Session, actor: Actor, waiting: Waiting) -> Waiting:
    """Without those that wait for an approver of a higher level."""
    barred = list_barred(session, actor)
    return waiting.where(Campaign.id.not_in(barred)) if barred else waiting


def _returned(actor: Actor) -> Waiting | None:
    written = select_waiting(Campaign.id, Campaign.updated_at.expression).join(Unit, Unit.id == Campaign.unit_id)
    written = written.where(is_returned(), Campaign.created_by == actor.account_id)
    return _of_units(actor, Permission.edit_campaigns, written)


def _held_runs(actor: Actor) -> Waiting | None:
    held = select_waiting(Run.id, func.coalesce(Run.launched_at, Run.due_at)).join(Unit, Unit.id == Run.unit_id)
    return _of_units(actor, Permission.operate_campaigns, held.where(Run.status == RunStatus.held))


def _tripped_accounts(actor: Actor) -> Waiting | None:
    return _paused_accounts(actor, GatewayAccount.paused_by == PausedBy.breaker)


def _other_paused_accounts(actor: Actor) -> Waiting | None:
    return _paused_accounts(actor, GatewayAccount.paused_by.is_distinct_from(PausedBy.breaker))


def _paused_accounts(actor: Actor, by: ColumnElement[bool]) -> Waiting | None:
    if not actor.scope(Permission.operate_service):
        return None
    paused = select_waiting(GatewayAccount.id, GatewayAccount.state_since.expression)
    return paused.where(GatewayAccount.state == AccountState.paused, by)


def _unknown(actor: Actor) -> Waiting | None:
    """Found by the unknown attempts, of which an index is kept."""
    paths = actor.scope(Permission.operate_campaigns)
    if not paths:
        return None
    within: ColumnElement[bool] = true() if "/" in paths else or_(false(), *(stood_under(path) for path in paths))
    return (
        select_waiting(Attempt.id, Attempt.started_at.expression)
        .join(
            Message,
            (Message.month == Attempt.month)
            & (Message.id == Attempt.message_id)
            & (Message.attempts == Attempt.number)
            & (Message.status == MessageStatus.unknown),
        )
        .where(Attempt.status == AttemptStatus.unknown, within)
    )


def _full_quotas(actor: Actor) -> Waiting | None:
    return _of_units(actor, Permission.operate_campaigns, count_full_quotas())


def _branches(actor: Actor) -> Waiting | None:
    return _of_units(actor, Permission.manage_directory, select_waiting(Unit.id).where(is_unreached()))


def _of_units(actor: Actor, permission: Permission, count: Waiting) -> Waiting | None:
    paths = actor.scope(permission)
    return count.where(_within(Unit.path, paths)) if paths else None


def _within(path: InstrumentedAttribute[str], paths: Sequence[str]) -> ColumnElement[bool]:
    return or_(false(), *(path.op("^@")(prefix) for prefix in paths))


# What asks for each kind: its statement within the scope of the right that it needs, None without that right.
_ASK: Mapping[TaskKind, Callable[[Actor], Waiting | None]] = {
    TaskKind.approval: _approvals,
    TaskKind.returned: _returned,
    TaskKind.held_run: _held_runs,
    TaskKind.breaker_open: _tripped_accounts,
    TaskKind.gateway_paused: _other_paused_accounts,
    TaskKind.unknown: _unknown,
    TaskKind.import_to_apply: count_to_apply,
    TaskKind.branch_without_contact: _branches,
    TaskKind.lost_check: count_open_checks,
    TaskKind.quota: _full_quotas,
    TaskKind.post_to_forward: count_to_forward,
    TaskKind.unknown_post: count_to_settle,
    TaskKind.webhook_disabled: count_disabled,
    TaskKind.unread_reply: count_unread,
    TaskKind.assigned_reply: count_assigned,
}
