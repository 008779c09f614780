"""Months whose rows lie in files alone: whoever reads rows of the ledger asks here first, so that no answer is silently
too small.

A reader asks in the transaction in which it reads. A month is detached only after all who were told that it is there
have ended (`ops/detaching.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.orm import Session

from sms_service.errors import Conflict
from sms_service.ledger.archive_models import ArchivedMonth, ArchivedRun, ArchiveState
from sms_service.ledger.models import Run
from sms_service.said import Said, say

_KNOWN = "archived_months"


def list_archived_months(connection: Session | Connection) -> list[date]:
    """All months that are archived, or on the way there or back; the first first. A session asks once in a transaction:
    what it was told holds until that has ended.
    """
    found = select(ArchivedMonth.month).order_by(ArchivedMonth.month)
    if isinstance(connection, Connection):
        return list(connection.scalars(found))
    transaction, months = connection.info.get(_KNOWN, (None, []))
    if transaction is None or transaction is not connection.get_transaction():
        months = list(connection.scalars(found))
        connection.info[_KNOWN] = connection.get_transaction(), months
    return list(months)


def find_archived_months(connection: Session | Connection, *of_runs: ColumnElement[bool]) -> list[date]:
    """The archived months in which runs with rows lie of which all of this is true (SQL over runs)."""
    if not list_archived_months(connection):
        return []
    next_month = ArchivedMonth.month + func.make_interval(0, 1)
    own = select(Run.id).where(Run.day >= ArchivedMonth.month, Run.day < next_month, Run.audience > 0, *of_runs)
    found: Select[date] = select(ArchivedMonth.month).where(own.correlate(ArchivedMonth).exists())
    return list(connection.scalars(found.order_by(ArchivedMonth.month)))


def require_unarchived(connection: Session | Connection, *of_runs: ColumnElement[bool]) -> None:
    """Raises Conflict where rows of such runs are archived: whoever counts or lists them would miss some."""
    if months := find_archived_months(connection, *of_runs):
        raise Conflict(say_archived(months))


def say_archived(months: Sequence[date]) -> Said:
    """That the rows of these months are not in the database, and what can be done."""
    return say(
        "the rows of {months} are archived and not in the database; ask for days of other months, or let an operator"
        " read them back: `python -m sms_service archive read-back {first}`",
        months=[f"{month:%Y-%m}" for month in months],
        first=f"{months[0]:%Y-%m}",
    )


def count_archived_runs(session: Session, run_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """The rows by status of those of these runs that are archived. Raises Conflict while they are on the way."""
    if not run_ids:
        return {}
    rows = session.execute(
        select(Run.id, ArchivedMonth.month, ArchivedMonth.state, ArchivedRun.status, ArchivedRun.messages)
        .join(ArchivedMonth, ArchivedMonth.month == Run.month)
        .outerjoin(ArchivedRun, ArchivedRun.run_id == Run.id)
        .where(Run.id.in_(run_ids), Run.audience > 0)
    ).all()
    found = defaultdict[int, dict[str, int]](dict)
    for run_id, month, state, status, messages in rows:
        if state == ArchiveState.detaching:
            raise Conflict(say_archived([month]))
        found[run_id][status] = messages
    return found
