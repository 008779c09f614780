"""Units are closed, alone or merged into another one: people, roles and the units below go there, and history stays.

Past counts stand on the unit and the path that each message kept at its freeze, so none of them changes. What is known
of phones (opt-outs, dead numbers) belongs to phones and people, and goes with them; an opt-out from the unit's texts
becomes one from those of the unit that takes its people.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, and_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import RoleGrant
from sms_service.accounts.permissions import Permission
from sms_service.audience.suppression import hand_suppressions_on
from sms_service.audit import trail
from sms_service.controls.models import QuietDay, Stop, UnitCap
from sms_service.db.locks import LockKey, take_lock
from sms_service.directory.models import LEVELS, Contact, Person, Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say


@dataclass(frozen=True, slots=True)
class ClosingOutlook:
    """What lies in a unit that is to be closed: its own people who have not left, the units directly below it, roles
    that people hold in it.

    Its own `caps` and `quiet_days` hold for nobody afterwards; `grants` are roles of accounts on it, which then reach
    nobody. `is_stopped`: a stop stands on it, so that it cannot be closed.
    """

    people: int
    units: int
    roles: int
    caps: int
    quiet_days: int
    grants: int
    is_stopped: bool

    @property
    def needs_another(self) -> bool:
        """Whether it can be closed only by merging it into another unit."""
        return bool(self.people or self.units)


def foresee_closing(session: Session, actor: Actor, unit_id: int) -> ClosingOutlook:
    """What closing the unit is about. Raises NotFound, or Forbidden without manage_directory over it."""
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound("unit", unit_id)
    actor.require(Permission.manage_directory, unit.path)
    return _look(session, unit_id)


def close_unit(session: Session, actor: Actor, unit_id: int, why: str, into_id: int | None = None) -> Unit:
    """Close the unit. `into_id`: the unit that takes its people, also those who have left, roles, and the units below;
    None: only if it has neither people nor units below.

    Raises NotFound, Invalid, Forbidden without manage_directory over both, or Conflict if it is closed or stopped, or
    has people or units and nobody takes them.
    """
    why = required_line("why", why, LONGEST_WHY)
    take_lock(session, LockKey.import_file)  # imports move people and units too
    unit, into = _lock(session, unit_id, into_id)
    for one in (unit, into):
        if one is not None:
            actor.require(Permission.manage_directory, one.path)
    if unit.closed_at is not None:
        raise Conflict(say("the unit {unit} is closed already", unit=unit.name))
    if unit.parent_id is None:
        raise Conflict("the top of a tree cannot be closed")
    found = _look(session, unit_id)
    if found.is_stopped:
        raise Conflict(say("a stop stands on the unit {unit}; release it first", unit=unit.name))
    if into is not None:
        _check_target(session, unit, into)
    elif found.needs_another:
        raise Conflict(
            say(
                "the unit {unit} has {people:,} people and {units:,} units below; name the unit that takes them",
                unit=unit.name,
                people=found.people,
                units=found.units,
            )
        )
    moved = _move_all(session, unit, into) if into is not None else 0
    session.execute(delete(Contact).where(Contact.unit_id == unit.id))
    unit.closed_at = session.scalar(select(func.now()))
    unit.merged_into = None if into is None else into.id
    session.flush()
    details = {"people": moved, "units": found.units, "roles": found.roles, "why": why}
    if into is None:
        trail.record_act(session, actor.account_id, "unit.close", "unit", unit.id, unit.path, **details)
    else:
        details["unit_id"] = into.id
        trail.record_act(session, actor.account_id, "unit.merge", "unit", unit.id, unit.path, **details)
    return unit


def reopen_unit(session: Session, actor: Actor, unit_id: int, why: str) -> Unit:
    """Open a closed unit again, as it is: empty, at its place. Who was moved does not come back.

    Raises NotFound, Invalid, Forbidden, or Conflict if it is not closed, or the unit above it is.
    """
    why = required_line("why", why, LONGEST_WHY)
    unit, _ = _lock(session, unit_id, None)
    actor.require(Permission.manage_directory, unit.path)
    if unit.closed_at is None:
        raise Conflict(say("the unit {unit} is not closed", unit=unit.name))
    above = session.get(Unit, unit.parent_id) if unit.parent_id is not None else None
    if above is not None and above.closed_at is not None:
        raise Conflict(say("the unit above, {unit}, is closed; open that first", unit=above.name))
    unit.closed_at = unit.merged_into = None
    session.flush()
    trail.record_act(session, actor.account_id, "unit.reopen", "unit", unit.id, unit.path, why=why)
    return unit


def _lock(session: Session, unit_id: int, into_id: int | None) -> tuple[Unit, Unit | None]:
    wanted = [unit_id] if into_id is None else [unit_id, into_id]
    locked = select(Unit).where(Unit.id.in_(wanted)).order_by(Unit.id).with_for_update()
    found = {unit.id: unit for unit in session.scalars(locked.execution_options(populate_existing=True))}
    for missing in wanted:
        if missing not in found:
            raise NotFound("unit", missing)
    return found[unit_id], None if into_id is None else found[into_id]


def _look(session: Session, unit_id: int) -> ClosingOutlook:
    def count(statement: Select[int]) -> int:
        return session.scalar(statement) or 0

    number = func.count()
    return ClosingOutlook(
        count(select(number).where(Person.unit_id == unit_id, Person.left_at.is_(None))),
        count(select(number).where(Unit.parent_id == unit_id, Unit.closed_at.is_(None))),
        count(select(number).where(Contact.unit_id == unit_id)),
        count(select(number).where(UnitCap.unit_id == unit_id)),
        count(select(number).where(QuietDay.unit_id == unit_id)),
        count(select(number).where(RoleGrant.unit_id == unit_id)),
        count(select(number).where(Stop.unit_id == unit_id, Stop.released_at.is_(None))) > 0,
    )


def _check_target(session: Session, unit: Unit, into: Unit) -> None:
    if into.closed_at is not None:
        raise Invalid("into", into.id, say("is a unit that was closed: {unit}", unit=into.name))
    if into.path.startswith(unit.path):
        raise Invalid("into", into.id, "must lie outside the unit that is closed")
    if into.demonstration != unit.demonstration:
        raise Invalid("into", into.id, "cannot mix the demonstration's people with real ones")
    levels = session.scalars(select(Unit.level).where(Unit.parent_id == unit.id).distinct())
    if any(LEVELS.index(level) <= LEVELS.index(into.level) for level in levels):
        raise Invalid(
            "into", into.id, say("must be higher than the units that come below it ({levels: > })", levels=LEVELS)
        )


def _move_all(session: Session, unit: Unit, into: Unit) -> int:
    """Returns how many people came along."""
    people = update(Person).where(Person.unit_id == unit.id).values(unit_id=into.id, updated_at=func.now())
    moved = session.execute(people.returning(Person.id).execution_options(synchronize_session=False)).all()
    roles = select(literal(into.id), Contact.person_id, Contact.role).where(Contact.unit_id == unit.id)
    held = insert(Contact).from_select(["unit_id", "person_id", "role"], roles)
    session.execute(held.on_conflict_do_nothing())
    below = and_(Unit.path.op("^@", is_comparison=True)(unit.path), Unit.id != unit.id)
    path = literal(into.path) + func.substr(Unit.path, len(unit.path) + 1)
    session.execute(update(Unit).where(below).values(path=path).execution_options(synchronize_session=False))
    children = update(Unit).where(Unit.parent_id == unit.id).values(parent_id=into.id)
    session.execute(children.execution_options(synchronize_session=False))
    hand_suppressions_on(session, unit.id, into.id)
    return len(moved)
