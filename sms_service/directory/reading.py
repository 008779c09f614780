"""Reads files into tables of text: CSV in the encodings that Chinese offices use, and xlsx. Sizes are limited.

Cells become text as a person sees them: whole numbers without exponent or ".0", dates as 2026-11-23. The encoding is
not guessed: the byte order mark decides; without one it is UTF-8 if the bytes are valid UTF-8 (GB18030 text practically
never is), else GB18030.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from sms_service.errors import Invalid
from sms_service.said import say

MAX_BYTES = 32 * 2**20  # of the file as it arrives
MAX_UNPACKED_BYTES = 512 * 2**20  # of an xlsx's XML: 200,000 rows of ten columns unpack to about 100 MB
MAX_ROWS = 200_000
MAX_COLUMNS = 100
MAX_CELL = 10_000  # characters
MAX_CELLS = MAX_ROWS * MAX_COLUMNS  # empty ones included: one value in column XFD makes its row 16,384 cells long

Cells = list[str | None]


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A file's rows, each with the number that a spreadsheet shows (the first row is 1). Rows may differ in length.

    An empty row in the middle is a row without values; empty rows at the end are left out.
    """

    rows: list[tuple[int, Cells]]


def read_table(data: bytes, is_header: Callable[[str], bool]) -> SheetTable:
    """The table in an xlsx or CSV file; the first bytes decide which it is, not the name.

    `is_header` helps to choose the delimiter among `,` `;` and tab: the one with which most headers are found.
    Raises Invalid("file", …) saying why it cannot be read.
    """
    if len(data) > MAX_BYTES:
        raise _invalid(say("is larger than {most} MB; split it", most=MAX_BYTES // 2**20))
    if data.startswith(b"PK\x03\x04"):
        rows = _xlsx_rows(data)
    elif data.startswith(b"\xd0\xcf\x11\xe0"):
        raise _invalid("is in the old Excel format (.xls) or encrypted; save it as .xlsx or CSV, without a password")
    else:
        rows = _csv_rows(decode_file(data), is_header)
    return SheetTable(_bounded(rows))


def decode_file(data: bytes) -> str:
    """The text of a CSV file. Raises Invalid if it is in no encoding that we read."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data.startswith(b"\xef\xbb\xbf"):
        encodings = ["utf-8-sig"]
    else:
        encodings = ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise _invalid("is neither an xlsx file nor text in UTF-8, UTF-16 or GB18030 (GBK)")


def _bounded(rows: Iterator[Cells]) -> list[tuple[int, Cells]]:
    kept: list[tuple[int, Cells]] = []
    last = 0
    for number, cells in enumerate(rows, start=1):
        if number > MAX_ROWS + 1:
            raise _invalid(say("has more than {most} rows; split it", most=MAX_ROWS))
        while cells and cells[-1] is None:
            cells.pop()
        if len(cells) > MAX_COLUMNS:
            raise _invalid(say("has more than {most} columns in row {row}", most=MAX_COLUMNS, row=number))
        if any(cell is not None and len(cell) > MAX_CELL for cell in cells):
            raise _invalid(say("has a cell with more than {most} characters in row {row}", most=MAX_CELL, row=number))
        kept.append((number, cells))
        if cells:
            last = number
    return kept[:last]


def _csv_rows(text: str, is_header: Callable[[str], bool]) -> Iterator[Cells]:
    delimiter = max(",;\t", key=lambda d: _headers_found(text, d, is_header))  # among equals the first
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            yield [field if field.strip() else None for field in fields]
    except csv.Error as error:
        raise _invalid(say("is broken CSV at line {line}: {fault}", line=reader.line_num, fault=error)) from None


def _headers_found(text: str, delimiter: str, is_header: Callable[[str], bool]) -> int:
    first_lines = "\n".join(text[:20_000].splitlines()[:10])
    rows = csv.reader(io.StringIO(first_lines, newline=""), delimiter=delimiter)
    return max((sum(map(is_header, row)) for row in rows), default=0)


def _xlsx_rows(data: bytes) -> Iterator[Cells]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise _invalid(say("unpacks to more than {most} MB; split it", most=MAX_UNPACKED_BYTES // 2**20))
        computed: Iterator[tuple[int, tuple[Any, ...]]] | None = None
        for number, values in enumerate(_values(_only_sheet_with_data(data, computed=False)), start=1):
            if any(isinstance(value, str) and value.startswith("=") for value in values):
                # A formula, or a text that looks like one: take the value that the spreadsheet last stored, if any.
                if computed is None:
                    computed = enumerate(_values(_only_sheet_with_data(data, computed=True)), start=1)
                stored = next(row for row_number, row in computed if row_number == number)
                values = tuple(b if b is not None else a for a, b in zip(values, stored, strict=True))
            yield [_text(value) for value in values]
    except Invalid:
        raise
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, SyntaxError, OSError, EOFError):
        # For a damaged file openpyxl raises whatever its parsers raise; ElementTree's ParseError is a SyntaxError.
        raise _invalid("is a damaged xlsx file; open it and save it again, or save it as CSV") from None


def _only_sheet_with_data(data: bytes, *, computed: bool) -> Any:
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=computed)
    sheets = [sheet for sheet in book.worksheets if any(value is not None for row in _values(sheet) for value in row)]
    if len(sheets) != 1:
        raise _invalid(
            say(
                "must have one sheet with data; it has {sheets}. Save the one to import as a file of its own",
                sheets=[sheet.title for sheet in sheets],
            )
            if sheets
            else "must have one sheet with data; it has none. Save the one to import as a file of its own"
        )
    return sheets[0]


def _values(sheet: Any) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # the size that the file declares may be wrong
    cells = 0
    for values in sheet.iter_rows(values_only=True):
        cells += len(values)
        if cells > MAX_CELLS:
            raise _invalid(
                say(
                    "has more than {most:,} cells, empty ones included; delete the columns that hold nothing",
                    most=MAX_CELLS,
                )
            )
        yield values


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None or value.strip() else None
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == value.min.time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _invalid(reason: str) -> Invalid:
    return Invalid("file", None, reason)
