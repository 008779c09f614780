"""Quiet days: a calendar of days on which texts of some classes do not leave. The gate reads it with each group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Date, Select, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.controls.models import QuietDay
from sms_service.directory.day_lines import LONGEST_SPAN, RefusedLine, read_day_lines
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.errors import Invalid, NotFound
from sms_service.said import say
from sms_service.vocabulary import TextClass

# A notice must be learned on any day, and who asked gets an answer.
USUAL_CLASSES = (TextClass.study, TextClass.invitation, TextClass.survey)
MOST_DAYS = LONGEST_SPAN  # set at once
LONGEST_NAME = 50  # characters


class NamedDay(NamedTuple):
    """A day, local to the units for which it is quiet, and what day it is: 清明节."""

    day: date
    name: str


def read_calendar(written: str) -> list[NamedDay]:
    """The days of a calendar as people write it, a line for a day or for several in a row: `2027-04-05 清明节`,
    `2027年2月5日至11日 春节`. Empty lines mean nothing.

    Raises Invalid (`days`) with the line that cannot be read.
    """
    days: list[NamedDay] = []
    for line in read_day_lines(written):
        if isinstance(line, RefusedLine):
            raise Invalid("days", line.value, say("line {line}: {reason}", line=line.row, reason=line.reason))
        (span, words), *others = line.spans
        name = words.strip(" -–—:,、")
        if line.heading or others or not name:
            reason = say("line {line} must be a day and its name, such as 2027-04-05 清明节", line=line.row)
            raise Invalid("days", line.written[:LONGEST_NAME], reason)
        days += [NamedDay(span.first + timedelta(days=n), name) for n in range((span.last - span.first).days + 1)]
    return days


def set_quiet_days(
    session: Session,
    actor: Actor,
    unit_id: int,
    days: Sequence[NamedDay],
    classes: Collection[str] = USUAL_CLASSES,
) -> list[QuietDay]:
    """Let no text of these classes leave on these days to people of the unit's subtree; texts wait for the day after.
    A day that the unit has already takes the new name and classes. It counts at once for texts that have not left.

    Raises NotFound, Forbidden without `manage_directory` over the unit, or Invalid: from 1 to 400 days, each once and
    not before today.
    """
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound("unit", unit_id)
    actor.require(Permission.manage_directory, unit.path)
    known = _check_classes(classes)
    if not 1 <= len(days) <= MOST_DAYS:
        raise Invalid("days", len(days), say("must be from 1 to {most} days", most=MOST_DAYS))
    today = session.execute(select(_today(unit))).scalar_one()
    rows: dict[date, dict[str, Any]] = {}
    for number, (day, name) in enumerate(days):
        if day < today:
            raise Invalid(f"days[{number}].day", day.isoformat(), say("must be today, {today}, or later", today=today))
        if day in rows:
            raise Invalid(f"days[{number}].day", day.isoformat(), "is given twice; keep one")
        name = required_line(f"days[{number}].name", name, LONGEST_NAME)
        rows[day] = {"unit_id": unit.id, "day": day, "name": name, "classes": known, "created_by": actor.account_id}
    before = dict(
        session.execute(
            select(QuietDay.day, QuietDay.name).where(QuietDay.unit_id == unit.id, QuietDay.day.in_(rows))
        ).all()
    )
    new = insert(QuietDay).values([rows[day] for day in sorted(rows)])
    found = session.scalars(
        new.on_conflict_do_update(
            index_elements=[QuietDay.unit_id, QuietDay.day],
            set_={"name": new.excluded.name, "classes": new.excluded.classes, "created_by": new.excluded.created_by},
        ).returning(QuietDay),
        execution_options={"populate_existing": True},
    ).all()
    named = [day.isoformat() for day in sorted(rows)]
    changes = {day.isoformat(): [before.get(day), row["name"]] for day, row in rows.items()}
    details = {"days": named, "classes": known, "changes": changes}
    trail.record_act(session, actor.account_id, "quiet_day.set", "unit", unit.id, unit.path, **details)
    return sorted(found, key=lambda one: one.day)


def remove_quiet_day(session: Session, actor: Actor, quiet_day_id: int) -> None:
    """Let texts leave on that day again. A text that was put off until the day after keeps that time.

    Raises NotFound, or Forbidden without `manage_directory` over its unit.
    """
    found = session.get(QuietDay, quiet_day_id)
    if found is None:
        raise NotFound("quiet day", quiet_day_id)
    path = unit_path(session, found.unit_id)
    actor.require(Permission.manage_directory, path)
    day = found.day.isoformat()
    session.delete(found)
    session.flush()
    trail.record_act(session, actor.account_id, "quiet_day.remove", "unit", found.unit_id, path, day=day)


def find_quiet_days(paths: Iterable[str], since: date | None = None) -> Select[QuietDay, Unit]:
    """The quiet days that hold somewhere in the subtrees at `paths`, from the day `since` on (by default from
    yesterday, since today is not the same day everywhere), each with its unit; not ordered.
    """
    overlaps = (or_(literal(path).op("^@")(Unit.path), Unit.path.op("^@")(path)) for path in paths)
    first = literal(since, Date) if since is not None else func.sms_now().cast(Date) - 1
    return select(QuietDay, Unit).join(Unit, Unit.id == QuietDay.unit_id).where(or_(*overlaps), QuietDay.day >= first)


def list_quiet_dates(session: Session, path: str, class_: str) -> dict[date, str]:
    """The coming days, with their names, on which no text of the class leaves to anybody of the unit at `path`."""
    return {row.day: row.name for row in session.execute(select_quiet_dates(path, class_))}


def select_quiet_dates(path: str, class_: str) -> Select[date, str]:
    """The same as a statement, of a day the name that the nearest unit gave it last."""
    return (
        select(QuietDay.day, QuietDay.name)
        .join(Unit, Unit.id == QuietDay.unit_id)
        .where(literal(path).op("^@")(Unit.path), QuietDay.day >= func.sms_now().cast(Date) - 1)
        .where(literal(class_) == any_(QuietDay.classes))
        .order_by(QuietDay.day, Unit.path.desc())
    )


def _today(unit: Unit) -> Any:
    return func.timezone(unit.timezone, func.sms_now()).cast(Date)


def _check_classes(classes: Collection[str]) -> list[str]:
    unknown = [one for one in classes if one not in list(TextClass)]
    if unknown or not classes:
        reason = say("must be some of {classes}", classes=tuple(TextClass))
        raise Invalid("classes", unknown[0] if unknown else None, reason)
    return [one.value for one in TextClass if one in classes]
