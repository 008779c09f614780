"""The work behind imports: checks what was uploaded and applies what was asked for, one import at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audience import intake
from sms_service.db.engine import Database
from sms_service.db.looking import LookingThread
from sms_service.directory import drafts
from sms_service.directory.applying import RegisterChanged
from sms_service.directory.checking import Begin, check_import
from sms_service.directory.drafts import LostImport, TakenImport
from sms_service.directory.import_models import Import, ImportState, RowOutcome
from sms_service.errors import ServiceError
from sms_service.said import Said, say

LOOK_EVERY_S = 2.0
log = logging.getLogger(__name__)


def work_on_import(begin: Begin, import_id: int | None = None, *, demonstration: bool = False) -> int | None:
    """Check or apply the oldest import that waits, or this one; returns its id, None if none waits.

    `demonstration` marks the units of a new tree as made up.
    """
    with begin() as session:
        taken = drafts.take_import(session, import_id)
    if taken is None:
        return None
    try:
        if taken.state == ImportState.checking:
            check_import(begin, taken, demonstration=demonstration)
        else:
            _apply(begin, taken, demonstration)
    except LostImport:
        log.warning("import %s was taken over by another worker", taken.id)
    return taken.id


def _apply(begin: Begin, taken: TakenImport, demonstration: bool) -> None:
    try:
        with begin() as session:
            intake.apply_import(session, drafts.hold_import(session, taken), demonstration=demonstration)
    except RegisterChanged:
        with begin() as session:
            record = drafts.hold_import(session, taken)
            drafts.check_again(session, record, _say_changed(record))
    except ServiceError as error:  # who asked for it has lost the right meanwhile
        with begin() as session:
            drafts.fail_import(session, drafts.hold_import(session, taken), error.said)


def _say_changed(record: Import) -> Said:
    return say(
        "the register has changed since the last check, so nothing was written. That check had shown {created} rows "
        "created, {changed} changed, {moved} moved, {unchanged} unchanged and {refused} refused; this is what the file "
        "would do now",
        **{str(outcome): getattr(record, outcome) for outcome in RowOutcome},
    )


def bring_in(
    begin: Begin,
    actor: Actor,
    kind: str,
    data: bytes,
    file_name: str,
    *,
    unit_id: int | None = None,
    choices: Mapping[str, Any] | None = None,
    demonstration: bool = False,
) -> Import:
    """Upload, check and apply a file at once, in this process. The result is `failed` if it could not be read, and only
    `checked` if no row of it can be taken.
    """
    with begin() as session:
        import_id = drafts.upload_import(session, actor, kind, data, file_name, unit_id=unit_id, choices=choices).id
    work_on_import(begin, import_id, demonstration=demonstration)
    with begin() as session:
        record = _read(session, import_id)
        if record.state != ImportState.checked or record.rows == record.refused:
            return record
        drafts.request_apply(session, actor, record)
    work_on_import(begin, import_id, demonstration=demonstration)
    with begin() as session:
        return _read(session, import_id)


def _read(session: Session, import_id: int) -> Import:
    statement = select(Import).where(Import.id == import_id)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


class ImportingThread(LookingThread):
    """A worker's thread for imports, so that handing over and importing do not wait for each other."""

    def __init__(self, database: Database) -> None:
        super().__init__("import", self._work, LOOK_EVERY_S, "the next look goes on with the import")
        self._database = database

    def _work(self) -> None:
        while not self.ended and work_on_import(self._database.session) is not None:
            pass
