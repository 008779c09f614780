"""Reads workbooks of Excel 97 to 2003 (.xls) with xlrd, which knows their number formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xlrd
from xlrd.book import Book
from xlrd.compdoc import CompDocError
from xlrd.sheet import Sheet

from sms_service.directory.reading.building import RowBuilder
from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.merges import Merges
from sms_service.directory.reading.number_formats import loses_digits, read_format, show_lossy
from sms_service.directory.reading.tables import IS_ERROR, LOST_DIGITS, RawRow, RawTable, ReadChoices, refuse_file
from sms_service.directory.reading.workbooks import choose_sheet
from sms_service.directory.reading.xml_parts import clean_string
from sms_service.said import say

_BATCH = 500  # rows


def open_old_workbook(path: Path, choices: ReadChoices, limits: Limits) -> RawTable:
    """The rows of the sheet that is chosen, or of the only visible one with data. Raises Invalid("file", …)."""
    with _broken_workbooks():
        return _open(path, choices, limits)


@contextmanager
def _broken_workbooks() -> Iterator[None]:
    """For a damaged file xlrd raises whatever its code runs into."""
    try:
        yield
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise refuse_file(say("is protected by a password; save it without one")) from None
        raise ValueError("damaged") from None
    except (CompDocError, AssertionError, AttributeError, TypeError, ArithmeticError):
        raise ValueError("damaged") from None


def _open(path: Path, choices: ReadChoices, limits: Limits) -> RawTable:
    book = xlrd.open_workbook(str(path), formatting_info=True, on_demand=True, ragged_rows=True, logfile=_Silence())
    names = book.sheet_names()
    visible = [name for name, state in zip(names, book._sheet_visibility, strict=True) if not state]
    with_data = [name for name in visible if _has_data(book, name)]

    def list_hidden() -> list[str]:
        return [name for name in names if name not in visible and _has_data(book, name)]

    chosen = book.sheet_by_name(choose_sheet(with_data, list_hidden, choices.sheet, names))
    hidden = [(column, column) for column, info in sorted(chosen.colinfo_map.items()) if info.hidden]
    rows = _guarded(_read_rows(book, chosen, limits))
    return RawTable("xls", rows, sheet=chosen.name, sheets=tuple(with_data), hidden_columns=lambda: hidden)


def _guarded(rows: Iterator[RawRow]) -> Iterator[RawRow]:
    with _broken_workbooks():
        yield from rows


class _Silence:
    """Where xlrd writes its warnings."""

    def write(self, _: str) -> None:
        """Drop it."""


def _has_data(book: Book, name: str) -> bool:
    sheet = book.sheet_by_name(name)
    empty = (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK)
    found = any(kind not in empty for row in range(sheet.nrows) for kind in sheet.row_types(row))
    book.unload_sheet(name)
    return found


def _read_rows(book: Book, sheet: Sheet, limits: Limits) -> Iterator[RawRow]:
    merges = Merges()
    for first_row, end_row, first, end in sheet.merged_cells:
        merges.add(first, first_row + 1, end - 1, end_row, limits)
    builder = RowBuilder(limits, merges)
    for row in range(sheet.nrows):
        info = sheet.rowinfo_map.get(row)
        builder.start_row(row + 1, hidden=bool(info and info.hidden))
        kinds, values = sheet.row_types(row), sheet.row_values(row)
        for position, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind not in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
                builder.count_cell()
                builder.add_cell(position, *_read_value(book, sheet, row, position, kind, value))
        builder.end_row()
        if len(builder.rows) >= _BATCH:
            yield from builder.rows
            builder.rows.clear()
    yield from builder.rows


def _read_value(
    book: Book, sheet: Sheet, row: int, position: int, kind: int, value: str | float
) -> tuple[str | None, str | None]:
    """The cell's text, and why that is not its value."""
    if isinstance(value, str):
        return clean_string(value), None
    if kind == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if value else "FALSE", None
    if kind == xlrd.XL_CELL_ERROR:
        return xlrd.error_text_from_code.get(int(value), "#?"), IS_ERROR
    raw = repr(value)
    if loses_digits(raw):
        return show_lossy(raw), LOST_DIGITS
    style = book.xf_list[sheet.cell_xf_index(row, position)]
    code = book.format_map[style.format_key].format_str
    return read_format(code, bool(book.datemode))(raw), None
