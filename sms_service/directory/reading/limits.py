"""How large a file may be. Each limit is checked while the file is read, never by what the file says about itself."""

from __future__ import annotations

from dataclasses import dataclass

MB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes: bytes unless the name says otherwise. The defaults take 1,000,000 rows of ten columns."""

    file_bytes: int = 256 * MB  # as it arrives
    unpacked_bytes: int = 2048 * MB  # the parts of a workbook that are read
    rows: int = 1_048_576  # with values; also the last row that a spreadsheet has
    columns: int = 100  # with values
    cells: int = 25_000_000  # those without a value included, where the file holds them
    characters: int = 10_000  # of one cell
    text: int = 1024 * MB  # characters in all cells together
    strings: int = 12_000_000  # shared strings of a workbook
    merged: int = 200_000  # ranges of merged cells
    styles: int = 65_536
    sheets: int = 256
    line: int = 1_000_000  # characters of one line of a CSV file
    quoted_lines: int = 200  # that one cell of a CSV file may span
    memory: int = 400 * MB  # of the process that reads
    seconds: int = 240  # of computing
    patience: int = 600  # seconds without a sign of life from it, however busy the machine is


LIMITS = Limits()
