"""Files of reference lists: what the cells of one mean, and a list as a file that can be read again.

The first column names the rows. A header is the column's label, and in brackets behind it, where it has another one,
the name by which templates call it: 地址(address).
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO, NamedTuple

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.content.grammar import LONGEST_PART
from sms_service.content.list_models import ReferenceRow
from sms_service.content.lists import (
    LONGEST_LABEL,
    MOST_COLUMNS,
    MOST_ROWS,
    NAME,
    ListColumn,
    check_part,
    columns_of,
    find_rows,
    find_wrong_cell,
    get_reference_list,
)
from sms_service.directory.columns import Column, bare_header
from sms_service.directory.reading import ReadChoices, ReadRow, open_table
from sms_service.directory.reading.limits import MB, Limits
from sms_service.directory.refused_file import unguard_cell, write_csv_file, write_workbook_file
from sms_service.directory.text import plain_text, visible_text
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say

MOST_TEXT = 4_000_000  # characters in all cells of a list
MOST_NAMED = 1_000  # refused rows that are listed
# Small enough to be read while somebody waits, and well within the time that a transaction may stand still.
LIMITS = Limits(file_bytes=16 * MB, unpacked_bytes=256 * MB, cells=2_000_000, seconds=20, patience=40)
FORMATS = ("xlsx", "csv")
_NAMED_HEADER = re.compile(r"(.+?) ?[(（]([A-Za-z][A-Za-z0-9_]*)[)）]")


class RefusedRow(NamedTuple):
    """A row of a file that cannot be on a list."""

    row: int
    reason: Said


@dataclass(slots=True)
class ReadList:
    """What a file holds: its columns, and the rows that can be on a list, by their names. `refused`: the first 1,000
    that cannot.
    """

    columns: list[ListColumn]
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[RefusedRow] = field(default_factory=list)


class WrittenList(NamedTuple):
    """A list as a file, open at its beginning; it is gone once it is closed."""

    name: str
    media_type: str
    content: IO[bytes]


def read_list_file(data: bytes, known: Sequence[ListColumn]) -> ReadList:
    """The columns and rows of a file; `known`: the columns that the list has, which keep their names.

    Raises Invalid (`file`) for what cannot be read, has no row, or has more than 20,000 rows or 20 columns.
    """
    if len(data) > LIMITS.file_bytes:
        raise Invalid("file", None, say("is larger than {most} MB; split it", most=LIMITS.file_bytes // MB))
    headers = {one.name: Column(bare_header(one.label), (bare_header(one.name),)) for one in known}
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with open_table(Path(file.name), ReadChoices(), headers, LIMITS) as table:
            columns = _read_headers(table.layout.headers, known)
            read = ReadList([one for one in columns if one is not None])
            _read_rows(table.rows, columns, read)
    if not read.rows and not read.refused:
        raise Invalid("file", None, "has no rows below its headers")
    return read


def write_list_file(session: Session, actor: Actor, list_id: int, format_: str) -> WrittenList:
    """The list as csv or xlsx, in the order of its rows. Raises NotFound, Forbidden or Invalid (`format`)."""
    if format_ not in FORMATS:
        raise Invalid("format", format_, say("must be one of {formats}", formats=FORMATS))
    found, _ = get_reference_list(session, actor, list_id)
    columns = columns_of(found)
    statement = find_rows(list_id).order_by(ReferenceRow.place, ReferenceRow.id)
    rows = (
        [row.name, *(row.values.get(one.name) for one in columns[1:])]
        for row in session.scalars(statement.execution_options(yield_per=1_000))
    )
    headers: list[str | None] = [columns[0].label, *map(_write_header, columns[1:])]
    name = f"{PurePath(found.label).name or found.name}.{format_}"
    if format_ == "csv":
        return WrittenList(name, "text/csv", write_csv_file(headers, rows, "utf-8-sig", ","))
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return WrittenList(name, media_type, write_workbook_file(headers, rows))


def _write_header(column: ListColumn) -> str:
    return column.label if _make_name(column.label) == column.name else f"{column.label}({column.name})"


def _read_headers(headers: Sequence[str | None], known: Sequence[ListColumn]) -> list[ListColumn | None]:
    columns: list[ListColumn | None] = []
    for header in headers:
        label = visible_text(header or "")
        is_first = not any(columns)
        column = _read_header(label, known, is_first) if label else None
        if column is not None and column.name in {one.name for one in columns if one is not None}:
            message = "has two columns that templates would call {name}; name one of them otherwise"
            raise Invalid("file", label, say(message, name=column.name))
        columns.append(column)
    if sum(one is not None for one in columns) > MOST_COLUMNS:
        raise Invalid("file", None, say("has more than {most} columns", most=MOST_COLUMNS))
    return columns


def _read_header(label: str, known: Sequence[ListColumn], is_first: bool) -> ListColumn:
    named = _NAMED_HEADER.fullmatch(label)
    if len(label) > LONGEST_LABEL + LONGEST_PART:
        longer = "has a header of more than {most} characters: {header}"
        raise Invalid("file", label[:200], say(longer, most=LONGEST_LABEL, header=label[:30]))
    if is_first:
        return ListColumn(NAME, (named[1] if named else label)[:LONGEST_LABEL])
    if named:
        check_part("file", named[2])
        return ListColumn(named[2], named[1][:LONGEST_LABEL])
    same = plain_text(label).casefold()
    for one in known:
        if one.name != NAME and same in (plain_text(one.label).casefold(), one.name.casefold()):
            return one
    name = _make_name(label)
    if name is None:
        message = "the header {header} cannot name a column; write a word of letters behind it in brackets: {form}"
        raise Invalid("file", label, say(message, header=label[:30], form="地址(address)"))
    return ListColumn(name, label[:LONGEST_LABEL])


def _make_name(label: str) -> str | None:
    """What templates call a column with this label."""
    name = re.sub(r"\W", "", unicodedata.normalize("NFKC", label)).lstrip("_0123456789")[:LONGEST_PART]
    return name if name.isidentifier() and name != NAME else None


def _read_rows(rows: Iterator[ReadRow], columns: Sequence[ListColumn | None], read: ReadList) -> None:
    numbers: dict[str, int] = {}
    number = text = 0
    for row in rows:
        if not any(row.cells):
            continue
        number += 1
        if number > MOST_ROWS:
            raise Invalid("file", None, say("has more than {most} rows; split it", most=MOST_ROWS))
        cells, wrong = _read_cells(row, columns)
        name = cells.pop(NAME, "")
        text += len(name) + sum(map(len, cells.values()))
        if text > MOST_TEXT:
            raise Invalid("file", None, say("has more than {most} characters in its cells", most=MOST_TEXT))
        if wrong is None and not name:
            wrong = as_said("the row has no name")
        elif wrong is None and name in numbers:
            wrong = say("{name} is the name of row {row} too", name=name, row=numbers[name])
        numbers.setdefault(name, row.number)
        if wrong is None:
            read.rows[name] = cells
        elif len(read.refused) < MOST_NAMED:
            read.refused.append(RefusedRow(row.number, wrong))


def _read_cells(row: ReadRow, columns: Sequence[ListColumn | None]) -> tuple[dict[str, str], Said | None]:
    """A row's cells by column, and the first thing that is wrong with one."""
    cells: dict[str, str] = {}
    wrong = next((say("it {reason}", reason=one.reason) for one in row.findings if one.fatal), None)
    for position, cell in enumerate(row.cells):
        value = visible_text(unguard_cell(cell) or "")
        if not value:
            continue
        column = columns[position] if position < len(columns) else None
        if column is None:
            wrong = wrong or say("{value} stands in a column without a header", value=value[:30])
        elif reason := find_wrong_cell(value):
            wrong = wrong or say("{column} {reason}", column=column.label, reason=reason)
        else:
            cells[column.name] = value
    return cells, wrong
