"""The rows of a CSV file, read line by line. Quotes that swallow rows are found and every swallowed line is listed."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from sms_service.directory.reading.encodings import CODECS, detect_encoding
from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.tables import (
    IS_ERROR,
    LOST_DIGITS,
    SHEET_ERROR,
    CellFinding,
    Cells,
    RawRow,
    RawTable,
    ReadChoices,
    note_cell,
    refuse_file,
)
from sms_service.said import say

DELIMITERS = (",", ";", "\t")
_SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?E\+\d{2,3}", re.IGNORECASE)
_WEB_PAGE = re.compile(r"\s*(<\?xml|<!doctype|<html|<table|<meta|<head)", re.IGNORECASE)
_AS_TEXT = re.compile(r'="(.*)"', re.DOTALL)  # how exports keep a spreadsheet from changing 0101
_HOLDS_QUOTE = re.compile(r'.*".*', re.DOTALL)
STRAY_QUOTE = say("holds a quotation mark without a second one; it was taken as it stands")
_LINES_LOOKED_AT = 20
_SWALLOWED_SHARE = 0.7  # of the delimiters that whole rows would have


def open_csv(
    path: Path, choices: ReadChoices, limits: Limits, stack: ExitStack, is_known: Callable[[str], bool]
) -> RawTable:
    """The file's rows. The delimiter is chosen, or the one of `,` `;` tab with which most headers are found."""
    encoding = detect_encoding(path, choices.encoding)
    binary = stack.enter_context(path.open("rb"))
    file = io.TextIOWrapper(binary, CODECS[encoding], newline="")
    head = [line for _ in range(_LINES_LOOKED_AT) if (line := file.readline(limits.line))]
    if head and _WEB_PAGE.match(head[0].removeprefix("\ufeff")):
        raise refuse_file("is a web page or XML under another name; open it in Excel or WPS and save it as .xlsx")
    delimiter = _choose_delimiter(head, choices.delimiter, is_known)
    file.seek(0)
    lines = _Lines(file, limits)
    rows = _read_rows(lines, delimiter, limits)
    return RawTable("csv", rows, encoding=encoding, delimiter=delimiter)


def _choose_delimiter(head: list[str], chosen: str | None, is_known: Callable[[str], bool]) -> str:
    if chosen is not None:
        if chosen not in DELIMITERS:
            raise refuse_file(say("cannot be separated by {delimiter}; choose , ; or tab", delimiter=repr(chosen)))
        return chosen

    def score(delimiter: str) -> tuple[int, int]:
        rows = [line.rstrip("\r\n").split(delimiter) for line in head]
        found = max((sum(is_known(cell.strip('"')) for cell in row) for row in rows), default=0)
        return found, sum(len(row) > 1 for row in rows)

    return max(DELIMITERS, key=score)  # among equals the first


class _Lines:
    """The physical lines of the file with their numbers; lines can be put back."""

    def __init__(self, file: io.TextIOWrapper, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._back: deque[str] = deque()
        self.number = 0  # of the line that was taken last

    def take(self) -> str | None:
        if self._back:
            self.number += 1
            return self._back.popleft()
        line = self._file.readline(self._limits.line + 1)
        if not line:
            return None
        self.number += 1
        if len(line) > self._limits.line:
            most = self._limits.line
            raise refuse_file(say("has more than {most:,} characters in line {line}", most=most, line=self.number))
        return line.removeprefix("\ufeff") if self.number == 1 else line

    def put_back(self, lines: list[str]) -> None:
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


class _Unclosed(Exception):
    """A quote is not closed within as many lines as a cell may have."""


def _read_rows(lines: _Lines, delimiter: str, limits: Limits) -> Iterator[RawRow]:
    nothing = delimiter + '" \r\n\x1a'  # the last is how old programs end a file
    widest = text = blank = 0
    while (line := lines.take()) is not None:
        if not line.strip(nothing):
            blank += 1
            continue
        if '"' in line:
            found = _read_quoted(line, lines, delimiter, widest, limits)
        else:
            found = [_row(lines.number, line.rstrip("\r\n").split(delimiter), line)]
        for row in found:
            if not row.cells:
                blank += 1
                continue
            text += _check_size(row, limits)
            if text > limits.text:
                raise refuse_file(say("has more than {most:,} characters; split it", most=limits.text))
            widest = max(widest, len(row.cells))
            yield row._replace(blank_before=blank) if blank else row
            blank = 0


def _check_size(row: RawRow, limits: Limits) -> int:
    """The characters in the row's cells. Raises Invalid if there are too many in one, or too many cells."""
    if len(row.cells) > limits.columns:
        raise refuse_file(say("has more than {most} columns in row {row}", most=limits.columns, row=row.number))
    size = sum([len(cell) for cell in row.cells if cell])
    if size > limits.characters and any(len(cell or "") > limits.characters for cell in row.cells):
        most = limits.characters
        raise refuse_file(say("has a cell with more than {most} characters in row {row}", most=most, row=row.number))
    return size


def _row(number: int, fields: list[str], line: str, reason: str | None = None) -> RawRow:
    cells: Cells = [field if field and not field.isspace() else None for field in fields]
    while cells and cells[-1] is None:
        cells.pop()
    findings: list[CellFinding] = [] if reason is None else [note_cell(None, reason, fatal=True)]
    if "#" in line:
        findings += _find_cells(cells, SHEET_ERROR, IS_ERROR)
    if "E+" in line or "e+" in line:
        findings += _find_cells(cells, _SCIENTIFIC, LOST_DIGITS)
    return RawRow(number, cells, findings)


def _find_cells(cells: Cells, pattern: re.Pattern[str], reason: str, *, fatal: bool = True) -> list[CellFinding]:
    return [
        note_cell(position, reason, fatal=fatal)
        for position, cell in enumerate(cells)
        if cell is not None and pattern.fullmatch(cell.strip())
    ]


def _read_quoted(line: str, lines: _Lines, delimiter: str, widest: int, limits: Limits) -> list[RawRow]:
    """The row that begins with this line; several where a stray quote holds lines that look like rows of their own."""
    first, taken = lines.number, [line]

    def source() -> Iterator[str]:
        yield line
        while len(taken) < limits.quoted_lines and (following := lines.take()) is not None:
            taken.append(following)
            yield following
        raise _Unclosed

    try:
        fields = next(csv.reader(source(), delimiter=delimiter))
    except (_Unclosed, csv.Error):
        lines.put_back(taken[1:])
        reason = say('has a quotation mark that is never closed: take out the " in line {line}', line=first)
        return [_literal(first, line, delimiter, reason)]
    if len(taken) == 1:
        row = _row(first, [_unwrap(field) for field in fields], line)
        if line.count('"') % 2:
            row.findings.extend(_find_cells(row.cells, _HOLDS_QUOTE, STRAY_QUOTE, fatal=False))
        return [row]
    width = max(widest, 2) - 1
    inside = sum(field.count(delimiter) for field in fields if "\n" in field or "\r" in field)
    if inside >= _SWALLOWED_SHARE * width * (len(taken) - 1):
        reason = say(
            "stands with lines {first} to {last} in one cell, because of a quotation mark that does not belong there: "
            "take it out",
            first=first,
            last=first + len(taken) - 1,
        )
        return [_literal(first + index, each, delimiter, reason) for index, each in enumerate(taken)]
    return [_row(first, [_unwrap(field) for field in fields], "".join(taken))]


def _literal(number: int, line: str, delimiter: str, reason: str) -> RawRow:
    return _row(number, [field.strip('"') for field in line.rstrip("\r\n").split(delimiter)], line, reason)


def _unwrap(field: str) -> str:
    match = _AS_TEXT.fullmatch(field)
    return match[1].replace('""', '"') if match else field
