"""Who may bring in what for which units, and finding imports and what was found in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, any_, false, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import CollectionAggregate

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.db.waiting import Waiting, select_waiting
from sms_service.directory.import_models import Import, ImportOutcome, ImportProblem, ImportRow, ImportState
from sms_service.directory.models import Person, Unit
from sms_service.errors import Invalid, NotFound

# What it takes to bring in a file of this kind: an officer brings in people and lists for campaigns, and only the
# directory's managers units.
NEEDED: Mapping[str, Permission] = {
    "people": Permission.import_people,
    "units": Permission.manage_directory,
    "recipients": Permission.manage_segments,
}


def find_import_unit(session: Session, actor: Actor, kind: str, unit_id: int | None) -> int | None:
    """The unit whose subtree an import may touch: `unit_id` or, if that is None, the only one into which the actor may
    import files of this kind. None: the service itself makes the top of a tree.

    Raises Forbidden if the actor may not, Invalid if there are several and none is named, NotFound for an unknown
    unit.
    """
    needed = NEEDED[kind]
    if unit_id is not None:
        actor.require(needed, unit_path(session, unit_id))
        return unit_id
    actor.require_somewhere(needed)
    paths = actor.scope(needed)
    if len(paths) > 1:
        raise Invalid("unit", None, "is needed, because you manage several units: name the one this import is for")
    if paths[0] == "/":
        unit_id = None if kind == "units" else only_top(session)
        if kind == "recipients" and unit_id is None:
            raise Invalid("unit", None, "is needed: name the unit to which the list belongs")
        return unit_id
    return session.scalar(select(Unit.id).where(Unit.path == paths[0]))


def scope_path_of(session: Session, record: Import) -> str:
    """The path of the subtree that the import may touch, as it lies now."""
    return "/" if record.unit_id is None else unit_path(session, record.unit_id)


def require_import(session: Session, actor: Actor, record: Import) -> None:
    """Raises Forbidden unless the actor may bring in this import's file."""
    actor.require(NEEDED[record.kind], scope_path_of(session, record))


def require_within_import(session: Session, actor: Actor, kind: str, import_unit_id: int | None, unit_id: int) -> None:
    """Raises Invalid (`complete_for`) unless a file of people for the import's unit may be said to name everybody of
    the other one, NotFound or Forbidden.
    """
    if kind != "people":
        raise Invalid("complete_for", None, "can be said of files of people only")
    path = unit_path(session, unit_id)
    actor.require(NEEDED[kind], path)
    if import_unit_id is not None and not path.startswith(unit_path(session, import_unit_id)):
        raise Invalid("complete_for", unit_id, "is a unit outside the scope of this import")


def home_unit(session: Session, record: Import) -> int | None:
    """The unit of people whose rows name none: that of the import, if no unit stands below it."""
    below = select(Unit.id).where(Unit.parent_id == record.unit_id).limit(1)
    return None if record.unit_id is None or session.scalar(below) is not None else record.unit_id


def only_top(session: Session) -> int | None:
    """The top of the tree, if there is one tree."""
    tops = session.scalars(select(Unit.id).where(Unit.parent_id.is_(None)).limit(2)).all()
    return tops[0] if len(tops) == 1 else None


def any_of(texts: Iterable[str]) -> CollectionAggregate[bool]:
    """SQL `ANY(array)` over one parameter, however many texts there are."""
    return any_(literal(list(texts), ARRAY(Text)))


def find_imports(
    covers: ColumnElement[bool] | None = None, *, kind: str | None = None, state: str | None = None
) -> Select[Import]:
    """The imports made for units that satisfy `covers` (a condition on Unit.path; None: all), to be paged."""
    statement = select(Import).outerjoin(Unit, Unit.id == Import.unit_id)
    if covers is not None:
        statement = statement.where(covers)
    for column, wanted in ((Import.kind, kind), (Import.state, state)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


def is_to_apply(actor: Actor) -> ColumnElement[bool]:
    """SQL over Import, with the unit that it was made for (outer): it is checked, and the actor may apply it."""
    may = []
    for kind, permission in NEEDED.items():
        paths = actor.scope(permission)
        within = true() if "/" in paths else or_(false(), *(Unit.path.op("^@")(path) for path in paths))
        may.append(and_(Import.kind == kind, within))
    return and_(Import.state == ImportState.checked, or_(*may))


def count_to_apply(actor: Actor) -> Waiting | None:
    """How many imports wait for the actor to apply them or leave them, as a task; None: the actor imports nothing."""
    if not any(actor.scope(permission) for permission in NEEDED.values()):
        return None
    found = select_waiting(Import.id, Import.created_at.expression).outerjoin(Unit, Unit.id == Import.unit_id)
    return found.where(is_to_apply(actor))


def get_import(session: Session, actor: Actor, import_id: int) -> Import:
    """The import. Raises NotFound, or Forbidden if the actor may not read the unit it was made for."""
    done = session.get(Import, import_id)
    if done is None:
        raise NotFound("import", import_id)
    actor.require(Permission.read, scope_path_of(session, done))
    return done


def problems_of(done: Import, *, refused: bool | None = None) -> Select[ImportProblem]:
    """The findings of one import, to be paged by row and id."""
    statement = select(ImportProblem).where(ImportProblem.import_id == done.id)
    return statement if refused is None else statement.where(ImportProblem.refused == refused)


def rows_of(record: Import, *, outcome: str | None = None, asked: bool | None = None) -> Select[ImportOutcome, str]:
    """The rows of an import, their outcomes and cells, to be paged by row. `asked`: a person has to say who is meant,
    or not.
    """
    statement = (
        select(ImportOutcome, ImportRow.cells)
        .join(ImportRow, (ImportRow.import_id == ImportOutcome.import_id) & (ImportRow.row == ImportOutcome.row))
        .where(ImportOutcome.import_id == record.id)
    )
    if asked is not None:
        has_candidates = ImportOutcome.candidates.is_not(None)
        statement = statement.where(has_candidates if asked else ~has_candidates)
    return statement if outcome is None else statement.where(ImportOutcome.outcome == outcome)


def first_rows(record: Import, most: int) -> Select[str]:
    """The cells of the first rows of the file."""
    return select(ImportRow.cells).where(ImportRow.import_id == record.id).order_by(ImportRow.row).limit(most)


def find_candidates(session: Session, outcomes: Sequence[ImportOutcome]) -> dict[int, list[tuple[Person, Unit]]]:
    """The people whom each of these rows may mean, with their units, by row."""
    ids = {person_id for outcome in outcomes for person_id in outcome.candidates or ()}
    statement = select(Person, Unit).join(Unit, Unit.id == Person.unit_id).where(Person.id.in_(ids))
    found = {person.id: (person, unit) for person, unit in session.execute(statement)}
    return {one.row: [found[id_] for id_ in one.candidates or () if id_ in found] for one in outcomes}


class ProblemGroup(NamedTuple):
    """Findings of one import that say the same of the same column: how many, and the first of them."""

    first: ImportProblem
    findings: int


def group_problems(session: Session, done: Import) -> list[ProblemGroup]:
    """The findings of an import by what they say, those that refused rows first, the most frequent first."""
    groups = (
        select(func.min(ImportProblem.id).label("first_id"), func.count().label("count"))
        .where(ImportProblem.import_id == done.id)
        .group_by(_what_it_says(), ImportProblem.column, ImportProblem.refused)
        .subquery()
    )
    statement = select(ImportProblem, groups.c.count).join(groups, groups.c.first_id == ImportProblem.id)
    ordered = statement.order_by(ImportProblem.refused.desc(), groups.c.count.desc(), ImportProblem.id)
    return [ProblemGroup(row[0], row[1]) for row in session.execute(ordered)]


def problems_like(first: ImportProblem) -> Select[ImportProblem]:
    """All findings of its import that say the same of the same column, to be paged by row and id."""
    return select(ImportProblem).where(
        ImportProblem.import_id == first.import_id,
        _what_it_says() == (first.message or first.reason),
        ImportProblem.column == first.column,
        ImportProblem.refused == first.refused,
    )


def find_same_file(session: Session, done: Import) -> Import | None:
    """The last import before this one of just the same file for the same unit, if there is one."""
    same = select(Import).where(
        Import.id < done.id, Import.digest == done.digest, Import.unit_id.is_not_distinct_from(done.unit_id)
    )
    return session.scalar(same.order_by(Import.id.desc()).limit(1))


def _what_it_says() -> ColumnElement[str]:
    return func.coalesce(ImportProblem.message, ImportProblem.reason)


def may_see_values(session: Session, actor: Actor, done: Import) -> bool:
    """Whether the actor may see whole phone numbers among the values of this import's findings."""
    return actor.can(Permission.see_phones, scope_path_of(session, done))
