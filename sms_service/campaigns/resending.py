"""What people decide about texts that have ended: retry refused ones; send unknown ones again, or settle them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.control import get_run
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.gateways.base import ErrorClass
from sms_service.ledger import resolving
from sms_service.ledger.models import Message, Run
from sms_service.ledger.resolving import RETRYABLE, GoneAgain, SettledAs
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.said import say

MOST_IDS = 10_000  # messages that one send-again may name

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
    why = required_line("why", why, LONGEST_WHY)
    # Ids are unique over all months, but only with the month can PostgreSQL find the partition and its index.
    message = session.scalar(
        select(Message).where(Message.id == message_id, Message.month.in_(select(Run.month).distinct()))
    )
    if message is None:
        raise NotFound("message", message_id)
    path = unit_path(session, message.unit_id)
    actor.require(Permission.operate_campaigns, path)
    if actor.account_id is None:
        raise Forbidden("a person must answer for what became of a text; act as an account")
    settled = resolving.settle_row(session.connection(), message.month, message_id, settled_as, actor.account_id)
    session.refresh(message)
    if not settled:
        raise Conflict(
            say(
                "message {message_id} is {status}; only an {settleable} one can be settled",
                message_id=message_id,
                status=MessageStatus(message.status),
                settleable=MessageStatus.unknown,
            )
        )
    trail.record_act(
        session, actor.account_id, "message.settle", "message", message_id, path, verdict=settled_as, why=why
    )


def _go_again(
    session: Session, actor: Actor, run_id: int, act: Callable[[Connection], GoneAgain]
) -> tuple[Run, GoneAgain]:
    run = get_run(session, actor, run_id, Permission.operate_campaigns)
    gone = act(session.connection())
    session.refresh(run)
    if run.status in _ROWS_ARE_FINAL_OR_LACKING or (run.status == RunStatus.held and run.frozen_at is None):
        status = RunStatus(run.status)
        raise Conflict(say("run {run} is {status}; nothing of it can go again", run=run_id, status=status))
    if gone.ids:
        # The campaign may have ended with its run, or be ending now: this locks its row and makes it active.
        session.execute(
            update(Campaign)
            .where(Campaign.id == run.campaign_id, Campaign.status.in_((CampaignStatus.ended, CampaignStatus.active)))
            .values(status=CampaignStatus.active.value)
            .execution_options(synchronize_session=False)
        )
    return run, gone
