"""Who vanished from a file that is said to be complete: listed, counted by unit, and marked as having left only when a
person says so, after the import was applied.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Text, and_, case, false, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.directory.drafts import lock_draft
from sms_service.directory.import_models import Import, ImportState, ImportVanished
from sms_service.directory.importing import NEEDED
from sms_service.directory.models import Person, Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import child_id
from sms_service.errors import Conflict, Invalid
from sms_service.said import say

MOST_AT_ONCE = 10_000  # people whom one act marks as having left
MOST_NAMED = 100  # of those whom it does not


class VanishedChange(StrEnum):
    """Why somebody who vanished is not proposed any more."""

    left = "left"
    elsewhere = "elsewhere"  # in a unit for which the file is not said to be complete
    no_member = "no_member"
    changed = "changed"  # by a person since the check, who may know that they are there


class LeavingDone(NamedTuple):
    """How many people have left by an act, and how many of those meant have not; the first of them as rows of
    `find_vanished_people`.
    """

    left: int
    others: int
    named: Sequence[Any]


class VanishedCount(NamedTuple):
    """A unit, and how many people of it and below are still proposed."""

    id: int
    name: str
    proposed: int


def complete_path(session: Session, record: Import) -> str:
    """The path of the unit for which the file is said to be complete. Raises Conflict if it is not, or its draft is
    gone.
    """
    if record.complete_for is None:
        raise Conflict("nobody has said that this file is complete for a unit")
    if not record.is_kept:
        raise Conflict("the rows of this import are deleted; upload the file again")
    return unit_path(session, record.complete_for)


def find_vanished_people(
    session: Session, record: Import, covers: ColumnElement[bool] | None = None, *, proposed: bool | None = True
) -> Select[*tuple[Any, ...]]:
    """Those who vanished and whose units satisfy `covers` (a condition on Unit.path; None: all), as rows (Person, Unit,
    why), to be paged by the person's id. `why`: None as long as they are `proposed`, else a `VanishedChange`.
    `proposed` None: both. Phones are whole: whoever shows them masks them.

    Raises Conflict as `complete_path`.
    """
    why = _why_not(complete_path(session, record))
    statement: Select[*tuple[Any, ...]] = (
        select(Person, Unit, why.label("why"))
        .join(ImportVanished, ImportVanished.person_id == Person.id)
        .join(Unit, Unit.id == Person.unit_id)
        .where(ImportVanished.import_id == record.id)
    )
    if covers is not None:
        statement = statement.where(covers)
    if proposed is not None:
        statement = statement.where(why.is_(None) if proposed else why.is_not(None))
    return statement


def count_vanished(session: Session, record: Import, unit_id: int | None = None) -> list[VanishedCount]:
    """How many are still proposed of the unit itself and of each unit right below it, those with most first, units
    without any left out. By default the unit for which the file is complete.

    Raises Conflict as `complete_path`, or NotFound.
    """
    path = complete_path(session, record) if unit_id is None else unit_path(session, unit_id)
    found = find_vanished_people(session, record, Unit.path.op("^@")(path))
    group, unit = child_id(path).label("id"), aliased(Unit)
    grouped = found.with_only_columns(group, func.count().label("proposed")).group_by(group).subquery()
    statement = select(unit.id, unit.name, grouped.c.proposed).join(grouped, grouped.c.id == unit.id)
    ordered = statement.order_by(grouped.c.proposed.desc(), unit.name, unit.id)
    return [VanishedCount(*row) for row in session.execute(ordered)]


def may_mark_left(session: Session, actor: Actor, record: Import) -> bool:
    """Whether the actor may now mark those who vanished as having left."""
    return record.state == ImportState.applied and actor.can(NEEDED["people"], complete_path(session, record))


def mark_vanished_left(
    session: Session,
    actor: Actor,
    record: Import,
    why: str,
    *,
    person_ids: Collection[int] | None = None,
    unit_id: int | None = None,
) -> LeavingDone:
    """Mark people who vanished as having left, all at once: these, or (None) all that are proposed, of the subtree of
    `unit_id` if it is given. Each is looked at again: who has left, is elsewhere or was changed since the check stays.

    `why` goes into the trail. Raises Invalid (`why`, `person_ids`), NotFound, Forbidden without the right to import
    people into the unit for which the file is complete, or Conflict before the import is applied, once its draft is
    gone, or for too many people.
    """
    why = required_line("why", why, LONGEST_WHY)
    lock_draft(session, record, ImportState.applied)  # two acts take turns
    path = complete_path(session, record)
    actor.require(NEEDED["people"], path)
    found = _lock_meant(session, record, person_ids, None if unit_id is None else unit_path(session, unit_id))
    leaving = [(row.id, row.path) for row in found if row.why is None]
    ids = [person_id for person_id, _ in leaving]
    gone = update(Person).where(Person.id.in_(ids)).values(left_at=func.now(), updated_at=func.now())
    session.execute(gone.execution_options(synchronize_session=False))
    session.expire_all()
    counts = record.vanishing or {}
    record.vanishing = {**counts, "left": counts.get("left", 0) + len(ids)}
    session.flush()
    details = {"fields": ["left"], "import_id": record.id, "why": why}
    trail.record_acts(session, actor.account_id, "person.change", "person", leaving, **details)
    if leaving:
        trail.record_act(session, actor.account_id, "people.leave", "import", record.id, path, left=len(ids), why=why)
    others = [row.id for row in found if row.why is not None]
    return LeavingDone(len(ids), len(others), _name_others(session, actor, record, others[:MOST_NAMED]))


def _lock_meant(
    session: Session, record: Import, person_ids: Collection[int] | None, path: str | None
) -> Sequence[Row[int, str, str | None]]:
    """The people whom an act means, locked: id, path of the unit, why not."""
    meant = find_vanished_people(session, record, proposed=None)
    if path is not None:
        meant = meant.where(Unit.path.op("^@")(path))
    meant = meant.where(Person.left_at.is_(None) if person_ids is None else Person.id.in_(person_ids))
    some = meant.with_only_columns(Person.id).order_by(Person.id).limit(MOST_AT_ONCE + 1)
    ids = session.scalars(some.with_for_update(of=Person)).all()
    if len(ids) > MOST_AT_ONCE:
        raise Conflict(say("are more than {most} people; choose unit by unit", most=MOST_AT_ONCE))
    if unknown := set(person_ids or ()) - set(ids):
        raise Invalid("person_ids", min(unknown), "is not among those who vanished from this file")
    # They may have been changed while this waited for them, so that only a statement after it sees what they are.
    now = find_vanished_people(session, record, Person.id.in_(ids), proposed=None)
    short = now.with_only_columns(Person.id, Unit.path, now.selected_columns.why)
    return session.execute(short.order_by(Person.id)).all()


def _name_others(session: Session, actor: Actor, record: Import, ids: Sequence[int]) -> Sequence[Any]:
    """Those of them whom the actor may read where they are now."""
    readable = or_(false(), *(Unit.path.op("^@")(path) for path in actor.scope(Permission.read)))
    found = find_vanished_people(session, record, and_(Person.id.in_(ids), readable), proposed=None)
    return session.execute(found.order_by(Person.id)).all()


def _why_not(path: str) -> ColumnElement[str | None]:
    return case(
        (Person.left_at.is_not(None), literal(VanishedChange.left, Text)),
        (~Unit.path.bool_op("^@")(path), literal(VanishedChange.elsewhere, Text)),
        (Person.kind != "member", literal(VanishedChange.no_member, Text)),
        (Person.updated_at != ImportVanished.seen_at, literal(VanishedChange.changed, Text)),
    )
