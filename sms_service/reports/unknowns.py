"""Texts of which nobody can tell whether they were taken, grouped as an operator looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, false, func, or_, select, true
from sqlalchemy.orm import Session

from sms_service.controls.models import GatewayAccount
from sms_service.gateways.registry import Gateways
from sms_service.ledger.models import Attempt, Message
from sms_service.ledger.states import AttemptStatus, MessageStatus
from sms_service.reports.filters import stood_under
from sms_service.vocabulary import Words


class UnknownAge(Words):
    """How long nobody has been able to tell, youngest first."""

    hour = "hour"  # less than an hour
    day = "day"  # an hour to a day
    days = "days"  # one day to three
    older = "older"


_ENDS = {
    UnknownAge.hour: timedelta(hours=1),
    UnknownAge.day: timedelta(days=1),
    UnknownAge.days: timedelta(days=3),
}


@dataclass(frozen=True, slots=True)
class UnknownGroup:
    """Unknown texts of one gateway account that became so between `since` (None: ever) and `before`, by PostgreSQL's
    clock; `oldest` is when the first of them did.

    `asked`: for how many of them the provider was asked, the last time at `asked_at`. `looks_up`: whether the account's
    provider can be asked at all.
    """

    account: str
    age: UnknownAge
    messages: int
    oldest: datetime
    asked: int
    asked_at: datetime | None
    looks_up: bool
    since: datetime | None
    before: datetime

    def filters(self) -> dict[str, str]:
        """The filters, as `/messages` takes them, that list these rows."""
        found = {"status": MessageStatus.unknown.value, "account": self.account, "changed_before": _text(self.before)}
        return found if self.since is None else found | {"changed_since": _text(self.since)}


def group_unknown(session: Session, paths: Sequence[str], gateways: Gateways) -> list[UnknownGroup]:
    """The unknown texts of units that stood under `paths`, by gateway account and age, the oldest of each account
    first.

    They are found by the unknown attempts, of which an index is kept: what was sent again or settled since is left out.
    """
    now: datetime = session.scalars(select(func.sms_now())).one()
    rows = session.execute(_statement(paths, now)).all()
    order = list(UnknownAge)
    groups = [
        UnknownGroup(
            account=row.name,
            age=(age := UnknownAge(row.age)),
            messages=row.messages,
            oldest=row.oldest,
            asked=row.asked,
            asked_at=row.asked_at,
            looks_up=gateways.looks_up(row.name),
            since=now - _ENDS[age] if age in _ENDS else None,
            before=now if age == order[0] else now - _ENDS[order[order.index(age) - 1]],
        )
        for row in rows
    ]
    return sorted(groups, key=lambda group: (group.account, -order.index(group.age)))


def _statement(paths: Sequence[str], now: datetime) -> Select[*tuple[Any, ...]]:
    # In the form `/messages` filters by, so that a group and its rows are the same at whatever moment.
    age: ColumnElement[str] = case(
        *((Message.changed_at >= now - end, word.value) for word, end in _ENDS.items()), else_=UnknownAge.older.value
    ).label("age")
    within = true() if "/" in paths else or_(false(), *(stood_under(path) for path in paths))
    return (
        select(
            GatewayAccount.name,
            age,
            func.count().label("messages"),
            func.min(Message.changed_at).label("oldest"),
            func.count(Attempt.looked_up_at).label("asked"),
            func.max(Attempt.looked_up_at).label("asked_at"),
        )
        .join(GatewayAccount, GatewayAccount.id == Attempt.gateway_account_id)
        .join(
            Message,
            (Message.month == Attempt.month)
            & (Message.id == Attempt.message_id)
            & (Message.attempts == Attempt.number)
            & (Message.status == MessageStatus.unknown),
        )
        .where(Attempt.status == AttemptStatus.unknown, Message.changed_at < now, within)
        .group_by(GatewayAccount.name, age)
    )


def _text(moment: datetime) -> str:
    return moment.isoformat()
