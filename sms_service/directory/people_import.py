"""Importing people: upsert by number, in bulk.

The same file twice changes nothing; people who are not in the file are left alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.db.locks import LockKey, take_lock
from sms_service.db.statements import Statement
from sms_service.directory.columns import PEOPLE_COLUMNS, ColumnHeader
from sms_service.directory.importing import (
    Counts,
    ImportScope,
    any_of,
    import_scope,
    open_file,
    write_down,
)
from sms_service.directory.models import Import, Unit
from sms_service.directory.people_rows import PersonRow, attribute_names, first_of_each, read_people
from sms_service.directory.problems import Findings
from sms_service.directory.text import plain_text
from sms_service.said import say, to_json

_existing_people = Statement(__file__, "existing_people")
_upsert_people = Statement(__file__, "upsert_people")
_sync_contacts = Statement(__file__, "sync_contacts")


@dataclass(frozen=True, slots=True)
class PeopleImport:
    """The recorded import, and the rows that were taken."""

    record: Import
    people: list[PersonRow]


@dataclass(frozen=True, slots=True)
class _Known:
    """A person in the file who already exists: id and present unit."""

    person_id: int
    unit_id: int


def import_people(
    session: Session, actor: Actor, data: bytes, file_name: str, *, unit_id: int | None = None
) -> PeopleImport:
    """Read people from a CSV or xlsx file into the subtree of `unit_id` (by default the one that the actor manages).

    `data` are the file's bytes. Each row below the header creates, changes or confirms one person, or is refused with
    the row, column, value and reason. All of it happens in the caller's transaction. Doors call
    `audience.intake.take_in_import`, which also suppresses the phones of people with the opt-out tag.
    Raises Invalid("file", …) if the file cannot be read at all, Forbidden without manage_directory over the subtree.
    """
    scope = import_scope(session, actor, unit_id)
    table, header = open_file(data, PEOPLE_COLUMNS)
    findings = Findings()
    take_lock(session, LockKey.import_file)
    located = _locate(session, scope, list(read_people(table, header, findings)), findings)
    people = list(first_of_each((person for person, _ in located), findings))
    known = _known(session, scope, people, findings)
    findings.settle()
    people = [person for person in people if person.row not in findings.refused_rows]
    unit_of_row = {person.row: unit for person, unit in located}
    unit_ids = {person.number: unit_of_row[person.row] for person in people}

    created, changed = _write(session, header, people, unit_ids, known)
    rows = sum(1 for row, _ in table.rows if row > header.row)
    unchanged = rows - len(findings.refused_rows) - created - changed
    counts = Counts(created=created, changed=changed, unchanged=unchanged)
    return PeopleImport(write_down(session, actor, "people", scope, file_name, data, rows, counts, findings), people)


def _locate(
    session: Session, scope: ImportScope, people: list[PersonRow], findings: Findings
) -> list[tuple[PersonRow, int]]:
    """The people whose unit exists within the scope, with the unit's id."""
    codes = {person.unit_code for person in people}
    # Shared locks, so that no unit moves out of the scope before this import is done.
    found = session.execute(
        select(Unit.id, Unit.code, Unit.path)
        .where(Unit.code == any_of(codes))
        .order_by(Unit.id)
        .with_for_update(read=True)
    )
    units = {row.code: row for row in found}
    full_names = _full_names(session, [row.path for row in units.values()])
    with_zero = select(Unit.code).where(Unit.code == any_of("0" + code for code in codes))
    zero_lost = set(session.scalars(with_zero.where(Unit.path.op("^@")(scope.path))))
    located = []
    for person in people:
        unit, column = units.get(person.unit_code), PEOPLE_COLUMNS["unit"].header
        if unit is None:
            reason = "there is no unit with this code"
            if "0" + person.unit_code in zero_lost:
                reason = "there is no unit with this code; there is one with a 0 in front: format the column as text"
            findings.refuse(person.row, column, person.unit_code, reason)
        elif not unit.path.startswith(scope.path):
            findings.refuse(person.row, column, person.unit_code, "is a unit outside the scope of this import")
        else:
            located.append((person, unit.id))
            full_name = full_names[unit.path]
            if person.unit_name is not None and not _same_unit(person.unit_name, full_name):
                reason = say(
                    "differs from the unit with the code {code}, {place}; the code counts",
                    code=person.unit_code,
                    place=full_name,
                )
                findings.note(person.row, PEOPLE_COLUMNS["unit_name"].header, person.unit_name, reason)
    return located


def _full_names(session: Session, paths: list[str]) -> dict[str, str]:
    """For each path the names from the top down, "云州市/城东区"."""
    ids = {path: [int(part) for part in path.strip("/").split("/")] for path in paths}
    wanted = {unit_id for parts in ids.values() for unit_id in parts}
    names = dict(session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(wanted))).all())
    return {path: "/".join(names[unit_id] for unit_id in parts) for path, parts in ids.items()}


def _same_unit(written: str, full_name: str) -> bool:
    """Whether the written name is the unit's full name or the end of it."""
    bare = plain_text(written).strip("/")
    return plain_text(full_name) == bare or plain_text(full_name).endswith("/" + bare)


def _known(session: Session, scope: ImportScope, people: list[PersonRow], findings: Findings) -> dict[str, _Known]:
    """The people of the file who already exist, by number, locked. People outside the scope are refused: an import
    cannot move them into it.
    """
    by_number = {person.number: person for person in people}
    known: dict[str, _Known] = {}
    column = PEOPLE_COLUMNS["number"].header
    for row in _existing_people(session.connection(), numbers=list(by_number)):
        person = by_number[row.number]
        if not row.path.startswith(scope.path):
            findings.refuse(person.row, column, row.number, "belongs to a person outside the scope of this import")
            continue
        if row.left_at is not None:
            findings.note(person.row, column, row.number, "belongs to a person marked as having left, who stays so")
        known[row.number] = _Known(row.id, row.unit_id)
    return known


def _write(
    session: Session,
    header: ColumnHeader,
    people: list[PersonRow],
    unit_ids: dict[str, int],
    known: dict[str, _Known],
) -> tuple[int, int]:
    """Write the people and their roles; returns how many were created and how many changed."""
    numbers = [person.number for person in people]
    written = _upsert_people(
        session.connection(),
        numbers=numbers,
        unit_ids=[unit_ids[number] for number in numbers],
        names=[person.name for person in people],
        kinds=[person.kind or "member" for person in people],
        phones=[person.phone for person in people],
        phone_problems=[person.phone_problem for person in people],
        phone_problem_messages=[_pair(person.phone_problem) for person in people],
        tags=[json.dumps(person.tags or (), ensure_ascii=False) for person in people],
        attributes=[json.dumps(dict(person.attributes), ensure_ascii=False) for person in people],
        has_kind="kind" in header.fields,
        has_tags="tags" in header.fields,
        attribute_names=attribute_names(header),
    ).all()
    created = {row.id for row in written if row.created}
    changed = {row.id for row in written if not row.created}
    if "roles" in header.fields:
        moved = [k for number, k in known.items() if number in unit_ids and unit_ids[number] != k.unit_id]
        roles = [(person.number, role) for person in people for role in person.roles or ()]
        touched = _sync_contacts(
            session.connection(),
            numbers=numbers,
            role_numbers=[number for number, _ in roles],
            roles=[role for _, role in roles],
            left_people=[k.person_id for k in moved],
            left_units=[k.unit_id for k in moved],
        )
        changed |= {row.person_id for row in touched} - created
    session.expire_all()  # the session does not know what hand-written SQL has changed
    return len(created), len(changed)


def _pair(said: str | None) -> str | None:
    return None if said is None else json.dumps(to_json(said), ensure_ascii=False)
