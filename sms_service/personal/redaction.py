"""Redaction: after as many days as a unit says, phone and text of its people's messages and replies are emptied, and
the records of providers after `raw_days`. Rows stay, and so does every count.

The work of each day is listed once for each number of days (`Redaction`) and done in slices, so it is bounded by what
is open, never by history. Only rows that will not move any more are emptied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import Date, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import get_unit
from sms_service.errors import Invalid
from sms_service.ledger.models import ReceiptRow, Run
from sms_service.ledger.redacting import empty_raw_receipts, find_redactable, redact_messages
from sms_service.personal.redaction_models import Redacted, Redaction
from sms_service.replies.models import ReplyRow
from sms_service.replies.redacting import empty_raw_replies, find_redactable_replies, redact_notes, redact_replies
from sms_service.said import say

RAW_DAYS = 90  # for which records are kept as providers sent them, where the installation says nothing else
FEWEST_DAYS, MOST_DAYS = 30, 3_650  # a text may be reported on, sent again and settled for a month
SLICE = 2_000  # rows that are looked at in one transaction
_MOST_RUNS = 500
_LISTED_AT_ONCE = 31
_EMPTY_AT_ONCE = 20  # days without a row that one call passes over

_OLDEST: Mapping[Redacted, Any] = {
    Redacted.texts: select(func.min(Run.day)),
    Redacted.replies: select(cast(func.min(ReplyRow.received_at), Date)),
    Redacted.raw_receipts: select(func.min(ReceiptRow.in_month)),
    Redacted.raw_replies: select(func.min(ReplyRow.in_month)),
}


def set_redaction(session: Session, actor: Actor, unit_id: int, days: int | None, why: str) -> Unit:
    """Have phone and text of messages and replies of the unit and all below it emptied after so many days; None: as the
    installation says. What is emptied stays empty.

    Raises NotFound, Forbidden without manage_directory over the unit, or Invalid (`redact_after_days`, `why`).
    """
    unit = get_unit(session, actor, unit_id)
    actor.require(Permission.manage_directory, unit.path)
    why = required_line("why", why, LONGEST_WHY)
    if days is not None and not FEWEST_DAYS <= days <= MOST_DAYS:
        said = say("must be from {fewest} to {most}, or empty", fewest=FEWEST_DAYS, most=MOST_DAYS)
        raise Invalid("redact_after_days", days, said)
    below = Unit.path.op("^@")(unit.path), Unit.redact_after_days.is_distinct_from(days)
    before = unit.redact_after_days
    changed = session.scalars(
        update(Unit).where(*below).values(redact_after_days=days).returning(Unit.id),
        execution_options={"synchronize_session": False},
    ).all()
    if changed:
        # Their old rows are looked at with this number of days, too, however far that is already.
        session.execute(delete(Redaction).where(Redaction.days == (days or 0), Redaction.what.in_(_BY_UNIT)))
        changes = {"redact_after_days": [before, days]}
        details = {"redact_after_days": days, "units": len(changed), "changes": changes, "why": why}
        trail.record_act(session, actor.account_id, "unit.redaction", "unit", unit.id, unit.path, **details)
    session.expire_all()
    return unit


def redact_rows(
    database: Database, default_days: int | None = None, raw_days: int = RAW_DAYS, size: int = SLICE
) -> int:
    """Empty the next rows that are due; returns how many. `default_days`: for units that have none of their own; None:
    theirs stay. The clock calls it each tick.
    """
    with database.session() as session:
        _list_due(session, default_days, raw_days)
    done = 0
    for _ in range(_EMPTY_AT_ONCE):
        with database.session() as session:
            mark = _take_due(session, default_days)
            if mark is None:
                break
            read, emptied = _SLICES[Redacted(mark.what)](session, mark, size, raw_days)
        done += emptied
        if read:
            break
    return done


def _list_due(session: Session, default_days: int | None, raw_days: int) -> None:
    today: date = session.scalars(select(func.sms_now())).one().date()
    own = select(Unit.redact_after_days).where(Unit.redact_after_days.is_not(None)).distinct()
    groups = {days: days for days in session.scalars(own) if days is not None}
    if default_days is not None:
        groups[0] = default_days
    for what in Redacted:
        for group, days in groups.items() if what in _BY_UNIT else [(0, raw_days)]:
            _list_days(session, what, group, today - timedelta(days=days))


def _list_days(session: Session, what: Redacted, group: int, before: date) -> None:
    """List what ended before this day, behind what is listed."""
    step = timedelta(days=1) if what in _BY_UNIT else relativedelta(months=1)
    listed = select(func.max(Redaction.day)).where(Redaction.what == what, Redaction.days == group)
    last: date | None = session.scalar(listed)
    day: date | None = last + step if last else session.scalar(_OLDEST[what])
    rows: list[dict[str, Any]] = []
    while day is not None and day < before and len(rows) < _LISTED_AT_ONCE:
        rows.append({"what": what.value, "days": group, "day": day})
        day = day + step
    if rows:
        session.execute(insert(Redaction).on_conflict_do_nothing(), rows)


def _take_due(session: Session, default_days: int | None) -> Redaction | None:
    due = select(Redaction).where(Redaction.look_at <= func.sms_now())
    if default_days is None:
        due = due.where((Redaction.days > 0) | Redaction.what.not_in(_BY_UNIT))
    return session.scalars(
        due.order_by(Redaction.look_at, Redaction.day).limit(1).with_for_update(skip_locked=True)
    ).first()


def _redact_texts(session: Session, mark: Redaction, size: int, _: int) -> tuple[int, int]:
    connection, month = session.connection(), mark.day.replace(day=1)
    after = mark.after or [0, 0, 0]
    of_day = select(Run.id, func.coalesce(Run.audience, 0)).where(Run.day == mark.day, Run.id >= after[0])
    runs = session.execute(of_day.order_by(Run.id).limit(_MOST_RUNS)).all()
    chosen, recipients = list[int](), 0
    for run_id, audience in runs:
        if chosen and recipients + audience > size:
            break
        chosen.append(run_id)
        recipients += audience
    rows = find_redactable(connection, month, chosen, mark.days, after, size) if chosen else []
    ids = [row.id for row in rows if row.wanted and row.rests]
    redacted = redact_messages(connection, month, ids) if ids else []
    if redacted:
        emptied = set(redacted)
        redact_notes(connection, month, redacted, [row.person_id for row in rows if row.id in emptied])
    left = sum(row.wanted for row in rows) - len(redacted)
    if len(rows) == size:
        _go_on(mark, [rows[-1].run_id, rows[-1].person_id, rows[-1].unit_id], left)
    elif len(chosen) < len(runs) or len(runs) == _MOST_RUNS:
        _go_on(mark, [chosen[-1] + 1, 0, 0], left)
    else:
        _end(session, mark, left)
    return len(rows), len(redacted)


def _redact_replies(session: Session, mark: Redaction, size: int, _: int) -> tuple[int, int]:
    """All of a day at once: a city gets some thousand at most."""
    since = datetime.combine(mark.day, time(), UTC)
    connection, read, redacted = session.connection(), 0, 0
    for in_month in _months_of(session, ReplyRow.in_month, mark.day):
        rows = find_redactable_replies(connection, in_month, since, since + timedelta(days=1), mark.days)
        read += len(rows)
        if rows:
            redacted += len(redact_replies(connection, in_month, [row.id for row in rows]))
    _end(session, mark, read - redacted)
    return read, redacted


def _empty_raw(
    table: type[ReceiptRow | ReplyRow], empty: Callable[..., int]
) -> Callable[[Session, Redaction, int, int], tuple[int, int]]:
    def slice_(session: Session, mark: Redaction, size: int, raw_days: int) -> tuple[int, int]:
        now: datetime = session.scalars(select(func.sms_now())).one()
        page = select(table.id, table.received_at).where(table.in_month == mark.day, table.id > (mark.after or [0])[0])
        rows = session.execute(page.order_by(table.id).limit(size)).all()
        old: list[int] = []
        for row in rows:
            if row.received_at >= now - timedelta(days=raw_days):
                break
            old.append(row.id)
        emptied = empty(session.connection(), mark.day, old) if old else 0
        if old:
            mark.after = [old[-1]]
        if len(old) < len(rows):
            mark.look_at = now + timedelta(hours=1)
        elif len(rows) < size:
            over = mark.day + relativedelta(months=1) + timedelta(days=raw_days + 1) < now.date()
            mark.look_at = None if over else now + timedelta(days=1)
        return len(old), emptied

    return slice_


def _months_of(session: Session, column: InstrumentedAttribute[date], day: date) -> list[date]:
    """The months in which a row of the day may lie: its own, and for rows of before there were months, the first."""
    first = session.scalar(select(func.min(column)))
    return sorted({day.replace(day=1), first or day.replace(day=1)})


def _go_on(mark: Redaction, after: list[int], left: int) -> None:
    mark.after, mark.left_over = after, mark.left_over + left


def _end(session: Session, mark: Redaction, left: int) -> None:
    """It is done; where rows may still move, it begins again a day later."""
    left += mark.left_over
    mark.after, mark.left_over = [], 0
    now: datetime = session.scalars(select(func.sms_now())).one()
    mark.look_at = now + timedelta(days=1) if left else None


_BY_UNIT = (Redacted.texts, Redacted.replies)
_SLICES: Mapping[Redacted, Callable[[Session, Redaction, int, int], tuple[int, int]]] = {
    Redacted.texts: _redact_texts,
    Redacted.replies: _redact_replies,
    Redacted.raw_receipts: _empty_raw(ReceiptRow, empty_raw_receipts),
    Redacted.raw_replies: _empty_raw(ReplyRow, empty_raw_replies),
}
