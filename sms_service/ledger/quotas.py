"""Reservations: what each run takes of the quotas on its line of units, and whether they have enough left.

Each change of any number of runs is the same few statements: lock the reservations, lock the sums of the quotas that
they stand under, decide run by run, write both. Everybody locks in this order (run, reservation by run, sum by month
and unit), so that nobody waits in a circle; a launch that finds the last thousand taken sees it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, update

from sms_service.db.engine import Database
from sms_service.db.locks import LockKey, share_lock
from sms_service.db.statements import Statement
from sms_service.directory.units import split_path
from sms_service.ledger.quota_models import QuotaReservation, ReservationState
from sms_service.ledger.states import RunStatus
from sms_service.said import Said, to_json
from sms_service.vocabulary import Words

LOCK_RESERVATIONS = Statement(__file__, "lock_reservations")
OPEN_USES = Statement(__file__, "open_uses")
LOCK_USES = Statement(__file__, "lock_uses")
WRITE_USES = Statement(__file__, "write_uses")
WRITE_RESERVATIONS = Statement(__file__, "write_reservations")
MEASURE_RUNS = Statement(__file__, "measure_runs")
MARK_ENDED = Statement(__file__, "mark_ended")
TAKE_ENDED = Statement(__file__, "take_ended")
HOLD_FOR_QUOTA = Statement(__file__, "hold_for_quota")

ENDED_TOGETHER = 200  # runs whose reservations become what was sent in one transaction
_AGAIN_S = 600.0  # after which a cancelled run is looked at again while something of it is awaited


class QuotaKind(Words):
    """What a quota limits."""

    people = "people"
    parts = "parts"
    fen = "fen"  # money


class Amounts(NamedTuple):
    """People who get a text, parts, and fen."""

    people: int = 0
    parts: int = 0
    fen: int = 0


class ReservedRun(NamedTuple):
    """What a run is to take from now on. `again_s`: in how many seconds the clock looks at it again; None: not, before
    it ends.
    """

    run_id: int
    month: date
    unit_path: str
    amounts: Amounts
    state: ReservationState = ReservationState.planned
    delivered: int = 0
    again_s: float | None = None


class Lack(NamedTuple):
    """What a quota has not enough of: `left` of it, and the run needs `needed`."""

    unit_id: int
    month: date
    kind: QuotaKind
    left: int
    needed: int


_Place = tuple[int, date]  # of a sum: a unit and a month


@dataclass
class _Sum:
    planned: Amounts
    used: Amounts
    most: tuple[int | None, int | None, int | None]

    def add(self, state: str, amounts: Amounts, sign: int) -> None:
        """Count the amounts to it, or no longer."""
        sums = self.used if state == ReservationState.used else self.planned
        now = Amounts(*(number + sign * more for number, more in zip(sums, amounts, strict=True)))
        if state == ReservationState.used:
            self.used = now
        else:
            self.planned = now

    def find_lacks(self, place: _Place, amounts: Amounts, before: Amounts) -> Iterable[Lack]:
        """What it has not enough of; whoever takes no more than before lacks nothing."""
        for kind, most, planned, used, wanted, had in zip(
            QuotaKind, self.most, self.planned, self.used, amounts, before, strict=True
        ):
            if most is not None and wanted > had and planned + used + wanted > most:
                yield Lack(*place, kind, max(0, most - planned - used), wanted)


def reserve_amounts(connection: Connection, wanted: Sequence[ReservedRun]) -> dict[int, list[Lack]]:
    """Let each run take these amounts in place of what it took, if every quota on its line has enough left; what a run
    has sent is counted in any case. Returns, by run, what the others lack: they are `asked`, and take what they took.
    """
    if not wanted:
        return {}
    share_lock(connection, LockKey.set_quota)
    asked = [{"run_id": one.run_id, "month": str(one.month), "unit_path": one.unit_path} for one in wanted]
    before = {row.run_id: row for row in LOCK_RESERVATIONS(connection, wanted=Jsonb(asked))}
    places = {place for one in wanted for place in _line(one.unit_path, one.month)}
    places |= {place for row in before.values() for place in _line(row.unit_path, row.month)}
    sums = _lock_sums(connection, places)
    at_first = {place: (one.planned, one.used) for place, one in sums.items()}
    lacks: dict[int, list[Lack]] = {}
    written = []
    for one in sorted(wanted, key=lambda one: one.run_id):
        decided, found = _decide(one, before[one.run_id], sums)
        written.append(_row_of(decided))
        if found:
            lacks[one.run_id] = found
    changed = [(place, one) for place, one in sums.items() if at_first[place] != (one.planned, one.used)]
    if changed:
        WRITE_USES(connection, uses=Jsonb([_sum_row(place, one) for place, one in changed]))
    WRITE_RESERVATIONS(connection, wanted=Jsonb(written))
    return lacks


def reserve_written(connection: Connection, month: date, run_ids: Collection[int]) -> dict[int, list[Lack]]:
    """Let runs whose rows are written take what has left of them and what waits. Returns as `reserve_amounts` does."""
    rows = MEASURE_RUNS(connection, month=month, run_ids=list(run_ids))
    return reserve_amounts(connection, [_measured(row, ReservationState.planned, None) for row in rows])


def begin_sums(connection: Connection, places: Collection[_Place]) -> Jsonb:
    """Begin the sums of these units and months where there is a quota and no sum yet; returns the places as JSON."""
    asked = Jsonb([{"unit_id": unit_id, "month": str(month)} for unit_id, month in sorted(places)])
    OPEN_USES(connection, places=asked)
    return asked


def release_lacks(connection: Connection, run_id: int, unit_ids: Collection[int]) -> None:
    """Let the run exceed the quotas of these units; it takes what it asked for at the next `reserve_amounts`."""
    released = sorted(unit_ids)
    connection.execute(
        update(QuotaReservation)
        .where(QuotaReservation.run_id == run_id)
        .values(released=QuotaReservation.released + released)
    )


def hold_lacking_runs(connection: Connection, why: Mapping[int, Said]) -> set[int]:
    """Hold these runs, each for its reason; returns those that are held for it now."""
    held = [{"run_id": run_id, "reason": said, "message": to_json(said)} for run_id, said in why.items()]
    return {row.id for row in HOLD_FOR_QUOTA(connection, held=Jsonb(held))} if held else set()


def mark_ended(connection: Connection, run_ids: Collection[int]) -> None:
    """Runs that have just ended, by the caller's transaction: the clock looks at what was sent."""
    if run_ids:
        MARK_ENDED(connection, run_ids=list(run_ids))


def settle_ended(database: Database) -> int:
    """Let the reservations of some runs that ended become what was sent; returns how many. Of a run that nobody sent
    nothing is left.
    """
    with database.transaction() as connection:
        by_month: defaultdict[date, list[int]] = defaultdict(list)
        for row in TAKE_ENDED(connection, most=ENDED_TOGETHER):
            by_month[row.month].append(row.run_id)
        ended = []
        for month, run_ids in sorted(by_month.items()):
            for row in MEASURE_RUNS(connection, month=month, run_ids=run_ids):
                awaited = row.status == RunStatus.cancelled and row.awaited
                ended.append(_measured(row, ReservationState.used, _AGAIN_S if awaited else None))
        reserve_amounts(connection, ended)
    return len(ended)


def _line(unit_path: str, month: date) -> list[_Place]:
    return [(unit_id, month) for unit_id in split_path(unit_path)]


def _lock_sums(connection: Connection, places: Collection[_Place]) -> dict[_Place, _Sum]:
    asked = begin_sums(connection, places)
    return {
        (row.unit_id, row.month): _Sum(
            Amounts(row.planned_people, row.planned_parts, row.planned_fen),
            Amounts(row.used_people, row.used_parts, row.used_fen),
            (row.most_people, row.most_parts, row.most_fen),
        )
        for row in LOCK_USES(connection, places=asked)
    }


def _decide(one: ReservedRun, before: Any, sums: Mapping[_Place, _Sum]) -> tuple[ReservedRun, list[Lack]]:
    """Count the run anew; if something is lacking, it takes what it took before."""
    had = Amounts(before.people, before.parts, before.fen)
    old = [place for place in _line(before.unit_path, before.month) if place in sums]
    new = [place for place in _line(one.unit_path, one.month) if place in sums]
    for place in old:
        sums[place].add(before.state, had, -1)
    lacks = [
        lack
        for place in new
        if one.state == ReservationState.planned and place[0] not in before.released
        for lack in sums[place].find_lacks(place, one.amounts, had if place in old else Amounts())
    ]
    if lacks:
        one = ReservedRun(one.run_id, before.month, before.unit_path, had, ReservationState.asked, one.delivered)
    for place in old if lacks else new:
        sums[place].add(one.state, one.amounts, 1)
    return one, lacks


def _measured(row: Any, state: ReservationState, again_s: float | None) -> ReservedRun:
    amounts = Amounts(row.people, row.parts, row.fen)
    return ReservedRun(row.run_id, row.month, row.unit_path, amounts, state, row.delivered, again_s)


def _row_of(one: ReservedRun) -> dict[str, Any]:
    row = one._asdict() | one.amounts._asdict() | {"month": str(one.month), "state": one.state.value}
    del row["amounts"]
    return row


def _sum_row(place: _Place, one: _Sum) -> dict[str, Any]:
    row: dict[str, Any] = {"unit_id": place[0], "month": str(place[1])}
    for state, amounts in (("planned", one.planned), ("used", one.used)):
        row |= {f"{state}_{kind}": number for kind, number in amounts._asdict().items()}
    return row
