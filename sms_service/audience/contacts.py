"""Whom a branch is reached through: who holds a role in it, whether a text would reach them, and which branches have
nobody.

A contact is reachable if a text to them in that unit would not be skipped (`find_reason`), they have not left, and
their number does not seem dead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, case, false, func, literal, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from sms_service.audience.reachable import SUSPECT
from sms_service.audience.skipping import find_reason, join_reasons
from sms_service.directory.models import LEVELS, Contact, Person, Unit

LEFT = "left"  # beside MessageReason and SUSPECT: why a contact is not reachable


class RoleHolder(NamedTuple):
    """Somebody who holds a role in a unit. `phone` is whole: whoever shows it masks it. `why`: what keeps texts from
    them, a MessageReason, `suspect` or `left`; None: nothing does.
    """

    contact_id: int
    person_id: int
    name: str
    role: str
    phone: str | None
    why: str | None


def find_unreached_branches(paths: Sequence[str], *, role: str | None = None) -> Select[*tuple[Any, ...]]:
    """The branches within the subtrees at `paths` in which nobody who holds a role, or this one, is reachable: rows
    (Unit, members), the members those who have not left; to be ordered and paged by the caller.
    """
    members = (
        select(func.count())
        .where(Person.unit_id == Unit.id, Person.kind == "member", Person.left_at.is_(None))
        .correlate(Unit)
        .scalar_subquery()
    )
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    statement: Select[*tuple[Any, ...]] = select(Unit, members.label("members")).where(within, is_unreached(role))
    return statement


def is_unreached(role: str | None = None) -> ColumnElement[bool]:
    """SQL over Unit: it is a branch, and nobody who holds a role there, or this one, is reachable."""
    holder = (
        join_reasons(select(Contact.id).join(Person, Person.id == Contact.person_id))
        .where(Contact.unit_id == Unit.id, _why().is_(None))
        .correlate(Unit)
    )
    if role is not None:
        holder = holder.where(Contact.role == role)
    return and_(Unit.level == LEVELS[-1], Unit.closed_at.is_(None), ~holder.exists())


def count_unreached(session: Session, measured: Sequence[Unit]) -> dict[int, int]:
    """How many branches without a reachable contact lie within the subtree of each of these units, by its id."""
    above = aliased(Unit)
    found = (
        select(above.id, func.count())
        .select_from(Unit)
        .join(above, Unit.path.op("^@")(above.path))
        .where(above.id.in_([unit.id for unit in measured]), is_unreached())
        .group_by(above.id)
    )
    counted = {row[0]: row[1] for row in session.execute(found)} if measured else {}
    return {unit.id: counted.get(unit.id, 0) for unit in measured}


def list_holders(
    session: Session, unit_ids: Sequence[int], role: str | None = None, most: int = 1_000
) -> dict[int, list[RoleHolder]]:
    """Who holds a role, or this one, in each of these units, by the unit's id: by role and name, at most `most` in all.
    A unit in which nobody does has no entry.
    """
    statement = join_reasons(
        select(Contact.unit_id, Contact.id, Person.id, Person.name, Contact.role, Person.phone, _why())
        .join(Person, Person.id == Contact.person_id)
        .join(Unit, Unit.id == Contact.unit_id)
    ).where(Contact.unit_id.in_(unit_ids))
    if role is not None:
        statement = statement.where(Contact.role == role)
    found: dict[int, list[RoleHolder]] = defaultdict(list)
    for unit_id, *rest in session.execute(statement.order_by(Contact.role, Person.name, Contact.id).limit(most)):
        found[unit_id].append(RoleHolder(*rest))
    return dict(found)


def _why() -> ColumnElement[str | None]:
    """Why a text to a contact in Unit does not reach them; over what `join_reasons` joins."""
    reason = find_reason(type_coerce(Unit.path, Text))  # within itself: nobody is out of scope
    return case(
        (Person.left_at.is_not(None), literal(LEFT, Text)),
        (reason.is_not(None), reason),
        (Person.suspect_since.is_not(None), literal(SUSPECT, Text)),
    )
