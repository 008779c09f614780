"""Which rows are counted or listed, and by what: the same questions over the ledger's rows and over their roll-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    SQLColumnExpression,
    Text,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import FromClause

from sms_service.content.models import Template, TemplateVersion
from sms_service.controls.models import GatewayAccount
from sms_service.errors import Invalid
from sms_service.ledger.models import Message, Run
from sms_service.reports.open_rows import with_unclassified
from sms_service.reports.roll_up_models import DAILY_COUNTS

DIMENSIONS = (
    *("unit", "sender", "status", "reason", "code", "campaign", "item", "run", "template", "category"),
    *("day", "week", "month", "year", "account", "carrier", "class", "kind"),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are counted.

    `paths`: the units' subtrees, or with `subtree` False these units alone, as of each row's freeze: a unit that moves
    takes no past number along, neither from the units that were above it nor to those that are. Days are local days of
    launch, both ends included. `reason`, `code` (the provider's own), `account` (a gateway account's name) and
    `carrier`: "" means the rows that have none. `class_` and `kind` (`campaign`, `test`, …) are those of the run,
    `sender` is the path of a unit within whose subtree the unit of the run stood at launch, or with `sender_subtree`
    False that unit itself. `item`: which text of a campaign. `template_id`, `category_id`: what the text was rendered
    from; 0 means none. `changed_since` and `changed_before`: when the row changed last, the first included.
    `unclassified`: a provider's code that no table has, of `account`: rows that it answered or reported with that code.
    `of_campaign`: only rows of a campaign, or only those of none. `under`: only rows that were also within the subtree
    of the unit at this path. `each`: in the place of `paths`, the rows of these units themselves, not of those below;
    by `unit` each counts by itself.
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
    sender: str | None = None
    sender_subtree: bool = True
    item: int | None = None
    template_id: int | None = None
    category_id: int | None = None
    carrier: str | None = None
    each: Sequence[int] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL over messages joined to runs and, outer, to gateway accounts."""
        if self.each is not None:
            found: list[ColumnElement[bool]] = [Message.unit_id == any_(literal(list(self.each), ARRAY(BigInteger)))]
        elif self.subtree:
            found = [or_(false(), *(stood_under(path) for path in self.paths))]
        else:
            found = [or_(false(), *(Message.unit_path.like(f"%/{last_id(path)}/") for path in self.paths))]
        if self.under is not None:
            found.append(stood_under(self.under))
        found += self.of_runs()
        if self.since is not None:
            found.append(Message.month >= self.since.replace(day=1))
        if self.until is not None:
            found.append(Message.month <= self.until)
        if self.changed_since is not None:
            found.append(Message.changed_at >= self.changed_since)
        if self.changed_before is not None:
            found.append(Message.changed_at < self.changed_before)
        if self.unclassified is not None:  # then `account` is the one whose code it is
            keys = with_unclassified(self.unclassified, self.account)
            found.append(tuple_(Message.month, Message.id).in_(select(keys.c.month, keys.c.message_id)))
        elif self.account is not None:
            found.append(func.coalesce(GatewayAccount.name, "") == self.account)
        return found + self.of_rows(LEDGER)

    def of_rows(self, rows: Rows) -> list[ColumnElement[bool]]:
        """What of it is asked of each row by itself, whatever it lies in."""
        found = [] if self.status is None else [rows.status == self.status]
        blank = {rows.reason: self.reason, rows.code: self.code, rows.carrier: self.carrier}
        return found + [func.coalesce(of, "") == value for of, value in blank.items() if value is not None]

    def of_runs(self, rows: Rows | None = None) -> list[ColumnElement[bool]]:
        """What of it chooses whole runs, as SQL over runs, or over the roll-ups. Raises Invalid (`until`)."""
        if self.since is not None and self.until is not None and self.until < self.since:
            raise Invalid("until", self.until.isoformat(), "must not be before the first day")
        of = rows or LEDGER
        wanted = {of.campaign: self.campaign_id, of.run: self.run_id, of.class_: self.class_, of.kind: self.kind}
        found = [column == value for column, value in wanted.items() if value is not None]
        if self.item is not None:
            found += [of.campaign.is_not(None), of.item == self.item]
        if self.of_campaign is not None:
            found.append(of.campaign.is_not(None) if self.of_campaign else of.campaign.is_(None))
        for name, origin in (("template", self.template_id), ("category", self.category_id)):
            if origin is not None:
                value = group_by(name, of)
                found.append(value.is_(None) if origin == 0 else value == origin)
        if self.sender is not None:
            own = of.sender_path.like(f"%/{last_id(self.sender)}/")
            found.append(stood_under(self.sender, of.sender_path) if self.sender_subtree else own)
        if self.since is not None:
            found.append(of.day >= self.since)
        if self.until is not None:
            found.append(of.day <= self.until)
        return found

    @property
    def asks_whole_runs(self) -> bool:
        """Whether of each run it asks for all rows, but for the units that are covered."""
        narrow = self.status, self.reason, self.code, self.account, self.carrier
        return self.subtree and not self.asks_the_ledger and all(value is None for value in narrow)

    @property
    def asks_the_ledger(self) -> bool:
        """Whether it asks for what no roll-up has."""
        single = self.under, self.unclassified, self.changed_since, self.changed_before
        return not self.subtree or any(value is not None for value in single)


class Rows(NamedTuple):
    """The columns by which rows are chosen and grouped: those of the ledger, or of the roll-ups of days."""

    status: SQLColumnExpression[str]
    reason: SQLColumnExpression[str | None]
    code: SQLColumnExpression[str | None]
    carrier: SQLColumnExpression[str | None]
    class_: SQLColumnExpression[str]
    kind: SQLColumnExpression[str]
    campaign: SQLColumnExpression[int | None]
    item: SQLColumnExpression[int | None]
    run: SQLColumnExpression[int | None]
    version: SQLColumnExpression[int | None]
    day: SQLColumnExpression[date]
    sender_path: SQLColumnExpression[str]


LEDGER = Rows(
    Message.status,
    Message.reason,
    Message.raw_code,
    func.coalesce(Message.carrier, func.carrier_of(Message.phone)),
    Run.class_,
    Run.kind,
    Run.campaign_id,
    Run.item,
    Run.id,
    Run.template_version_id,
    Run.day,
    Run.unit_path,
)
_DAILY = DAILY_COUNTS.c
ROLLED = Rows(
    _DAILY.status,
    _DAILY.reason,
    _DAILY.raw_code,
    _DAILY.carrier,
    _DAILY["class"],
    _DAILY.kind,
    _DAILY.campaign_id,
    _DAILY.item,
    _DAILY.run_id,
    _DAILY.template_version_id,
    _DAILY.day,
    _DAILY.sender_path,
)


def people_rows(table: FromClause, day: SQLColumnExpression[Any]) -> Rows:
    """The columns of `daily_people` or `monthly_people`; those that it has not are NULL."""
    column, none = table.c, cast(null(), BigInteger)
    text = cast(null(), Text)
    campaign, sender_path = column.get("campaign_id", none), column.get("sender_path", text)
    what = column.status, column.reason, text, text, column["class"], column.kind
    return Rows(*what, campaign, none, none, none, day, sender_path)


def group_by(name: str, rows: Rows) -> ColumnElement[Any]:
    """SQL for what a row is counted under by a dimension, but for `unit` and `account`. A week is told by its Monday, a
    month and a year by their first days; a template and its category by their ids.
    """
    match name:
        case "sender":
            return cast(func.split_part(rows.sender_path, "/", -2), BigInteger)  # "/1/5/" ends in a slash
        case "class":
            return _sql(rows.class_)
        case "item":
            return case((rows.campaign.is_not(None), cast(rows.item, Integer)))
        case "week" | "month" | "year":
            return cast(func.date_trunc(name, rows.day), Date)
        case "template":
            return _of_version(TemplateVersion.template_id, rows)
        case "category":
            return _of_version(Template.category_id, rows)
    return _sql(getattr(rows, name))


def _sql(column: SQLColumnExpression[Any]) -> ColumnElement[Any]:
    found: ColumnElement[Any] = column.expression if isinstance(column, InstrumentedAttribute) else column  # type: ignore[assignment]
    return found


def _of_version(wanted: SQLColumnExpression[Any], rows: Rows) -> ColumnElement[Any]:
    found = select(wanted).select_from(TemplateVersion).join(Template).where(TemplateVersion.id == rows.version)
    sql: ColumnElement[Any] = found.correlate_except(TemplateVersion, Template).scalar_subquery()
    return sql


def unit_of_row(rows: Filter) -> ColumnElement[int]:
    """SQL for the unit that a row of the ledger counts under: one right below the one path, or that itself for what is
    its own; with several paths, the unit at that path; of `each` unit, that.
    """
    paths = rows.paths
    if rows.each is not None:
        return _sql(Message.unit_id)
    if list(paths) == ["/"]:
        return cast(func.split_part(Message.unit_path, "/", 2), BigInteger)
    if len(paths) > 1:
        return cast(case(*((stood_under(path), int(last_id(path))) for path in paths)), BigInteger)
    own = last_id(paths[0])
    after = func.split_part(Message.unit_path, f"/{own}/", 2)
    return cast(func.coalesce(func.nullif(func.split_part(after, "/", 1), ""), own), BigInteger)


def stood_under(path: str, column: SQLColumnExpression[str] = Message.unit_path) -> ColumnElement[bool]:
    """Whether the row's unit lay, at freeze, within the subtree of the unit that is now at `path`."""
    return true() if path == "/" else column.contains(f"/{last_id(path)}/")


def last_id(path: str) -> str:
    """The id of the unit at a path."""
    return path.strip("/").rpartition("/")[2]
