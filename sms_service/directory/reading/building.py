"""Puts the rows of a sheet together, cell by cell, and refuses a file that holds too much of anything."""

from __future__ import annotations

from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.merges import Merges
from sms_service.directory.reading.tables import NOT_MERGED, CellFinding, Cells, RawRow, note_cell, refuse_file
from sms_service.said import say

LAST_ROW = 1_048_576  # that a spreadsheet has


class RowBuilder:
    """Collects the rows of one sheet. `rows` has those found since it was emptied, each with at least one value."""

    def __init__(self, limits: Limits, merges: Merges) -> None:
        self.rows: list[RawRow] = []
        self.merges = merges
        self.number = 0
        self.limits = limits
        self._cells: Cells = []
        self._findings: list[CellFinding] = []
        self._hidden = False
        self._last = self._seen = self._text = 0

    def start_row(self, number: int, *, hidden: bool) -> None:
        """Begin a row. Raises ValueError for a number that no row below the last one has."""
        if not self.number < number <= LAST_ROW:
            raise ValueError(number)
        self.number, self._hidden = number, hidden
        self._cells, self._findings = [], []

    def count_cell(self) -> None:
        """A cell that the file holds, with or without a value. Raises Invalid if there are too many."""
        self._seen += 1
        if self._seen > self.limits.cells:
            raise refuse_file(
                say(
                    "has more than {most:,} cells, empty ones included; delete the rows and columns that hold nothing",
                    most=self.limits.cells,
                )
            )

    def add_cell(self, position: int, value: str | None, reason: str | None) -> None:
        """A cell's text, and why that is not its value. Raises Invalid if it is too long or too far to the right."""
        if value is None or not value.strip():
            return
        if position >= self.limits.columns:
            most = self.limits.columns
            raise refuse_file(say("has more than {most} columns in row {row}", most=most, row=self.number))
        if len(value) > self.limits.characters:
            self.refuse_long_cell()
        self._text += len(value)
        if self._text > self.limits.text:
            raise refuse_file(say("has more than {most:,} characters; split it", most=self.limits.text))
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

    def end_row(self) -> None:
        """Keep the row if it has a value."""
        cells = self._cells
        if cells:
            merged = self.merges.spread(self.number, cells, self._findings) if self.merges else NOT_MERGED
            blank = self.number - self._last - 1
            self._last = self.number
            self.rows.append(RawRow(self.number, cells, self._findings, merged, self._hidden, blank))

    def refuse_long_cell(self) -> None:
        """Raise Invalid: a cell of this row is too long."""
        most = self.limits.characters
        raise refuse_file(say("has a cell with more than {most} characters in row {row}", most=most, row=self.number))
