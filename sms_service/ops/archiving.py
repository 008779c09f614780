"""Archives: the rows of one month of the ledger in compressed files, with a manifest by which they can be checked.

A month is archived once it is over, sealed and redacted, so an archive names people by id alone and the erasure of a
person has nothing to do there. `detaching.py` takes the month's rows out of the database, `reading_back.py` brings
them back.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import psycopg
from dateutil.relativedelta import relativedelta
from psycopg import sql
from sqlalchemy import Connection, false, func, or_, select, text

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import chain, trail
from sms_service.db.base import Base
from sms_service.db.engine import Database
from sms_service.directory.units import require_everywhere, split_path
from sms_service.errors import Conflict, NotFound
from sms_service.ledger.models import Run
from sms_service.reports.roll_up_models import DaySeal
from sms_service.said import say

FOLDER = "archives"  # in the data folder
MANIFEST = "manifest.json"
# Each table with the column that has its month, and what must be empty in it before.
TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "messages": ("month", ("phone", "text", "values")),
    "attempts": ("month", ("phone", "detail")),
    "attempt_parts": ("month", ()),
    "receipts": ("in_month", ("raw", "phone")),
    "replies": ("in_month", ("phone", "sender", "text", "raw")),
}


_COLUMNS = text(
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
    " ORDER BY attnum"
)
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ArchivedTable:
    """One table's rows of the month. `sha256` is over the lines, before they are compressed."""

    table: str
    file: str
    columns: list[str]
    rows: int
    sha256: str


def write_archive(database: Database, actor: Actor, month: date, data_dir: Path) -> Path:
    """Write the month's rows, as they are at one moment, and check what was written; returns the folder.

    Raises Forbidden without operate_service everywhere, or Conflict: there is one already, a day of the month is not
    sealed, or some of its rows still have a phone or a text.
    """
    folder = archive_folder(data_dir, month)
    with database.session() as session:
        path = require_everywhere(session, actor, Permission.operate_service)
        head = chain.find_chain_state(session).head
    if folder.exists():
        raise Conflict(say("the month {month} is archived already, in {folder}", month=folder.name, folder=str(folder)))
    with database.one_snapshot() as connection:
        require_archivable(connection, month)
        write_files(connection, month, folder, {"trail_head": None if head is None else str(head)})
    with database.session() as session:
        details = {"month": folder.name, "sha256": hash_manifest(folder).hex()}
        trail.record_act(session, actor.account_id, "archive.write", "unit", split_path(path)[-1], path, **details)
    return folder


def archive_folder(data_dir: Path, month: date) -> Path:
    """Where the month's files are, or would be."""
    return data_dir / FOLDER / f"{month:%Y-%m}"


def hash_manifest(folder: Path) -> bytes:
    """The SHA-256 of an archive's manifest."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).digest()


def write_files(
    connection: Connection, month: date, folder: Path, more: Mapping[str, Any], sources: Mapping[str, str] = _NONE
) -> None:
    """Write the files and the manifest, which also has `more`, and check them; the folder appears when all of it is on
    the disk. `sources`: where a table's rows of the month lie, if not in the table of that name. Raises Conflict.
    """
    being_written = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(being_written, ignore_errors=True)
    being_written.mkdir(mode=0o700, parents=True)
    seal = connection.execute(_last_seal(month)).one_or_none()
    manifest = {
        "month": folder.name,
        "revision": connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one(),
        "written_at": connection.execute(text("SELECT clock_timestamp()")).scalar_one().isoformat(),
        "last_seal": None if seal is None else {"day": seal.day.isoformat(), "digest": seal.digest.hex()},
        **more,
        "tables": [asdict(_write_table(connection, table, month, being_written, sources)) for table in TABLES],
    }
    (being_written / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if faults := check_archive(being_written):
        raise Conflict(say("what was written cannot be read back: {faults}", faults=faults))
    os.replace(being_written, folder)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What an archive says of itself. Raises NotFound."""
    try:
        return cast(dict[str, Any], json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFound("archive", folder.name) from None


def check_archive(folder: Path) -> list[str]:
    """What is wrong with the files of an archive, one line each: a file that is missing or cannot be read, or that has
    other lines than its manifest says. Nothing is wrong if there is none. Raises NotFound.
    """
    faults = []
    for table in list_archived_tables(folder):
        try:
            columns, rows, sha256 = _read_table(folder / table.file)
        except (OSError, EOFError, csv.Error, UnicodeDecodeError) as error:
            faults.append(f"{table.file}: {type(error).__name__}")
            continue
        if (columns, rows, sha256) != (table.columns, table.rows, table.sha256):
            faults.append(f"{table.file}: {rows:,} rows instead of {table.rows:,}, or other ones than were written")
    return faults


def list_archived_tables(folder: Path) -> list[ArchivedTable]:
    """What the manifest says of each table. Raises NotFound."""
    return [ArchivedTable(**one) for one in read_manifest(folder)["tables"]]


def require_archivable(connection: Connection, month: date) -> None:
    """Raises Conflict unless the month is over, sealed and redacted."""
    of_month = Run.month == month, Run.audience.is_not(None)
    unsealed = select(Run.day).where(*of_month, Run.day.not_in(select(DaySeal.day))).distinct().order_by(Run.day)
    over: bool = connection.scalar(select(func.sms_now() >= month + relativedelta(months=1)))  # type: ignore[assignment]
    day = connection.scalar(unsealed.limit(1))
    if day is not None or not over:
        raise Conflict(say("the day {day} is not sealed yet", day=day or month + relativedelta(months=1, days=-1)))
    for table, (key, personal) in TABLES.items():
        columns = Base.metadata.tables[table].c
        held = or_(false(), *(columns[column].is_not(None) for column in personal))
        if number := connection.scalar(select(func.count()).where(columns[key] == month, held)):
            reason = (
                "{count:,} rows of {table} still have a phone or a text; a month is archived once it is redacted"
                " (`REDACT_AFTER_DAYS`, `RAW_DAYS` and the units' own days)"
            )
            raise Conflict(say(reason, count=number, table=table))


def _last_seal(month: date) -> Any:
    of_month = DaySeal.day >= month, DaySeal.day < month + relativedelta(months=1)
    return select(DaySeal.day, DaySeal.digest).where(*of_month).order_by(DaySeal.day.desc()).limit(1)


def _write_table(
    connection: Connection, table: str, month: date, folder: Path, sources: Mapping[str, str]
) -> ArchivedTable:
    path = folder / f"{table}.csv.gz"
    with _compressed(path) as file:
        for block in copy_month_rows(connection, table, month, sources.get(table, table)):
            file.write(block)
    columns, rows, sha256 = _read_table(path)
    return ArchivedTable(table, path.name, columns, rows, sha256)


def copy_month_rows(
    connection: Connection, table: str, month: date, source: str, columns: Sequence[str] | None = None
) -> Iterator[bytes]:
    """The lines of the month's rows in `source`, which has what the table has or had; `columns`: by default those that
    the table has now, in its order. The first three columns are a key.
    """
    named = columns or connection.scalars(_COLUMNS, {"table": table}).all()
    statement = sql.SQL(
        "COPY (SELECT {} FROM {} WHERE {} = {} ORDER BY 1, 2, 3) TO STDOUT (FORMAT csv, HEADER)"
    ).format(
        sql.SQL(", ").join(map(sql.Identifier, named)),
        *map(sql.Identifier, (source, TABLES[table][0])),
        sql.Literal(month),
    )
    driver = cast(psycopg.Connection, connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        yield from map(bytes, copy)


@contextmanager
def _compressed(path: Path) -> Iterator[gzip.GzipFile]:
    """A file that is on the disk when this ends."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
            yield file
        raw.flush()
        os.fsync(raw.fileno())


class _Hashed(io.RawIOBase):
    """Bytes that are hashed as they are read."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(len(buffer))
        self.sha256.update(block)
        buffer[: len(block)] = block
        return len(block)


def _read_table(path: Path) -> tuple[list[str], int, str]:
    """The columns, how many rows there are, and the digest of the lines."""
    with gzip.open(path, "rb") as file:
        hashed = _Hashed(file)
        lines = csv.reader(io.TextIOWrapper(io.BufferedReader(hashed, 1 << 16), encoding="utf-8", newline=""))
        columns = next(lines)
        rows = sum(1 for _ in lines)
    return columns, rows, hashed.sha256.hexdigest()
