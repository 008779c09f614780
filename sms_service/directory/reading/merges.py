"""Merged cells: what stands in the first row of one holds for all its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.tables import NOT_MERGED, CellFinding, Cells, MergedCells, refuse_file
from sms_service.directory.reading.xml_parts import CHUNK, Unpacked
from sms_service.said import say

_MERGED = re.compile(
    rb"<(?:\w+:)?mergeCell\b[^>]*?\bref\s*=\s*[\"']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})[\"']"
)


@dataclass(slots=True)
class _Held:
    last: int  # column
    last_row: int
    value: str | None
    findings: list[CellFinding]


@dataclass(slots=True)
class Merges:
    """The merged ranges of a sheet by their first row: column, last column, last row. To be asked row after row."""

    ranges: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    _held: dict[int, _Held] = field(default_factory=dict)
    _count: int = 0

    def __bool__(self) -> bool:
        return bool(self.ranges or self._held)

    def add(self, column: int, row: int, last_column: int, last_row: int, limits: Limits) -> None:
        """Add a range before its first row is spread. Raises Invalid if there are too many."""
        self._count += 1
        if self._count > limits.merged:
            raise refuse_file(say("has more than {most:,} merged cells", most=limits.merged))
        if column < limits.columns:
            self.ranges.setdefault(row, []).append((column, last_column, last_row))

    def spread(self, row: int, cells: Cells, findings: list[CellFinding]) -> MergedCells:
        """Fill the row's cells that lie in merged cells from above. The row must have a value of its own."""
        from_above, across = [], []
        for first, held in list(self._held.items()):
            if row > held.last_row:
                del self._held[first]
                continue
            if held.value is not None:
                cells.extend([None] * (first + 1 - len(cells)))
                if cells[first] is None:
                    cells[first] = held.value
                    findings.extend(held.findings)
                    from_above.append(first)
            if held.last > first:
                across.append((first, held.last))
        for first, last, last_row in self.ranges.pop(row, ()):
            if last > first:
                across.append((first, last))
            if last_row > row:
                value = cells[first] if first < len(cells) else None
                self._held[first] = _Held(
                    last, last_row, value, [found for found in findings if found.position == first]
                )
        return MergedCells(frozenset(from_above), tuple(across)) if from_above or across else NOT_MERGED


def column_number(letters: str) -> int:
    """The position of the column that a spreadsheet calls so (A is 0)."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def read_merges(unpacked: Unpacked, name: str, limits: Limits) -> Merges:
    """The sheet's merged cells. They stand behind its rows, so the part is searched before it is read."""
    merges = Merges()
    for first, first_row, last, last_row in _find_ranges(unpacked, name):
        merges.add(column_number(first.decode()), int(first_row), column_number(last.decode()), int(last_row), limits)
    return merges


def _find_ranges(unpacked: Unpacked, name: str) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    rest = b""
    for chunk in unpacked.chunks(name):
        text = rest + chunk
        end = 0
        if b"mergeCell" in text:
            for match in _MERGED.finditer(text):
                end = match.end()
                yield match[1], match[2], match[3], match[4]
        start = max(end, text.rfind(b"<", max(0, len(text) - 256)))
        rest = text[start:] if len(text) - start < CHUNK else b""
