"""A file as one list of rows, for those who need all of it at once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sms_service.directory.reading.limits import LIMITS
from sms_service.directory.reading.opening import open_table
from sms_service.directory.reading.tables import Cells, ReadChoices, ReadRow, refuse_file
from sms_service.said import say

if TYPE_CHECKING:
    from sms_service.directory.columns import Column

_FOUND_OUT = ReadChoices()


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A file's rows, each with its number; the first is the headers."""

    rows: list[tuple[int, Cells]]


def read_table(data: bytes, columns: Mapping[str, Column], choices: ReadChoices = _FOUND_OUT) -> SheetTable:
    """The table in a file's bytes. Raises Invalid("file", …) saying why it cannot be read, or which row cannot.

    A cell whose text is not its value (`CellFinding.fatal`) is empty here.
    """
    if len(data) > LIMITS.file_bytes:
        raise refuse_file(say("is larger than {most} MB; split it", most=LIMITS.file_bytes // 2**20))
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with open_table(Path(file.name), choices, columns) as table:
            headers = (table.layout.header_row, list(table.layout.headers))
            return SheetTable([headers, *((row.number, _whole_cells(row)) for row in table.rows)])


def _whole_cells(row: ReadRow) -> Cells:
    for finding in row.findings:
        if finding.position is not None:
            row.cells[finding.position] = None if finding.fatal else row.cells[finding.position]
        elif finding.fatal:
            raise refuse_file(say("cannot be read in row {row}: it {reason}", row=row.number, reason=finding.reason))
    return row.cells
