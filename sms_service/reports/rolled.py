"""Counts over long times: what is added up comes from the roll-ups, the rest from the ledger.

People are counted once over all days: the roll-ups hold them as sets, by unit, class, kind, sender, campaign, status
and reason. What else is asked of people only the ledger can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pyroaring import BitMap
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Float,
    Select,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import FromClause

from sms_service.controls.models import GatewayAccount
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus
from sms_service.reports.filters import LEDGER, ROLLED, Filter, Rows, group_by, last_id, people_rows, unit_of_row
from sms_service.reports.parts import parts_taken
from sms_service.reports.rates import LEFT
from sms_service.reports.roll_up_models import DAILY_COUNTS, DAILY_PEOPLE, MONTHLY_PEOPLE
from sms_service.reports.sources import Source

_OF_MONTHS = frozenset({"unit", "status", "reason", "class", "kind", "month", "year"})
_OF_PEOPLE = _OF_MONTHS | {"sender", "campaign", "day", "week"}
_NOT_OF_PEOPLE = ("code", "account", "carrier", "item", "template_id", "category_id")
_NOT_OF_MONTHS = ("sender", "campaign_id", "of_campaign")


@dataclass(slots=True)
class RolledCount:
    """What was counted under one group. `cost`: in fen, None if a price is not known."""

    people: BitMap = field(default_factory=BitMap)
    messages: int = 0
    left: int = 0
    delivered: int = 0
    parts: int = 0
    cost: float | None = 0

    def add(self, other: RolledCount) -> None:
        """Count both together."""
        self.people |= other.people
        self.messages += other.messages
        self.left += other.left
        self.delivered += other.delivered
        self.parts += other.parts
        self.cost = None if self.cost is None or other.cost is None else self.cost + other.cost


def tells_people(rows: Filter, by: Sequence[str]) -> bool:
    """Whether the roll-ups can say how many people there are in the answer to such a question."""
    return _OF_PEOPLE.issuperset(by) and all(getattr(rows, name) is None for name in _NOT_OF_PEOPLE)


def count_rolled(
    session: Session, rows: Filter, by: Sequence[str], prices: Mapping[str, float], source: Source
) -> dict[tuple[Any, ...], RolledCount]:
    """What the rows come to, by the values of the dimensions. Without `tells_people`, the people are those of the
    ledger's part alone.
    """
    return count_several_rolled(session, [rows], by, prices, source)[0]


def count_several_rolled(
    session: Session,
    several: Sequence[Filter],
    by: Sequence[str],
    prices: Mapping[str, float],
    source: Source,
    *,
    with_people: bool = True,
) -> list[dict[tuple[Any, ...], RolledCount]]:
    """The same of several filters in one statement; without `with_people` nobody is looked for."""
    pieces = []
    for place, rows in enumerate(several):
        of_rows = [_of_sums(rows, by, prices, source)]
        if source.run_ids or not source.days:
            of_rows.append(_of_ledger(rows, by, prices, source, with_people=with_people))
        if with_people and tells_people(rows, by):
            of_rows += _of_people(rows, by, source)
        pieces += [piece.add_columns(literal(place).label("place")) for piece in of_rows]
    found: list[dict[tuple[Any, ...], RolledCount]] = [{} for _ in several]
    for row in session.execute(union_all(*pieces)):
        people = BitMap.union(BitMap(row.person_ids or ()), *(BitMap.deserialize(one) for one in row.people or ()))
        cost = None if row.unpriced else row.cost
        one = RolledCount(people, row.messages, row.left, row.delivered, row.parts, cost)
        found[row.place].setdefault(tuple(row[: len(by)]), RolledCount()).add(one)
    return found


def _of_sums(rows: Filter, by: Sequence[str], prices: Mapping[str, float], source: Source) -> Select[Any]:
    table = DAILY_COUNTS
    account = GatewayAccount.name
    found = (
        select(
            *_groups(by, ROLLED, table, rows),
            table.c.status,
            table.c.messages,
            table.c.parts,
            _price(prices).label("price"),
        )
        .outerjoin(GatewayAccount, GatewayAccount.id == table.c.account_id)
        .where(table.c.day == any_(literal(source.days, ARRAY(Date))), *_within(rows, by, table))
        .where(*rows.of_runs(ROLLED), *rows.of_rows(ROLLED))
    )
    if rows.account is not None:
        found = found.where(func.coalesce(account, "") == rows.account)
    inner = found.subquery()
    groups = list(inner.c)[: len(by)]
    return select(*groups, *_numbers(func.sum(inner.c.messages), inner), *_sets()).group_by(*groups)


def _of_ledger(
    rows: Filter, by: Sequence[str], prices: Mapping[str, float], source: Source, *, with_people: bool
) -> Select[Any]:
    groups = [unit_of_row(rows) if name == "unit" else _group(name, LEDGER) for name in by]
    of_runs = (
        Message.month == any_(literal(source.run_months, ARRAY(Date))),
        Message.run_id == any_(literal(source.run_ids, ARRAY(BigInteger))),
    )
    inner = (
        select(
            *(column.label(f"by_{name}") for name, column in zip(by, groups, strict=True)),
            Message.person_id,
            Message.status,
            parts_taken().label("parts"),
            _price(prices).label("price"),
        )
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.gateway_account_id)
        .where(*(of_runs if source.days else ()), *rows.conditions())
        .subquery()
    )
    return select(
        *list(inner.c)[: len(by)],
        *_numbers(func.count(), inner),
        *_sets(person_ids=func.array_agg(inner.c.person_id.distinct()) if with_people else None),
    ).group_by(*list(inner.c)[: len(by)])


def _of_people(rows: Filter, by: Sequence[str], source: Source) -> list[Select[Any]]:
    """Whole months where that is enough, and the days that lie in none of them."""
    whole = _OF_MONTHS.issuperset(by) and all(getattr(rows, name) is None for name in _NOT_OF_MONTHS)
    months = source.months if whole else []
    days = [day for day in source.days if day.replace(day=1) not in months]
    bounds = ((DAILY_PEOPLE, DAILY_PEOPLE.c.day, days), (MONTHLY_PEOPLE, MONTHLY_PEOPLE.c.month, months))
    found = []
    for table, column, values in bounds:
        of = people_rows(table, column)
        groups = _groups(by, of, table, rows)
        people = func.array_agg(table.c.people)
        none = literal(0), literal(0), literal(0), literal(0), literal(0.0, Float), false()
        asked = replace(rows, since=None, until=None)  # the days and months are named
        found.append(
            select(*groups, *_label(none), *_sets(people=people))
            .where(column == any_(literal(values, ARRAY(Date))), *_within(rows, by, table))
            .where(*asked.of_runs(of), *asked.of_rows(of))
            .group_by(*groups)
        )
    return found


def _groups(by: Sequence[str], of: Rows, table: FromClause, rows: Filter) -> list[ColumnElement[Any]]:
    return [(table.c.unit_id if name == "unit" else _group(name, of)).label(f"by_{name}") for name in by]


def _group(name: str, of: Rows) -> ColumnElement[Any]:
    return GatewayAccount.name.expression if name == "account" else group_by(name, of)


def _within(rows: Filter, by: Sequence[str], table: FromClause) -> list[ColumnElement[bool]]:
    """Each row once: in the lines of the unit at the path, or, by units, of those right below it and of itself for what
    is its own.
    """
    if rows.each is not None:
        return [table.c.own, table.c.unit_id == any_(literal(list(rows.each), ARRAY(BigInteger)))]
    (path,) = rows.paths
    unit_id = int(last_id(path) or 0)
    below = table.c.parent_id == unit_id
    if path == "/":
        return [below]
    if "unit" in by:
        return [or_(below, (table.c.unit_id == unit_id) & table.c.own)]
    return [table.c.unit_id == unit_id]


def _price(prices: Mapping[str, float]) -> ColumnElement[Any]:
    return case(dict(prices), value=GatewayAccount.name) if prices else cast(null(), Float)


def _numbers(messages: FunctionElement[Any], inner: FromClause) -> list[Any]:
    """`messages`: the aggregate that counts them."""
    status, parts, price = inner.c.status, inner.c.parts, inner.c.price
    left, delivered = status.in_(LEFT), status == MessageStatus.delivered
    unpriced = func.coalesce(func.bool_or((parts > 0) & price.is_(None)), false())
    cost = func.coalesce(func.sum(parts * price), 0.0)
    of_status = messages.filter(left), messages.filter(delivered)
    return _label((messages, *of_status, func.coalesce(func.sum(parts), 0), cost, unpriced))


def _label(numbers: Iterable[ColumnElement[Any]]) -> list[Any]:
    messages, left, delivered, parts, cost, unpriced = numbers
    return [
        cast(func.coalesce(messages, 0), BigInteger).label("messages"),
        cast(func.coalesce(left, 0), BigInteger).label("left"),
        cast(func.coalesce(delivered, 0), BigInteger).label("delivered"),
        cast(parts, BigInteger).label("parts"),
        cast(cost, Float).label("cost"),
        cast(unpriced, Boolean).label("unpriced"),
    ]


def _sets(person_ids: ColumnElement[Any] | None = None, people: ColumnElement[Any] | None = None) -> list[Any]:
    none = null()
    return [
        cast(none if person_ids is None else person_ids, ARRAY(BigInteger)).label("person_ids"),
        cast(none if people is None else people, ARRAY(BYTEA)).label("people"),
    ]
