"""A file of people that is said to name all members of a unit: who vanished is found by its check and shown beside it.

Nobody leaves by an import. Once it is applied, a person may say of those who vanished that they have left
(`directory.vanished`).
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.db.statements import Statement
from sms_service.directory import drafts
from sms_service.directory.import_models import Import, ImportRow, ImportState
from sms_service.directory.importing import require_import, require_within_import
from sms_service.directory.models import Unit
from sms_service.directory.units import split_path

_find_vanished = Statement(__file__, "find_vanished")


def declare_complete(session: Session, actor: Actor, record: Import, unit_id: int | None) -> None:
    """Say that the file names all members of this unit and below (None: of none). It is checked anew.

    Raises Conflict if it is being applied or over, Invalid (`complete_for`) for a file of units or a unit that the
    import may not touch, NotFound or Forbidden.
    """
    require_import(session, actor, record)
    if unit_id is not None:
        require_within_import(session, actor, record.kind, record.unit_id, unit_id)
    changeable = (ImportState.uploaded, ImportState.checking, ImportState.checked, ImportState.failed)
    drafts.lock_draft(session, record, *changeable)
    record.complete_for = unit_id
    drafts.check_again(session, record)


def find_unit_of_rows(session: Session, record: Import) -> int | None:
    """The smallest unit that has all units of the rows that could be read below it, or is the only one; None if no row
    names any.
    """
    used = select(ImportRow.unit_id).where(ImportRow.import_id == record.id)
    paths = session.scalars(select(Unit.path).where(Unit.id.in_(used))).all()
    lines = [split_path(path) for path in paths]
    common = [members[0] for members in zip(*lines, strict=False) if len(set(members)) == 1]
    return common[-1] if common else None


def find_vanished(session: Session, record: Import) -> None:
    """Keep who vanished from a file whose rows are decided, if it is said to be complete, with the counts: of the
    unit's `members` a row that is taken means those `present`, and `unclear_rows` that are refused may mean the
    `unclear`; the others `vanished`, and none has `left` yet.
    """
    if record.complete_for is None:
        return
    # A small file may stand against a large unit, and the planner knows neither.
    session.connection().exec_driver_sql("SET LOCAL enable_nestloop = off")
    path = unit_path(session, record.complete_for)
    found = _find_vanished(session.connection(), import_id=record.id, path=path).one()
    record.vanishing = found._asdict() | {"left": 0}
    session.flush()
