"""Quotas on the line of a run: reserved when it is planned, and released by a person when it is held for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.covering import TextKind
from sms_service.audience.measuring import measure_reach
from sms_service.content.comparing import CannotRender
from sms_service.content.models import TemplateVersion
from sms_service.controls.models import GatewayAccount, RouteMember
from sms_service.controls.quota_models import Quota
from sms_service.db.locks import close_gate_of_run
from sms_service.directory.models import Unit
from sms_service.directory.units import split_path
from sms_service.dispatch.rendering import text_of
from sms_service.errors import Forbidden
from sms_service.ledger.models import Run
from sms_service.ledger.quota_holds import describe_lacks, hold_for_lacks, join_lacks
from sms_service.ledger.quota_models import QuotaReservation, ReservationState
from sms_service.ledger.quotas import (
    Amounts,
    Lack,
    ReservedRun,
    release_lacks,
    reserve_amounts,
    reserve_written,
)
from sms_service.ledger.states import RunStatus

# Runs whose people are counted when they are planned. More at once are those of many branches that fire at this moment:
# their freezes count them within seconds, before any text leaves.
MOST_ESTIMATED = 5


def reserve_quota(session: Session, run_ids: Collection[int]) -> set[int]:
    """Let runs that were just planned take what they will need of the quotas above them; returns those that are held
    because a quota has not enough left. Where no unit on their lines has a quota this is one look.
    """
    if not 0 < len(run_ids) <= MOST_ESTIMATED:
        return set()
    runs = session.scalars(
        select(Run).where(Run.id.in_(run_ids), Run.kind == "campaign", Run.status == RunStatus.planned)
    ).all()
    line = {unit_id for run in runs for unit_id in split_path(run.unit_path)}
    if session.scalar(select(Quota.id).where(Quota.unit_id.in_(line)).limit(1)) is None:
        return set()
    lacks = reserve_amounts(session.connection(), [_estimate(session, run) for run in runs])
    held = hold_for_lacks(session, lacks)
    for run in runs:
        session.expire(run)
    return held


def reserve_again(session: Session, run: Run) -> None:
    """Let a run of which texts go again take these too; it is held if a quota has not enough left for them."""
    hold_for_lacks(session, reserve_written(session.connection(), run.month, [run.id]))
    session.refresh(run)


def release_quota(session: Session, actor: Actor, run: Run) -> dict[str, Any]:
    """Let a held run take what it lacked, before it goes on; returns what the trail keeps of it.

    Nothing is asked of a run that lacks nothing, or not any more. Raises Forbidden unless the actor operates campaigns
    of the unit above each one whose quota the run exceeds, or for a top unit's quota of that unit itself.
    """
    close_gate_of_run(session.connection(), run.id)
    # In the order in which a freeze and the clock lock them.
    session.execute(select(Run.id).where(Run.id == run.id).with_for_update(key_share=True))
    state = session.scalar(select(QuotaReservation.state).where(QuotaReservation.run_id == run.id))
    if state != ReservationState.asked:
        return {}
    lacks = _ask_again(session, run)
    if not lacks:
        return {}
    said = describe_lacks(session.connection(), lacks)
    paths = dict(session.execute(select(Unit.id, Unit.path).where(Unit.id.in_({one.unit_id for one in lacks}))).all())
    missing = [
        said[one] for one in lacks if not actor.can(Permission.operate_campaigns, find_above(paths[one.unit_id]))
    ]
    if missing:
        raise Forbidden(join_lacks(missing))
    release_lacks(session.connection(), run.id, {one.unit_id for one in lacks})
    _ask_again(session, run)
    return {"overdraft": [said[one] for one in lacks]}


def find_above(path: str) -> str:
    """The path of the unit above the one at this path; of a top unit its own."""
    return path if len(split_path(path)) == 1 else path.rstrip("/").rpartition("/")[0] + "/"


def _ask_again(session: Session, run: Run) -> list[Lack]:
    connection = session.connection()
    if run.frozen_at is not None:
        return reserve_written(connection, run.month, [run.id]).get(run.id, [])
    return reserve_amounts(connection, [_estimate(session, run)]).get(run.id, [])


def _estimate(session: Session, run: Run) -> ReservedRun:
    """As the outlook has it: people who would get a text now, parts by texts tried on them, money by the prices."""
    version = session.get_one(TemplateVersion, run.template_version_id)
    own = [name for name in version.variables if name not in run.values]
    reach = measure_reach(session, run.segment_rule, run.unit_path, own, kind=TextKind(run.class_, run.signature))
    parts = []
    try:
        text = text_of(run, version)
        for tried in reach.tried if own else reach.tried[:1]:
            parts.append(text.compose({name: value for name, value in tried.values.items() if value is not None}).parts)
    except CannotRender:
        pass  # some of them, or all, will be refused
    total = round(sum(parts) / len(parts) * reach.phones) if parts else reach.phones
    price = _price(session, run.route_id)
    return ReservedRun(run.id, run.month, run.unit_path, Amounts(reach.phones, total, round(total * price)))


def _price(session: Session, route_id: int) -> float:
    """Fen for a part, by the shares of the accounts that are used first; 0 where it is not known."""
    members: Sequence[Any] = session.execute(
        select(RouteMember.priority, RouteMember.weight, GatewayAccount.price_fen)
        .join(GatewayAccount, GatewayAccount.id == RouteMember.gateway_account_id)
        .where(RouteMember.route_id == route_id, GatewayAccount.state == "open")
    ).all()
    first = [one for one in members if one.priority == min(other.priority for other in members)]
    if not first or any(one.price_fen is None for one in first):
        return 0.0
    return float(sum(one.price_fen * one.weight for one in first) / sum(one.weight for one in first))
