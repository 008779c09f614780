"""Reading the seals: which days are sealed, and what of a unit was sealed, has been amended since, and is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Date, Select, all_, cast, false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.directory.models import Unit
from sms_service.errors import NotFound
from sms_service.ledger.amendment_models import Amendment
from sms_service.ledger.archive_models import ArchivedMonth
from sms_service.ledger.models import Run
from sms_service.reports.counts import tabulate_counts
from sms_service.reports.filters import Filter, last_id, stood_under
from sms_service.reports.roll_up_models import DaySeal, SealedCount
from sms_service.reports.seals import SEAL_DAYS

MOST_AMENDMENTS = 200  # of a day, on one page of them


class Seal(NamedTuple):
    """A sealed day. `amendments`: how many changes of rows within somebody's units it has had since. `archived`: its
    rows are in files, and the roll-up stands for them.
    """

    day: date
    digest: bytes
    sealed_at: datetime
    amendments: int
    archived: bool


class SealLine(NamedTuple):
    """Rows of one kind of run and status: as sealed, what amendments since changed, and what the ledger says now."""

    kind: str
    status: str
    sealed: int
    amended: int
    now: int

    @property
    def holds(self) -> bool:
        """Whether nothing else changed."""
        return self.sealed + self.amended == self.now


@dataclass(frozen=True, slots=True)
class SealedDay:
    """A seal with what it says of some units, by kind and status, and what was amended, the oldest first."""

    seal: Seal
    lines: list[SealLine]
    amendments: Sequence[Amendment]


def count_amendments(session: Session, since: date, until: date) -> int | None:
    """How many amendments the days from `since` to `until` have, if all of them are sealed; None if they are not."""
    open_runs = select(Run.id).where(
        Run.day.between(since, until), Run.audience.is_not(None), Run.day.not_in(select(DaySeal.day))
    )
    amended = select(func.count()).where(Amendment.day.between(since, until)).scalar_subquery()
    row = session.execute(
        select(open_runs.exists().label("open"), func.sms_now().label("now"), amended.label("amended"))
    ).one()
    over = until < row.now.date() - timedelta(days=SEAL_DAYS)
    return None if row.open or not over else row.amended


def list_seals(session: Session, paths: Sequence[str], before: date | None = None, most: int = 50) -> list[Seal]:
    """The sealed days, the newest first, `before` a day; their amendments are those of rows under these paths."""
    amended = _since_sealed(paths).where(Amendment.day == DaySeal.day)
    number = amended.with_only_columns(func.count()).correlate(DaySeal).scalar_subquery()
    month = cast(func.date_trunc("month", DaySeal.day), Date)
    archived = select(ArchivedMonth.month).where(ArchivedMonth.month == month).exists()
    found = (
        select(DaySeal.day, DaySeal.digest, DaySeal.sealed_at, number, archived)
        .order_by(DaySeal.day.desc())
        .limit(most)
    )
    if before is not None:
        found = found.where(DaySeal.day < before)
    return [Seal(*row) for row in session.execute(found)]


def read_sealed_day(session: Session, paths: Sequence[str], day: date, after: int = 0) -> SealedDay:
    """The seal of a day with what it says of the units at these paths; its amendments from the one `after` that id on,
    200 at most. Raises NotFound for a day that is not sealed.
    """
    found = list_seals(session, paths, day + timedelta(days=1), 1)
    if not found or found[0].day != day:
        raise NotFound("sealed day", day.isoformat())
    counts: dict[str, Counter[tuple[str, Any]]] = {name: Counter() for name in ("sealed", "amended", "now")}
    kept = select(SealedCount.kind, SealedCount.status, SealedCount.messages).where(
        SealedCount.day == day, SealedCount.unit_id.in_(_top_units(session, paths))
    )
    for kind, status, messages in session.execute(kept):
        counts["sealed"][kind, status] += messages
    of_day = _since_sealed(paths).where(Amendment.day == day, DaySeal.day == day)
    changes = of_day.where(Amendment.to_status.is_not(None)).with_only_columns(
        Amendment.kind, Amendment.from_status, Amendment.to_status, func.count()
    )
    for kind, before, now, number in session.execute(changes.group_by(*changes.selected_columns[:3])):
        counts["amended"][kind, before] -= number
        counts["amended"][kind, now] += number
    for line in tabulate_counts(session, Filter(tuple(paths), since=day, until=day), ("kind", "status")).lines:
        counts["now"][line.by["kind"], line.by["status"]] = line.messages
    keys = sorted({key for counter in counts.values() for key in counter})
    lines = [SealLine(*key, *(counter[key] for counter in counts.values())) for key in keys]
    amendments = of_day.where(Amendment.id > after).order_by(Amendment.id).limit(MOST_AMENDMENTS)
    return SealedDay(found[0], lines, session.scalars(amendments).all())


def _since_sealed(paths: Sequence[str]) -> Select[Amendment]:
    """The amendments of rows under these paths that the seal of their day, of `DaySeal`, has not seen."""
    within: ColumnElement[bool] = or_(false(), *(stood_under(path, Amendment.unit_path) for path in paths))
    return select(Amendment).where(within, Amendment.id != all_(DaySeal.seen))


def _top_units(session: Session, paths: Sequence[str]) -> list[int]:
    if "/" in paths:
        return list(session.scalars(select(Unit.id).where(Unit.parent_id.is_(None))))
    return [int(last_id(path)) for path in paths]
