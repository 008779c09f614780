"""What is said of an audience before it is sent to: how many, who is skipped and why, how many in each unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, String, cast, func, null, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.earlier import require_campaigns
from sms_service.audience.listed import ROW, is_of_row, select_row_value
from sms_service.audience.rules import audience_select
from sms_service.audience.skipping import find_reason, join_reasons
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import child_id
from sms_service.errors import Invalid
from sms_service.vocabulary import MessageReason

MOST_UNITS = 500  # that are counted one by one
NAMED = 30  # people named by reason, and by the value that they lack
_FIELDS = ("name", "unit", "number")  # a recipient's own, beside their attributes


class Window(NamedTuple):
    """When texts may leave for units: minutes after local midnight, half-open."""

    timezone: str
    opens: int
    closes: int


class Tried(NamedTuple):
    """A recipient on whom a text is tried, with their values by the variable's name."""

    person_id: int
    name: str
    unit_id: int
    unit: str
    values: Mapping[str, Any]


class Skipped(NamedTuple):
    """A recipient who would get no text."""

    person_id: int
    name: str
    unit_id: int
    unit: str


class UnitReach(NamedTuple):
    """How many recipients a unit has with all below it, and how many of them nothing keeps from being texted, or only
    that another recipient has the same phone.
    """

    id: int
    name: str
    people: int
    textable: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What freeze would write down now: recipients in all (`people`), the `phones` that would get a text each, and the
    others by why they are `skipped`.

    `named`: of a small audience those who are skipped, by reason. `windows`: the phones by when texts may leave for
    their units. `units`: how many recipients each unit right below has, by name; who belongs to the audience's unit
    itself stands under it; at most 500, those with the most. `lacking`: recipients to be texted who have no value for a
    variable, where any; `without`: the names of some of them, at most 30. `tried`: the recipients of a small audience
    who would be texted; of a large one some, among them those with the shortest and the longest values.
    """

    people: int
    phones: int
    skipped: Mapping[MessageReason, int]
    named: Mapping[MessageReason, Sequence[Skipped]]
    windows: Mapping[Window, int]
    units: Sequence[UnitReach]
    lacking: Mapping[str, int]
    without: Mapping[str, Sequence[str]]
    tried: Sequence[Tried]


def count_by_unit(session: Session, actor: Actor, unit_id: int, rule: object, below_id: int) -> list[UnitReach]:
    """How many recipients of the unit's rule each unit right below the unit `below_id` has, as `Reach.units` says it
    of the rule's own unit.

    Raises Invalid (the place in the rule, or `below`), NotFound, Forbidden.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    require_campaigns(session, actor, rule, path)
    top = unit_path(session, below_id)
    if not top.startswith(path):
        raise Invalid("below", below_id, "must be a unit within the rule's own unit")
    found = join_reasons(audience_select(session, rule, path)).where(Unit.path.op("^@")(top))
    counted = (
        found.with_only_columns(
            Unit.id.label("unit_id"),
            func.count().label("people"),
            func.count().filter(find_reason(path).is_(None)).label("textable"),
        )
        .group_by(Unit.id)
        .subquery()
    )
    summed = sum_by_child(select(counted.c.unit_id, counted.c.people, counted.c.textable), top).subquery()
    return [UnitReach(*row) for row in session.execute(select(summed).order_by(summed.c.name, summed.c.id))]


def sum_by_child(counted: Select[int, int, int], path: str) -> Select[int, str, int, int]:
    """Sum what was counted by unit (`unit_id, people, textable`) over the units right below `path`, as columns of
    UnitReach: at most 500 units, those with the most people.
    """
    units = counted.subquery()
    child = aliased(Unit)
    people = func.sum(units.c.people, type_=BigInteger)
    return (
        select(
            child.id,
            child.name,
            cast(people, BigInteger).label("people"),
            cast(func.sum(units.c.textable), BigInteger).label("textable"),
        )
        .select_from(units)
        .join(Unit, Unit.id == units.c.unit_id)
        .join(child, child.id == child_id(path))
        .group_by(child.id, child.name)
        .order_by(people.desc(), child.id)
        .limit(MOST_UNITS)
    )


def is_dotted(name: str) -> bool:
    """Whether a variable is a column of a list, such as venue.address. No person has it, whatever their attributes
    are called.
    """
    return "." in name


def recipient_value(name: str, list_id: int | None = None) -> ColumnElement[Any]:
    """SQL for a recipient's value of a variable, as text and as freeze takes it; NULL if the person has none.
    `list_id`: the list that has their rows.
    """
    if is_dotted(name):
        return cast(null(), String) if list_id is None or not is_of_row(name) else select_row_value(name, list_id)
    match name:
        case "name":
            return Person.name.expression
        case "unit":
            return Unit.name.expression
        case "number":
            return Person.number.expression
    return func.jsonb_extract_path_text(Person.attributes, name, type_=String)


def make_tried(row: Mapping[str, Any], own: Sequence[str]) -> Tried:
    """A recipient of a row with person_id, unit_id, name, number, attributes, the unit's name as `unit`, and the values
    of their row of a list as `listed`.
    """
    values = {one: row[one] if one in _FIELDS else _find_value(row, one) for one in own}
    return Tried(row["person_id"], row["name"], row["unit_id"], row["unit"], values)


def _find_value(row: Mapping[str, Any], name: str) -> Any:
    if is_dotted(name):
        return (row["listed"] or {}).get(name.removeprefix(ROW)) if is_of_row(name) else None
    return row["attributes"].get(name)
