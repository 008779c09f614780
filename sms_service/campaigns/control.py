"""What people do to a run under way: pause, resume, cancel, release. Each is one statement on the run's row."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, false, func, or_, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.services import require
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import RUN_TRANSITIONS, MessageStatus, RunStatus

LONGEST_WHY = 200
_NOT_LEFT = (
    MessageStatus.skipped,
    MessageStatus.pending,
    MessageStatus.claimed,
    MessageStatus.expired,
    MessageStatus.cancelled,
)


def get_run(session: Session, actor: Actor, run_id: int, permission: Permission = Permission.read) -> Run:
    """Raises NotFound or Forbidden."""
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound("run", run_id)
    actor.require(permission, run.unit_path)
    return run


def run_of(session: Session, actor: Actor, campaign_id: int) -> Run:
    """The run of a launched campaign. Raises NotFound, Forbidden, or Conflict if it was not launched."""
    campaign, _ = require(session, actor, Permission.read, campaign_id)
    run = session.scalar(select(Run).where(Run.campaign_id == campaign_id).order_by(Run.id.desc()).limit(1))
    if run is None:
        raise Conflict(f"campaign {campaign_id} is {campaign.status}; it was never launched")
    return run


def find_runs(paths: Sequence[str], *, campaign_id: int | None = None, status: str | None = None) -> Select[Run]:
    """The runs of all units under `paths`."""
    statement = select(Run).where(or_(false(), *(Run.unit_path.op("^@")(path) for path in paths)))
    if campaign_id is not None:
        statement = statement.where(Run.campaign_id == campaign_id)
    return statement.where(Run.status == status) if status else statement


def pause(session: Session, actor: Actor, run_id: int, why: str) -> Run:
    """No further row passes the gate; those already handed over stay so."""
    return _move(session, actor, run_id, (RunStatus.running,), RunStatus.paused, why)


def resume(session: Session, actor: Actor, run_id: int, why: str) -> Run:
    """Go on with a paused run, or release a held one; a held run that was never frozen is due now."""
    run = get_run(session, actor, run_id, Permission.operate_campaigns)
    if run.status == RunStatus.held and run.frozen_at is None:
        return _move(session, actor, run_id, (RunStatus.held,), RunStatus.planned, why)
    return _move(session, actor, run_id, (RunStatus.paused, RunStatus.held), RunStatus.running, why)


def cancel(session: Session, actor: Actor, run_id: int, why: str) -> tuple[Run, int]:
    """End a run: the state is set first, then its waiting rows follow in slices.

    Returns the run and how many rows had already become `submitting` or gone further.
    """
    sources = tuple(source for source, targets in RUN_TRANSITIONS.items() if RunStatus.cancelled in targets)
    run = _move(session, actor, run_id, sources, RunStatus.cancelled, why)
    gone = session.scalars(
        select(func.count())
        .select_from(Message)
        .where(
            Message.month == run.month,
            Message.run_id == run.id,
            Message.status.not_in(_NOT_LEFT),
            Message.attempts > 0,  # a text that could not be rendered is refused and never left
        )
    ).one()
    return run, gone


def _move(
    session: Session, actor: Actor, run_id: int, sources: Sequence[RunStatus], target: RunStatus, why: str
) -> Run:
    run = get_run(session, actor, run_id, Permission.operate_campaigns)
    if not 1 <= len(why.strip()) <= LONGEST_WHY:
        raise Invalid("why", why, f"must have 1 to {LONGEST_WHY} characters")
    on = target in (RunStatus.running, RunStatus.planned)
    changes: dict[str, object] = {"status": target.value, "reason": None if on else why.strip(), "held_for": None}
    if on:
        changes["watched_from"] = func.sms_now()
    if target == RunStatus.planned:
        changes["due_at"] = func.sms_now()
    moved = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(sources))
        .values(changes)
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(run)
    if moved is None:
        raise Conflict(f"run {run_id} is {run.status}; only {' or '.join(sources)} ones can become {target}")
    trail.record(session, actor.account_id, f"run.{target}", "run", run_id, run.unit_path, why=why.strip())
    return run
