"""Units one at a time: create, change, find. Whole trees come by import (`units_import`)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import compare_before_after
from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.models import LEVELS, Contact, Person, Unit
from sms_service.directory.text import plain_text, required_line
from sms_service.directory.unit_rows import LONGEST_CODE, LONGEST_UNIT_NAME
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say

_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")


def find_units(
    paths: Sequence[str],
    *,
    name: str | None = None,
    code: str | None = None,
    level: str | None = None,
    parent_id: int | None = None,
    has_contact: bool | None = None,
    closed: bool = False,
) -> Select[Unit]:
    """The units within the subtrees at `paths`, to be ordered and paged by the caller.

    `name`: part of the name. `has_contact`: somebody holds a role in it, or nobody. `closed`: those that were closed,
    or those that were not. The others, where given, must be equal.
    """
    statement = select(Unit).where(or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
    statement = statement.where(Unit.closed_at.is_not(None) if closed else Unit.closed_at.is_(None))
    if name is not None:
        statement = statement.where(Unit.name.contains(name, autoescape=True))
    for column, wanted in ((Unit.code, code), (Unit.level, level), (Unit.parent_id, parent_id)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if has_contact is not None:
        held = exists().where(Contact.unit_id == Unit.id)
        statement = statement.where(held if has_contact else ~held)
    return statement


class UnitSize(NamedTuple):
    """What lies within a unit's subtree: the units below it, and the people who have not left."""

    units: int
    people: int


def measure_units(session: Session, measured: Sequence[Unit]) -> dict[int, UnitSize]:
    """How large each of these units is, by id, in one statement."""
    if not measured:
        return {}
    below = aliased(Unit)
    # What all of them lie in, so that a street's branches read neither the city's people nor its other units.
    # It stands in the statement itself: with a parameter, the plan that PostgreSQL keeps after some executions does not
    # know that it may be a whole city, and joins row by row for seconds.
    common = literal(posixpath.commonpath([unit.path for unit in measured]).rstrip("/") + "/", literal_execute=True)
    # People are counted by unit before anything is joined: a city's districts otherwise read each person several times.
    counted = (
        select(Person.unit_id, func.count().label("people"))
        .where(Person.left_at.is_(None), Person.unit_id.in_(select(Unit.id).where(Unit.path.op("^@")(common))))
        .group_by(Person.unit_id)
        .subquery()
    )
    statement = (
        select(Unit.id, func.count() - 1, func.coalesce(func.sum(counted.c.people), 0))
        .join(below, and_(below.path.op("^@")(Unit.path), below.path.op("^@")(common)))
        .where(or_(below.closed_at.is_(None), below.id == Unit.id))
        .outerjoin(counted, counted.c.unit_id == below.id)
        .where(Unit.id.in_([unit.id for unit in measured]))
        .group_by(Unit.id)
    )
    return {row[0]: UnitSize(row[1], int(row[2])) for row in session.execute(statement)}


def count_windows(session: Session, unit: Unit) -> tuple[int, int]:
    """How many units a change of this unit's time zone or window reaches, itself included, and how many of them have
    other ones than it has now.
    """
    differs = or_(
        Unit.timezone != unit.timezone,
        Unit.window_opens != unit.window_opens,
        Unit.window_closes != unit.window_closes,
    )
    statement = select(func.count(), func.count().filter(differs)).where(Unit.path.op("^@")(unit.path))
    reached, other = session.execute(statement).one()
    return reached, other


def get_unit(session: Session, actor: Actor, unit_id: int) -> Unit:
    """The unit. Raises NotFound, or Forbidden if the actor may not read it."""
    unit = _unit(session, unit_id)
    actor.require(Permission.read, unit.path)
    return unit


def child_id(path: str) -> ColumnElement[int]:
    """SQL for the id of the unit right below `path` to which a unit belongs; a unit at `path` belongs to itself."""
    first = func.split_part(func.substr(Unit.path, len(path) + 1), "/", 1)
    return cast(func.coalesce(func.nullif(first, ""), path.rstrip("/").rpartition("/")[2]), BigInteger)


def require_open_unit(session: Session, field: str, unit_id: int) -> None:
    """Nobody comes to a unit that was closed. Raises Invalid naming `field`, NotFound."""
    unit = _unit(session, unit_id)
    if unit.closed_at is not None:
        raise Invalid(field, unit_id, say("is a unit that was closed: {unit}", unit=unit.name))


def require_everywhere(session: Session, actor: Actor, permission: Permission) -> str:
    """Raises Forbidden unless the actor may do this to every tree. Acts on gateways or the whole service need it.

    Returns the path for the act's entry in the trail: the top of the first tree.
    """
    paths = top_paths(session)
    for path in paths:
        actor.require(permission, path)
    return paths[0]


def top_paths(session: Session) -> list[str]:
    """The paths of the units without a parent; there is one for each city. `/` if there is no unit yet."""
    return list(session.scalars(select(Unit.path).where(Unit.parent_id.is_(None)).order_by(Unit.path))) or ["/"]


def create_unit(session: Session, actor: Actor, *, code: str, name: str, level: str, parent_id: int | None) -> Unit:
    """A new unit below `parent_id`, with the parent's time zone, window and mark; without one, the top of a new tree.

    Raises Invalid (field named), NotFound (no such parent), Forbidden (no manage_directory over the parent; the top of
    a tree only by the service itself), Conflict (the code is taken).
    """
    code, name = plain_text(required_line("code", code, LONGEST_CODE)), required_line("name", name, LONGEST_UNIT_NAME)
    _check_level("level", level)
    parent = session.get(Unit, parent_id, with_for_update={"read": True}) if parent_id is not None else None
    if parent_id is not None and parent is None:
        raise NotFound("unit", parent_id)
    actor.require(Permission.manage_directory, parent.path if parent else "/")
    if parent is not None:
        require_open_unit(session, "parent_id", parent.id)
    if parent is not None and LEVELS.index(level) <= LEVELS.index(parent.level):
        raise Invalid(
            "level",
            level,
            say("must be lower than the parent's, which is {level} ({levels: > })", level=parent.level, levels=LEVELS),
        )
    lock_name(session, LockedName.unit_code, code)
    if session.scalar(select(Unit.id).where(Unit.code == code)) is not None:
        raise Conflict("the code belongs to another unit; choose another")
    unit_id = session.scalar(select(func.nextval(func.pg_get_serial_sequence("units", "id"))))
    inherited = (
        {
            "timezone": parent.timezone,
            "window_opens": parent.window_opens,
            "window_closes": parent.window_closes,
            "redact_after_days": parent.redact_after_days,
            "demonstration": parent.demonstration,
        }
        if parent
        else {}
    )
    path = f"{parent.path if parent else '/'}{unit_id}/"
    unit = Unit(id=unit_id, parent_id=parent_id, code=code, name=name, level=level, path=path, **inherited)
    session.add(unit)
    session.flush()
    session.refresh(unit)
    trail.record_act(session, actor.account_id, "unit.create", "unit", unit.id, unit.path, level=level)
    return unit


def change_unit(
    session: Session,
    actor: Actor,
    unit_id: int,
    *,
    name: str | None = None,
    timezone: str | None = None,
    window_opens: str | None = None,
    window_closes: str | None = None,
) -> Unit:
    """Change what is given (None: leave as it is). Time zone and window are set for the whole subtree.

    `timezone` is an IANA name. `window_opens` and `window_closes` are local times "HH:MM", the latter up to "24:00".
    Texts leave from the opening (inclusive) to the closing (exclusive). Units are moved by import only.
    Raises Invalid, NotFound, or Forbidden without manage_directory over the unit.
    """
    unit = session.get(Unit, unit_id, with_for_update=True, populate_existing=True)
    if unit is None:
        raise NotFound("unit", unit_id)
    actor.require(Permission.manage_directory, unit.path)
    opens = unit.window_opens if window_opens is None else parse_clock("window_opens", window_opens)
    closes = unit.window_closes if window_closes is None else parse_clock("window_closes", window_closes)
    if opens >= closes:
        reason = say("must be after {opens}, when the window opens", opens=format_clock(opens))
        raise Invalid("window_closes", format_clock(closes), reason)
    before = _values(unit)
    changes: dict[str, str | int] = {}
    if timezone is not None:
        _check_timezone(session, timezone)
        changes["timezone"] = timezone
    if window_opens is not None or window_closes is not None:
        changes |= {"window_opens": opens, "window_closes": closes}
    if changes:
        statement = update(Unit).where(Unit.path.op("^@")(unit.path)).values(**changes)
        session.execute(statement.execution_options(synchronize_session=False))
    if name is not None:
        unit.name = required_line("name", name, LONGEST_UNIT_NAME)
    session.flush()
    session.expire_all()
    session.refresh(unit)
    details = changes | ({"renamed": True} if name is not None else {})
    if details:
        changed = compare_before_after(before, _values(unit))
        trail.record_act(
            session, actor.account_id, "unit.change", "unit", unit.id, unit.path, changes=changed, **details
        )
    return unit


def _values(unit: Unit) -> dict[str, str]:
    """What can be changed about the unit, as the trail keeps it."""
    return {
        "name": unit.name,
        "timezone": unit.timezone,
        "window_opens": format_clock(unit.window_opens),
        "window_closes": format_clock(unit.window_closes),
    }


def parse_clock(field: str, value: str) -> int:
    """Minutes after midnight of "HH:MM", 00:00 to 24:00. Raises Invalid naming `field`."""
    match = _CLOCK.fullmatch(value)
    minutes = int(match[1]) * 60 + int(match[2]) if match else None
    if minutes is None or minutes > 1440:
        raise Invalid(field, value, "must be a time from 00:00 to 24:00, written HH:MM")
    return minutes


def format_clock(minutes: int) -> str:
    """ "HH:MM" of minutes after midnight, 0 to 1440."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _unit(session: Session, unit_id: int) -> Unit:
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound("unit", unit_id)
    return unit


def _check_level(field: str, level: str) -> None:
    if level not in LEVELS:
        raise Invalid(field, level, say("must be one of {levels}", levels=LEVELS))


def _check_timezone(session: Session, name: str) -> None:
    """PostgreSQL and Python must both know the time zone: the gate asks PostgreSQL, a launch asks Python."""
    try:
        ZoneInfo(name)
        known = session.scalar(text("SELECT true FROM pg_timezone_names WHERE name = :name"), {"name": name})
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = None
    if not known:
        raise Invalid("timezone", name, "must be an IANA time zone, like Asia/Shanghai")


def usable_from(scope: Sequence[str]) -> ColumnElement[bool]:
    """SQL over units: those within the subtrees at `scope` and those above them, whose templates and segments may be
    used there.
    """
    above = {ancestor for path in scope for ancestor in list_ancestors(path)}
    return or_(false(), *(Unit.path.op("^@")(path) for path in scope), Unit.path.in_(sorted(above)))


def split_path(path: str) -> list[int]:
    """The ids of the units from the top down to the one at the path: 1, 5 and 49 of "/1/5/49/", none of "/"."""
    return [int(part) for part in path.split("/") if part]


def are_in_line(path: str, other: str) -> bool:
    """Whether one of the units at these paths stands above the other, or they are the same."""
    return path.startswith(other) or other.startswith(path)


def list_ancestors(path: str) -> list[str]:
    """The paths of the units above a unit: "/1/" and "/1/5/" for "/1/5/49/"."""
    ids = split_path(path)
    return ["/" + "/".join(map(str, ids[:n])) + "/" for n in range(1, len(ids))]
