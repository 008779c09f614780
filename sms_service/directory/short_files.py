"""Reads a file of a few hundred rows at once, of which only known columns count."""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.directory.columns import Column, find_field, refuse_lacking
from sms_service.directory.reading import Cells, read_table
from sms_service.errors import Invalid
from sms_service.said import say

MAX_BYTES = 32 * 2**20  # of a file as it arrives


def read_short_file(data: bytes, columns: Mapping[str, Column], most: int) -> list[tuple[int, dict[str, str | None]]]:
    """The rows that have values, each with its number and its cells by field; at most `most`.

    Raises Invalid("file", …) saying why it cannot be read, or which row cannot.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("file", None, say("is larger than {most} MB; split it", most=MAX_BYTES // 2**20))
    (header_row, headers), *rows = read_table(data, columns).rows
    positions = _positions(header_row, headers, columns)
    found = [(number, cells) for number, cells in rows if cells]
    if len(found) > most:
        raise Invalid("file", None, say("has more than {most} rows; split it", most=most))
    return [
        (number, {name: cells[at] if at < len(cells) else None for name, at in positions.items()})
        for number, cells in found
    ]


def _positions(row: int, headers: Cells, columns: Mapping[str, Column]) -> dict[str, int]:
    positions: dict[str, int] = {}
    for position, header in enumerate(headers):
        field = find_field(header or "", columns)
        if field in positions:
            reason = say("has two columns {column!r} in row {row}; keep one", column=header, row=row)
            raise Invalid("file", header, reason)
        if field is not None:
            positions[field] = position
    missing = [column.header for name, column in columns.items() if column.required and name not in positions]
    if missing:
        raise refuse_lacking(missing, row, headers)
    return positions
