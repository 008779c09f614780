"""The refused rows of an import as a file in the office's own layout, with a column that says why: to be mended there
and uploaded again. That column is left out of the next import (`meanings.REASON_HEADER`).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from tempfile import TemporaryFile
from typing import IO, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.directory.import_models import (
    Import,
    ImportFile,
    ImportOutcome,
    ImportProblem,
    ImportRow,
    RowOutcome,
    say_finding,
)
from sms_service.directory.importing import require_import, scope_path_of
from sms_service.directory.meanings import REASON_HEADER
from sms_service.directory.reading import Cells
from sms_service.directory.reading.encodings import CODECS
from sms_service.directory.staging import read_cells
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict
from sms_service.said import Said

_BETWEEN_REASONS = "; "
_AT_ONCE = 1_000
# What a spreadsheet would take for a formula; a number with its sign is none.
_FORMULA = re.compile(r"[=+\-@\t\r](?!(?:[\d.]+)?$)")
_GUARDED = re.compile(r"'(?=[=+\-@\t\r])")
_UNFIT = re.compile(r'[\x00-\x1f"\\/:*?<>|]')


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that is open at its beginning, and is gone once it is closed."""

    name: str
    media_type: str
    content: IO[bytes]


def write_refused_rows(
    session: Session, actor: Actor, record: Import, why: str, translate: Callable[[Said], str] = str
) -> RefusedFile:
    """The refused rows, in the order, format, encoding and with the columns of the uploaded file. Phones are whole, so
    this goes into the trail, with `why`. `translate` puts reasons into a language.

    Raises Forbidden without the right to import and see_phones over the import's unit, Invalid (`why`), or Conflict if
    its rows are deleted or none is refused.
    """
    require_import(session, actor, record)
    path = scope_path_of(session, record)
    actor.require(Permission.see_phones, path)
    why = required_line("why", why, LONGEST_WHY)
    if record.layout is None or not record.is_kept:
        raise Conflict("the rows of this import are deleted; upload the file again")
    if not record.refused:
        raise Conflict("no row of this import was refused")
    trail.record_act(session, actor.account_id, "people.see_phones", "import", record.id, path, why=why)
    headers = [*record.layout["headers"], REASON_HEADER]
    rows = _refused_rows(session, record, len(headers) - 1, translate)
    stem = _UNFIT.sub("", PurePath(record.file_name).stem)[:100] or "import"
    if record.layout["kind"] == "csv":
        content = write_csv_file(headers, rows, _codec(session, record), record.layout["delimiter"])
        return RefusedFile(f"{stem}-refused.csv", "text/csv", content)
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return RefusedFile(f"{stem}-refused.xlsx", media_type, write_workbook_file(headers, rows))


def unguard_cell(cell: str | None) -> str | None:
    """A cell of such a file as it was before `write_refused_rows` kept a spreadsheet from computing it."""
    return cell if cell is None else _GUARDED.sub("", cell, count=1) if _GUARDED.match(cell) else cell


def _refused_rows(session: Session, record: Import, width: int, translate: Callable[[Said], str]) -> Iterator[Cells]:
    reasons = (
        select(
            func.jsonb_agg(func.jsonb_build_array(ImportProblem.reason, ImportProblem.message, ImportProblem.values))
        )
        .where(ImportProblem.import_id == record.id, ImportProblem.row == ImportRow.row, ImportProblem.refused)
        .scalar_subquery()
    )
    statement = (
        select(ImportRow.cells, reasons)
        .join(ImportOutcome, (ImportOutcome.import_id == ImportRow.import_id) & (ImportOutcome.row == ImportRow.row))
        .where(ImportRow.import_id == record.id, ImportOutcome.outcome == RowOutcome.refused)
        .order_by(ImportRow.row)
        .execution_options(yield_per=_AT_ONCE)
    )
    for cells, found in session.execute(statement):
        said = dict.fromkeys(translate(say_finding(*one)) for one in found or ())
        row = read_cells(cells)
        yield [*row, *[None] * (width - len(row)), _BETWEEN_REASONS.join(said)]


def _codec(session: Session, record: Import) -> str:
    """The codec that writes what the uploaded file was written in, with its byte order mark if it had one."""
    encoding = (record.layout or {})["encoding"]
    start = session.scalar(select(func.substring(ImportFile.content, 1, 3)).where(ImportFile.import_id == record.id))
    return "utf-8" if encoding == "utf-8" and start != codecs.BOM_UTF8 else CODECS[encoding]


def write_csv_file(headers: Cells, rows: Iterator[Cells], encoding: str, delimiter: str) -> IO[bytes]:
    """A CSV file, open at its beginning; no cell is a formula."""
    file = TemporaryFile()  # noqa: SIM115 - the caller closes it
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(headers)
    for row in rows:
        writer.writerow([_guarded(cell) for cell in row])
    text.flush()
    text.detach()
    file.seek(0)
    return file


def _guarded(cell: str | None) -> str | None:
    return f"'{cell}" if cell is not None and _FORMULA.match(cell) else cell


def write_workbook_file(headers: Cells, rows: Iterator[Cells]) -> IO[bytes]:
    """An xlsx file, open at its beginning; each cell is a text."""
    import openpyxl  # every worker and web process loads this module, and few ever write a workbook

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([_text_cell(sheet, header) for header in headers])
    for row in rows:
        sheet.append([_text_cell(sheet, cell) for cell in row])
    file = TemporaryFile()  # noqa: SIM115 - the caller closes it
    book.save(file)
    file.seek(0)
    return file


def _text_cell(sheet: Any, text: str | None) -> Any:
    """A cell that holds a text, whatever it looks like."""
    if text is None:
        return None
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell

    cell = WriteOnlyCell(sheet, value="")
    cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)
    cell.data_type, cell.number_format = "s", "@"
    return cell
