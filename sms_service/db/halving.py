"""Writes a batch of rows so that one bad row does not make the others fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

# Classes of SQLSTATE which mean that a row can never be written: cardinality, data, constraints and limits of the
# program, such as an entry that is too large for its index.
_OF_THE_DATA = ("21", "22", "23", "54")


def lies_in_the_data(error: DBAPIError) -> bool:
    """Whether the rows themselves are the reason, and not the connection, a lock or the server: then trying again is
    useless.
    """
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error.orig, psycopg.DataError) if state is None else state[:2] in _OF_THE_DATA


def write_by_halves(
    write: Callable[[Sequence[T]], object], items: Sequence[T], refuse: Callable[[T, DBAPIError], object]
) -> None:
    """Call `write`, which is one transaction, with all items. If an item itself is refused, write the halves, and so on
    until the bad item is alone; then call `refuse` with it. Raises any other error; some items may be written then.
    """
    if not items:
        return
    try:
        write(items)
    except DBAPIError as error:
        if not lies_in_the_data(error):
            raise
        if len(items) == 1:
            refuse(items[0], error)
            return
    else:
        return
    middle = len(items) // 2
    write_by_halves(write, items[:middle], refuse)
    write_by_halves(write, items[middle:], refuse)
