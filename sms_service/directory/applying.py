"""Writes a checked import to the register, in one transaction: the same decisions are made again under locks, and if
any row's outcome has become another one, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.db.locks import LockKey, take_lock
from sms_service.db.statements import Statement
from sms_service.directory.import_models import Import, ImportOutcome, ImportRow, ImportState, RowOutcome
from sms_service.directory.importing import only_top, require_import, scope_path_of
from sms_service.directory.models import Unit
from sms_service.directory.outcomes import (
    decide_people,
    mark_outcomes,
    plan_for_many,
    plan_staged_units,
    settle_counts,
)
from sms_service.directory.problems import Findings
from sms_service.directory.recipient_outcomes import create_guests, decide_recipients
from sms_service.directory.units_import import write_units

_lock_people = Statement(__file__, "lock_people")
_number_created = Statement(__file__, "number_created")
_create_people = Statement(__file__, "create_people")
_change_people = Statement(__file__, "change_people")
_end_roles = Statement(__file__, "end_roles")
_begin_roles = Statement(__file__, "begin_roles")
_T = TypeVar("_T")


class RegisterChanged(Exception):
    """Meanwhile the register has changed so that the import would do something else than the check has shown."""


def write_import(session: Session, record: Import, *, demonstration: bool = False) -> None:
    """Write what the check of this import has shown. Everything happens in the caller's transaction.

    Raises RegisterChanged (then the caller rolls back), or Forbidden if who asked for it may not import any more.
    """
    require_import(session, actor_of(session, record), record)
    take_lock(session, LockKey.import_file)  # imports take turns
    plan_for_many(session, record)
    try:
        if record.kind == "people":
            _write_people(session, record)
        elif record.kind == "recipients":
            _write_recipients(session, record)
        else:
            _write_units(session, record, demonstration=demonstration)
    except IntegrityError:  # somebody gave a number or code of the file to a person or unit just now
        raise RegisterChanged from None
    session.expire_all()  # the session does not know what hand-written SQL has changed
    if record.unit_id is None:
        record.unit_id = only_top(session)
    record.state, record.applied_at = ImportState.applied, session.scalar(select(func.now()))
    record.notice = None
    record.let_go()
    session.flush()
    counts = {name: getattr(record, name) for name in ("rows", *RowOutcome)}
    path = scope_path_of(session, record)
    trail.record_act(session, record.applied_by, f"{record.kind}.import", "import", record.id, path, **counts)


def actor_of(session: Session, record: Import) -> Actor:
    """Who asked for the apply, with the roles of now; the service itself where nobody did."""
    return SYSTEM if record.applied_by is None else load_actor(session, record.applied_by)


def _write_people(session: Session, record: Import) -> None:
    connection, own = session.connection(), {"import_id": record.id}
    _lock_units(session, record)
    columns = _decide_again(session, record, decide_people)
    _number_created(connection, **own)
    _create_people(connection, **own)
    _end_roles(connection, **own)
    _change_people(connection, **own, **{name: columns[name] for name in ("has_kind", "has_tags", "attribute_names")})
    _begin_roles(connection, **own)


def _write_recipients(session: Session, record: Import) -> None:
    """Decide again whom the rows mean, and make the guests; nobody in the register is changed."""
    _decide_again(session, record, decide_recipients)
    if record.created:
        actor_of(session, record).require(Permission.text_guests, scope_path_of(session, record))
        _number_created(session.connection(), import_id=record.id)
        create_guests(session, record)


def _decide_again(session: Session, record: Import, decide: Callable[[Session, Import], _T]) -> _T:
    """What `decide` answers, under locks on the people meant. Raises RegisterChanged if a row's outcome is another one
    than people have seen.
    """
    _lock_people(session.connection(), import_id=record.id)
    shown = mark_outcomes(session, record)
    session.execute(delete(ImportOutcome).where(ImportOutcome.import_id == record.id))
    decided = decide(session, record)
    if settle_counts(session, record) != shown:
        raise RegisterChanged
    return decided


def _lock_units(session: Session, record: Import) -> None:
    """Keep the units of the file from moving; if one lies outside the scope by now, the register has changed."""
    used = (
        select(ImportRow.unit_id)
        .join(ImportOutcome, (ImportOutcome.import_id == ImportRow.import_id) & (ImportOutcome.row == ImportRow.row))
        .where(ImportRow.import_id == record.id, ImportOutcome.outcome != RowOutcome.refused)
    )
    found = session.execute(
        select(Unit.path, Unit.closed_at).where(Unit.id.in_(used)).order_by(Unit.id).with_for_update(read=True)
    ).all()
    scope = scope_path_of(session, record)
    if not all(unit.path.startswith(scope) and unit.closed_at is None for unit in found):
        raise RegisterChanged


def _write_units(session: Session, record: Import, *, demonstration: bool) -> None:
    shown = session.execute(_outcomes_of(record)).all()
    plan = plan_staged_units(session, record, Findings(), demonstration=demonstration)
    if plan.outcomes != [tuple(one) for one in shown]:
        raise RegisterChanged
    write_units(session, plan)


def _outcomes_of(record: Import) -> Any:
    return (
        select(ImportOutcome.row, ImportOutcome.outcome)
        .where(ImportOutcome.import_id == record.id)
        .order_by(ImportOutcome.row)
    )
