"""The rows of one sheet of a workbook, parsed from its XML as it is unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sms_service.directory.reading.building import RowBuilder
from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.merges import Merges, column_number
from sms_service.directory.reading.number_formats import Shown, loses_digits, show_lossy
from sms_service.directory.reading.strings import FindString
from sms_service.directory.reading.tables import IS_ERROR, LOST_DIGITS, NO_VALUE, RawRow
from sms_service.directory.reading.xml_parts import (
    ESCAPED,
    Attributes,
    Unpacked,
    attribute_map,
    clean_string,
    local_name,
    new_parser,
    parse_part,
)

_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
_TRUE = ("1", "true")


class SheetContext(NamedTuple):
    """What the cells of a sheet refer to."""

    find_string: FindString
    styles: Sequence[Shown]
    limits: Limits


class SheetParser:
    """Hands the rows of one sheet's XML to a builder."""

    def __init__(self, context: SheetContext, merges: Merges) -> None:
        self.builder = RowBuilder(context.limits, merges)
        self.hidden_columns: list[tuple[int, int]] = []
        self._context, self._longest = context, context.limits.characters * ESCAPED
        self._column, self._in_row = -1, False
        self._type = self._style = ""
        self._collecting = self._phonetic = False
        self._pieces: list[str] = []
        self._formula: str | None = None
        self._value: str | None = None
        self._columns: dict[str, int] = {}
        self.parser = new_parser(self._started, self._ended, self._characters)

    def _started(self, tag: str, attributes: Attributes) -> None:
        name = local_name(tag) if ":" in tag else tag
        if name == "c":
            self._start_cell(attributes)
        elif name in ("v", "t", "f"):
            self._pieces = []
            self._collecting = not self._phonetic
            if name == "f":
                self._formula = ""
        elif name == "row":
            found = attribute_map(attributes)
            number = int(found["r"]) if "r" in found else self.builder.number + 1
            self.builder.start_row(number, hidden=found.get("hidden") in _TRUE)
            self._column, self._in_row = -1, True
        elif name == "rPh":
            self._phonetic = True
        elif name == "col":
            found = attribute_map(attributes)
            if found.get("hidden") in _TRUE and len(self.hidden_columns) < self._context.limits.columns:
                self.hidden_columns.append((int(found["min"]) - 1, int(found["max"]) - 1))

    def _ended(self, tag: str) -> None:
        name = local_name(tag) if ":" in tag else tag
        if name == "c":
            if self._in_row and (self._value is not None or self._formula is not None):
                self.builder.add_cell(self._column, *self._read_value())
        elif name == "v":
            self._value = "".join(self._pieces)
            self._collecting = False
        elif name == "t":
            if self._collecting:
                self._value = (self._value or "") + "".join(self._pieces)
                self._collecting = False
                if len(self._value) > self._longest:
                    self.builder.refuse_long_cell()
        elif name == "f":
            self._formula = "".join(self._pieces)
            self._collecting = False
        elif name == "row":
            self._in_row = False
            self.builder.end_row()
        elif name == "rPh":
            self._phonetic = False

    def _characters(self, text: str) -> None:
        if self._collecting:
            self._pieces.append(text)
            if len(self._pieces) > 1 and sum(map(len, self._pieces)) > self._longest:
                self.builder.refuse_long_cell()

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
        self.builder.count_cell()

    def _column_of(self, reference: str, letters: str) -> int:
        if not _REFERENCE.fullmatch(reference):
            raise ValueError(reference[:40])
        number = self._columns[letters] = column_number(letters)
        return number

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
                return show_lossy(value), LOST_DIGITS
            return self._context.styles[int(self._style) if self._style else 0](value), None
        if kind == "b":
            return "TRUE" if value.strip() in _TRUE else "FALSE", None
        if kind == "e":
            return clean_string(value), IS_ERROR
        if kind == "d":
            return value.removesuffix("T00:00:00").replace("T", " "), None
        return clean_string(value), None


def read_sheet(unpacked: Unpacked, name: str, sheet: SheetParser) -> Iterator[RawRow]:
    """The rows of the part, as they are found."""
    for _ in parse_part(unpacked, name, sheet.parser):
        yield from sheet.builder.rows
        sheet.builder.rows.clear()
