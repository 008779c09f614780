"""An archived month comes back into the database: its tables are attached again, or its rows written from the files."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import cast

import psycopg
from psycopg import sql
from sqlalchemy import Connection, delete
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.db.base import Base
from sms_service.db.engine import Database
from sms_service.db.partitions import SchemaOwner
from sms_service.directory.units import require_everywhere
from sms_service.errors import Conflict
from sms_service.ledger.archive_models import ArchivedMonth, ArchiveState
from sms_service.ops.archiving import ArchivedTable, list_archived_tables
from sms_service.ops.detaching import (
    attach_tables,
    change_state,
    describe_archived,
    drop_tables,
    get_archived_month,
    hash_rows,
    require_files,
)
from sms_service.said import say

_BLOCK = 1 << 16


def read_month_back(database: Database, owner: SchemaOwner, actor: Actor, month: date) -> ArchivedMonth:
    """Bring the month back as it was: readers say that it is archived until all of its rows are there. Returns what it
    was; the files stay.

    Raises Forbidden without operate_service everywhere, NotFound, or Conflict: the files are not what was written, or
    the schema has not their columns.
    """
    with database.session() as session:
        require_everywhere(session, actor, Permission.operate_service)
    with owner.alone():
        found = get_archived_month(owner, month)
        if found.state in (ArchiveState.detaching, ArchiveState.detached):
            attach_tables(owner, found)
            with owner.session() as session:
                _forget(session, actor, found)
            return found
        require_files(found)
        if found.state == ArchiveState.dropping:
            drop_tables(owner, found)
        change_state(owner, month, ArchiveState.reading_back)
        attach_tables(owner, found)
        with owner.session() as session:
            for one in list_archived_tables(Path(str(found.folder))):
                if one.table in found.partitions:
                    _write_rows(session.connection(), found, one)
            _forget(session, actor, found)
    return found


def _write_rows(connection: Connection, found: ArchivedMonth, one: ArchivedTable) -> None:
    unknown = set(one.columns) - {column.name for column in Base.metadata.tables[one.table].columns}
    if unknown:
        message = "{file} has columns that the schema has no more: {columns}"
        raise Conflict(say(message, file=one.file, columns=sorted(unknown)))
    partition = found.partitions[one.table]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER)").format(
        sql.Identifier(partition), sql.SQL(", ").join(map(sql.Identifier, one.columns))
    )
    driver = cast(psycopg.Connection, connection.connection.driver_connection)
    with (
        gzip.open(Path(str(found.folder)) / one.file, "rb") as file,
        driver.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        while block := file.read(_BLOCK):
            copy.write(block)
    if hash_rows(connection, one.table, found.month, partition, one.columns) != one.sha256:
        raise Conflict(
            say("the rows of {table} in the database are not those of {file}", table=one.table, file=one.file)
        )


def _forget(session: Session, actor: Actor, found: ArchivedMonth) -> None:
    session.execute(delete(ArchivedMonth).where(ArchivedMonth.month == found.month))
    target, details = describe_archived(session, actor, found)
    trail.record_act(session, actor.account_id, "archive.read_back", "unit", *target, **details)
