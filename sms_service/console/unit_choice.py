"""Choosing a unit of the tree step by step: from where one is, up to the top of one's scope and down one level.

A tree of thousands fits into no list; three steps reach every branch of a city.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.directory.models import Unit
from sms_service.directory.units import split_path
from sms_service.errors import NotFound

MOST_BELOW = 300  # options; who has more units below one finds the rest by the search on the page of units


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """Where one is (None: all of one's units) and where one can go: `above` from the top down, `below` by name."""

    unit: Unit | None
    above: tuple[Unit, ...]
    below: tuple[Unit, ...]

    @property
    def options(self) -> list[tuple[int, str]]:
        """Ids and names for a list to choose from, set in by level."""
        line = [*self.above, *([self.unit] if self.unit else [])]
        return [(unit.id, "\u3000" * depth + unit.name) for depth, unit in enumerate(line)] + [
            (unit.id, "\u3000" * len(line) + unit.name) for unit in self.below
        ]


def choose_unit(
    session: Session, actor: Actor, permission: Permission, unit_id: int | None, *, top: bool = False
) -> UnitChoice:
    """The choice at the unit, among those over which the actor holds the permission.

    `top`: where no unit is given and the actor has one top only, that one. Raises NotFound or Forbidden.
    """
    paths = actor.scope(permission)
    if unit_id is None:
        tops = tuple(session.scalars(select(Unit).where(Unit.path.in_(paths)).order_by(Unit.name, Unit.id)))
        if not (top and len(tops) == 1):
            return UnitChoice(None, (), tops)
        unit = tops[0]
    else:
        found = session.get(Unit, unit_id)
        if found is None:
            raise NotFound("unit", unit_id)
        unit = found
        actor.require(permission, unit.path)
    ids = split_path(unit.path)
    near = session.scalars(
        select(Unit)
        .where(or_(Unit.id.in_(ids), and_(Unit.parent_id == unit.id, Unit.closed_at.is_(None))))
        .order_by(Unit.name, Unit.id)
        .limit(MOST_BELOW + len(ids))
    ).all()
    above = sorted((u for u in near if u.id in ids and u.id != unit.id), key=lambda u: len(u.path))
    return UnitChoice(
        unit,
        tuple(u for u in above if any(u.path.startswith(path) for path in paths)),
        tuple(u for u in near if u.parent_id == unit.id),
    )


def list_above(session: Session, actor: Actor, unit: Unit) -> list[Unit]:
    """The units above this one that the actor may read, from the top down."""
    ids = split_path(unit.path)[:-1]
    found = session.scalars(select(Unit).where(Unit.id.in_(ids))).all() if ids else []
    return sorted((u for u in found if actor.can(Permission.read, u.path)), key=lambda u: len(u.path))


def name_units(session: Session, actor: Actor, unit_ids: Collection[int]) -> dict[int, str]:
    """The names of these units that the actor may read, by id."""
    found = session.scalars(select(Unit).where(Unit.id.in_(unit_ids)))
    return {unit.id: unit.name for unit in found if actor.can(Permission.read, unit.path)}
