"""The dry run: reads the file of an import, row by row, and decides what each row would do. Nothing is written to the
register, and no transaction is open while the file is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.directory import drafts, meanings
from sms_service.directory.columns import ColumnHeader, column_letter
from sms_service.directory.drafts import TakenImport, hold_import
from sms_service.directory.import_models import Import, ImportFile, ImportState
from sms_service.directory.importing import home_unit, scope_path_of
from sms_service.directory.mentions import list_mentions
from sms_service.directory.outcomes import decide_outcomes, settle_counts
from sms_service.directory.people_rows import read_person
from sms_service.directory.places import Places
from sms_service.directory.problems import Findings
from sms_service.directory.reading import CellFinding, Layout, ReadChoices, ReadRow, Table, open_table
from sms_service.directory.recipient_rows import read_recipient
from sms_service.directory.refused_file import unguard_cell
from sms_service.directory.staging import copy_problems, copy_rows, stage_row
from sms_service.errors import Invalid
from sms_service.said import say

Begin = Callable[[], AbstractContextManager[Session]]  # a session in one transaction, `Database.session`
BATCH = 2_000  # rows that are written at once
MOST_UNITS = 50_000  # a tree is checked as a whole, in memory
_KEYS = frozenset({"number", "name", "unit", "unit_name", "code", "parent"})  # fields that say who or what is meant
_SLICE = 4 * 2**20  # bytes of the file


@dataclass(frozen=True, slots=True)
class _Reading:
    """What has to be known to read the file of an import."""

    kind: str
    choices: ReadChoices
    said: list[str] | None
    remembered: dict[str, str]
    home_id: int | None
    places: Places | None
    is_complete: bool


def check_import(begin: Begin, taken: TakenImport, *, demonstration: bool = False) -> None:
    """Check an import that this worker has taken. A file that cannot be read makes it `failed`, with the reason.

    `demonstration` marks the units of a new tree as made up. Raises LostImport.
    """
    with begin() as session:
        record = hold_import(session, taken, progress=0)
        drafts.forget_draft(session, record)
        reading = _prepare(session, record)
    try:
        with tempfile.NamedTemporaryFile(prefix="sms-import-") as file:
            _copy_file(begin, taken.id, file)
            with open_table(Path(file.name), reading.choices, meanings.COLUMNS[reading.kind]) as table:
                header = _header(begin, taken, reading, table.layout)
                _stage(begin, taken, reading, header, table)
    except Invalid as error:
        with begin() as session:
            drafts.fail_import(session, hold_import(session, taken), error.reason)
        return
    with begin() as session:
        record = hold_import(session, taken)
        decide_outcomes(session, record, demonstration=demonstration)
        settle_counts(session, record)
        record.state, record.version = ImportState.checked, record.version + 1
        record.let_go()


def _prepare(session: Session, record: Import) -> _Reading:
    home_id = home_unit(session, record)
    return _Reading(
        record.kind,
        ReadChoices(**record.choices),
        record.meanings,
        meanings.recall_meanings(session, record.kind, record.unit_id),
        home_id,
        None if record.kind == "units" else Places(session, scope_path_of(session, record), home_id),
        record.complete_for is not None,
    )


def _copy_file(begin: Begin, import_id: int, file: IO[bytes]) -> None:
    """The uploaded file, slice by slice, so that it is never whole in memory."""
    place = 1
    while True:
        piece = func.substring(ImportFile.content, place, _SLICE)
        with begin() as session:
            found = session.scalar(select(piece).where(ImportFile.import_id == import_id))
        if not found:
            break
        file.write(found)
        place += len(found)
    file.flush()


def _header(begin: Begin, taken: TakenImport, reading: _Reading, layout: Layout) -> ColumnHeader:
    """What the columns mean; kept beside the import, also if they lack something."""
    said = reading.said
    if said is None or len(said) != len(layout.headers):
        said = meanings.propose_meanings(reading.kind, layout.headers, reading.remembered)
    with begin() as session:
        record = hold_import(session, taken)
        record.layout = {**asdict(layout), "meanings": said}
    has_unit = reading.home_id is not None
    return meanings.require_meanings(reading.kind, layout.header_row, layout.headers, said, has_unit=has_unit)


def _stage(begin: Begin, taken: TakenImport, reading: _Reading, header: ColumnHeader, table: Table) -> None:
    done = 0
    for batch in _batches(table.rows):
        findings = Findings()
        rows = [_staged(taken.id, reading, header, row, findings) for row in batch]
        done += len(batch)
        if reading.kind == "units" and done > MOST_UNITS:
            raise Invalid("file", None, say("has more than {most} units; split it", most=MOST_UNITS))
        with begin() as session:
            hold_import(session, taken, progress=done)
            copy_rows(session.connection(), rows)
            copy_problems(session.connection(), taken.id, findings.problems)
    assert table.totals is not None, "all rows are read"
    with begin() as session:
        record = hold_import(session, taken)
        record.layout = {**(record.layout or {}), "blank_rows": table.totals.blank_rows}


def _staged(
    import_id: int, reading: _Reading, header: ColumnHeader, row: ReadRow, findings: Findings
) -> tuple[Any, ...]:
    cells = [unguard_cell(cell) for cell in row.cells] if header.is_own else list(row.cells)
    for found in row.findings:
        _take_note(reading.kind, header, row.number, cells, found, findings)
    person = None
    if reading.places is not None and row.number not in findings.refused_rows:
        read = read_recipient if reading.kind == "recipients" else read_person
        person = read(row.number, cells, header, reading.places, findings)
    # Of units the cells are read again when their tree is made, so those without a value must not stand there.
    kept = cells if reading.kind == "units" else row.cells
    is_refused = row.number in findings.refused_rows
    words = list_mentions(row.cells) if is_refused and reading.is_complete else None  # for `find_vanished`
    return stage_row(import_id, row.number, kept, person, is_refused=is_refused, words=words)


def _take_note(
    kind: str, header: ColumnHeader, row: int, cells: list[str | None], found: CellFinding, findings: Findings
) -> None:
    """What reading found in a row. A text that is not the cell's value is left out; in a key or a name, and in any
    column of a list for one campaign, it refuses the row.
    """
    position = found.position
    if position is None:
        (findings.refuse if found.fatal else findings.note)(row, "", None, found.reason)
        return
    field = next((name for name, at in header.fields.items() if at == position), None)
    if position in header.left_out or field == "phone":  # of phones, the rules for phones say more
        return
    title = meanings.COLUMNS[kind][field].header if field else _title(header, position)
    value = cells[position] if position < len(cells) else None
    if found.fatal and (field in _KEYS or kind == "recipients"):
        findings.refuse(row, title, value, found.reason)
    else:
        findings.note(row, title, value, found.reason)
    if found.fatal and position < len(cells):
        cells[position] = None


def _title(header: ColumnHeader, position: int) -> str:
    return next((name for name, at in header.extras.items() if at == position), column_letter(position))


def _batches(rows: Iterator[ReadRow]) -> Iterator[list[ReadRow]]:
    batch: list[ReadRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def within_session(session: Session) -> Iterator[Session]:
    """For `Begin`: all steps in one open transaction of the caller's."""
    yield session
    session.flush()
