"""What reading a file gives: what was found in it, what a person may override, and its rows with their findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sms_service.errors import Invalid
from sms_service.said import Said, as_said, from_json, say, to_json

if TYPE_CHECKING:
    from sms_service.directory.columns import Column

Cells = list[str | None]

# Why the text in a cell is not its value.
NO_VALUE = say("is a formula without a stored value; open the file in Excel or WPS, save it, and import it again")
LOST_DIGITS = say(
    "is a number of over 15 digits, of which a spreadsheet loses the last; format the column as text, write it again"
)
IS_ERROR = say("is an error of the spreadsheet, not a value")
SHEET_ERROR = re.compile(r"#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA)|Err:\d{3}")


@dataclass(frozen=True, slots=True)
class ReadChoices:
    """What a person may say about a file. None: it is found out.

    `header_row` is the row that holds the headers (the lower one of two), as a spreadsheet numbers it.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found in a file, to be shown before anything is applied.

    `kind` is csv, xlsx, xls or ods. `sheets` are the visible sheets that have data. `header_rows` is how many rows make
    the headers, 1 or 2; `header_row` is the last of them. `headers` has None where a column has no header.
    `hidden_columns` are the positions (0 is A) of hidden columns that have a header; they are read.
    """

    kind: str
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    sheets: tuple[str, ...]
    header_row: int
    headers: tuple[str | None, ...]
    header_rows: int = 1
    hidden_columns: tuple[int, ...] = ()


class CellFinding(NamedTuple):
    """Something odd about a cell, or about a whole row (`position` None).

    `fatal`: the text in the cell is not its value, because digits were lost, a formula has none, or the value is an
    error. A key or a name made of it refuses the row, an attribute is left out, and both are listed. With `position`
    None, the row is refused.
    """

    position: int | None
    reason: Said
    fatal: bool


class ReadRow(NamedTuple):
    """One row. `number` is a spreadsheet's; for CSV the line of the row's first cell.

    A few rows without a value among others are rows without cells. A long gap of them is passed over (`Totals`).
    """

    number: int
    cells: Cells  # as a person sees them; those after the last value are left out
    findings: tuple[CellFinding, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Known when all rows were read: how many there were, how many without a value were passed over in long gaps, and
    how many were hidden. Those without a value at the end of a file are never counted.
    """

    rows: int
    blank_rows: int
    hidden_rows: int


@dataclass(slots=True)
class Table:
    """A file that is being read. `rows` are those below the headers and can be read once; `totals` is set then."""

    layout: Layout
    rows: Iterator[ReadRow]
    totals: Totals | None = None


class MergedCells(NamedTuple):
    """Which cells of a row are merged: positions filled from above, and (first, last) of those side by side."""

    from_above: frozenset[int]
    across: tuple[tuple[int, int], ...]


NOT_MERGED = MergedCells(frozenset(), ())


class RawRow(NamedTuple):
    """A row with at least one value, before the headers are known: as ReadRow, with what it is in the sheet."""

    number: int
    cells: Cells
    findings: list[CellFinding]
    merged: MergedCells = NOT_MERGED
    hidden: bool = False
    blank_before: int = 0  # rows without a value that were passed over since the last row


@dataclass(slots=True)
class RawTable:
    """What a reader of one kind of file gives to the part that finds the headers. `rows` begin at the top."""

    kind: str
    rows: Iterator[RawRow]
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    hidden_columns: Callable[[], list[tuple[int, int]]] = list  # known when the first row is


def refuse_file(reason: str) -> Invalid:
    """The refusal of a whole file."""
    return Invalid("file", None, reason)


def pack_finding(finding: CellFinding) -> list[Any]:
    """The finding for JSON."""
    return [finding.position, to_json(finding.reason), finding.fatal]


def unpack_finding(packed: list[Any]) -> CellFinding:
    """The finding that `pack_finding` packed."""
    return CellFinding(packed[0], from_json(**packed[1]), packed[2])


def note_cell(position: int | None, reason: str, *, fatal: bool) -> CellFinding:
    """A finding, its reason a sentence or a Said."""
    return CellFinding(position, as_said(reason), fatal)


def pack_columns(columns: Mapping[str, Column]) -> dict[str, list[Any]]:
    """The headers that each field is known by, for JSON."""
    return {name: [column.header, *column.synonyms] for name, column in columns.items()}
