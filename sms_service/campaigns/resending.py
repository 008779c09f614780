"""What people decide about texts that have ended: retry refused ones; send unknown ones again, or settle them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.control import get_run
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.campaigns.moving import move_campaign, require_status
from sms_service.campaigns.reserving import reserve_again
from sms_service.campaigns.states import CALLED_OFF, CANCELLED, CampaignKind, CampaignStatus
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.gateways.base import ErrorClass
from sms_service.ledger import resolving
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.resolving import RETRYABLE, GoneAgain, SettledAs
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.said import say

MOST_IDS = 10_000  # messages that one send-again may name
MOST_SETTLED = 100  # messages that may be settled at once

_ROWS_ARE_FINAL_OR_LACKING = (RunStatus.planned, RunStatus.freezing, RunStatus.cancelled)


def retry_run(
    session: Session, actor: Actor, run_id: int, why: str, classes: Collection[str] | None = None
) -> tuple[Run, GoneAgain]:
    """Let the run's refused texts of these error classes (None: of all that may be retried) go again.

    They have the run's whole validity once more, from now. Raises NotFound, Forbidden, Invalid, or Conflict if the
    run is cancelled or not frozen.
    """
    for class_ in classes or ():
        if class_ not in RETRYABLE:
            raise Invalid("classes", class_, say("cannot be retried; these can: {classes}", classes=RETRYABLE))
    chosen = RETRYABLE if classes is None else [ErrorClass(class_) for class_ in classes]
    why = required_line("why", why, LONGEST_WHY)
    run, gone = _go_again(session, actor, run_id, lambda connection: resolving.retry_rows(connection, run_id, chosen))
    details = {"why": why, "again": dict(gone.again), "left": dict(gone.left)}
    trail.record_act(session, actor.account_id, "run.retry", "run", run_id, unit_path(session, run.unit_id), **details)
    return run, gone


def send_run_again(
    session: Session, actor: Actor, run_id: int, why: str, messages: Collection[int] | None
) -> tuple[Run, GoneAgain]:
    """Let unknown texts of the run go again, though they may have arrived: these messages, or all of them (None).

    They have the run's whole validity once more, from now. Raises NotFound, Forbidden, Invalid, or Conflict if the
    run is cancelled or not frozen.
    """
    if messages is not None and not 1 <= len(messages) <= MOST_IDS:
        raise Invalid("messages", f"{len(messages)} ids", say("must name 1 to {most:,} messages", most=MOST_IDS))
    why = required_line("why", why, LONGEST_WHY)
    run, gone = _go_again(
        session, actor, run_id, lambda connection: resolving.send_rows_again(connection, run_id, messages)
    )
    details = {"why": why, "messages": list(gone.ids), "left": dict(gone.left)}
    trail.record_act(
        session, actor.account_id, "run.send_again", "run", run_id, unit_path(session, run.unit_id), **details
    )
    return run, gone


def settle_attempt(session: Session, actor: Actor, message_id: int, settled_as: SettledAs, why: str) -> None:
    """Record what the actor found out about an unknown text, for example at the provider. A receipt may still follow.

    Raises NotFound, Invalid, Forbidden (also for the service itself: a person must be responsible for this), or
    Conflict if the message is not unknown, or not any more.
    """
    for status in _settle(session, actor, [message_id], settled_as, why).values():
        raise Conflict(
            say(
                "message {message_id} is {status}; only an {settleable} one can be settled",
                message_id=message_id,
                status=status,
                settleable=MessageStatus.unknown,
            )
        )


def settle_attempts(
    session: Session, actor: Actor, message_ids: Collection[int], settled_as: SettledAs, why: str
) -> int:
    """The same for 1 to 100 unknown texts at once, of whatever runs: all of them or none. Returns how many.

    Raises the same errors as `settle_attempt`; the Conflict names each message that is not unknown any more.
    """
    wanted = sorted(set(message_ids))
    if not 1 <= len(wanted) <= MOST_SETTLED:
        raise Invalid("messages", f"{len(wanted)} ids", say("must name 1 to {most:,} messages", most=MOST_SETTLED))
    if left := _settle(session, actor, wanted, settled_as, why):
        named = [say("message {id} is {status}", id=str(id_), status=status) for id_, status in sorted(left.items())]
        raise Conflict(
            say(
                "nothing was settled, since of the {all} messages these are not {settleable} any more: {left}",
                all=len(wanted),
                settleable=MessageStatus.unknown,
                left=named,
            )
        )
    return len(wanted)


def _settle(
    session: Session, actor: Actor, message_ids: Collection[int], settled_as: SettledAs, why: str
) -> dict[int, MessageStatus]:
    """Settles those that are unknown, each with its entry in the trail; returns what the others are."""
    why = required_line("why", why, LONGEST_WHY)
    # Ids are unique over all months, but only with the month can PostgreSQL find the partition and its index.
    rows = session.execute(
        select(Message.id, Message.month, Message.unit_id).where(
            Message.id.in_(message_ids), Message.month.in_(select(Run.month).distinct())
        )
    ).all()
    for missing in sorted(set(message_ids) - {row.id for row in rows}):
        raise NotFound("message", missing)
    paths = dict(session.execute(select(Unit.id, Unit.path).where(Unit.id.in_({row.unit_id for row in rows}))).all())
    for row in rows:
        actor.require(Permission.operate_campaigns, paths[row.unit_id])
    if actor.account_id is None:
        raise Forbidden("a person must answer for what became of a text; act as an account")
    settled = set[int]()
    by_month: dict[date, list[int]] = defaultdict(list)
    for row in rows:
        by_month[row.month].append(row.id)
    for month, ids in sorted(by_month.items()):  # in one order, so that two people do not deadlock
        settled |= resolving.settle_rows(session.connection(), month, ids, settled_as, actor.account_id)
    session.expire_all()
    for row in sorted(rows, key=lambda row: row.id):
        if row.id in settled:
            details = {"verdict": settled_as, "why": why}
            path = paths[row.unit_id]
            trail.record_act(session, actor.account_id, "message.settle", "message", row.id, path, **details)
    left = select(Message.id, Message.status).where(
        Message.month.in_(by_month), Message.id.in_(set(message_ids) - settled)
    )
    return {row.id: MessageStatus(row.status) for row in session.execute(left)} if len(settled) < len(rows) else {}


def _go_again(
    session: Session, actor: Actor, run_id: int, act: Callable[[Connection], GoneAgain]
) -> tuple[Run, GoneAgain]:
    run = get_run(session, actor, run_id, Permission.operate_campaigns)
    # The campaign may have ended with its run, or be ending now: its row is locked before it is looked at.
    campaign = run.campaign_id and session.get(Campaign, run.campaign_id, with_for_update=True, populate_existing=True)
    if campaign:
        require_status(campaign, CampaignAct.resend)
        # A series that goes on again asks who had its texts, and finds nobody in an archived month.
        require_unarchived(session, Run.campaign_id == campaign.id, Run.of_cohort.is_(True))
    require_unarchived(session, Run.id == run_id)
    gone = act(session.connection())
    session.refresh(run)
    if run.status in _ROWS_ARE_FINAL_OR_LACKING or (run.status == RunStatus.held and run.frozen_at is None):
        status = RunStatus(run.status)
        raise Conflict(say("run {run} is {status}; nothing of it can go again", run=run_id, status=status))
    if gone.ids:
        if campaign and campaign.kind == CampaignKind.event:
            _require_still_so(session, run, campaign.schedule or {}, campaign.values)
        if campaign and campaign.status == CampaignStatus.ended:
            move_campaign(session, campaign, CampaignAct.resend, CampaignStatus.active)
        reserve_again(session, run)
    return run, gone


def _require_still_so(session: Session, run: Run, rule: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Raises Conflict where what the run says of an event is not so any more."""
    item = session.get(CampaignItem, (run.campaign_id, run.item))
    said = {**values, **(item.values if item is not None else {})}
    if run.values != said or (rule.get(CANCELLED) and run.item != CALLED_OFF):
        message = "the event was moved or called off since; what the texts of run {run} say is not so any more"
        raise Conflict(say(message, run=run.id))
