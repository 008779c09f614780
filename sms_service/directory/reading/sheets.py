"""The rows of one sheet of a workbook, parsed from its XML as it is unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.merges import Merges, column_number
from sms_service.directory.reading.number_formats import Shown, loses_digits
from sms_service.directory.reading.strings import FindString
from sms_service.directory.reading.tables import NOT_MERGED, CellFinding, Cells, RawRow, note_cell, refuse_file
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

_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
NO_VALUE = say("is a formula without a stored value; open the file in Excel or WPS, save it, and import it again")
LOST_DIGITS = say(
    "is a number of over 15 digits, of which a spreadsheet loses the last; format the column as text, write it again"
)
IS_ERROR = say("is an error of the spreadsheet, not a value")


class SheetContext(NamedTuple):
    """What the cells of a sheet refer to."""

    find_string: FindString
    styles: Sequence[Shown]
    limits: Limits


class SheetParser:
    """Collects the rows of one sheet. `rows` has those found since it was emptied, each with at least one value."""

    def __init__(self, context: SheetContext, merges: Merges) -> None:
        self.rows: list[RawRow] = []
        self.hidden_columns: list[tuple[int, int]] = []
        self._context, self._merges, self._limits = context, merges, context.limits
        self._row, self._last, self._column, self._hidden, self._in_row = 0, 0, -1, False, False
        self._cells: Cells = []
        self._findings: list[CellFinding] = []
        self._type = self._style = ""
        self._collecting = self._phonetic = False
        self._pieces: list[str] = []
        self._formula: str | None = None
        self._value: str | None = None
        self._seen = self._text = 0
        self._columns: dict[str, int] = {}
        self._tags: dict[str, str] = {}
        self.parser = new_parser(self._started, self._ended, self._characters)

    def _started(self, tag: str, attributes: Attributes) -> None:
        name = self._tags.get(tag) or self._tag(tag)
        if name == "c":
            self._start_cell(attributes)
        elif name in ("v", "t", "f"):
            self._pieces = []
            self._collecting = not self._phonetic
            if name == "f":
                self._formula = ""
        elif name == "row":
            self._start_row(attribute_map(attributes))
        elif name == "rPh":
            self._phonetic = True
        elif name == "col":
            found = attribute_map(attributes)
            if found.get("hidden") in ("1", "true") and len(self.hidden_columns) < self._limits.columns:
                self.hidden_columns.append((int(found["min"]) - 1, int(found["max"]) - 1))

    def _ended(self, tag: str) -> None:
        name = self._tags.get(tag) or self._tag(tag)
        if name == "c":
            if self._value is not None or self._formula is not None:
                self._end_cell()
        elif name == "v":
            self._value = "".join(self._pieces)
            self._collecting = False
        elif name == "t":
            if self._collecting:
                self._value = (self._value or "") + "".join(self._pieces)
                self._collecting = False
                if len(self._value) > self._limits.characters * 7:
                    self._too_long()
        elif name == "f":
            self._formula = "".join(self._pieces)
            self._collecting = False
        elif name == "row":
            self._end_row()
        elif name == "rPh":
            self._phonetic = False

    def _characters(self, text: str) -> None:
        if self._collecting:
            self._pieces.append(text)
            if len(self._pieces) > 1 and sum(map(len, self._pieces)) > self._limits.characters * 7:
                self._too_long()

    def _tag(self, tag: str) -> str:
        name = local_name(tag)
        if len(self._tags) < 100:
            self._tags[tag] = name
        return name

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = int(attributes["r"]) if "r" in attributes else self._row + 1
        if not self._row < number <= 1_048_576:
            raise ValueError(number)
        self._row, self._column, self._in_row = number, -1, True
        self._hidden = attributes.get("hidden") in ("1", "true")
        self._cells, self._findings = [], []

    def _start_cell(self, attributes: Attributes) -> None:
        self._type = self._style = ""
        reference = None
        for index in range(0, len(attributes), 2):
            name = attributes[index]
            if name == "r":
                reference = attributes[index + 1]
            elif name == "t":
                self._type = attributes[index + 1]
            elif name == "s":
                self._style = attributes[index + 1]
        if reference is None:
            self._column += 1
        else:
            letters = reference.rstrip("0123456789")
            column = self._columns.get(letters)
            self._column = self._column_of(reference, letters) if column is None else column
        self._value = self._formula = None
        self._seen += 1
        if self._seen > self._limits.cells:
            raise refuse_file(
                say(
                    "has more than {most:,} cells, empty ones included; delete the rows and columns that hold nothing",
                    most=self._limits.cells,
                )
            )

    def _column_of(self, reference: str, letters: str) -> int:
        if not _REFERENCE.fullmatch(reference):
            raise ValueError(reference[:40])
        number = self._columns[letters] = column_number(letters)
        return number

    def _end_cell(self) -> None:
        value, reason = self._read_value()
        if value is None or not value.strip() or not self._in_row:
            return
        position = self._column
        if position >= self._limits.columns:
            most = self._limits.columns
            raise refuse_file(say("has more than {most} columns in row {row}", most=most, row=self._row))
        if len(value) > self._limits.characters:
            self._too_long()
        self._text += len(value)
        if self._text > self._limits.text:
            raise refuse_file(say("has more than {most:,} characters; split it", most=self._limits.text))
        cells = self._cells
        if position == len(cells):
            cells.append(value)
        elif position > len(cells):
            cells.extend([None] * (position - len(cells)))
            cells.append(value)
        else:
            cells[position] = value
        if reason is not None:
            self._findings.append(note_cell(position, reason, fatal=True))

    def _read_value(self) -> tuple[str | None, str | None]:
        """The cell's text, and why that is not its value."""
        kind, value = self._type, self._value
        if value is None or (value == "" and kind != "str"):
            if self._formula is None:
                return None, None
            return "=" + clean_string(self._formula), NO_VALUE
        if kind == "s":
            return self._context.find_string(int(value)), None
        if kind in ("", "n"):
            if loses_digits(value):
                return f"{float(value):.5E}", LOST_DIGITS
            return self._context.styles[int(self._style) if self._style else 0](value), None
        if kind == "b":
            return "TRUE" if value.strip() == "1" else "FALSE", None
        if kind == "e":
            return value, IS_ERROR
        if kind == "d":
            return value.removesuffix("T00:00:00").replace("T", " "), None
        return clean_string(value), None

    def _end_row(self) -> None:
        self._in_row = False
        cells = self._cells
        if not cells:
            return
        merged = self._merges.spread(self._row, cells, self._findings) if self._merges else NOT_MERGED
        blank = self._row - self._last - 1
        self._last = self._row
        self.rows.append(RawRow(self._row, cells, self._findings, merged, self._hidden, blank))

    def _too_long(self) -> None:
        most = self._limits.characters
        raise refuse_file(say("has a cell with more than {most} characters in row {row}", most=most, row=self._row))


def read_sheet(unpacked: Unpacked, name: str, sheet: SheetParser) -> Iterator[RawRow]:
    """The rows of the part, as they are found."""
    for _ in parse_part(unpacked, name, sheet.parser):
        yield from sheet.rows
        sheet.rows.clear()
