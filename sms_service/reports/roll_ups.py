"""Roll-ups: each day's rows of the ledger added up for every unit above them, so that questions over long times are
answered at once. They are never a truth of their own: any day can be added up again, with the same result.

A day is first listed: from then on each statement that changes one of its rows notes that (`day_changes`, by triggers).
Once everything that was under way before has ended, its rows are added up in one snapshot, and the notes that this
snapshot holds are deleted. The sums are exact while there is no note; a day that has one is read from the ledger, until
it is added up again. So whoever asks gets the ledger's numbers at every moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta
from pyroaring import BitMap
from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute

from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.ledger.amendment_models import CountedDay, DayChange
from sms_service.ledger.archived import list_archived_months
from sms_service.reports.roll_up_models import DAILY_COUNTS, DAILY_PEOPLE, MONTHLY_PEOPLE, CountedMonth

WATCH_DAYS = Statement(__file__, "watch_days")
DUE_DAYS = Statement(__file__, "due_days")
ADD_UP_DAY = Statement(__file__, "add_up_day")
PEOPLE_OF_DAY = Statement(__file__, "people_of_day")

QUIET_S = 60.0  # a day is added up again when nothing of it has changed for so long,
MOST_S = 900.0  # or when the first change that its sums have not seen is so old
OTHER_ZONES_DAYS = 3  # so long after a day is listed for the first time may a run still get it
MOST_LISTED = 31  # days that one call lists
MOST_DAYS = 1  # that it adds up: a day of a whole city takes a second or two

_NEXT_XID = text("(pg_snapshot_xmax(pg_current_snapshot())::text)::bigint")


class Drift(NamedTuple):
    """A line of a day's roll-up that is not what the ledger says: its key, and both numbers as (messages, parts)."""

    day: date
    line: dict[str, Any]
    rolled: tuple[int, int]
    counted: tuple[int, int]


def roll_up(database: Database, *, quiet_s: float = QUIET_S, most_s: float = MOST_S, most: int = MOST_DAYS) -> int:
    """List days that are over, and add up those that are new or have changed; returns how many were added up. The
    clock calls it each tick: what cannot be done yet is done by a later call.
    """
    with database.transaction() as connection:
        today: date = connection.scalar(select(func.sms_now())).date()  # type: ignore[union-attr]
        # What an earlier call listed has committed, so whatever begins from now on sees it.
        connection.execute(update(CountedDay).where(CountedDay.barrier.is_(None)).values(barrier=_NEXT_XID))
        WATCH_DAYS(connection, today=today, other_zones=OTHER_ZONES_DAYS, most=MOST_LISTED)
        days = DUE_DAYS(connection, quiet_s=quiet_s, most_s=most_s, most=most).scalars().all()
    for day in days:
        roll_up_day(database, day)
    _roll_up_months(database)
    return len(days)


def roll_up_day(database: Database, day: date) -> None:
    """Add up one listed day, in one snapshot, in the place of what it had before; not one of an archived month, whose
    roll-up is all that the database has.
    """
    month = day.replace(day=1)
    with database.one_snapshot() as connection:
        if month in list_archived_months(connection):
            return
        connection.execute(delete(DAILY_COUNTS).where(DAILY_COUNTS.c.day == day))
        connection.execute(delete(DAILY_PEOPLE).where(DAILY_PEOPLE.c.day == day))
        ADD_UP_DAY(connection, month=month, day=day)
        if people := [{"day": day, **line} for line in _people_lines(PEOPLE_OF_DAY(connection, month=month, day=day))]:
            connection.execute(insert(DAILY_PEOPLE), people)
        connection.execute(update(CountedDay).where(CountedDay.day == day).values(rolled_at=func.clock_timestamp()))
        # Those that this snapshot holds, as the sums do; a later one stays.
        connection.execute(delete(DayChange).where(DayChange.day == day))
        connection.execute(
            upsert(CountedMonth)
            .values(month=month)
            .on_conflict_do_update(index_elements=[CountedMonth.month], set_={"rolled_at": None})
        )


def find_drift(connection: Connection, day: date) -> Iterator[Drift]:
    """The lines of a day's roll-up that differ from what the ledger says now. For a day of which changes are not added
    up yet (not in `exact_days`) these are no fault.
    """
    key = [column.name for column in DAILY_COUNTS.c if column.name not in ("messages", "parts")]
    rolled = _read_lines(connection, day, key)
    with connection.begin_nested() as nested:
        connection.execute(delete(DAILY_COUNTS).where(DAILY_COUNTS.c.day == day))
        ADD_UP_DAY(connection, month=day.replace(day=1), day=day)
        counted = _read_lines(connection, day, key)
        nested.rollback()
    for line in sorted(rolled.keys() | counted.keys(), key=repr):
        was, now = rolled.get(line, (0, 0)), counted.get(line, (0, 0))
        if was != now:
            yield Drift(day, dict(zip(key, line, strict=True)), was, now)


def exact_days() -> Select[date]:
    """The days whose roll-ups are what the ledger says at the moment of the statement."""
    changed = select(literal(1)).where(DayChange.day == CountedDay.day).exists()
    return select(CountedDay.day).where(CountedDay.rolled_at.is_not(None), ~changed)


def _days_of(month: InstrumentedAttribute[date], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """SQL: whether there is such a listed day of the month."""
    of_month = CountedDay.day >= month, CountedDay.day < month + func.make_interval(0, 1)
    return select(literal(1)).where(*of_month, *conditions).exists()


def exact_months() -> Select[date]:
    """The months that are over and whose people are what the ledger says at the moment of the statement."""
    return select(CountedMonth.month).where(
        CountedMonth.rolled_at.is_not(None), ~_days_of(CountedMonth.month, CountedDay.day.not_in(exact_days()))
    )


def _read_lines(connection: Connection, day: date, key: Sequence[str]) -> dict[tuple[Any, ...], tuple[int, int]]:
    rows = connection.execute(select(DAILY_COUNTS).where(DAILY_COUNTS.c.day == day)).mappings()
    return {tuple(row[name] for name in key): (row["messages"], row["parts"]) for row in rows}


def _people_lines(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """A line for each unit above those for which people were found, with all who were found below it."""
    sets: dict[tuple[Any, ...], BitMap] = defaultdict(BitMap)
    for row in rows:
        people, what = BitMap(row.people), tuple(row[1:-1])
        ids = [int(one) for one in row.unit_path.strip("/").split("/")]
        for place, unit_id in enumerate(ids):
            sets[unit_id, ids[place - 1] if place else 0, place == len(ids) - 1, *what] |= people
    names = ("unit_id", "parent_id", "own", "sender_path", "kind", "class", "campaign_id", "status", "reason")
    return _rows_of_sets(names, sets)


def _rows_of_sets(names: Sequence[str], sets: Mapping[tuple[Any, ...], BitMap]) -> list[dict[str, Any]]:
    """A row for each set of people, of which the key begins with unit and parent: those of one parent together."""
    return [
        {**dict(zip(names, key, strict=True)), "people": sets[key].serialize()}
        for key in sorted(sets, key=lambda key: (key[1], key[0]))
    ]


def _roll_up_months(database: Database) -> None:
    """Put together the people of months that are over, once their days are exact; one month a call."""
    with database.transaction() as connection:
        due = select(CountedMonth.month).where(
            CountedMonth.rolled_at.is_(None),
            CountedMonth.month < func.date_trunc("month", func.sms_now() - timedelta(days=1)),
            ~_days_of(CountedMonth.month, CountedDay.day.not_in(exact_days())),
        )
        month = connection.scalars(due.order_by(CountedMonth.month).limit(1)).first()
    if month is not None:
        roll_up_month(database, month)


def roll_up_month(database: Database, month: date) -> None:
    """Put together the people of a month's days, in the place of what it had before."""
    sets: dict[tuple[Any, ...], BitMap] = defaultdict(BitMap)
    names = ("unit_id", "parent_id", "own", "kind", "class", "status", "reason")
    with database.one_snapshot() as connection:
        rows = connection.execute(
            select(*(DAILY_PEOPLE.c[name] for name in names), DAILY_PEOPLE.c.people)
            .where(DAILY_PEOPLE.c.day >= month, DAILY_PEOPLE.c.day < month + relativedelta(months=1))
            .execution_options(yield_per=5_000)
        )
        for row in rows:
            sets[tuple(row[:-1])] |= BitMap.deserialize(row.people)
        connection.execute(delete(MONTHLY_PEOPLE).where(MONTHLY_PEOPLE.c.month == month))
        if lines := [{"month": month, **line} for line in _rows_of_sets(names, sets)]:
            connection.execute(insert(MONTHLY_PEOPLE), lines)
        now = func.clock_timestamp()
        connection.execute(
            upsert(CountedMonth)
            .values(month=month, rolled_at=now)
            .on_conflict_do_update(index_elements=[CountedMonth.month], set_={"rolled_at": now})
        )
