"""The accounting identity over many runs: audience = the sum of all statuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    SQLColumnExpression,
    any_,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.reports.filters import ROLLED, Filter, stood_under
from sms_service.reports.roll_up_models import DAILY_COUNTS
from sms_service.reports.sources import Source, choose_source


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


def sum_identity(session: Session, rows: Filter, source: Source | None = None) -> SharedIdentity | None:
    """The identity over all frozen runs that the filter asks for and whose unit stood under its paths at launch; None
    if there are none, or if the filter asks for some of their rows only, as by status or reason. `source`: where the
    rows are counted, as `choose_source` said of this filter or of a wider one.
    """
    if not rows.asks_whole_runs:
        return None
    frozen = (
        select(Run.id, Run.month, Run.audience)
        .where(_sent_below(rows.paths, Run.unit_path), *rows.of_runs(), Run.audience.is_not(None))
        .cte("frozen")
    )
    counted = (
        select(func.count())
        .select_from(Message)
        .join(frozen, (frozen.c.id == Message.run_id) & (frozen.c.month == Message.month))
    )
    source = source or choose_source(session, replace(rows, paths=("/",)), ())
    rolled: ColumnElement[int] = cast(literal(0), BigInteger)
    if source is None or not source.days:
        require_unarchived(session, *rows.of_runs())
    else:
        counted = counted.where(
            Message.month == any_(literal(source.run_months, ARRAY(Date))),
            Message.run_id == any_(literal(source.run_ids, ARRAY(BigInteger))),
        )
        lines = DAILY_COUNTS.c
        rolled = (
            select(func.coalesce(func.sum(lines.messages), 0))
            .where(lines.parent_id == 0, lines.day == any_(literal(source.days, ARRAY(Date))))
            .where(_sent_below(rows.paths, lines.sender_path), *rows.of_runs(ROLLED))
            .scalar_subquery()
        )
    messages = cast(counted.scalar_subquery() + rolled, BigInteger)
    row = session.execute(
        select(func.count().label("runs"), func.sum(frozen.c.audience).label("audience"), messages.label("messages"))
    ).one()
    return SharedIdentity(row.runs, int(row.audience), row.messages) if row.runs else None


def _sent_below(paths: Sequence[str], of: SQLColumnExpression[str]) -> ColumnElement[bool]:
    return or_(false(), *(stood_under(path, of) for path in paths))
