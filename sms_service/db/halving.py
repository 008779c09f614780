"""One bad row never takes its batch with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

# Classes of SQLSTATE that say that a row cannot be written, whoever tries and how often: cardinality, data, constraints
# and limits of the program, such as an entry that is too large for its index.
_OF_THE_DATA = ("21", "22", "23", "54")


def lies_in_the_data(error: DBAPIError) -> bool:
    """Whether the rows are what PostgreSQL refused, and not the connection, a lock or the server: trying again changes
    nothing.
    """
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error.orig, psycopg.DataError) if state is None else state[:2] in _OF_THE_DATA


def write_by_halves(
    write: Callable[[Sequence[T]], object], items: Sequence[T], refuse: Callable[[T, DBAPIError], object]
) -> None:
    """`write` all items, which is one transaction; if what is refused lies in them, in halves, until the bad one stands
    alone: it goes to `refuse`. Raises any other error; some may be written then.
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
