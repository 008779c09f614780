"""What a stop holds back: the runs that it reaches, and their texts that have not left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, false, func, literal, literal_column, or_, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.controls.models import AccountState, GatewayAccount, RouteMember, Stop
from sms_service.directory.models import Unit
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus, RunStatus

_UNDER_WAY = (RunStatus.planned, RunStatus.freezing, RunStatus.running, RunStatus.paused, RunStatus.held)
_NOT_LEFT = (MessageStatus.pending, MessageStatus.claimed)


class HeldRun(NamedTuple):
    """A run that a stop reaches. `campaign`: None where the actor may not read the run's unit, or of a run of another
    `kind`. `texts` have not left and are held; None: its list is not written yet. `elsewhere`: another gateway account
    of its route takes them.
    """

    run_id: int
    campaign: str | None
    unit: str
    status: str
    texts: int | None
    elsewhere: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The `runs` that a stop reaches, those with the most texts first; of how many (`run_count`), and of all of them
    the texts that it holds.
    """

    runs: Sequence[HeldRun]
    run_count: int
    text_count: int


def foresee_unit_stop(session: Session, actor: Actor, unit: Unit, most: int = 20) -> Foreseen:
    """What a stop of the unit holds: runs of units in its subtree, and of those above what they have for people in it,
    as the gate asks.
    """
    within, above = Run.unit_path.op("^@")(unit.path), literal(unit.path).op("^@")(Run.unit_path)
    concerned = or_(
        within,
        Message.unit_path.op("^@")(unit.path),
        Message.unit_id.in_(select(Unit.id).where(Unit.path.op("^@")(unit.path))),  # once, not for each text
    )
    return _foresee(session, actor, or_(within, above), concerned, elsewhere=false(), most=most)


def foresee_account_stop(session: Session, actor: Actor, gateway_account_id: int, most: int = 20) -> Foreseen:
    """What a stop of the gateway account holds: the texts of runs whose route has no other account that is open."""
    member = aliased(RouteMember)
    of_account = select(RouteMember.route_id).where(RouteMember.gateway_account_id == gateway_account_id)
    stopped = (
        select(Stop.id).where(Stop.gateway_account_id == member.gateway_account_id, Stop.released_at.is_(None)).exists()
    )
    others = (
        select(member.gateway_account_id)
        .join(GatewayAccount, GatewayAccount.id == member.gateway_account_id)
        .where(
            member.route_id == Run.route_id,
            member.gateway_account_id != gateway_account_id,
            GatewayAccount.state == AccountState.open,
            ~stopped,
        )
        .correlate(Run)  # of the statement around it: by itself it would ask of any run
        .exists()
    )
    return _foresee(session, actor, Run.route_id.in_(of_account), ~others, elsewhere=others, most=most)


def _foresee(
    session: Session,
    actor: Actor,
    reached: ColumnElement[bool],
    concerned: ColumnElement[bool],
    *,
    elsewhere: ColumnElement[bool],
    most: int,
) -> Foreseen:
    # Each status apart: its own index then has the rows, where `IN` would read all that the run ever sent.
    counted = [
        select(func.count())
        .select_from(Message)
        .where(Message.month == Run.month, Message.run_id == Run.id, Message.status == literal_column(f"'{status}'"))
        .where(concerned)
        .correlate(Run)
        .scalar_subquery()
        for status in _NOT_LEFT
    ]
    texts = sum(counted[1:], counted[0])
    runs = (
        select(Run.id, Run.campaign_id, Run.unit_id, Run.unit_path, Run.status, Run.frozen_at, texts.label("texts"))
        .add_columns(Run.kind, elsewhere.label("elsewhere"))
        .where(Run.status.in_(_UNDER_WAY), reached)
        .subquery()
    )
    # A run of a unit above that has nothing for this one is not reached.
    holds = or_(runs.c.texts > 0, runs.c.frozen_at.is_(None), runs.c.elsewhere)
    statement: Select[*tuple[Any, ...]] = (
        select(
            runs,
            Campaign.name.label("campaign"),
            Unit.name.label("unit"),
            func.count().over().label("run_count"),
            func.sum(runs.c.texts).over().label("text_count"),
        )
        .outerjoin(Campaign, Campaign.id == runs.c.campaign_id)
        .join(Unit, Unit.id == runs.c.unit_id)
        .where(holds)
        .order_by(runs.c.texts.desc(), runs.c.id.desc())
        .limit(most)
    )
    rows = session.execute(statement).all()
    return Foreseen(
        [
            HeldRun(
                row.id,
                row.campaign if actor.can(Permission.read, row.unit_path) else None,
                row.unit,
                row.status,
                None if row.frozen_at is None else row.texts,
                row.elsewhere,
                row.kind,
            )
            for row in rows
        ],
        rows[0].run_count if rows else 0,
        int(rows[0].text_count) if rows else 0,
    )
