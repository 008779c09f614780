"""Decides what each row of an import would do, from its staged rows and the register: for the dry run and the apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.db.statements import Statement
from sms_service.directory import units_import
from sms_service.directory.columns import PEOPLE_COLUMNS, ColumnHeader
from sms_service.directory.completeness import find_vanished
from sms_service.directory.import_models import Import, ImportOutcome, ImportProblem, ImportRow, RowOutcome
from sms_service.directory.importing import home_unit, scope_path_of
from sms_service.directory.meanings import require_meanings
from sms_service.directory.people_rows import attribute_names
from sms_service.directory.problems import Findings
from sms_service.directory.recipient_outcomes import decide_recipients, note_recipients
from sms_service.directory.staging import copy_outcomes, copy_problems, read_cells

_decide_people = Statement(__file__, "decide_people")
_find_people_problems = Statement(__file__, "find_people_problems")
_keep_phones = Statement(__file__, "keep_phones")
_count_outcomes = Statement(__file__, "count_outcomes")

MANY_ROWS = 5_000  # from which PostgreSQL must not join row by row
_WORK_MEM = "64MB"


def decide_outcomes(session: Session, record: Import, *, demonstration: bool = False) -> None:
    """Write what each staged row would do, what was found besides, and who vanished."""
    plan_for_many(session, record)
    if record.kind == "people":
        decide_people(session, record)
        titles = {f"{name}_column": PEOPLE_COLUMNS[name].header for name in ("number", "name", "phone")}
        scope = scope_path_of(session, record)
        _find_people_problems(session.connection(), import_id=record.id, scope=scope, **titles)
        _keep_phones(session.connection(), import_id=record.id, phone_column=titles["phone_column"])
        find_vanished(session, record)
    elif record.kind == "recipients":
        decide_recipients(session, record)
        note_recipients(session, record)
    else:
        findings = Findings()
        plan = plan_staged_units(session, record, findings, demonstration=demonstration)
        copy_outcomes(session.connection(), record.id, plan.outcomes)
        copy_problems(session.connection(), record.id, findings.problems)


def decide_people(session: Session, record: Import) -> Mapping[str, Any]:
    """Write what each staged row of people would do; returns what the statements have to know of the file's columns."""
    columns = _people_columns(session, record)
    scope = scope_path_of(session, record)
    _decide_people(session.connection(), import_id=record.id, scope=scope, **columns)
    return columns


def _people_columns(session: Session, record: Import) -> dict[str, Any]:
    header = header_of(session, record)
    return {
        **{f"has_{name}": name in header.fields for name in ("kind", "tags", "roles")},
        "attribute_names": attribute_names(header),
    }


def header_of(session: Session, record: Import) -> ColumnHeader:
    """Where the columns of a file that was read are."""
    layout: Mapping[str, Any] = record.layout or {}
    has_unit = home_unit(session, record) is not None
    return require_meanings(record.kind, layout["header_row"], layout["headers"], layout["meanings"], has_unit=has_unit)


def plan_staged_units(
    session: Session, record: Import, findings: Findings, *, demonstration: bool = False
) -> units_import.UnitsPlan:
    """What the staged rows of units would do."""
    kept = session.execute(
        select(ImportRow.row, ImportRow.cells, ImportRow.is_refused)
        .where(ImportRow.import_id == record.id)
        .order_by(ImportRow.row)
    ).all()
    findings.refused_rows.update(row.row for row in kept if row.is_refused)
    cells = [(row.row, read_cells(row.cells)) for row in kept if not row.is_refused]
    numbers = [row.row for row in kept]
    scope = scope_path_of(session, record)
    header = header_of(session, record)
    return units_import.plan_units(session, cells, numbers, header, scope, findings, demonstration=demonstration)


def mark_outcomes(session: Session, record: Import) -> str:
    """What differs if any row's outcome differs."""
    return str(_count_outcomes(session.connection(), import_id=record.id).one().mark)


def settle_counts(session: Session, record: Import) -> str:
    """Write how many rows have which outcome; returns what `mark_outcomes` returns."""
    found = _count_outcomes(session.connection(), import_id=record.id).one()
    record.rows, record.asked = found.rows, found.asked
    for outcome in RowOutcome:
        setattr(record, outcome, getattr(found, outcome))
    taken_with_note = (
        select(func.count(func.distinct(ImportProblem.row)))
        .join(
            ImportOutcome,
            (ImportOutcome.import_id == ImportProblem.import_id) & (ImportOutcome.row == ImportProblem.row),
        )
        .where(ImportProblem.import_id == record.id, ImportOutcome.outcome != RowOutcome.refused)
    )
    record.noted = session.scalars(taken_with_note).one()
    session.flush()
    return str(found.mark)


def plan_for_many(session: Session, record: Import) -> None:
    """To the end of the transaction: rows that came just now have no statistics, and must not be joined one by one."""
    session.connection().exec_driver_sql(f"SET LOCAL work_mem = '{_WORK_MEM}'")
    if record.progress > MANY_ROWS:
        session.connection().exec_driver_sql("SET LOCAL enable_nestloop = off")
