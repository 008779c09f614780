"""Sealed days: when a day is closed, its counts by unit are kept with a digest that holds the one of the day before.

What changes in a row of a sealed day leaves an amendment, which a trigger writes in the same statement. So a sealed
figure is the ledger's of now less the amendments since, and nobody can change either unseen.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, text, update

from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.ledger.amendment_models import Amendment, CountedDay
from sms_service.ledger.archive_models import ArchivedMonth
from sms_service.reports.roll_up_models import DAILY_COUNTS, DaySeal, SealedCount
from sms_service.said import Said, say

SEAL_COUNTS = Statement(__file__, "seal_counts")

SEAL_DAYS = 4  # a day is sealed when it has been over for so long: by then a text without a receipt has ended
NO_DIGEST = bytes(32)

log = logging.getLogger(__name__)


class SealedLine(NamedTuple):
    """What was counted of a unit with all below it."""

    unit_id: int
    kind: str
    status: str
    messages: int
    parts: int


class SealFault(NamedTuple):
    """What is wrong with the seal of a day."""

    day: date
    said: Said


def seal_days(database: Database, seal_days: int = SEAL_DAYS) -> int:
    """Take the next step of sealing: let one day that has been over for `seal_days` leave amendments, or seal one that
    does since all that was under way then has ended. Returns how many days were sealed. The clock calls it each tick.
    """
    with database.transaction() as connection:
        today: date = connection.scalar(select(func.sms_now())).date()  # type: ignore[union-attr]
        next_day = (
            select(CountedDay.day)
            .where(CountedDay.sealing.is_(False), CountedDay.rolled_at.is_not(None))
            .where(CountedDay.day < today - timedelta(days=seal_days))
            .order_by(CountedDay.day)
            .limit(1)
        )
        # A new barrier: `roll_up` sets it once this has committed.
        connection.execute(
            update(CountedDay)
            .where(CountedDay.day == next_day.scalar_subquery())
            .values(sealing=True, barrier=None)
            .execution_options(synchronize_session=False)
        )
        last_sealed = select(func.max(DaySeal.day)).scalar_subquery()
        ready = connection.scalar(
            select(CountedDay.day)
            # Days are sealed in their order, so those before the last seal need not be read.
            .where(CountedDay.sealing, CountedDay.day > func.coalesce(last_sealed, date.min))
            .where(CountedDay.barrier <= text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
            .order_by(CountedDay.day)
            .limit(1)
        )
    if ready is None:
        return 0
    with database.one_snapshot() as connection:
        digest = seal_day(connection, ready)
    log.info(
        "the day %s is sealed with digest %s; what changes in its rows from now on is an amendment", ready, digest.hex()
    )
    return 1


def seal_day(connection: Connection, day: date) -> bytes:
    """Keep what the day's rows come to, in one snapshot, with the digest; returns it."""
    lines = sorted(_count_day(connection, day))
    digest = digest_day(_last_digest(connection, day), day, lines)
    seen = connection.scalars(select(Amendment.id).where(Amendment.day == day)).all()
    connection.execute(insert(DaySeal).values(day=day, seen=list(seen), digest=digest))
    if lines:
        connection.execute(insert(SealedCount), [{"day": day, **line._asdict()} for line in lines])
    return digest


def digest_day(before: bytes, day: date, lines: Iterable[SealedLine]) -> bytes:
    """SHA-256 over the digest of the sealed day before (32 zero bytes for the first), the day and its lines, in the
    order of unit, kind and status: `2026-11-30\n`, then for each `5,campaign,delivered,120,131\n`, in UTF-8.
    """
    said = "".join(f"{','.join(map(str, line))}\n" for line in sorted(lines))
    return hashlib.sha256(before + f"{day.isoformat()}\n{said}".encode()).digest()


def verify_seals(connection: Connection, since: date | None = None) -> Iterator[SealFault]:
    """What is wrong with the seals, in the order of days: a digest that does not agree with its counts and with the day
    before, or counts that are not those of the ledger now less the amendments. Nothing is wrong if there is none. Of a
    day whose month is archived the roll-up stands for the ledger; it must be the one with which it was archived.
    """
    seals = connection.execute(select(DaySeal).order_by(DaySeal.day)).all()
    archived = dict(connection.execute(select(ArchivedMonth.month, ArchivedMonth.days)).all())
    before = NO_DIGEST
    for seal in seals:
        rows = connection.execute(select(SealedCount).where(SealedCount.day == seal.day))
        lines = _read_lines(rows)
        if digest_day(before, seal.day, lines) != seal.digest:
            said = say("the digest of {day} does not agree with its sealed counts and the day before", day=seal.day)
            yield SealFault(seal.day, said)
        before = seal.digest
        if since is not None and seal.day < since:
            continue
        digests = archived.get(seal.day.replace(day=1))
        if not digests:
            yield from _compare(connection, seal.day, seal.seen, lines, _count_day(connection, seal.day))
            continue
        # Its rows are in files: the roll-up stands for them, and the digest says that it is the one of then.
        if digest_rolled_day(connection, seal.day) != digests.get(seal.day.isoformat()):
            said = say("the roll-up of {day} is not the one with which the month was archived", day=seal.day)
            yield SealFault(seal.day, said)
        yield from _compare(connection, seal.day, seal.seen, lines, _read_rolled_day(connection, seal.day))


def verify_sealed_day(connection: Connection, day: date) -> Iterator[SealFault]:
    """What is wrong with the counts of one sealed day, which is not archived."""
    for seal in connection.execute(select(DaySeal).where(DaySeal.day == day)):
        lines = _read_lines(connection.execute(select(SealedCount).where(SealedCount.day == day)))
        yield from _compare(connection, day, seal.seen, lines, _count_day(connection, day))


def digest_rolled_day(connection: Connection, day: date) -> str:
    """The digest of what the roll-up of a day says, by unit, kind and status, in hexadecimal."""
    return digest_day(NO_DIGEST, day, _read_rolled_day(connection, day)).hex()


def _read_rolled_day(connection: Connection, day: date) -> list[SealedLine]:
    table = DAILY_COUNTS.c
    key = table.unit_id, table.kind, table.status
    sums = func.sum(table.messages).label("messages"), func.sum(table.parts).label("parts")
    return _read_lines(connection.execute(select(*key, *sums).where(table.day == day).group_by(*key)))


def _compare(
    connection: Connection, day: date, seen: Iterable[int], sealed: Iterable[SealedLine], now: Iterable[SealedLine]
) -> Iterator[SealFault]:
    left, parts = Counter[tuple[int, str, str]](), Counter[tuple[int, str]]()
    for line in now:
        left[line.unit_id, line.kind, line.status] += line.messages
        parts[line.unit_id, line.kind] += line.parts
    amendments = select(Amendment).where(Amendment.day == day, Amendment.id.not_in(list(seen)))
    for row in connection.execute(amendments):
        for unit_id in map(int, row.unit_path.strip("/").split("/")):
            if row.to_status is not None:
                left[unit_id, row.kind, row.to_status] -= 1
                left[unit_id, row.kind, row.from_status] += 1
            parts[unit_id, row.kind] -= row.parts
    for line in sealed:
        left[line.unit_id, line.kind, line.status] -= line.messages
        parts[line.unit_id, line.kind] -= line.parts
    for (unit_id, kind, status), more in sorted(left.items()):
        if more:
            yield SealFault(
                day,
                say(
                    "{day}: the ledger less its amendments has {more:+} messages of unit {unit}, {kind}, {status}",
                    day=day,
                    more=more,
                    unit=unit_id,
                    kind=kind,
                    status=status,
                ),
            )
    for (unit_id, kind), more in sorted(parts.items()):
        if more:
            message = "{day}: the ledger less its amendments has {more:+} parts of unit {unit}, {kind}"
            yield SealFault(day, say(message, day=day, more=more, unit=unit_id, kind=kind))


def _count_day(connection: Connection, day: date) -> list[SealedLine]:
    rows = SEAL_COUNTS(connection, month=day.replace(day=1), day=day)
    return _read_lines(rows)


def _read_lines(rows: Iterable[Any]) -> list[SealedLine]:
    return [SealedLine(row.unit_id, row.kind, row.status, row.messages, row.parts) for row in rows]


def _last_digest(connection: Connection, day: date) -> bytes:
    last = select(DaySeal.digest).where(DaySeal.day < day).order_by(DaySeal.day.desc()).limit(1)
    return connection.scalar(last) or NO_DIGEST
