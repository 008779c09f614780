"""Months leave the database: their partitions are detached while people work, written into files, compared with these,
and dropped by a second act.

Each step is committed before the next one begins (`ArchivedMonth.state`), so a command that was cut off anywhere is run
again and goes on. The order holds every count exact:

1. The month is marked. From now on every reader says that it is archived (`ledger/archived.py`), and no roll-up of it
   is made again. All transactions that may not have seen the mark end.
2. In one snapshot: nothing moves any more, and roll-ups and seals say what the rows say.
3. Attempts are detached first: receipts find texts by them, so nothing changes a text after that. Then the others.
4. What changed between 2 and 3 has left a note. Then all of it comes back, and somebody tries again later.
5. The files are written from the detached tables, which nobody can change, or compared with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import Connection, delete, func, insert, literal, select, text, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import chain, trail
from sms_service.db import partitions
from sms_service.db.engine import Database
from sms_service.db.partitions import SchemaOwner
from sms_service.directory.units import require_everywhere, split_path
from sms_service.errors import Conflict, NotFound
from sms_service.ledger.archive_models import ArchivedMonth, ArchivedRun, ArchiveState
from sms_service.ledger.models import Run
from sms_service.ops.archiving import (
    archive_folder,
    check_archive,
    copy_month_rows,
    hash_manifest,
    list_archived_tables,
    write_files,
)
from sms_service.ops.detachable import has_new_changes, require_detachable
from sms_service.said import say

# In this order they leave; receipts and replies stay, as they lie by the month in which they came.
DETACHED = ("attempts", "attempt_parts", "messages")


def detach_month(database: Database, owner: SchemaOwner, actor: Actor, month: date, data_dir: Path) -> ArchivedMonth:
    """Detach the month's messages, attempts and parts into tables of their own, and write them into files, or compare
    them with those that `archive write` wrote. Nobody waits for it; it waits for transactions that began before.

    Raises Forbidden without operate_service everywhere, or Conflict, which says what stands against it.
    """
    with database.session() as session:
        require_everywhere(session, actor, Permission.operate_service)
    with owner.alone():
        found = find_archived_month(owner, month)
        if found is None:
            with database.one_snapshot() as connection:
                require_detachable(connection, month)
            found = _mark(owner, month)
        if found.state == ArchiveState.detaching:
            _detach(database, owner, actor, found, archive_folder(data_dir, month))
        elif found.state != ArchiveState.detached:
            raise Conflict(say_state(found))
        return get_archived_month(owner, month)


def drop_month(database: Database, owner: SchemaOwner, actor: Actor, month: date) -> ArchivedMonth:
    """Drop the tables of a detached month, once its files and these have been compared once more.

    Raises Forbidden as `detach_month`, NotFound, or Conflict: the month is not detached, or the files are not what was
    written.
    """
    with database.session() as session:
        require_everywhere(session, actor, Permission.operate_service)
    with owner.alone():
        found = get_archived_month(owner, month)
        if found.state not in (ArchiveState.detached, ArchiveState.dropping):
            raise Conflict(say_state(found))
        require_files(found)
        if found.state == ArchiveState.detached:
            with owner.one_snapshot() as connection:
                _require_same(connection, found)
            change_state(owner, month, ArchiveState.dropping)
        drop_tables(owner, found)
        with owner.session() as session:
            _set_state(session, month, ArchiveState.dropped)
            target, details = describe_archived(session, actor, found)
            trail.record_act(session, actor.account_id, "archive.drop", "unit", *target, **details)
        return get_archived_month(owner, month)


def list_old_months(database: Database, months: int) -> list[date]:
    """The months with runs that are older than so many months, or were begun with, and are not out yet; the oldest
    first.
    """
    with database.session() as session:
        today: date = session.scalars(select(func.sms_now())).one().date()
        border = today.replace(day=1) - relativedelta(months=months)
        done = select(ArchivedMonth.month).where(ArchivedMonth.state != ArchiveState.detaching)
        found = select(Run.month).where(Run.month < border, Run.audience.is_not(None), Run.month.not_in(done))
        return list(session.scalars(found.distinct().order_by(Run.month)))


def find_archived_month(owner: SchemaOwner, month: date) -> ArchivedMonth | None:
    """How far the month is; None: it is in the database as ever."""
    with owner.session() as session:
        return session.get(ArchivedMonth, month)


def get_archived_month(owner: SchemaOwner, month: date) -> ArchivedMonth:
    """The same. Raises NotFound."""
    found = find_archived_month(owner, month)
    if found is None:
        raise NotFound("archived month", f"{month:%Y-%m}")
    return found


def say_state(found: ArchivedMonth) -> str:
    """In which state it is, for a Conflict."""
    return say("the month {month} is {state}", month=f"{found.month:%Y-%m}", state=ArchiveState(found.state))


def change_state(owner: SchemaOwner, month: date, state: ArchiveState) -> None:
    """Commit the next state."""
    with owner.session() as session:
        _set_state(session, month, state)


def require_files(found: ArchivedMonth) -> None:
    """Raises Conflict unless the month's files are what was written."""
    assert found.folder is not None, "what was detached was written"
    folder = Path(found.folder)
    faults = check_archive(folder)
    if not faults and hash_manifest(folder) != found.digest:
        faults = ["manifest.json"]
    if faults:
        raise Conflict(say("the files in {folder} are not what was written: {faults}", folder=folder, faults=faults))


def hash_rows(connection: Connection, table: str, month: date, source: str, columns: list[str]) -> str:
    """The SHA-256 of the lines, as a manifest has it."""
    sha256 = hashlib.sha256()
    for block in copy_month_rows(connection, table, month, source, columns):
        sha256.update(block)
    return sha256.hexdigest()


def attach_tables(owner: SchemaOwner, found: ArchivedMonth) -> None:
    """Attach the month's partitions; those that are not there are made, empty."""
    for table in reversed(DETACHED):
        if (partition := found.partitions.get(table)) is not None:
            owner.repeat(_attaching(table, partition, found.month.isoformat()))


def drop_tables(owner: SchemaOwner, found: ArchivedMonth) -> None:
    """Drop the month's detached tables, as far as they are there."""
    for partition in found.partitions.values():
        owner.repeat(_dropping(partition))


def describe_archived(session: Session, actor: Actor, found: ArchivedMonth) -> tuple[tuple[int, str], dict[str, Any]]:
    """For the trail: what was acted on, (unit's id, path), and the details."""
    path = require_everywhere(session, actor, Permission.operate_service)
    sha256 = found.digest.hex() if found.digest else None
    return (split_path(path)[-1], path), {"month": f"{found.month:%Y-%m}", "rows": found.rows, "sha256": sha256}


def _mark(owner: SchemaOwner, month: date) -> ArchivedMonth:
    with owner.session() as session:
        names = {table: partitions.find_partition(session.connection(), table, str(month)) for table in DETACHED}
        if names["attempts"] is None or names["messages"] is None:
            raise Conflict(say("the month {month} has no partition of its own", month=f"{month:%Y-%m}"))
        # Of an old installation, parts of several months lie in one partition; they stay where they are.
        own = {table: name for table, name in names.items() if name is not None}
        found = ArchivedMonth(month=month, state=ArchiveState.detaching, partitions=own)
        session.add(found)
    return found


def _detach(database: Database, owner: SchemaOwner, actor: Actor, found: ArchivedMonth, folder: Path) -> None:
    month = found.month
    if not found.days:
        owner.wait_for_transactions()
        try:
            with database.one_snapshot() as connection:
                days = require_detachable(connection, month)
        except Conflict:
            bring_back(owner, found)
            raise
        with owner.session() as session:
            session.execute(update(ArchivedMonth).where(ArchivedMonth.month == month).values(days=days))
    for table in DETACHED:
        if (partition := found.partitions.get(table)) is not None:
            owner.repeat(_detaching(table, partition))
    with owner.one_snapshot() as connection:
        changed = has_new_changes(connection, month)
    if changed:
        bring_back(owner, found)
        message = "rows of {month} changed just now; it is in the database as before: try again once they are added up"
        raise Conflict(say(message, month=f"{month:%Y-%m}"))
    _write_or_compare(owner, get_archived_month(owner, month), folder)
    rows = sum(one.rows for one in list_archived_tables(folder) if one.table in DETACHED)
    with owner.session() as session:
        _keep_runs(session, found)
        _set_state(session, month, ArchiveState.detached, folder=str(folder), digest=hash_manifest(folder), rows=rows)
        target, details = describe_archived(session, actor, session.get_one(ArchivedMonth, month))
        trail.record_act(session, actor.account_id, "archive.detach", "unit", *target, **details)


def bring_back(owner: SchemaOwner, found: ArchivedMonth) -> None:
    """The tables that were detached become partitions again, and the month is as before."""
    attach_tables(owner, found)
    with owner.session() as session:
        session.execute(delete(ArchivedMonth).where(ArchivedMonth.month == found.month))


def _write_or_compare(owner: SchemaOwner, found: ArchivedMonth, folder: Path) -> None:
    with owner.one_snapshot() as connection:
        if not folder.exists():
            head = chain.find_chain_state(Session(connection)).head
            more = {"trail_head": None if head is None else str(head), "days": found.days}
            write_files(connection, found.month, folder, more, found.partitions)
            return
        if faults := check_archive(folder):
            raise Conflict(
                say("the files in {folder} are not what was written: {faults}", folder=folder, faults=faults)
            )
        found.folder = str(folder)
        _require_same(connection, found)


def _require_same(connection: Connection, found: ArchivedMonth) -> None:
    """Raises Conflict unless the detached tables have the rows that the files have."""
    assert found.folder is not None, "the caller knows it"
    for one in list_archived_tables(Path(found.folder)):
        partition = found.partitions.get(one.table)
        if partition is not None and one.sha256 != hash_rows(
            connection, one.table, found.month, partition, one.columns
        ):
            message = "{file} in {folder} has other rows than {table}: move the folder away, and run the command again"
            raise Conflict(say(message, file=one.file, folder=found.folder, table=partition))


def _keep_runs(session: Session, found: ArchivedMonth) -> None:
    messages = text(found.partitions["messages"])
    counted = (
        select(text("run_id"), text("status"), literal(found.month), func.count())
        .select_from(messages)
        .group_by(text("run_id"), text("status"))
    )
    session.execute(insert(ArchivedRun).from_select(["run_id", "status", "month", "messages"], counted))


def _set_state(session: Session, month: date, state: ArchiveState, **more: object) -> None:
    session.execute(update(ArchivedMonth).where(ArchivedMonth.month == month).values(state=state, **more))


def _detaching(table: str, partition: str) -> Callable[[Connection], str | None]:
    return lambda connection: partitions.next_to_detach(connection, table, partition)


def _attaching(table: str, partition: str, month: str) -> Callable[[Connection], str | None]:
    return lambda connection: partitions.next_to_attach(connection, table, partition, month)


def _dropping(partition: str) -> Callable[[Connection], str | None]:
    return lambda connection: f"DROP TABLE {partition}" if partitions.has_table(connection, partition) else None
