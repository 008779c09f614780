"""The work behind exports: one file at a time, in a worker's thread, all of its rows as they were at one moment."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_actor
from sms_service.audit.chain import find_chain_state
from sms_service.db.engine import Database
from sms_service.db.looking import LookingThread
from sms_service.directory.models import CITY_ZONE, Unit
from sms_service.errors import ServiceError
from sms_service.reports import exports
from sms_service.reports.export_files import DigestingFile, begin_rows_file
from sms_service.reports.export_models import Export
from sms_service.reports.export_rows import COLUMNS, FileWording, RowsSpec, count_export_rows, load_filter, stream_rows
from sms_service.reports.exports import LostExport
from sms_service.reports.filters import Filter, last_id
from sms_service.said import say

LOOK_EVERY_S = 2.0
HOLD_EVERY_S = 1.0
log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The worker was asked to end."""


@dataclass(frozen=True, slots=True)
class ExportDesk:
    """What exports are written with. `folder`: where the files are; `days`: that they are kept; `prices`: fen for a
    part, by gateway account; `wording`: the words of a language.
    """

    folder: Path
    days: int
    prices: Mapping[str, float]
    wording: Callable[[str], FileWording]


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What is in a file: so many rows, as of this moment, with the head of the trail's chain then. `digest`: SHA-256
    over its `size` bytes.
    """

    rows: int
    as_of: datetime
    head: str | None
    digest: bytes
    size: int


def work_on_export(database: Database, desk: ExportDesk, stopping: Callable[[], bool] = lambda: False) -> int | None:
    """Write the export that has waited longest; returns its id, None if none waits. A file is there as a whole, or it
    is not.
    """
    with database.transaction() as connection:
        taken = exports.take_export(connection)
    if taken is None:
        return None
    export = Export(**taken)
    path = desk.folder / export.file_name
    try:
        _write(database, desk, export, path, stopping)
    except LostExport:
        log.warning("export %s is not this worker's any more", export.id)
        path.unlink(missing_ok=True)
    return export.id


def _write(database: Database, desk: ExportDesk, export: Export, path: Path, stopping: Callable[[], bool]) -> None:
    key = (export.id, str(export.token))
    held_at = time.monotonic()

    def hold(done: int, total: int) -> None:
        nonlocal held_at
        if time.monotonic() - held_at < HOLD_EVERY_S:
            return
        if stopping():
            raise Interrupted
        with database.transaction() as connection:
            exports.hold_export(connection, *key, rows_done=done, rows_total=total)
        held_at = time.monotonic()

    try:
        desk.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with database.one_snapshot() as snapshot, open_private(path) as file:
            session = Session(snapshot)
            actor = load_actor(session, export.account_id)
            exports.require_rights(session, actor, export)
            rows = load_filter(export.filter)
            spec = RowsSpec(rows, export.columns, export.whole_phones, desk.prices, zone_of(session, rows))
            written = write_ledger(snapshot, file, spec, actor, desk.wording(export.language), export, hold)
            file.flush()
            os.fsync(file.fileno())
        with database.transaction() as connection:
            exports.finish_export(
                connection,
                *key,
                desk.days,
                digest=written.digest,
                size=written.size,
                rows_done=written.rows,
                rows_total=written.rows,
                as_of=written.as_of,
                head=written.head,
            )
        log.info("export %s is written: %s rows", export.id, written.rows)
    except Interrupted:
        path.unlink(missing_ok=True)
        with database.transaction() as connection:
            exports.put_export_back(connection, *key)
    except (ServiceError, OSError) as error:
        path.unlink(missing_ok=True)
        why = error.said if isinstance(error, ServiceError) else say("the file: {fault}", fault=error.strerror or error)
        log.error("export %s failed: %s", export.id, why)
        with database.transaction() as connection:
            exports.fail_export(connection, *key, why)
    except DBAPIError:
        path.unlink(missing_ok=True)
        raise  # its lease ends, and it begins anew


def write_ledger(
    snapshot: Connection,
    file: IO[bytes],
    spec: RowsSpec,
    actor: Actor,
    wording: FileWording,
    how: Any,
    hold: Callable[[int, int], None] = lambda done, total: None,
) -> WrittenFile:
    """Write the rows as the snapshot has them. `how`: has `format`, `bom` and `asked`, such as an Export; `hold` is
    told how many are written of how many, and may raise.
    """
    session = Session(snapshot)
    as_of = session.scalars(select(func.sms_now())).one()
    head = find_chain_state(session).head
    total = count_export_rows(snapshot, spec.rows)
    hold(0, total)
    say_it = wording.translate
    title = say_it(say("Ledger"))
    headers = [say_it(COLUMNS[name].label) for name in spec.columns]
    digesting = DigestingFile(file)
    written = begin_rows_file(cast(IO[bytes], digesting), how.format, title, headers, bom=how.bom)
    number = 0
    for number, row in enumerate(stream_rows(snapshot, spec, actor, wording), 1):
        written.write(row)
        if number % 1_000 == 0:
            hold(number, total)
    notes = [
        (say("Units covered"), ", ".join(_unit_names(session, spec.rows))),
        (say("Filter"), ", ".join(f"{name}={value}" for name, value in how.asked.items()) or say_it(say("none"))),
        (say("Rows"), str(number)),
        (say("As of"), as_of.astimezone(spec.zone).isoformat(" ", "seconds")),
        (say("Head of the trail"), str(head or "–")),
        (say("Phone numbers"), say_it(say("whole") if spec.whole_phones else say("masked"))),
    ]
    written.close([(say_it(name), value) for name, value in notes])
    return WrittenFile(number, as_of, None if head is None else str(head), digesting.digest, digesting.size)


def open_private(path: Path) -> IO[bytes]:
    """A new file that nobody else can read. Raises FileExistsError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def zone_of(session: Session, rows: Filter) -> ZoneInfo:
    """The time zone of the one unit that the filter covers, else the city's."""
    ids = [last_id(path) for path in rows.paths]
    zone = session.scalar(select(Unit.timezone).where(Unit.id == int(ids[0]))) if len(ids) == 1 and ids[0] else None
    return ZoneInfo(zone or CITY_ZONE)


def _unit_names(session: Session, rows: Filter) -> Sequence[str]:
    ids = [int(last_id(path)) for path in rows.paths if path != "/"]
    named = Unit.id.in_(ids) if ids else Unit.parent_id.is_(None)
    return session.scalars(select(Unit.name).where(named).order_by(Unit.path)).all()


class ExportingThread(LookingThread):
    """A worker's thread for exports, so that handing over does not wait for them. One under way when it is closed is
    put back.
    """

    def __init__(self, database: Database, desk: ExportDesk) -> None:
        super().__init__("export", self._work, LOOK_EVERY_S, "the export begins anew")
        self._database, self._desk = database, desk

    def _work(self) -> None:
        while not self.ended and work_on_export(self._database, self._desk, lambda: self.ended) is not None:
            pass
