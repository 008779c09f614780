"""Finds the row of headers below titles and notes, and joins headers that stand in two rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sms_service.directory.reading.tables import RawRow, refuse_file
from sms_service.said import say

WITHIN = 20  # rows with values: titles and notes may stand above the headers

IsKnown = Callable[[str], bool]


class FoundHeaders(NamedTuple):
    """The headers by position; `last` is the index of their last row among the rows looked at."""

    headers: tuple[str | None, ...]
    last: int
    rows: int


def find_headers(rows: list[RawRow], is_known: IsKnown, chosen: int | None) -> FoundHeaders:
    """The headers among the first rows of a table: the row, or two rows one below the other, with most known headers.

    `chosen` is the number of the (lower) row if a person named it. Raises Invalid if that row has no values.
    """
    if chosen is not None:
        last = next((index for index, row in enumerate(rows) if row.number == chosen), None)
        if last is None:
            raise refuse_file(say("has no values in row {row}, which should hold the headers", row=chosen))
        joined = _join(rows, last, is_known)
        return joined or FoundHeaders(tuple(rows[last].cells), last, 1)
    best = max(range(len(rows)), key=lambda index: (_known(rows[index].cells, is_known), len(rows[index].cells) > 1))
    found = FoundHeaders(tuple(rows[best].cells), best, 1)
    for last in (best, best + 1):
        joined = _join(rows, last, is_known)
        if joined is not None:
            return joined
    return found


def _join(rows: list[RawRow], last: int, is_known: IsKnown) -> FoundHeaders | None:
    """The headers of row `last` and the one above, if they are two rows of headers."""
    if not 0 < last < len(rows) or rows[last].number != rows[last - 1].number + 1:
        return None
    upper, lower = rows[last - 1], rows[last]
    width = max(len(upper.cells), len(lower.cells))
    above = [*upper.cells, *[None] * (width - len(upper.cells))]
    below = [*lower.cells, *[None] * (width - len(lower.cells))]
    headers = _joined(above, below, _groups(upper, above), is_known)
    tied = any(is_known(below[position] or "") for position in lower.merged.from_above)
    over, under, both = (_known(cells, is_known) for cells in (above, below, headers))
    single = max(over, under)
    # "联系方式" with nothing beside it, above "手机号" and "邮箱"
    completes = over and under and any(cell and not above[place] for place, cell in enumerate(below))
    if not tied and not (single and (both > single or (both == single and completes))):
        return None
    return FoundHeaders(tuple(headers), last, 2)


def _joined(
    above: list[str | None], below: list[str | None], groups: list[str | None], is_known: IsKnown
) -> list[str | None]:
    headers: list[str | None] = []
    for over, under in zip(above, below, strict=True):
        if under is None or over is None or under == over:
            headers.append(under or over)
        else:  # "手机号" above "(必填)" is 手机号; "联系方式" above "手机" is 手机
            headers.append(over if is_known(over) and not is_known(under) else under)
    for position, header in enumerate(headers):  # "父亲" and "母亲", each above "姓名"
        if header is not None and header == below[position] and below.count(header) > 1 and groups[position]:
            headers[position] = header if header == groups[position] else f"{groups[position]}{header}"
    return headers


def _groups(upper: RawRow, above: list[str | None]) -> list[str | None]:
    """What stands above each column, where a merged cell or a cell with empty ones beside it stands for several."""
    groups: list[str | None] = []
    for cell in above:
        groups.append(cell if cell is not None or not groups else groups[-1])
    return groups


def _known(cells: list[str | None], is_known: IsKnown) -> int:
    return sum(cell is not None and is_known(cell) for cell in cells)
