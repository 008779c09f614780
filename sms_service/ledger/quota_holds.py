"""Runs for which a quota has not enough left: why they are held, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session, aliased

from sms_service.directory.models import Unit
from sms_service.ledger.models import Run
from sms_service.ledger.quotas import Lack, QuotaKind, hold_lacking_runs, reserve_written
from sms_service.said import Said, as_said, say


def reserve_frozen(session: Session, frozen: Iterable[Run]) -> None:
    """Let runs whose rows have just been written take what they need; hold those for which a quota has not enough."""
    by_month: defaultdict[date, list[int]] = defaultdict(list)
    for run in frozen:
        by_month[run.month].append(run.id)
    for month, run_ids in sorted(by_month.items()):
        hold_for_lacks(session, reserve_written(session.connection(), month, run_ids))


def hold_for_lacks(session: Session, lacks: Mapping[int, Sequence[Lack]]) -> set[int]:
    """Hold the runs that lack something, by run; returns those that are held for it now."""
    if not lacks:
        return set()
    said = describe_lacks(session.connection(), [lack for found in lacks.values() for lack in found])
    why = {run_id: join_lacks([said[lack] for lack in found]) for run_id, found in lacks.items()}
    return hold_lacking_runs(session.connection(), why)


def join_lacks(said: Sequence[Said]) -> Said:
    """One sentence of what several quotas have not enough of."""
    return said[0] if len(said) == 1 else say("{lacks:; }", lacks=said)


def describe_lacks(connection: Connection, lacks: Iterable[Lack]) -> dict[Lack, Said]:
    """Whose quota has not enough of what, and who can let the run exceed it."""
    wanted = list(lacks)
    above = aliased(Unit)
    rows = connection.execute(
        select(Unit.id, Unit.name, above.name.label("above"))
        .outerjoin(above, above.id == Unit.parent_id)
        .where(Unit.id.in_({lack.unit_id for lack in wanted}))
    )
    names = {row.id: (row.name, row.above) for row in rows}
    return {lack: describe_lack(lack, *names[lack.unit_id]) for lack in wanted}


def describe_amount(kind: QuotaKind, number: int) -> Said:
    """So many people, parts, or yuan."""
    match kind:
        case QuotaKind.people:
            return say("1 person") if number == 1 else say("{number:,} people", number=number)
        case QuotaKind.parts:
            return say("1 part") if number == 1 else say("{number:,} parts", number=number)
    return say("{yuan:,.2f} yuan", yuan=number / 100)


def describe_lack(lack: Lack, unit: str, above: str | None) -> Said:
    """The same of one, where the names of the unit and of the one above it are known."""
    values = {
        "unit": unit,
        "month": f"{lack.month:%Y-%m}",
        "left": describe_amount(lack.kind, lack.left),
        "needed": describe_amount(lack.kind, lack.needed),
        "who": as_said("its administrator") if above is None else above,
    }
    return say(
        "the quota of {unit} has {left} left in {month}, this run needs {needed}; {who} can release it", **values
    )
