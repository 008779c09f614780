"""*Stop everything*: for a unit's whole subtree or for one gateway account, until a person releases it.

The gate reads the table in the statement that lets a row leave. So a stop holds from the next group on, in every
worker, whatever restarts in the meantime. Stopped rows wait, and may expire while they wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression, false, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.controls.models import GatewayAccount, RouteMember, Stop
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import require_everywhere, top_paths
from sms_service.errors import Conflict, NotFound
from sms_service.masking import mask_text
from sms_service.said import say

_NAMES = (
    *("unit_code", "unit", "gateway_account", "stopped_by_login", "stopped_by_name"),
    *("released_by_login", "released_by_name"),
)


def stop_unit(session: Session, actor: Actor, unit_id: int, why: str) -> tuple[int, bool]:
    """Let no further text of the unit's subtree leave. Returns the stop's id and whether this call made it: if the unit
    is stopped already, the old stop stays.

    Raises NotFound, Invalid, or Forbidden: a stop needs the permission to launch for the unit, also where the unit is a
    whole city, since it reaches nothing that its maker could not pause run by run.
    """
    why = required_line("why", why, LONGEST_WHY)
    # Locked until the commit, so that two calls at once make one stop.
    unit = session.get(Unit, unit_id, with_for_update={"key_share": True}, populate_existing=True)
    if unit is None:
        raise NotFound("unit", unit_id)
    actor.require(Permission.operate_campaigns, unit.path)
    return _stop(session, actor, why, unit.path, unit_id=unit.id)


def stop_gateway_account(session: Session, actor: Actor, name: str, why: str) -> tuple[int, bool]:
    """The same for all texts through one gateway account. Raises NotFound, Invalid or Forbidden."""
    why = required_line("why", why, LONGEST_WHY)
    path = require_everywhere(session, actor, Permission.operate_service)
    gateway_account_id = session.scalar(
        select(GatewayAccount.id).where(GatewayAccount.name == name).with_for_update(key_share=True)
    )
    if gateway_account_id is None:
        raise NotFound("gateway account", name)
    return _stop(session, actor, why, path, gateway_account_id=gateway_account_id)


def release_stop(session: Session, actor: Actor, stop_id: int, why: str) -> None:
    """Let texts leave again. Everybody who may make this stop may release it.

    Raises NotFound, Invalid, Forbidden, or Conflict if it was released before.
    """
    why = required_line("why", why, LONGEST_WHY)
    stop = session.get(Stop, stop_id)
    if stop is None:
        raise NotFound("stop", stop_id)
    if stop.unit_id is None:
        path = require_everywhere(session, actor, Permission.operate_service)
    else:
        unit = session.get_one(Unit, stop.unit_id)
        actor.require(Permission.operate_campaigns, path := unit.path)
    released = session.scalar(
        update(Stop)
        .where(Stop.id == stop_id, Stop.released_at.is_(None))
        .values(released_by=actor.account_id, released_at=func.sms_now(), release_why=why)
        .returning(Stop.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(stop)
    if released is None:
        why = mask_text(stop.release_why or "")
        at = f"{stop.released_at:%Y-%m-%d %H:%M:%S %Z}"
        raise Conflict(say("stop {stop} was released at {at}: {why}", stop=stop_id, at=at, why=why))
    trail.record_act(session, actor.account_id, "stop.release", "stop", stop_id, path, why=why)


def may_stop_unit(actor: Actor, unit: Unit) -> bool:
    """Whether the actor may stop this unit, and release its stop."""
    return actor.can(Permission.operate_campaigns, unit.path)


def may_stop_gateways(session: Session, actor: Actor) -> bool:
    """Whether the actor may stop gateway accounts, and release their stops."""
    return all(actor.can(Permission.operate_service, path) for path in top_paths(session))


def find_standing_stop(session: Session, **target: int) -> int | None:
    """The id of the stop that stands for just this `unit_id` or `gateway_account_id`, if one does."""
    return session.scalar(select(Stop.id).filter_by(**target, released_at=None))


def find_stops(paths: Sequence[str], *, released: bool = False) -> Select[*tuple[Any, ...]]:
    """The stops that reach into the subtrees at `paths`, as rows for `describe`, to be ordered and paged: those of
    units there or above, and those of gateway accounts. `released`: also those that are released.
    """
    reach = or_(
        Stop.gateway_account_id.is_not(None), *(condition for path in paths for condition in _overlaps(literal(path)))
    )
    statement = _rows().where(reach if paths else false())
    return statement if released else statement.where(Stop.released_at.is_(None))


def get_stop(session: Session, actor: Actor, stop_id: int) -> Mapping[str, Any]:
    """One stop, described. Raises NotFound or Forbidden."""
    row = session.execute(_rows().where(Stop.id == stop_id)).first()
    if row is None:
        raise NotFound("stop", stop_id)
    # Everybody may read a stop that holds back their own unit, also one that was made for a unit above.
    if row.path is not None and not any(held.startswith(row.path) for held in actor.scope(Permission.read)):
        actor.require(Permission.read, row.path)
    return describe_stop(row)


def stops_of(session: Session, unit_path: str, route_id: int) -> list[Mapping[str, Any]]:
    """The standing stops that hold back texts of a run of the unit at `unit_path` over this route, or some of them."""
    holds = _holds(literal(unit_path), literal(route_id), Unit.path)
    return [describe_stop(row) for row in session.execute(_rows().where(holds))]


def is_stopped(unit_path: SQLColumnExpression[str], route_id: SQLColumnExpression[int]) -> ColumnElement[bool]:
    """The SQL condition that `stops_of` would find one."""
    # The stop's unit has a name of its own: path and route may be those of a row of the query around this one.
    unit = aliased(Unit)
    found = select(Stop.id).outerjoin(unit, unit.id == Stop.unit_id).where(_holds(unit_path, route_id, unit.path))
    return found.correlate_except(Stop, unit).exists()


def describe_stop(row: Row[Any]) -> Mapping[str, Any]:
    """A stop with the names of what is stopped and of who stopped and released it."""
    columns = {column.key: getattr(row.Stop, column.key) for column in Stop.__table__.columns}
    return columns | {name: getattr(row, name) for name in _NAMES}


def _stop(session: Session, actor: Actor, why: str, path: str, **target: int) -> tuple[int, bool]:
    standing = find_standing_stop(session, **target)
    if standing is not None:
        return standing, False
    stop = Stop(**target, why=why, stopped_by=actor.account_id, stopped_at=session.scalar(select(func.sms_now())))
    session.add(stop)
    session.flush()
    trail.record_act(session, actor.account_id, "stop.begin", "stop", stop.id, path, why=why, **target)
    return stop.id, True


def _overlaps(
    path: SQLColumnExpression[str], of_stop: SQLColumnExpression[str] = Unit.path
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Two conditions: the stop's unit is at `path` or above it; the stop's unit lies below it."""
    return path.op("^@")(of_stop), of_stop.op("^@")(path)


def _holds(
    unit_path: SQLColumnExpression[str], route_id: SQLColumnExpression[int], of_stop: SQLColumnExpression[str]
) -> ColumnElement[bool]:
    accounts = select(RouteMember.gateway_account_id).where(RouteMember.route_id == route_id)
    on_route = Stop.gateway_account_id.in_(accounts.correlate_except(RouteMember))
    return Stop.released_at.is_(None) & or_(*_overlaps(unit_path, of_stop), on_route)


def _rows() -> Select[*tuple[Any, ...]]:
    stopper, releaser = aliased(Account), aliased(Account)
    statement: Select[*tuple[Any, ...]] = (
        select(
            Stop,
            Unit.path.label("path"),
            Unit.code.label("unit_code"),
            Unit.name.label("unit"),
            GatewayAccount.name.label("gateway_account"),
            stopper.login.label("stopped_by_login"),
            stopper.name.label("stopped_by_name"),
            releaser.login.label("released_by_login"),
            releaser.name.label("released_by_name"),
        )
        .outerjoin(Unit, Unit.id == Stop.unit_id)
        .outerjoin(GatewayAccount, GatewayAccount.id == Stop.gateway_account_id)
        .outerjoin(stopper, stopper.id == Stop.stopped_by)
        .outerjoin(releaser, releaser.id == Stop.released_by)
    )
    return statement
