"""What must be true of a month before its rows leave the database: nothing may change in them any more, nothing that is
still under way may need them, and their roll-ups and seals say exactly what they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from dateutil.relativedelta import relativedelta
from sqlalchemy import Connection, func, select

from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.errors import Conflict
from sms_service.ledger.amendment_models import DayChange
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quota_models import QuotaReservation, ReservationState
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.ops.archiving import require_archivable
from sms_service.reports.roll_ups import exact_days, find_drift
from sms_service.reports.seals import digest_rolled_day, verify_sealed_day
from sms_service.said import Said, say

MOVING = (
    *(MessageStatus.pending, MessageStatus.claimed, MessageStatus.submitting),
    *(MessageStatus.accepted, MessageStatus.unknown),
)
_OVER = (CampaignStatus.ended, CampaignStatus.rejected, CampaignStatus.withdrawn)
_FIRE_ONCE = (CampaignKind.series, CampaignKind.event)


def require_detachable(connection: Connection, month: date) -> dict[str, str]:
    """Raises Conflict, which says what stands against it, unless the rows of the month may leave the database. Returns
    the digest of each day's roll-up.
    """
    require_archivable(connection, month)
    reason = next(_reasons(connection, month), None)
    if reason is not None:
        raise Conflict(reason)
    days = list_days(connection, month)
    if not days:
        raise Conflict(say("no run was launched in {month}", month=f"{month:%Y-%m}"))
    for day in days:
        if any(True for _ in find_drift(connection, day)):
            command = f"python -m sms_service counts rebuild {day}"
            message = "the roll-up of {day} is not what the ledger says; add it up again first: `{command}`"
            raise Conflict(say(message, day=day, command=command))
        for fault in verify_sealed_day(connection, day):
            raise Conflict(fault.said)
    return {day.isoformat(): digest_rolled_day(connection, day) for day in days}


def list_days(connection: Connection, month: date) -> list[date]:
    """The days of the month on which runs with rows were launched."""
    found = select(Run.day).where(Run.month == month, Run.audience.is_not(None)).distinct().order_by(Run.day)
    return list(connection.scalars(found))


def has_new_changes(connection: Connection, month: date) -> bool:
    """Whether rows of the month have changed since they were added up."""
    of_month = DayChange.day >= month, DayChange.day < month + relativedelta(months=1)
    return bool(connection.scalar(select(select(DayChange.id).where(*of_month).exists())))


def _reasons(connection: Connection, month: date) -> Iterator[Said]:
    of_month = Run.month == month
    open_ = select(Run.id, Run.status).where(of_month, Run.status.not_in((RunStatus.closed, RunStatus.cancelled)))
    for run_id, status in connection.execute(open_.order_by(Run.id).limit(1)):
        yield say("run {run} is {status}; a month is detached once its runs are closed", run=run_id, status=status)
    moving = select(func.count()).where(Message.month == month, Message.status.in_(MOVING))
    if number := connection.scalar(moving):
        yield say("{count:,} texts of the month may still change their status", count=number)
    living = (
        select(Campaign.id)
        .join(Run, Run.campaign_id == Campaign.id)
        .where(of_month, Campaign.kind.in_(_FIRE_ONCE), Campaign.status.not_in(_OVER))
    )
    for campaign_id in connection.scalars(living.order_by(Campaign.id).limit(1)):
        yield say("campaign {campaign} is not over, and asks who had its texts of the month", campaign=campaign_id)
    reserved = select(Run.id).join(QuotaReservation, QuotaReservation.run_id == Run.id)
    for run_id in connection.scalars(
        reserved.where(of_month, QuotaReservation.state != ReservationState.used).limit(1)
    ):
        yield say("it is not settled yet what run {run} took of its quotas", run=run_id)
    exact = select(Run.day).where(of_month, Run.audience.is_not(None), Run.day.not_in(exact_days()))
    for day in connection.scalars(exact.order_by(Run.day).limit(1)):
        yield say("{day} is not added up since its last change; the clock does it within minutes", day=day)
