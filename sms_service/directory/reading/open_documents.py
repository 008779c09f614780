"""Reads spreadsheets of LibreOffice and others (.ods): beside each value they hold the text that a person sees."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from sms_service.directory.reading.building import LAST_ROW, RowBuilder
from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.merges import Merges
from sms_service.directory.reading.number_formats import loses_digits, show_general, show_lossy
from sms_service.directory.reading.tables import (
    IS_ERROR,
    LOST_DIGITS,
    NO_VALUE,
    SHEET_ERROR,
    RawRow,
    RawTable,
    ReadChoices,
    refuse_file,
)
from sms_service.directory.reading.workbooks import choose_sheet
from sms_service.directory.reading.xml_parts import (
    Attributes,
    Unpacked,
    attribute_map,
    clean_string,
    local_name,
    new_parser,
    parse_part,
)
from sms_service.said import say

CONTENT = "content.xml"
_MANIFEST = "META-INF/manifest.xml"
_DECORATION = re.compile(r"[,\s¥￥$€£]")
_DIGITS = re.compile(r"-?\d+(\.\d+)?")
_HIDDEN = ("collapse", "filter")


def open_spreadsheet(path: Path, choices: ReadChoices, limits: Limits, stack: ExitStack) -> RawTable:
    """The rows of the sheet that is chosen, or of the only visible one with data. Raises Invalid("file", …)."""
    unpacked = Unpacked(stack.enter_context(zipfile.ZipFile(path)), limits)
    if unpacked.holds(_MANIFEST) and b"encryption-data" in b"".join(unpacked.chunks(_MANIFEST)):
        raise refuse_file(say("is protected by a password; save it without one"))
    survey = _SpreadsheetParser(limits, None)
    for _ in _parse(unpacked, survey):
        pass
    visible = [name for name in survey.with_data if survey.names[name]]
    chosen = choose_sheet(visible, lambda: list(survey.with_data), choices.sheet, list(survey.names))
    reader = _SpreadsheetParser(limits, chosen)
    rows = _parse(unpacked, reader)
    sheets = tuple(visible)
    return RawTable("ods", rows, sheet=chosen, sheets=sheets, hidden_columns=lambda: reader.hidden_columns)


def _parse(unpacked: Unpacked, parser: _SpreadsheetParser) -> Iterator[RawRow]:
    for _ in parse_part(unpacked, CONTENT, new_parser(parser.started, parser.ended, parser.characters)):
        yield from parser.builder.rows
        parser.builder.rows.clear()


class _SpreadsheetParser:
    """Hands the rows of one sheet to a builder. Without a sheet `wanted`, it finds out which there are."""

    def __init__(self, limits: Limits, wanted: str | None) -> None:
        self.sheet = ""
        self.names: dict[str, bool] = {}  # of all sheets: whether they are visible
        self.with_data: dict[str, None] = {}
        self.hidden_columns: list[tuple[int, int]] = []
        self._limits, self._wanted = limits, wanted
        self.builder = RowBuilder(limits, Merges())
        self._hidden_styles: set[str] = set()
        self._style = ""
        self._reading = False
        self._row = self._column = 0
        self._rows_repeated = self._cells_repeated = 1
        self._row_hidden = False
        self._cells: list[tuple[int, str, str | None]] = []
        self._cell: dict[str, str] = {}
        self._pieces: list[str] = []
        self._size = self._paragraphs = self._depth = self._aside = 0

    def started(self, tag: str, attributes: Attributes) -> None:
        name = local_name(tag)
        if name in ("annotation", "shapes", "forms"):
            self._aside += 1
        elif self._aside:
            return
        match name:
            case "table-cell" | "covered-table-cell":
                self._cell = attribute_map(attributes)
                self._cells_repeated = _count(self._cell.get("number-columns-repeated"))
                self._pieces, self._size, self._paragraphs = [], 0, 0
            case "p":
                self._paragraphs += 1
                self._depth += 1
                if self._paragraphs > 1:
                    self.characters("\n")
            case "s":
                self.characters(" " * min(_count(attribute_map(attributes).get("c")), self._limits.characters + 1))
            case "tab":
                self.characters("\t")
            case "line-break":
                self.characters("\n")
            case "table-row":
                found = attribute_map(attributes)
                self._rows_repeated = _count(found.get("number-rows-repeated"))
                self._row_hidden = found.get("visibility") in _HIDDEN
                self._column, self._cells = 0, []
            case "table-column" if self._reading:
                found = attribute_map(attributes)
                end = self._column + _count(found.get("number-columns-repeated"))
                if found.get("visibility") in _HIDDEN and len(self.hidden_columns) < self._limits.columns:
                    self.hidden_columns.append((self._column, end - 1))
                self._column = end
            case "table":
                self._start_sheet(attribute_map(attributes))
            case "style":
                self._style = attribute_map(attributes).get("name", "")
            case "table-properties" if attribute_map(attributes).get("display") == "false":
                self._hidden_styles.add(self._style)

    def ended(self, tag: str) -> None:
        name = local_name(tag)
        if name in ("annotation", "shapes", "forms"):
            self._aside -= 1
        elif self._aside:
            return
        match name:
            case "table-cell" | "covered-table-cell":
                self._end_cell()
            case "p":
                self._depth -= 1
            case "table-row":
                self._end_row()

    def characters(self, text: str) -> None:
        if self._depth and not self._aside:
            self._size += len(text)
            if self._size > self._limits.characters:
                self.builder.number = self._row + 1
                self.builder.refuse_long_cell()
            self._pieces.append(text)

    def _start_sheet(self, attributes: dict[str, str]) -> None:
        self.sheet = attributes.get("name", "")
        self.names[self.sheet] = attributes.get("style-name", "") not in self._hidden_styles
        if len(self.names) > self._limits.sheets:
            raise refuse_file(say("has more than {most} sheets", most=self._limits.sheets))
        self._reading = self._wanted in (None, self.sheet)
        self._row = self._column = 0
        if self._reading:
            self.builder = RowBuilder(self._limits, Merges())

    def _end_cell(self) -> None:
        first, self._column = self._column, self._column + self._cells_repeated
        if not self._reading:
            return
        self.builder.count_cell()
        value, reason = _read_value(self._cell, clean_string("".join(self._pieces)))
        if value is not None and value.strip():
            last = min(self._column, self._limits.columns + 1)
            self._cells += [(position, value, reason) for position in range(first, max(last, first + 1))]
        rows, columns = (_count(self._cell.get(f"number-{each}-spanned")) for each in ("rows", "columns"))
        if rows > 1 or columns > 1:
            row = self._row + 1
            self.builder.merges.add(first, row, first + columns - 1, row + rows - 1, self._limits)

    def _end_row(self) -> None:
        first, self._row = self._row + 1, self._row + self._rows_repeated
        if not self._reading or not self._cells:
            return
        if self._wanted is None:
            self.with_data[self.sheet] = None
            return
        for number in range(first, min(self._row, LAST_ROW + 1) + 1):
            self.builder.start_row(number, hidden=self._row_hidden)
            for position, value, reason in self._cells:
                self.builder.count_cell()
                self.builder.add_cell(position, value, reason)
            self.builder.end_row()


def _count(written: str | None) -> int:
    return max(1, min(int(written), LAST_ROW)) if written else 1


def _read_value(cell: dict[str, str], text: str) -> tuple[str | None, str | None]:
    """The cell's text, and why that is not its value."""
    kind = cell.get("value-type")
    if kind is None:
        if text.strip():
            return text, IS_ERROR if SHEET_ERROR.fullmatch(text.strip()) else None
        return ("=" + cell["formula"].partition("=")[2], NO_VALUE) if "formula" in cell else (None, None)
    if SHEET_ERROR.fullmatch(text.strip()):
        return text, IS_ERROR
    if kind == "boolean":
        return cell.get("boolean-value", "false").upper(), None
    if kind == "date":
        written = cell.get("date-value", "").partition("T")
        return (written[0] if written[2].strip("0:.") == "" else f"{written[0]} {written[2][:5]}"), None
    if kind in ("float", "currency", "percentage"):
        return _read_number(cell["value"], text)
    return text, None


def _read_number(raw: str, text: str) -> tuple[str, str | None]:
    """The number as its text shows it, without thousands separators and currency signs."""
    if loses_digits(raw):
        return show_lossy(raw), LOST_DIGITS
    bare = _DECORATION.sub("", text)
    if _DIGITS.fullmatch(bare):
        return bare, None
    return (show_general(raw) if not text.strip("# ") or "E" in text else text), None
