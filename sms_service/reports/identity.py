"""The accounting identity over many runs: audience = the sum of all statuses."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import Session

from sms_service.ledger.models import Message, Run
from sms_service.reports.filters import Filter


@dataclass(frozen=True, slots=True)
class SharedIdentity:
    """Audience = the sum of all statuses, over whole runs: so many frozen `runs`, with the sum of their audiences and
    of their rows.
    """

    runs: int
    audience: int
    messages: int

    @property
    def holds(self) -> bool:
        """Whether nobody is missing."""
        return self.audience == self.messages


def sum_identity(session: Session, rows: Filter) -> SharedIdentity | None:
    """The identity over all frozen runs that the filter asks for and whose unit stood under its paths at launch; None
    if there are none, or if the filter asks for some of their rows only, as by status or reason.
    """
    if not rows.asks_whole_runs:
        return None
    below = [_stood_under_run(path) for path in rows.paths]
    frozen = (
        select(Run.id, Run.month, Run.audience)
        .where(or_(false(), *below), *rows.of_runs(), Run.audience.is_not(None))
        .cte("frozen")
    )
    counted = (
        select(func.count())
        .select_from(Message)
        .join(frozen, (frozen.c.id == Message.run_id) & (frozen.c.month == Message.month))
        .scalar_subquery()
    )
    row = session.execute(
        select(func.count().label("runs"), func.sum(frozen.c.audience).label("audience"), counted.label("messages"))
    ).one()
    return SharedIdentity(row.runs, int(row.audience), row.messages) if row.runs else None


def _stood_under_run(path: str) -> ColumnElement[bool]:
    return true() if path == "/" else Run.unit_path.contains(f"/{path.strip('/').rpartition('/')[2]}/")
