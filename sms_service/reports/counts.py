"""Delivery counts, always from the ledger's rows, and the identity they stand on.

*People* are distinct persons, *messages* ledger rows, *parts* those of accepted attempts: three separate counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, cast, func, literal, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger

from sms_service.directory.models import Unit
from sms_service.dispatch.models import GatewayAccount
from sms_service.errors import Invalid
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ledger.states import AttemptStatus

DIMENSIONS = ("unit", "status", "reason", "campaign", "run", "day", "account")
TAKEN = (AttemptStatus.accepted, AttemptStatus.no_receipt, AttemptStatus.undelivered, AttemptStatus.delivered)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are counted. `paths`: the units' subtrees; days are local days of launch, both ends included."""

    paths: Sequence[str]
    campaign_id: int | None = None
    run_id: int | None = None
    since: date | None = None
    until: date | None = None
    status: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL over messages joined to runs."""
        found = [or_(*(Message.unit_path.op("^@")(path) for path in self.paths))]
        if self.campaign_id is not None:
            found.append(Run.campaign_id == self.campaign_id)
        if self.run_id is not None:
            found.append(Message.run_id == self.run_id)
        if self.since is not None:
            found += [Run.day >= self.since, Message.month >= self.since.replace(day=1)]
        if self.until is not None:
            found += [Run.day <= self.until, Message.month <= self.until]
        if self.status is not None:
            found.append(Message.status == self.status)
        return found


@dataclass(frozen=True, slots=True)
class Count:
    """One line: the values of the dimensions asked for, then people, messages and parts."""

    by: dict[str, Any]
    people: int
    messages: int
    parts: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Audience = the sum of all statuses, for one run. `audience` is what the segment's own query counted at freeze."""

    run_id: int
    audience: int
    statuses: dict[str, int]
    holds: bool


def counts(session: Session, rows: Filter, by: Sequence[str]) -> list[Count]:
    """Count the rows, grouped by dimensions.

    `unit` groups by the units right below the filter's one path, or, if it has several, by those paths' own units.
    Raises Invalid for a dimension that there is not.
    """
    for name in by:
        if name not in DIMENSIONS:
            raise Invalid("by", name, f"must be some of {', '.join(DIMENSIONS)}")
    columns = {name: _dimension(name, rows.paths) for name in dict.fromkeys(by)}
    parts = (
        select(func.sum(Attempt.parts))
        .where(Attempt.month == Message.month, Attempt.message_id == Message.id, Attempt.status.in_(TAKEN))
        .correlate(Message)
        .scalar_subquery()
    )
    statement: Select[Any] = (
        select(
            *(column.label(name) for name, column in columns.items()),
            func.count(func.distinct(Message.person_id)).label("people"),
            func.count().label("messages"),
            func.coalesce(func.sum(parts), 0).label("parts"),
        )
        .select_from(Message)
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.account_id)
        .where(*rows.conditions())
        .group_by(*columns.values())
        .order_by(*columns.values())
    )
    found = session.execute(statement).mappings().all()
    names = _unit_names(session, {row["unit"] for row in found}) if "unit" in columns else {}
    return [
        Count(
            {name: names.get(row[name], row[name]) if name == "unit" else row[name] for name in columns},
            row["people"],
            row["messages"],
            int(row["parts"]),
        )
        for row in found
    ]


def identity(session: Session, run_id: int) -> Identity:
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
    return Identity(run_id, run.audience, statuses, run.audience == sum(statuses.values()))


def _dimension(name: str, paths: Sequence[str]) -> ColumnElement[Any]:
    match name:
        case "unit":
            depth = paths[0].count("/") if len(paths) == 1 else min(path.count("/") for path in paths) - 1
            own = func.nullif(func.split_part(Message.unit_path, "/", literal(depth + 1)), "")
            return cast(func.coalesce(own, func.split_part(Message.unit_path, "/", literal(depth))), BigInteger)
        case "status":
            return Message.status.expression
        case "reason":
            return Message.reason.expression
        case "campaign":
            return Run.campaign_id.expression
        case "run":
            return Message.run_id.expression
        case "day":
            return Run.day.expression
        case _:
            return GatewayAccount.name.expression


def _unit_names(session: Session, ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = session.execute(select(Unit.id, Unit.code, Unit.name).where(Unit.id.in_(ids)))
    return {row.id: {"id": row.id, "code": row.code, "name": row.name} for row in rows}
