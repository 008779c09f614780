"""Imports on their way from the file to the register: who may bring one, and which worker is at it.

    uploaded → checking → checked → applying → applied
                  ↓ ↑         ↑________|  (the register has changed: checked anew)
               failed, expired

A worker takes an import by one statement, for as long as its lease lasts, and each of its transactions begins with
`hold_import`, so that of two workers the one that was silent too long writes nothing more.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, DateTime, and_, cast, delete, func, insert, literal_column, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.directory.import_models import (
    Import,
    ImportAnswer,
    ImportFile,
    ImportOutcome,
    ImportProblem,
    ImportRow,
    ImportState,
    ImportVanished,
)
from sms_service.directory.importing import find_import_unit, home_unit, require_import, require_within_import
from sms_service.directory.meanings import list_column_meanings, remember_meanings, require_meanings
from sms_service.directory.short_files import MAX_BYTES
from sms_service.errors import Conflict, Invalid
from sms_service.said import as_said, say, to_json

KEPT_DAYS = 7  # for which the file and its rows are kept after the last act
_KEPT = timedelta(days=KEPT_DAYS)
LEASE_S = 60
MOST_TRIES = 3
_LONGEST_NAME = 255
_FORGOTTEN_AT_ONCE = 20_000  # rows that one tick of the clock deletes
_PLACE: ColumnElement[Any] = literal_column("ctid")
DRAFT_TABLES: tuple[Any, ...] = (ImportRow, ImportOutcome, ImportAnswer, ImportVanished, ImportFile)  # gone at the end


class LostImport(Exception):
    """Another worker has taken the import over, or a person wants it checked anew."""


@dataclass(frozen=True, slots=True)
class TakenImport:
    """An import that this worker is at."""

    id: int
    token: uuid.UUID
    state: ImportState


def upload_import(
    session: Session,
    actor: Actor,
    kind: str,
    data: bytes,
    file_name: str,
    *,
    unit_id: int | None = None,
    complete_for: int | None = None,
    choices: Mapping[str, Any] | None = None,
) -> Import:
    """Keep a file, to be checked by a worker; nothing of it is written to the register before `request_apply`.

    `unit_id`: only this unit's subtree is touched; by default the one that the actor may import into. `complete_for`:
    as of `completeness.declare_complete`. `choices` are those of `ReadChoices`.
    Raises Invalid (file, unit, complete_for), Forbidden, NotFound.
    """
    unit_id = find_import_unit(session, actor, kind, unit_id)
    if complete_for is not None:
        require_within_import(session, actor, kind, unit_id, complete_for)
    if len(data) > MAX_BYTES:
        raise Invalid("file", None, say("is larger than {most} MB; split it", most=MAX_BYTES // 2**20))
    if not data:
        raise Invalid("file", None, "is empty")
    uploaded = Import(
        unit_id=unit_id,
        account_id=actor.account_id,
        kind=kind,
        file_name=file_name[:_LONGEST_NAME].replace("\x00", ""),
        digest=hashlib.sha256(data).digest(),
        **dict.fromkeys(("rows", "created", "changed", "unchanged", "refused"), 0),
        state=ImportState.uploaded,
        size=len(data),
        complete_for=complete_for,
        choices={name: value for name, value in (choices or {}).items() if value is not None},
        expires_at=_after(session, _KEPT),
    )
    session.add(uploaded)
    session.flush()
    session.execute(insert(ImportFile).values(import_id=uploaded.id, content=data))
    session.refresh(uploaded)
    return uploaded


def change_reading(
    session: Session,
    actor: Actor,
    record: Import,
    *,
    choices: Mapping[str, Any] | None = None,
    meanings: Sequence[str] | None = None,
) -> None:
    """Read the file in another way: it is checked anew. `choices` replace those of before; `meanings`, one for each
    column, are remembered for the unit.

    Raises Conflict if it is being applied or over, Invalid, Forbidden.
    """
    require_import(session, actor, record)
    lock_draft(session, record, ImportState.uploaded, ImportState.checking, ImportState.checked, ImportState.failed)
    if choices is not None:
        record.choices = {name: value for name, value in choices.items() if value is not None}
        record.meanings = None if meanings is None else record.meanings
    if meanings is not None:
        _set_meanings(session, record, meanings)
    check_again(session, record)


def answer_rows(session: Session, actor: Actor, record: Import, answers: Mapping[int, int | None]) -> None:
    """Say whom rows mean that were asked about, by row: the id of one of its candidates, or (None) somebody new. The
    file is checked anew.

    Raises Conflict, Invalid (`answers`), Forbidden.
    """
    require_import(session, actor, record)
    lock_draft(session, record, ImportState.checked)
    found = {
        outcome.row: outcome
        for outcome in session.scalars(
            select(ImportOutcome).where(ImportOutcome.import_id == record.id, ImportOutcome.row.in_(answers))
        )
    }
    for row, person_id in answers.items():
        candidates = found[row].candidates if row in found else None
        if candidates is None:
            raise Invalid("answers", row, say("row {row} is not asked about", row=row))
        if person_id is not None and person_id not in candidates:
            raise Invalid("answers", person_id, say("row {row} may not mean this person", row=row))
        session.merge(ImportAnswer(import_id=record.id, row=row, person_id=person_id, account_id=actor.account_id))
    check_again(session, record)


def check_again(session: Session, record: Import, why: str | None = None) -> None:
    """Have it checked from the beginning; `why` is shown beside the result."""
    record.state = ImportState.uploaded
    record.notice = None if why is None else to_json(as_said(why))
    record.progress = 0
    record.let_go()
    record.expires_at = _after(session, _KEPT)
    session.flush()


def request_apply(session: Session, actor: Actor, record: Import, version: int | None = None) -> None:
    """Have a worker write what the check has shown. `version`: of the check that the actor has seen.

    Raises Conflict if it is not checked, was checked anew meanwhile, or has no row to take; Forbidden.
    """
    require_import(session, actor, record)
    lock_draft(session, record, ImportState.checked)
    if version is not None and version != record.version:
        raise Conflict("the file was checked anew meanwhile; look at what it would do now")
    if record.rows == record.refused:
        raise Conflict("no row of the file can be taken; mend it and upload it again")
    record.state, record.applied_by = ImportState.applying, actor.account_id
    record.let_go()
    record.expires_at = _after(session, _KEPT)
    session.flush()


def take_import(session: Session, import_id: int | None = None) -> TakenImport | None:
    """Take the oldest import that waits for a worker, or this one; None if there is none. One whose worker was silent
    for too long waits again; after three times it has failed.
    """
    waits = or_(
        Import.state == ImportState.uploaded,
        and_(
            Import.state.in_((ImportState.checking, ImportState.applying)),
            or_(Import.lease_until.is_(None), Import.lease_until < func.sms_now()),
        ),
    )
    mine = [] if import_id is None else [Import.id == import_id]
    found = session.scalars(
        select(Import)
        .where(waits, *mine)
        .order_by(Import.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        return None
    if found.tries >= MOST_TRIES:
        fail_import(session, found, say("was begun {times} times and never ended; split the file", times=MOST_TRIES))
        return take_import(session, import_id)
    if found.state == ImportState.uploaded:
        found.state = ImportState.checking
    found.token, found.tries = uuid.uuid4(), found.tries + 1
    found.lease_until = _after(session, timedelta(seconds=LEASE_S))
    session.flush()
    return TakenImport(found.id, found.token, ImportState(found.state))


def hold_import(session: Session, taken: TakenImport, progress: int | None = None) -> Import:
    """The import, locked to the end of the transaction, its lease made new. Raises LostImport."""
    found = session.scalars(
        select(Import).where(Import.id == taken.id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if found.token != taken.token:
        raise LostImport
    found.lease_until = _after(session, timedelta(seconds=LEASE_S))
    if progress is not None:
        found.progress = progress
    session.flush()
    return found


def fail_import(session: Session, record: Import, why: str) -> None:
    """It cannot be checked; a person may read it in another way."""
    record.state, record.notice = ImportState.failed, to_json(as_said(why))
    record.let_go()
    session.flush()


def forget_draft(session: Session, record: Import) -> None:
    """Delete what an earlier check of this import has left."""
    for table in (ImportRow, ImportOutcome, ImportVanished, ImportProblem):
        session.execute(delete(table).where(table.import_id == record.id))
    record.vanishing = None


def forget_drafts(session: Session) -> int:
    """Delete the files and rows of imports that nobody needs any more, some thousand rows at a time; returns how many
    imports are over.
    """
    found = session.scalars(
        select(Import).where(Import.expires_at < func.sms_now()).order_by(Import.id).limit(1).with_for_update()
    ).first()
    if found is None:
        return 0
    tables = list(DRAFT_TABLES)
    if found.state != ImportState.applied:
        tables.append(ImportProblem)
    for table in tables:
        some = (
            select(_PLACE)
            .select_from(table)
            .where(table.import_id == found.id)
            .limit(_FORGOTTEN_AT_ONCE)
            .correlate(None)
        )
        gone = session.execute(delete(table).where(_PLACE.in_(some)).execution_options(synchronize_session=False))
        if gone.rowcount == _FORGOTTEN_AT_ONCE:  # type: ignore[attr-defined]
            return 0
    end_draft(found)
    session.flush()
    return 1


def end_draft(record: Import) -> None:
    """Its file and rows are gone: one that was not applied is over."""
    if record.state != ImportState.applied:
        record.state = ImportState.expired
    record.expires_at = None


def lock_draft(session: Session, record: Import, *states: ImportState) -> None:
    """Read the import anew and lock it to the end of the transaction. Raises Conflict if it is in none of `states`."""
    session.refresh(record, with_for_update=True)
    if record.state not in states:
        said = "the import is {state}; this cannot be done now"
        raise Conflict(say(said, state=ImportState(record.state)))


def _set_meanings(session: Session, record: Import, meanings: Sequence[str]) -> None:
    layout = record.layout
    if layout is None or len(meanings) != len(layout["headers"]):
        raise Invalid("meanings", None, "must say what each column of the file means, in their order")
    for meaning in meanings:
        if meaning and meaning not in list_column_meanings(record.kind):
            raise Invalid("meanings", meaning, say("must be one of {words}", words=list_column_meanings(record.kind)))
    has_unit = home_unit(session, record) is not None
    require_meanings(record.kind, layout["header_row"], layout["headers"], meanings, has_unit=has_unit)
    record.meanings = list(meanings)
    remember_meanings(session, record.kind, record.unit_id, layout["headers"], meanings)


def _after(session: Session, wait: timedelta) -> datetime:
    return session.scalars(select(cast(func.sms_now(), DateTime(timezone=True)) + wait)).one()
