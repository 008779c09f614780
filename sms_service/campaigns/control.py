"""What people do to a run under way: pause, resume, cancel, release. Each is one statement on the run's row.

What people decide about texts that have ended is in `resending`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.renewing import renew_run
from sms_service.campaigns.reserving import release_quota
from sms_service.campaigns.states import CampaignStatus
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.ledger.models import Message, Run
from sms_service.ledger.runs import hold_changed, move_run
from sms_service.ledger.states import RUN_TRANSITIONS, HeldFor, MessageStatus, RunStatus
from sms_service.said import say
from sms_service.vocabulary import Words

_NOT_LEFT = (
    MessageStatus.skipped,
    MessageStatus.pending,
    MessageStatus.claimed,
    MessageStatus.expired,
    MessageStatus.cancelled,
)


class FailoverChoice(Words):
    """How a person releases a run that is held because PostgreSQL is another server than before. The third choice,
    *cancel the rest*, is to cancel the run.
    """

    nothing_lost = "nothing_lost"  # everything that was committed before is there
    go_on = "go_on"  # something may be missing, so some people may get their text twice


def get_run(session: Session, actor: Actor, run_id: int, permission: Permission = Permission.read) -> Run:
    """The run, if the actor has the permission over its unit at its present place. Raises NotFound or Forbidden."""
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound("run", run_id)
    actor.require(permission, session.get_one(Unit, run.unit_id).path)
    return run


def run_of(session: Session, actor: Actor, campaign_id: int) -> Run:
    """The run of a launched campaign. Raises NotFound, Forbidden, or Conflict if it was not launched."""
    campaign, _ = require_on_campaign(session, actor, Permission.read, campaign_id)
    run = session.scalar(select(Run).where(Run.campaign_id == campaign_id).order_by(Run.id.desc()).limit(1))
    if run is None:
        status = CampaignStatus(campaign.status)
        raise Conflict(
            say("campaign {campaign} is {status}; it was never launched", campaign=campaign_id, status=status)
        )
    return run


def find_runs(
    paths: Sequence[str], *, campaign_id: int | None = None, status: str | None = None, kind: str | None = None
) -> Select[Run]:
    """The runs of all units that are now within the subtrees at `paths`."""
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    statement = select(Run).join(Unit, Unit.id == Run.unit_id).where(within)
    if campaign_id is not None:
        statement = statement.where(Run.campaign_id == campaign_id)
    if kind is not None:
        statement = statement.where(Run.kind == kind)
    return statement.where(Run.status == status) if status else statement


def name_runs(runs: Select[Run]) -> Select[Run, str | None, str]:
    """The runs of `find_runs`, each as (Run, campaign, unit) with both names; no campaign's of one that has none."""
    return runs.outerjoin(Campaign, Campaign.id == Run.campaign_id).with_only_columns(
        Run, Campaign.name.label("campaign"), Unit.name.label("unit")
    )


def pause_run(session: Session, actor: Actor, run_id: int, why: str) -> Run:
    """Pause the run: no further row passes the gate. Rows already handed over are not changed."""
    return _move(session, actor, run_id, (RunStatus.running,), RunStatus.paused, why)


def resume_run(session: Session, actor: Actor, run_id: int, why: str, choice: str | None = None) -> Run:
    """Go on with a paused run, or release a held one; a held run that was never frozen is due at its time,
    or now if that is over.

    What a run sends that was never frozen must be approved as it stands now: otherwise it is held for the change, until
    somebody approves that. A run held for its canary goes on with all its texts. A run held for the cluster needs a
    `choice`, which goes into the trail; other runs take none. One that exceeds a quota asks the permission over the
    unit above the quota's. Raises NotFound, Forbidden, Invalid, or Conflict if it is neither paused nor held.
    """
    run = get_run(session, actor, run_id, Permission.operate_campaigns)
    session.refresh(run)
    _check_choice(run, choice)
    # The statement checks `held_for` again: if the reason has changed since it was read, this was another question.
    held_for = None if run.status != RunStatus.held else run.held_for
    as_read = Run.held_for.is_not_distinct_from(held_for)
    changes: dict[str, Any] = {"canary": None} if held_for == HeldFor.canary else {}
    details: dict[str, Any] = {} if choice is None else {"verdict": choice}
    if held_for is not None and run.frozen_at is None:
        renewed = renew_run(session, run) if run.digest is not None else {}
        if renewed is None:
            return _hold_for_change(session, actor, run, why)
        changes |= {"due_at": func.greatest(Run.due_at, func.sms_now())} | renewed
        details |= release_quota(session, actor, run)
        return _move(session, actor, run_id, (RunStatus.held,), RunStatus.planned, why, as_read, changes, details)
    details |= release_quota(session, actor, run)
    sources = (RunStatus.paused, RunStatus.held)
    return _move(session, actor, run_id, sources, RunStatus.running, why, as_read, changes, details)


def cancel_run(session: Session, actor: Actor, run_id: int, why: str) -> tuple[Run, int]:
    """End a run. This sets its state; its waiting rows follow in slices.

    Returns the run and how many of its rows were already `submitting` or further.
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


def _hold_for_change(session: Session, actor: Actor, run: Run, why: str) -> Run:
    """What the run would send is not what was approved: it waits for that decision instead."""
    hold_changed(session, run.id)
    session.refresh(run)
    path, details = unit_path(session, run.unit_id), {"why": required_line("why", why, LONGEST_WHY)}
    trail.record_act(session, actor.account_id, "run.held", "run", run.id, path, **details)
    return run


def _check_choice(run: Run, choice: str | None) -> None:
    if run.held_for == HeldFor.cluster:
        known = [f"`{word}`" for word in FailoverChoice]
        if choice not in list(FailoverChoice):
            raise Invalid(
                "verdict",
                choice,
                say(
                    "must be {verdicts: or }: PostgreSQL is another server than before; or cancel it",
                    verdicts=known,
                ),
            )
    elif choice is not None:
        raise Invalid(
            "verdict",
            choice,
            say("belongs to a run that is held for `{held_for}`; this one is not", held_for=HeldFor.cluster),
        )


def _move(
    session: Session,
    actor: Actor,
    run_id: int,
    sources: Sequence[RunStatus],
    target: RunStatus,
    why: str,
    condition: ColumnElement[bool] | None = None,
    changes: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Run:
    """One act on the run, as `move_run` does it; `details` go into the trail."""
    run = get_run(session, actor, run_id, Permission.operate_campaigns)
    why = required_line("why", why, LONGEST_WHY)
    moved = move_run(session, run_id, sources, target, why, condition=condition, changes=changes)
    session.refresh(run)
    if not moved:
        raise Conflict(
            say(
                "run {run} is {status}; only {sources: or } ones can become {target}",
                run=run_id,
                status=RunStatus(run.status),
                sources=sources,
                target=target,
            )
        )
    path = unit_path(session, run.unit_id)
    trail.record_act(session, actor.account_id, f"run.{target}", "run", run_id, path, why=why, **(details or {}))
    return run
