"""Ledger exports: who asked for which rows as a file, how far it is, and what ends it.

A worker writes the file (`export_work.py`), the clock deletes it. An export under a lease is its worker's alone: the
file's name has the token of the lease, so that no two workers ever write one file.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, and_, cast, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.models import LANGUAGES, Account
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.db.engine import Database
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.reports.export_models import EXPORTS_UNDER_WAY, Export, ExportState
from sms_service.reports.export_rows import (
    DEFAULT_COLUMNS,
    PERSONAL_COLUMNS,
    check_columns,
    dump_filter,
    load_filter,
)
from sms_service.reports.filters import Filter, last_id
from sms_service.said import as_said, say, to_json

EXPORT_FORMATS = ("xlsx", "csv")
EXPORT_DAYS = 7  # that a file is kept
RECORD_DAYS = 90  # that one without a file is listed
MOST_EXPORTS = 3  # of an account that wait or are written at once
MOST_TRIES = 3
LEASE_S = 120


class LostExport(Exception):
    """The export is another worker's by now, waits again, or is deleted: what was written of it is of no use."""


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """How a file shall be. `whole_phones`: with whole numbers where the account may see them, and then `why`."""

    columns: tuple[str, ...] = DEFAULT_COLUMNS
    format: str = "xlsx"
    bom: bool = True
    language: str = LANGUAGES[0]
    whole_phones: bool = False
    why: str | None = None


def request_export(
    session: Session, actor: Actor, rows: Filter, asked: Mapping[str, str], choice: ExportChoice
) -> Export:
    """Have a worker write these rows into a file. `asked`: the filter as an address has it.

    Raises Invalid, Forbidden, or Conflict if three exports of the account are under way.
    """
    if actor.account_id is None:
        raise Forbidden("the service itself has no exports; its shell writes files")
    check_choice(actor, rows, choice)
    session.execute(select(Account.id).where(Account.id == actor.account_id).with_for_update(key_share=True))
    under_way = select(func.count()).where(Export.account_id == actor.account_id, Export.state.in_(EXPORTS_UNDER_WAY))
    if session.scalars(under_way).one() >= MOST_EXPORTS:
        message = "{most} exports of yours are being written; wait for one of them, or delete one"
        raise Conflict(say(message, most=MOST_EXPORTS))
    export = Export(
        account_id=actor.account_id,
        unit_path=outermost_path(rows),
        asked=dict(asked),
        filter=dump_filter(rows),
        columns=list(choice.columns),
        format=choice.format,
        bom=choice.bom and choice.format == "csv",
        language=choice.language,
        whole_phones=choice.whole_phones,
    )
    session.add(export)
    session.flush()
    session.refresh(export)
    note_export(session, actor, export.id, rows, asked, choice)
    return export


def check_choice(actor: Actor, rows: Filter, choice: ExportChoice) -> None:
    """Raises Invalid for what cannot be used, Forbidden for whole numbers that the actor may not see."""
    check_columns(choice.columns)
    if choice.format not in EXPORT_FORMATS:
        raise Invalid("format", choice.format, say("must be one of {formats}", formats=EXPORT_FORMATS))
    if choice.language not in LANGUAGES:
        raise Invalid("language", choice.language, say("must be one of {languages}", languages=LANGUAGES))
    for path in rows.paths:
        actor.require(Permission.read, path)
    if choice.whole_phones:
        required_line("why", choice.why or "", LONGEST_WHY)
        if "phone" not in choice.columns:
            raise Invalid("columns", None, say("must have the phones, if they are to be whole"))
        for path in rows.paths:
            actor.require(Permission.see_phones, path)


def note_export(
    session: Session, actor: Actor, export_id: int | str, rows: Filter, asked: Mapping[str, str], choice: ExportChoice
) -> None:
    """Write to the trail what is exported, and of whole numbers what for."""
    path = outermost_path(rows)
    details = {"filter": dict(asked), "columns": list(choice.columns), "format": choice.format}
    trail.record_act(session, actor.account_id, "export.create", "export", export_id, path, **details)
    if choice.whole_phones:
        why = required_line("why", choice.why or "", LONGEST_WHY)
        trail.record_act(session, actor.account_id, "people.see_phones", "export", export_id, path, why=why)


def outermost_path(rows: Filter) -> str:
    """The path of the innermost unit under which all lie that the filter covers."""
    split = [path.strip("/").split("/") for path in rows.paths]
    shared = []
    for level in zip(*split, strict=False):
        if len(set(level)) > 1 or not level[0]:
            break
        shared.append(level[0])
    return "".join(f"/{part}" for part in shared) + "/"


def find_exports(actor: Actor) -> Select[Export]:
    """The actor's own exports, to be ordered and paged by the caller."""
    return select(Export).where(Export.account_id == actor.account_id)


def get_export(session: Session, actor: Actor, export_id: int) -> Export:
    """One of the actor's own. Raises NotFound for any other."""
    export = session.scalars(find_exports(actor).where(Export.id == export_id)).one_or_none()
    if export is None:
        raise NotFound("export of yours", export_id)
    return export


def open_export(session: Session, actor: Actor, export_id: int, first_byte: int = 0) -> Export:
    """One whose file the actor may download now; that goes into the trail, with where a download goes on.

    Raises NotFound, Conflict if there is no file, or Forbidden if the actor's rights have changed since.
    """
    export = get_export(session, actor, export_id)
    if export.state != ExportState.ready:
        raise Conflict(say("export {id} is {state}: it has no file", id=export_id, state=ExportState(export.state)))
    require_rights(session, actor, export)
    trail.record_act(
        session, actor.account_id, "export.download", "export", export_id, export.unit_path, from_byte=first_byte
    )
    return export


def require_rights(session: Session, actor: Actor, export: Export) -> None:
    """Raises Forbidden if the actor may not export this any more, at the present places of its units."""
    for path in load_filter(export.filter).paths:
        here = path if path == "/" else unit_path(session, int(last_id(path)))
        actor.require(Permission.read, here)
        if export.whole_phones:
            actor.require(Permission.see_phones, here)


def delete_export(session: Session, actor: Actor, export_id: int) -> None:
    """Delete one of the actor's own, also while it is written; the clock deletes its file. Raises NotFound."""
    export = get_export(session, actor, export_id)
    session.delete(export)
    trail.record_act(session, actor.account_id, "export.delete", "export", export_id, export.unit_path)


def drop_personal_exports(session: Session) -> int:
    """Somebody is erased: every file that may name them is over, and what is being written begins anew."""
    personal = Export.columns.op("&&")(cast(list(PERSONAL_COLUMNS), ARRAY(Text)))
    said = as_said("somebody was erased from the register; export the rows again")
    over = {"state": ExportState.expired, "reason": str(said), "reason_message": to_json(said)}
    ended = session.execute(_change(Export.state == ExportState.ready, personal).values(over))
    anew = {"state": ExportState.queued, "lease_until": None, "token": None, "tries": 0}
    session.execute(_change(Export.state == ExportState.running, personal).values(anew))
    return int(ended.rowcount)  # type: ignore[attr-defined]


def take_export(connection: Connection) -> Mapping[str, Any] | None:
    """Take the oldest export that waits for a worker, one whose worker was silent for too long included; None if none
    waits. What was begun three times and never ended has failed.
    """
    over = and_(Export.state == ExportState.running, Export.lease_until < func.sms_now())
    waits = or_(Export.state == ExportState.queued, over)
    failed = say("was begun {times} times and never ended; narrow the filter", times=MOST_TRIES)
    connection.execute(_change(waits, Export.tries >= MOST_TRIES).values(_failed(failed)))
    oldest = select(Export.id).where(waits).order_by(Export.id).limit(1).with_for_update(skip_locked=True)
    taken = {
        "state": ExportState.running,
        "token": str(uuid.uuid4()),
        "lease_until": _later(LEASE_S),
        "tries": Export.tries + 1,
        "rows_done": 0,
        "rows_total": None,
    }
    found = connection.execute(_change(Export.id == oldest.scalar_subquery()).values(taken).returning(Export))
    row = found.mappings().one_or_none()
    return None if row is None else {str(name): value for name, value in row.items()}


def hold_export(connection: Connection, export_id: int, token: str, **values: Any) -> None:
    """Say how far it is, and keep the lease. Raises LostExport."""
    held = _change(Export.id == export_id, Export.token == token, Export.state == ExportState.running)
    if not connection.execute(held.values(lease_until=_later(LEASE_S), **values)).rowcount:
        raise LostExport


def finish_export(connection: Connection, export_id: int, token: str, days: int, **values: Any) -> None:
    """It is ready, and is kept for so many days. Raises LostExport."""
    done = {"state": ExportState.ready, "finished_at": func.sms_now(), "expires_at": _later(days * 86_400)}
    hold_export(connection, export_id, token)
    connection.execute(_change(Export.id == export_id).values(**done, lease_until=None, **values))


def fail_export(connection: Connection, export_id: int, token: str, why: str) -> None:
    """It cannot be made, and why. Raises LostExport."""
    hold_export(connection, export_id, token)
    connection.execute(_change(Export.id == export_id).values(_failed(why)))


def put_export_back(connection: Connection, export_id: int, token: str) -> None:
    """The worker stops: another one begins anew. Raises LostExport."""
    hold_export(connection, export_id, token)
    back = {"state": ExportState.queued, "lease_until": None, "token": None, "tries": Export.tries - 1}
    connection.execute(_change(Export.id == export_id).values(back))


def end_exports(database: Database, folder: Path) -> int:
    """Delete the files whose time is over, and those of no export; returns how many. The clock calls it."""
    kept_files = (
        sorted(folder.glob("*-*.*")) if folder.is_dir() else []
    )  # before the rows: what comes later is not looked at
    with database.transaction() as connection:
        connection.execute(
            _change(Export.state == ExportState.ready, Export.expires_at < func.sms_now()).values(
                state=ExportState.expired
            )
        )
        connection.execute(
            delete(Export)
            .where(Export.state.in_((ExportState.failed, ExportState.expired)))
            .where(func.coalesce(Export.finished_at, Export.created_at) < _later(-RECORD_DAYS * 86_400))
        )
        if not kept_files:
            return 0
        alive = select(Export).where(Export.state.in_((ExportState.running, ExportState.ready)))
        names = {f"{row.id}-{row.token}.{row.format}" for row in connection.execute(alive)}
    over = [path for path in kept_files if path.name not in names]
    for path in over:
        path.unlink(missing_ok=True)
    return len(over)


def _failed(why: str) -> dict[str, Any]:
    said = as_said(why)
    return {
        "state": ExportState.failed,
        "reason": str(said),
        "reason_message": to_json(said),
        "lease_until": None,
        "finished_at": func.sms_now(),
    }


def _change(*where: Any) -> Any:
    return update(Export).where(*where).execution_options(synchronize_session=False)


def _later(seconds: float) -> Any:
    return func.sms_now() + timedelta(seconds=seconds)
