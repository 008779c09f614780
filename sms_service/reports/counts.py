"""Delivery counts, from the ledger's rows or what they were added up to, and the identity they stand on.

*People* are distinct persons, *messages* ledger rows, *parts* those of accepted attempts: three separate counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import ColumnElement, Select, case, func, literal, null, select, tuple_
from sqlalchemy.orm import Session

from sms_service.campaigns.models import Campaign
from sms_service.content.models import Template, TemplateCategory
from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import plan_anew
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.ledger.archived import count_archived_runs, find_archived_months, require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus
from sms_service.reports.filters import DIMENSIONS, LEDGER, Filter, group_by, last_id, unit_of_row
from sms_service.reports.parts import parts_taken
from sms_service.reports.rates import LEFT, find_share
from sms_service.reports.rolled import RolledCount, count_rolled, tells_people
from sms_service.reports.sources import Source, choose_source
from sms_service.said import Said, say

MOST_LINES = 5_000
MOST_READ = 500_000  # rows of the ledger, to tell how many people they are for
NO_PRICES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Count:
    """One line: the values of the dimensions asked for, then people, messages and parts. `people` is None where that
    many rows would have to be read to tell (`MOST_READ`). `left`: so many of the messages a gateway took or may have
    taken; `delivered`: so many arrived. `names`: what the campaign is called, or that of the run, the template or its
    category, where it counts by these. `cost_fen`: what the parts cost; None unless all prices are known.
    """

    by: dict[str, Any]
    people: int | None
    messages: int
    parts: int
    names: dict[str, str] = field(default_factory=dict)
    cost_fen: int | None = None
    left: int = 0
    delivered: int = 0

    @property
    def delivery_rate(self) -> float | None:
        """Of the messages that left so many arrived, from 0 to 1; None if none left."""
        return find_share(self.delivered, self.left)

    @property
    def reach_rate(self) -> float | None:
        """Of all messages, also those that were skipped, so many arrived; None if there is none."""
        return find_share(self.delivered, self.messages)


@dataclass(frozen=True, slots=True)
class CountsTable:
    """Counts by dimensions, and the total over the same rows. Messages and parts add up to it; one person may be in
    several lines.
    """

    lines: list[Count]
    total: Count

    def explain_people(self) -> Said | None:
        """Why the lines' people add up to more than the total; None if they do not."""
        people = [line.people for line in self.lines if line.people is not None]
        more = 0 if self.total.people is None else sum(people) - self.total.people
        if more <= 0:
            return None
        return say(
            "The lines add up to {more:,} people more than the total: who has messages in several lines is counted in"
            " each of them, and once in the total.",
            more=more,
        )


@dataclass(frozen=True, slots=True)
class LedgerIdentity:
    """Audience = the sum of all statuses, for one run. `audience` is what the segment's own query counted at freeze."""

    run_id: int
    audience: int
    statuses: dict[str, int]
    holds: bool


def tabulate_counts(
    session: Session,
    rows: Filter,
    by: Sequence[str],
    prices: Mapping[str, float] = NO_PRICES,
    source: Source | None = None,
) -> CountsTable:
    """Count the rows grouped by dimensions, lines and total in one statement and so from one moment.

    `unit` groups by the units right below the filter's one path (what belongs to that unit itself stands under it), or,
    if it has several, by those paths' units. `prices`: fen for a part, by gateway account; a text costs what the one
    takes that had it last. `source`: what `choose_source` said of this filter or of a wider one in the same
    transaction, NO_ROLL_UPS if that was None. Raises Invalid (`by`), also for more than 5,000 lines, or Conflict for a
    question about archived months that the roll-ups cannot answer.
    """
    for name in by:
        if name not in DIMENSIONS:
            raise Invalid("by", name, say("must be some of {dimensions}", dimensions=DIMENSIONS))
    names = list(dict.fromkeys(by))
    plan_anew(session)
    rolled = _tabulate_rolled(session, rows, names, prices, source or choose_source(session, rows, names))
    return _tabulate_ledger(session, rows, names, prices) if rolled is None else rolled


def _tabulate_rolled(
    session: Session, rows: Filter, names: Sequence[str], prices: Mapping[str, float], source: Source | None
) -> CountsTable | None:
    """None if the ledger must be asked, or may as well be. Of archived months nobody can tell how many people there are
    in what the roll-ups do not tell people of.
    """
    if source is None or not source.days:
        return None
    counts = count_rolled(session, rows, names, prices, source)
    total = RolledCount()
    for count in counts.values():
        total.add(count)
    told = tells_people(rows, names)
    if not told and total.messages <= MOST_READ and not find_archived_months(session, *rows.of_runs()):
        return None
    lines = sorted(counts.items(), key=lambda item: [(value is None, value) for value in item[0]])

    def line(group: Sequence[Any], count: RolledCount) -> dict[str, Any]:
        by = {f"by_{name}": value for name, value in zip(names, group, strict=True)}
        people = len(count.people) if told else None
        cost = count.cost if prices else None
        numbers = {"messages": count.messages, "left": count.left, "delivered": count.delivered, "parts": count.parts}
        return {**by, "people": people, **numbers, "cost": cost}

    found = [line(group, count) for group, count in lines] if names else []
    return _table(session, names, found, {**line((None,) * len(names), total)})


def _tabulate_ledger(session: Session, rows: Filter, names: Sequence[str], prices: Mapping[str, float]) -> CountsTable:
    require_unarchived(session, *rows.of_runs())
    inner = (
        select(
            *(_dimension(name, rows).label(f"by_{name}") for name in names),
            Message.person_id,
            Message.status,
            parts_taken().label("parts"),
            (case(dict(prices), value=GatewayAccount.name) if prices else null()).label("price"),
        )
        .select_from(Message)
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.gateway_account_id)
        .where(*rows.conditions())
        .subquery()
    )
    columns = [inner.c[f"by_{name}"] for name in names]
    is_total = func.grouping(columns[0]) if columns else literal(1)
    statement: Select[Any] = select(
        *columns,
        is_total.label("is_total"),
        func.count(func.distinct(inner.c.person_id)).label("people"),
        func.count().label("messages"),
        func.count().filter(inner.c.status.in_(LEFT)).label("left"),
        func.count().filter(inner.c.status == MessageStatus.delivered).label("delivered"),
        func.coalesce(func.sum(inner.c.parts), 0).label("parts"),
        (_cost(inner.c.parts, inner.c.price) if prices else null()).label("cost"),
    ).select_from(inner)
    if columns:
        statement = statement.group_by(func.grouping_sets(tuple_(*columns), tuple_()))
        statement = statement.order_by(is_total.desc(), *columns).limit(MOST_LINES + 2)
    total, *found = session.execute(statement).mappings()
    return _table(session, names, found, total)


def _table(
    session: Session, names: Sequence[str], found: Sequence[Mapping[Any, Any]], total: Mapping[Any, Any]
) -> CountsTable:
    if len(found) > MOST_LINES:
        raise Invalid(
            "by",
            ",".join(names),
            say("gives more than {most:,} lines; narrow the filters or take less", most=MOST_LINES),
        )
    of_units = [name for name in names if name in ("unit", "sender")]
    units = _unit_names(session, {row[f"by_{name}"] for row in found for name in of_units}) if of_units else {}
    called = {name: _names_of(session, name, {row[f"by_{name}"] for row in found}) for name in names if name in _NAMED}
    lines = [
        _count(
            {name: units.get(row[f"by_{name}"]) if name in of_units else row[f"by_{name}"] for name in names},
            row,
            {name: named[row[f"by_{name}"]] for name, named in called.items() if row[f"by_{name}"] in named},
        )
        for row in found
    ]
    return CountsTable(lines, _count({}, total))


def count_messages(session: Session, rows: Filter, by: Sequence[str]) -> list[Count]:
    """The lines of `tabulate`; without dimensions the total alone."""
    table = tabulate_counts(session, rows, by)
    return table.lines if by else [table.total]


_PERIODS = {
    "day": relativedelta(days=1),
    "week": relativedelta(weeks=1),
    "month": relativedelta(months=1),
    "year": relativedelta(years=1),
}


def drill_down(rows: Filter, line: Count) -> dict[str, str]:
    """The filters, as `/messages` takes them, that together with those of the count list a line's rows."""
    found: dict[str, str] = {}
    since, until = rows.since, rows.until
    for name, value in line.by.items():
        if name == "unit":
            found["unit"] = str(value["id"])
            if len(rows.paths) == 1 and rows.under is None and not value["path"].startswith(rows.paths[0]):
                found["under"] = last_id(rows.paths[0])  # it has moved out since
            # The one path's own unit stands beside the units below it: what is its own only.
            if len(rows.paths) == 1 and rows.paths[0].endswith(f"/{value['id']}/"):
                found["subtree"] = "false"
        elif name in ("campaign", "item") and value is None:
            found["of_campaign"] = "false"
        elif name in _PERIODS:
            since = max(value, since or value)
            last = value + _PERIODS[name] - timedelta(days=1)
            until = min(last, until or last)
            found |= {"since": since.isoformat(), "until": until.isoformat()}
        elif name == "sender":
            found |= {"sender": str(value["id"]), "sender_subtree": "false"}
        elif name in ("template", "category"):
            found[name] = str(value or 0)
        else:
            found[name] = "" if value is None else str(value)
    return found


def count_other_kinds(session: Session, rows: Filter, source: Source | None = None) -> dict[str, int]:
    """How many of these rows are of runs of no campaign, by the runs' kind. `source`: as of `tabulate_counts`."""
    table = tabulate_counts(session, rows, ("kind",), source=source)
    return {line.by["kind"]: line.messages for line in table.lines if line.by["kind"] != "campaign"}


def check_identity(session: Session, run_id: int) -> LedgerIdentity:
    """The identity of a frozen run, from its rows, or from what they came to when they were archived. Raises Invalid if
    it is not frozen yet.
    """
    run = session.get_one(Run, run_id)
    if run.audience is None:
        raise Invalid("run", run_id, "is not frozen yet")
    if archived := count_archived_runs(session, [run_id]).get(run_id):
        return LedgerIdentity(run_id, run.audience, archived, run.audience == sum(archived.values()))
    statuses: dict[str, int] = dict(
        session.execute(
            select(Message.status, func.count())
            .where(Message.month == run.month, Message.run_id == run_id)
            .group_by(Message.status)
            .order_by(Message.status)
        ).all()
    )
    return LedgerIdentity(run_id, run.audience, statuses, run.audience == sum(statuses.values()))


def _dimension(name: str, rows: Filter) -> ColumnElement[Any]:
    if name == "unit":
        return unit_of_row(rows)
    return GatewayAccount.name.expression if name == "account" else group_by(name, LEDGER)


def _cost(parts: ColumnElement[int], price: ColumnElement[float]) -> ColumnElement[float | None]:
    """SQL for what parts cost; NULL where the price of some is not known."""
    unknown = func.bool_or((parts > 0) & price.is_(None))
    return case((unknown, null()), else_=func.coalesce(func.sum(parts * price), 0))


def _count(by: dict[str, Any], row: Any, names: dict[str, str] | None = None) -> Count:
    cost = None if row["cost"] is None else round(row["cost"])
    numbers = row["people"], row["messages"], int(row["parts"])
    return Count(by, *numbers, names or {}, cost, row["left"], row["delivered"])


_NAMED = ("campaign", "run", "template", "category")


def _names_of(session: Session, kind: str, ids: set[int]) -> dict[int, str]:
    """What the campaigns are called, or those of these runs."""
    named = {
        "campaign": select(Campaign.id, Campaign.name).where(Campaign.id.in_(ids)),
        "run": select(Run.id, Campaign.name).join(Campaign, Campaign.id == Run.campaign_id).where(Run.id.in_(ids)),
        "template": select(Template.id, Template.name).where(Template.id.in_(ids)),
        "category": select(TemplateCategory.id, TemplateCategory.name).where(TemplateCategory.id.in_(ids)),
    }
    return dict(session.execute(named[kind]).all())


def _unit_names(session: Session, ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = session.execute(select(Unit.id, Unit.code, Unit.name, Unit.path).where(Unit.id.in_(ids)))
    return {row.id: dict(row._mapping) for row in rows}
