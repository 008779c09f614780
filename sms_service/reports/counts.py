"""Delivery counts, always from the ledger's rows, and the identity they stand on.

*People* are distinct persons, *messages* ledger rows, *parts* those of accepted attempts: three separate counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Select, case, cast, false, func, literal, null, or_, select, true, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger

from sms_service.campaigns.models import Campaign
from sms_service.controls.models import GatewayAccount
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ledger.states import AttemptStatus, MessageStatus
from sms_service.reports.open_rows import with_unclassified
from sms_service.said import Said, say

DIMENSIONS = ("unit", "status", "reason", "code", "campaign", "run", "day", "account", "class", "kind")
TAKEN = (AttemptStatus.accepted, AttemptStatus.no_receipt, AttemptStatus.undelivered, AttemptStatus.delivered)
# With these a message that was handed over once was not taken, as far as is known.
NOT_TAKEN = (MessageStatus.submitting, MessageStatus.unknown, MessageStatus.refused)
MOST_LINES = 5_000
NO_PRICES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are counted.

    `paths`: the units' subtrees, or with `subtree` False these units alone, as of each row's freeze: a unit that moves
    takes no past number along, neither from the units that were above it nor to those that are. Days are local days of
    launch, both ends included. `reason`, `code` (the provider's own) and `account` (a gateway account's name): "" means
    the rows that have none. `class_` and `kind` (`campaign`, `test`, …) are those of the run. `changed_since` and
    `changed_before`: when the row changed last, the first included.
    `unclassified`: a provider's code that no table has, of `account`: rows that it answered or reported with that code.
    `of_campaign`: only rows of a campaign, or only those of none. `under`: only rows that were also within the subtree
    of the unit at this path.
    """

    paths: Sequence[str]
    campaign_id: int | None = None
    run_id: int | None = None
    since: date | None = None
    until: date | None = None
    status: str | None = None
    reason: str | None = None
    account: str | None = None
    code: str | None = None
    class_: str | None = None
    kind: str | None = None
    changed_since: datetime | None = None
    changed_before: datetime | None = None
    subtree: bool = True
    under: str | None = None
    unclassified: str | None = None
    of_campaign: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL over messages joined to runs and, outer, to gateway accounts."""
        if self.since is not None and self.until is not None and self.until < self.since:
            raise Invalid("until", self.until.isoformat(), "must not be before `since`")
        if self.subtree:
            found = [or_(false(), *(stood_under(path) for path in self.paths))]
        else:
            found = [or_(false(), *(Message.unit_path.like(f"%/{_last_id(path)}/") for path in self.paths))]
        if self.under is not None:
            found.append(stood_under(self.under))
        found += self.of_runs()
        if self.since is not None:
            found.append(Message.month >= self.since.replace(day=1))
        if self.until is not None:
            found.append(Message.month <= self.until)
        if self.status is not None:
            found.append(Message.status == self.status)
        if self.reason is not None:
            found.append(func.coalesce(Message.reason, "") == self.reason)
        if self.code is not None:
            found.append(func.coalesce(Message.raw_code, "") == self.code)
        if self.changed_since is not None:
            found.append(Message.changed_at >= self.changed_since)
        if self.changed_before is not None:
            found.append(Message.changed_at < self.changed_before)
        if self.unclassified is not None:  # then `account` is the one whose code it is
            keys = with_unclassified(self.unclassified, self.account)
            found.append(tuple_(Message.month, Message.id).in_(select(keys.c.month, keys.c.message_id)))
        elif self.account is not None:
            found.append(func.coalesce(GatewayAccount.name, "") == self.account)
        return found

    def of_runs(self) -> list[ColumnElement[bool]]:
        """What of it chooses whole runs, as SQL over runs."""
        wanted = {Run.campaign_id: self.campaign_id, Run.id: self.run_id, Run.class_: self.class_, Run.kind: self.kind}
        found: list[ColumnElement[bool]] = [column == value for column, value in wanted.items() if value is not None]
        if self.of_campaign is not None:
            found.append(Run.campaign_id.is_not(None) if self.of_campaign else Run.campaign_id.is_(None))
        if self.since is not None:
            found.append(Run.day >= self.since)
        if self.until is not None:
            found.append(Run.day <= self.until)
        return found

    @property
    def asks_whole_runs(self) -> bool:
        """Whether of each run it asks for all rows, but for the units that are covered."""
        narrow = (self.status, self.reason, self.code, self.account, self.under, self.unclassified)
        return self.subtree and all(value is None for value in (*narrow, self.changed_since, self.changed_before))


@dataclass(frozen=True, slots=True)
class Count:
    """One line: the values of the dimensions asked for, then people, messages and parts. `names`: what the campaign is
    called, or that of the run, where it counts by these. `cost_fen`: what the parts cost; None unless all prices are
    known.
    """

    by: dict[str, Any]
    people: int
    messages: int
    parts: int
    names: dict[str, str] = field(default_factory=dict)
    cost_fen: int | None = None


@dataclass(frozen=True, slots=True)
class CountsTable:
    """Counts by dimensions, and the total over the same rows. Messages and parts add up to it; one person may be in
    several lines.
    """

    lines: list[Count]
    total: Count

    def explain_people(self) -> Said | None:
        """Why the lines' people add up to more than the total; None if they do not."""
        more = sum(line.people for line in self.lines) - self.total.people
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


def parts_taken() -> ColumnElement[int]:
    """SQL for the parts of a message's accepted attempts, 0 if there are none.

    Most messages have one attempt, whose status goes with the message's and whose parts are the message's: then no
    attempt is looked up (tests/ledger/test_state_machine.py holds that this is the same).
    """
    taken = (
        select(func.sum(Attempt.parts))
        .where(Attempt.month == Message.month, Attempt.message_id == Message.id, Attempt.status.in_(TAKEN))
        .correlate(Message)
        .scalar_subquery()
    )
    once = Message.attempts == 1
    return case(
        (Message.attempts == 0, 0),
        (once & Message.status.in_(TAKEN) & Message.parts.is_not(None), Message.parts),
        (once & Message.status.in_(NOT_TAKEN), 0),
        else_=func.coalesce(taken, 0),
    )


def tabulate_counts(
    session: Session, rows: Filter, by: Sequence[str], prices: Mapping[str, float] = NO_PRICES
) -> CountsTable:
    """Count the rows grouped by dimensions, lines and total in one statement and so from one moment.

    `unit` groups by the units right below the filter's one path (what belongs to that unit itself stands under it), or,
    if it has several, by those paths' units. `prices`: fen for a part, by gateway account; a text costs what the one
    takes that had it last. Raises Invalid for a dimension that there is not and for more than
    5,000 lines.
    """
    for name in by:
        if name not in DIMENSIONS:
            raise Invalid("by", name, say("must be some of {dimensions}", dimensions=DIMENSIONS))
    names = list(dict.fromkeys(by))
    inner = (
        select(
            *(_dimension(name, rows.paths).label(f"by_{name}") for name in names),
            Message.person_id,
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
        func.coalesce(func.sum(inner.c.parts), 0).label("parts"),
        (_cost(inner.c.parts, inner.c.price) if prices else null()).label("cost"),
    ).select_from(inner)
    if columns:
        statement = statement.group_by(func.grouping_sets(tuple_(*columns), tuple_()))
        statement = statement.order_by(is_total.desc(), *columns).limit(MOST_LINES + 2)
    total, *found = session.execute(statement).mappings()
    if len(found) > MOST_LINES:
        raise Invalid(
            "by",
            ",".join(names),
            say("gives more than {most:,} lines; narrow the filters or take less", most=MOST_LINES),
        )
    units = _unit_names(session, {row["by_unit"] for row in found}) if "unit" in names else {}
    called = {name: _names_of(session, name, {row[f"by_{name}"] for row in found}) for name in names if name in _NAMED}
    lines = [
        _count(
            {name: units.get(row["by_unit"]) if name == "unit" else row[f"by_{name}"] for name in names},
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


def drill_down(rows: Filter, line: Count) -> dict[str, str]:
    """The filters, as `/messages` takes them, that together with those of the count list a line's rows."""
    found: dict[str, str] = {}
    for name, value in line.by.items():
        if name == "unit":
            found["unit"] = str(value["id"])
            if len(rows.paths) == 1 and rows.under is None and not value["path"].startswith(rows.paths[0]):
                found["under"] = _last_id(rows.paths[0])  # it has moved out since
            # The one path's own unit stands beside the units below it: what is its own only.
            if len(rows.paths) == 1 and rows.paths[0].endswith(f"/{value['id']}/"):
                found["subtree"] = "false"
        elif name == "campaign" and value is None:
            found["of_campaign"] = "false"
        elif name == "day":
            found["since"] = found["until"] = value.isoformat()
        else:
            found[name] = "" if value is None else str(value)
    return found


def count_other_kinds(session: Session, rows: Filter) -> dict[str, int]:
    """How many of these rows are of runs of no campaign, by the runs' kind."""
    counted = (
        select(Run.kind, func.count())
        .select_from(Message)
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.gateway_account_id)
        .where(*rows.conditions(), Run.kind != "campaign")
        .group_by(Run.kind)
        .order_by(Run.kind)
    )
    return dict(session.execute(counted).all())


def check_identity(session: Session, run_id: int) -> LedgerIdentity:
    """The identity of a frozen run, from its rows. Raises Invalid if it is not frozen yet."""
    run = session.get_one(Run, run_id)
    if run.audience is None:
        raise Invalid("run", run_id, "is not frozen yet")
    statuses: dict[str, int] = dict(
        session.execute(
            select(Message.status, func.count())
            .where(Message.month == run.month, Message.run_id == run_id)
            .group_by(Message.status)
            .order_by(Message.status)
        ).all()
    )
    return LedgerIdentity(run_id, run.audience, statuses, run.audience == sum(statuses.values()))


def _cost(parts: ColumnElement[int], price: ColumnElement[float]) -> ColumnElement[float | None]:
    """SQL for what parts cost; NULL where the price of some is not known."""
    unknown = func.bool_or((parts > 0) & price.is_(None))
    return case((unknown, null()), else_=func.coalesce(func.sum(parts * price), 0))


def _count(by: dict[str, Any], row: Any, names: dict[str, str] | None = None) -> Count:
    cost = None if row["cost"] is None else round(row["cost"])
    return Count(by, row["people"], row["messages"], int(row["parts"]), names or {}, cost)


_NAMED = ("campaign", "run")


def _names_of(session: Session, kind: str, ids: set[int]) -> dict[int, str]:
    """What the campaigns are called, or those of these runs."""
    statement = select(Campaign.id, Campaign.name).where(Campaign.id.in_(ids))
    if kind == "run":
        statement = select(Run.id, Campaign.name).join(Campaign, Campaign.id == Run.campaign_id).where(Run.id.in_(ids))
    return dict(session.execute(statement).all())


def _dimension(name: str, paths: Sequence[str]) -> ColumnElement[Any]:
    match name:
        case "unit" if list(paths) == ["/"]:
            return cast(func.split_part(Message.unit_path, "/", 2), BigInteger)
        case "unit" if len(paths) == 1:
            own = _last_id(paths[0])
            after = func.split_part(Message.unit_path, f"/{own}/", 2)
            return cast(func.coalesce(func.nullif(func.split_part(after, "/", 1), ""), own), BigInteger)
        case "unit":
            return cast(case(*((stood_under(path), int(_last_id(path))) for path in paths)), BigInteger)
        case "status":
            return Message.status.expression
        case "reason":
            return Message.reason.expression
        case "code":
            return Message.raw_code.expression
        case "class":
            return Run.class_.expression
        case "kind":
            return Run.kind.expression
        case "campaign":
            return Run.campaign_id.expression
        case "run":
            return Message.run_id.expression
        case "day":
            return Run.day.expression
        case _:
            return GatewayAccount.name.expression


def stood_under(path: str) -> ColumnElement[bool]:
    """Whether the row's unit lay, at freeze, within the subtree of the unit that is now at `path`."""
    return true() if path == "/" else Message.unit_path.contains(f"/{_last_id(path)}/")


def _last_id(path: str) -> str:
    return path.strip("/").rpartition("/")[2]


def _unit_names(session: Session, ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = session.execute(select(Unit.id, Unit.code, Unit.name, Unit.path).where(Unit.id.in_(ids)))
    return {row.id: dict(row._mapping) for row in rows}
