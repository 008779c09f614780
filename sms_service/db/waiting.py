"""What waits for somebody, as one statement of each kind: how many, and since when the first and the last of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, cast, func, null, select
from sqlalchemy.orm import InstrumentedAttribute

Waiting = Select[*tuple[Any, ...]]


def select_waiting(key: InstrumentedAttribute[Any], since: ColumnElement[Any] | None = None) -> Waiting:
    """The columns `number`, `oldest` and `newest`, over rows that the caller joins and chooses. `since`: when a row
    began to wait; None: nobody wrote that down.
    """
    moment = cast(null(), DateTime(timezone=True)) if since is None else since
    return select(func.count(key).label("number"), func.min(moment).label("oldest"), func.max(moment).label("newest"))
