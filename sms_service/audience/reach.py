"""Whom a rule would reach if it was sent now: how many, who is skipped and why, and people to try the text on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, String, and_, cast, func, literal, null, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.rules import audience_select
from sms_service.audience.skipping import find_reason, join_reasons
from sms_service.directory.models import Person, Unit
from sms_service.errors import Invalid
from sms_service.vocabulary import MessageReason

TRIED = 200  # people on whom a text is tried, beside those with the least and the most to say
EXTREMES = 20  # people with the least to say, and as many with the most
NAMED_UP_TO = 1_000  # recipients; of a larger audience those who are skipped are counted and not named
MOST_UNITS = 500  # that are counted one by one
NAMED = 30  # people named by reason
# The order in which people are tried: any order that has nothing to do with units or with who came first.
_PRIME, _FACTOR = 1_000_003, 7_919
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
    """How many recipients a unit has with all below it, and how many of them nothing keeps from being texted."""

    id: int
    name: str
    people: int
    textable: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What freeze would write down now: recipients in all (`people`), the `phones` that would get a text each, and the
    others by why they are `skipped`, as `preview_audience` counts them.

    `windows`: the phones by when texts may leave for their units. `lacking`: recipients to be texted who have no value
    for a variable, where any. `tried`: all recipients of a small audience who would be texted, otherwise some, among
    them those with the shortest and the longest values.
    """

    people: int
    phones: int
    skipped: Mapping[MessageReason, int]
    windows: Mapping[Window, int]
    lacking: Mapping[str, int]
    tried: Sequence[Tried]


def measure_reach(session: Session, rule: object, path: str, own: Sequence[str], needed: Sequence[str]) -> Reach:
    """Find the recipients of the rule within the subtree at `path`, once for all that is said of them.

    `own`: the variables that each recipient fills; `needed`: those of them that a text cannot do without. Raises
    Invalid as `audience_select` does.
    """
    lacks = [recipient_value(name).is_(None).label(f"lacks_{number}") for number, name in enumerate(needed)]
    length = sum((func.coalesce(func.char_length(recipient_value(name)), 0) for name in own), start=literal(0, Integer))
    known = (
        join_reasons(audience_select(session, rule, path))
        .add_columns(Person.phone, length.label("length"), find_reason(path).label("reason"), *lacks)
        .cte("known")
    )
    reasons = select(known.c.reason, func.count().label("number")).group_by(known.c.reason).subquery()
    # Grouped, not counted as distinct: that would sort all phones.
    phones = (
        select(func.min(known.c.unit_id).label("unit_id"))
        .where(known.c.reason.is_(None))
        .group_by(known.c.phone)
        .subquery()
    )
    windows = (
        select(Unit.timezone, Unit.window_opens, Unit.window_closes, func.count().label("phones"))
        .join(phones, phones.c.unit_id == Unit.id)
        .group_by(Unit.timezone, Unit.window_opens, Unit.window_closes)
        .subquery()
    )
    lacking = [func.count().filter(and_(known.c.reason.is_(None), known.c[column.name])) for column in lacks]
    texted = select(known.c.person_id, known.c.unit_id).where(known.c.reason.is_(None))
    mixed = (known.c.person_id % _PRIME) * _FACTOR % _PRIME
    orders = [mixed.asc(), *((known.c.length.asc(), known.c.length.desc()) if own else ())]
    tried = [
        texted.order_by(order, known.c.person_id, known.c.unit_id)
        .limit(TRIED if order is orders[0] else EXTREMES)
        .subquery()
        for order in orders
    ]
    chosen = select(tried[0].c.person_id, tried[0].c.unit_id).union(
        *(select(one.c.person_id, one.c.unit_id) for one in tried[1:])
    )
    pairs = chosen.subquery()
    people = (
        select(pairs, Person.name, Person.number, Person.attributes, Unit.name.label("unit"))
        .join(Person, Person.id == pairs.c.person_id)
        .join(Unit, Unit.id == pairs.c.unit_id)
        .order_by(pairs.c.person_id, pairs.c.unit_id)
    )
    row = session.execute(
        select(
            _listed(select(reasons)),
            _listed(select(windows)),
            _listed(select(func.json_build_array(*lacking).label("lacking")).select_from(known)) if needed else null(),
            _listed(people),
        )
    ).one()
    by_reason = {one["reason"]: one["number"] for one in row[0] or ()}
    shares = {Window(one["timezone"], one["window_opens"], one["window_closes"]): one["phones"] for one in row[1] or ()}
    texts = sum(shares.values())
    skipped = {MessageReason(why): number for why, number in by_reason.items() if why is not None}
    if by_reason.get(None, 0) > texts:
        skipped[MessageReason.duplicate_phone] = by_reason[None] - texts
    counted = dict(zip(needed, row[2][0]["lacking"], strict=True)) if needed else {}
    return Reach(
        sum(by_reason.values()),
        texts,
        skipped,
        shares,
        {name: number for name, number in counted.items() if number},
        [_tried(one, own) for one in row[3] or ()],
    )


def count_by_unit(
    session: Session, actor: Actor, unit_id: int, rule: object, below_id: int | None = None
) -> list[UnitReach]:
    """How many recipients of the unit's rule each unit right below has, or each right below the unit `below_id` within
    it, by name; who belongs to that unit itself stands under it. At most 500 units, those with the most.

    Raises Invalid (the place in the rule, or `below`), NotFound, Forbidden.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    top_id = unit_id if below_id is None else below_id
    top = path if below_id is None else unit_path(session, below_id)
    if not top.startswith(path):
        raise Invalid("below", below_id, "must be a unit within the rule's own unit")
    child = func.split_part(func.substr(Unit.path, len(top) + 1), "/", 1)
    group = cast(func.coalesce(func.nullif(child, ""), str(top_id)), BigInteger).label("id")
    found = join_reasons(audience_select(session, rule, path)).where(Unit.path.op("^@")(top))
    reason = find_reason(path)
    counted = (
        found.with_only_columns(
            group, func.count().label("people"), func.count().filter(reason.is_(None)).label("textable")
        )
        .group_by(group)
        .order_by(func.count().desc(), group)
        .limit(MOST_UNITS)
        .subquery()
    )
    rows = session.execute(
        select(Unit.id, Unit.name, counted.c.people, counted.c.textable)
        .join(counted, counted.c.id == Unit.id)
        .order_by(Unit.name, Unit.id)
    )
    return [UnitReach(*row) for row in rows]


def name_skipped(session: Session, rule: object, path: str) -> dict[MessageReason, list[Skipped]]:
    """Those of an audience who would get no text, by reason, the first 30 of each by id. For an audience of at most
    NAMED_UP_TO recipients: it is read as a whole.
    """
    found = join_reasons(audience_select(session, rule, path))
    rows = session.execute(
        found.with_only_columns(Person.id, Person.name, Unit.id, Unit.name, Person.phone, find_reason(path)).order_by(
            Person.id, Unit.id
        )
    )
    named: dict[MessageReason, list[Skipped]] = defaultdict(list)
    texted: set[str | None] = set()
    for person_id, name, unit_id, unit, phone, reason in rows:
        if reason is None and phone in texted:  # the first of several who share a phone is sent, as at freeze
            reason = MessageReason.duplicate_phone
        if reason is None:
            texted.add(phone)
        elif len(named[MessageReason(reason)]) < NAMED:
            named[MessageReason(reason)].append(Skipped(person_id, name, unit_id, unit))
    return dict(named)


def recipient_value(name: str) -> ColumnElement[Any]:
    """SQL for a recipient's value of a variable, as text and as freeze takes it; NULL if the person has none."""
    match name:
        case "name":
            return Person.name.expression
        case "unit":
            return Unit.name.expression
        case "number":
            return Person.number.expression
    return func.jsonb_extract_path_text(Person.attributes, name, type_=String)


def _listed(rows: Select[*tuple[Any, ...]]) -> ColumnElement[Any]:
    one = rows.subquery()
    return select(func.json_agg(func.row_to_json(one.table_valued()))).select_from(one).scalar_subquery()


def _tried(row: Mapping[str, Any], own: Sequence[str]) -> Tried:
    values = {one: row[one] if one in _FIELDS else row["attributes"].get(one) for one in own}
    return Tried(row["person_id"], row["name"], row["unit_id"], row["unit"], values)
