"""What imports of units and of people share. A whole file is read, then checked, then written in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, any_, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import CollectionAggregate

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.directory.columns import Column, ColumnHeader, find_header
from sms_service.directory.models import Import, ImportProblem, Unit
from sms_service.directory.problems import Findings
from sms_service.directory.reading import SheetTable, read_table
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.said import say, to_json


@dataclass(frozen=True, slots=True)
class ImportScope:
    """The subtree an import may touch: its path ("/" for the service itself) and, if it has one, its unit."""

    path: str
    unit_id: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows that were not refused."""

    created: int
    changed: int
    unchanged: int


def import_scope(session: Session, actor: Actor, unit_id: int | None) -> ImportScope:
    """The subtree of `unit_id`; if that is None, the only subtree over which the actor manages the directory.

    Raises Forbidden if the actor does not manage it, Invalid if there are several and none is named, NotFound for an
    unknown unit.
    """
    if unit_id is not None:
        path = unit_path(session, unit_id)
        actor.require(Permission.manage_directory, path)
        return ImportScope(path, unit_id)
    paths = actor.scope(Permission.manage_directory)
    if not paths:
        raise Forbidden(
            say(
                "{login} does not hold the permission {permission} over any unit",
                login=actor.login,
                permission=Permission.manage_directory,
            )
        )
    if len(paths) > 1:
        raise Invalid("unit", None, "is needed, because you manage several units: name the one this import is for")
    if paths[0] == "/":
        return ImportScope("/", None)
    return ImportScope(paths[0], session.scalar(select(Unit.id).where(Unit.path == paths[0])))


def open_file(data: bytes, columns: Mapping[str, Column]) -> tuple[SheetTable, ColumnHeader]:
    """The file's table and where its columns are. Raises Invalid("file", …) saying what is wrong with the file."""
    table = read_table(data, columns)
    return table, find_header(table, columns)


def any_of(texts: Iterable[str]) -> CollectionAggregate[bool]:
    """SQL `ANY(array)` over one parameter, however many texts there are."""
    return any_(literal(list(texts), ARRAY(Text)))


def write_down(
    session: Session,
    actor: Actor,
    kind: str,
    scope: ImportScope,
    file_name: str,
    data: bytes,
    rows: int,
    counts: Counts,
    findings: Findings,
) -> Import:
    """Record the import, its findings and its trail entry. `rows` counts the rows below the header."""
    unit_id, path = scope.unit_id, scope.path
    if unit_id is None:  # the service itself imports: the import belongs to the top of the tree, if there is only one
        tops = session.execute(select(Unit.id, Unit.path).where(Unit.parent_id.is_(None)).limit(2)).all()
        if len(tops) == 1:
            unit_id, path = tops[0]
    done = Import(
        unit_id=unit_id,
        account_id=actor.account_id,
        kind=kind,
        file_name=file_name[:255].replace("\x00", ""),
        digest=hashlib.sha256(data).digest(),
        rows=rows,
        created=counts.created,
        changed=counts.changed,
        unchanged=counts.unchanged,
        refused=len(findings.refused_rows),
    )
    session.add(done)
    session.flush()
    problems: list[dict[str, Any]] = [
        {
            "import_id": done.id,
            "row": problem.row,
            "column": problem.column,
            "value": problem.value,
            "reason": problem.reason,
            **to_json(problem.reason),
            "refused": problem.refused,
        }
        for problem in sorted(findings.problems, key=lambda problem: problem.row)
    ]
    if problems:
        session.execute(insert(ImportProblem), problems)
    trail.record_act(
        session,
        actor.account_id,
        f"{kind}.import",
        "import",
        done.id,
        path,
        rows=rows,
        created=counts.created,
        changed=counts.changed,
        unchanged=counts.unchanged,
        refused=done.refused,
    )
    return done


def find_imports(covers: ColumnElement[bool] | None = None, *, kind: str | None = None) -> Select[Import]:
    """The imports made for units that satisfy `covers` (a condition on Unit.path; None: all), to be paged."""
    statement = select(Import).outerjoin(Unit, Unit.id == Import.unit_id)
    if covers is not None:
        statement = statement.where(covers)
    return statement.where(Import.kind == kind) if kind else statement


def get_import(session: Session, actor: Actor, import_id: int) -> Import:
    """The import. Raises NotFound, or Forbidden if the actor may not read the unit it was made for."""
    done = session.get(Import, import_id)
    if done is None:
        raise NotFound("import", import_id)
    path = unit_path(session, done.unit_id) if done.unit_id is not None else "/"
    actor.require(Permission.read, path)
    return done


def problems_of(done: Import, *, refused: bool | None = None) -> Select[ImportProblem]:
    """The findings of one import, to be paged by id, which is the order of the rows."""
    statement = select(ImportProblem).where(ImportProblem.import_id == done.id)
    return statement if refused is None else statement.where(ImportProblem.refused == refused)


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
    """All findings of its import that say the same of the same column, to be paged by id."""
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
    path = unit_path(session, done.unit_id) if done.unit_id is not None else "/"
    return actor.can(Permission.see_phones, path)
