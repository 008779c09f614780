"""How each gateway account is: its state, what it took in the last minute, what nobody could make sense of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, Date, ScalarSelect, Select, Text, cast, func, literal, select, text, union
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.controls.models import AccountState, GatewayAccount, Route, RouteMember, Stop, Tally
from sms_service.db.leadership import LeadershipRow
from sms_service.delivery.models import RefusedCallbacks
from sms_service.dispatch.pace import Pace
from sms_service.gateways.base import ErrorClass, ReceiptStatus
from sms_service.gateways.registry import Gateways
from sms_service.ledger.models import Attempt, ReceiptRow
from sms_service.reports.unknowns import UnknownGroup, group_unknown

# What an account did is counted over so many seconds, in its newest hand-overs; no account makes more in a minute.
HEALTH_S = 60
MOST_HAND_OVERS = 6000
# Refused callbacks are kept by day (UTC): these are the present one and the one before.
REFUSED_DAYS = 2
MOST_CODES = 1000


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """One gateway account at one moment.

    `others`: of each of its routes, the other accounts that would take its texts now: open ones that nobody stopped.
    `stop_id` names a stop of all that goes through it. `accepted`, `refused`, `unknown`: texts of the last minute, by
    what it answered; throttled ones are not among them. `rate`: parts a second by gateways.toml, None if the file does
    not have the account; `rate_now`: what they are at present, less where it throttles, None without Redis. `link`:
    whether a process holds its session, None of an account that is no link. `refused_callbacks` of today and
    yesterday, by reason. `unknown_codes`: codes that no table has. `waiting`: its unknown texts, by age.
    """

    account: GatewayAccount
    routes: Sequence[str]
    others: Mapping[str, Sequence[str]]
    stop_id: int | None
    accepted: int
    refused: int
    unknown: int
    rate: float | None
    rate_now: float | None
    link: bool | None
    refused_callbacks: Mapping[str, int]
    refused_at: datetime | None
    unknown_codes: Sequence[str]
    waiting: Sequence[UnknownGroup]


def list_account_health(session: Session, actor: Actor, gateways: Gateways, pace: Pace | None) -> list[AccountHealth]:
    """All gateway accounts by name, in five statements whatever their number. Raises Forbidden.

    Who reads anything may read this: it says nothing of any unit.
    """
    actor.require_somewhere(Permission.read)
    rows = session.execute(_accounts()).all()
    codes, rates, links = _codes(session, gateways), gateways.rates(), gateways.links()
    waiting: dict[str, list[UnknownGroup]] = defaultdict(list)
    for group in group_unknown(session, ("/",), gateways):
        waiting[group.account].append(group)
    now = _rates_now(rates, pace)
    return [
        AccountHealth(
            account=(account := row.GatewayAccount),
            routes=list(row.others or ()),
            others=row.others or {},
            stop_id=row.stop_id,
            accepted=(row.tally or {}).get("accepted", 0),
            refused=(row.tally or {}).get("refused", 0),
            unknown=(row.tally or {}).get("unknown", 0),
            rate=rates.get(account.name),
            rate_now=now.get(account.name),
            link=row.link if account.name in links else None,
            refused_callbacks=row.refused_callbacks or {},
            refused_at=row.refused_at,
            unknown_codes=codes[account.id],
            waiting=waiting[account.name],
        )
        for row in rows
    ]


def _accounts() -> Select[*tuple[Any, ...]]:
    since = func.sms_now() - timedelta(seconds=HEALTH_S)
    newest = (
        select(Tally.at, Tally.texts, Tally.refused, Tally.unknown)
        .where(Tally.gateway_account_id == GatewayAccount.id)
        .order_by(Tally.id.desc())
        .limit(MOST_HAND_OVERS)
        .correlate(GatewayAccount)
        .subquery()
    )
    tally = select(
        func.json_build_object(
            *("accepted", func.coalesce(func.sum(newest.c.texts - newest.c.refused - newest.c.unknown), 0)),
            *("refused", func.coalesce(func.sum(newest.c.refused), 0)),
            *("unknown", func.coalesce(func.sum(newest.c.unknown), 0)),
        )
    ).where(newest.c.at > since)
    today = cast(func.timezone("UTC", func.sms_now()), Date)
    by_reason = (
        select(RefusedCallbacks.reason, func.sum(RefusedCallbacks.number).label("number"))
        .where(RefusedCallbacks.gateway_account_id == GatewayAccount.id, RefusedCallbacks.day > today - REFUSED_DAYS)
        .group_by(RefusedCallbacks.reason)
        .correlate(GatewayAccount)
        .subquery()
    )
    leads = select(LeadershipRow.name).where(
        LeadershipRow.name == literal("link ") + GatewayAccount.name, LeadershipRow.until > func.clock_timestamp()
    )
    return select(
        GatewayAccount,
        _others().label("others"),
        select(func.min(Stop.id))
        .where(Stop.gateway_account_id == GatewayAccount.id, Stop.released_at.is_(None))
        .correlate(GatewayAccount)
        .scalar_subquery()
        .label("stop_id"),
        tally.correlate(GatewayAccount).scalar_subquery().label("tally"),
        leads.correlate(GatewayAccount).exists().label("link"),
        select(func.json_object_agg(by_reason.c.reason, by_reason.c.number))
        .correlate(GatewayAccount)
        .scalar_subquery()
        .label("refused_callbacks"),
        select(func.max(RefusedCallbacks.last_at))
        .where(RefusedCallbacks.gateway_account_id == GatewayAccount.id, RefusedCallbacks.day > today - REFUSED_DAYS)
        .correlate(GatewayAccount)
        .scalar_subquery()
        .label("refused_at"),
    ).order_by(GatewayAccount.name)


def _others() -> ScalarSelect[Any]:
    """By route of the account, the names of the others that take texts, by priority."""
    own, member, account = aliased(RouteMember), aliased(RouteMember), aliased(GatewayAccount)
    stopped = select(Stop.id).where(Stop.gateway_account_id == account.id, Stop.released_at.is_(None)).exists()
    takes = (account.state == AccountState.open) & ~stopped
    others = (
        select(func.array_agg(aggregate_order_by(account.name, member.priority, account.name)))
        .select_from(member)
        .join(account, account.id == member.gateway_account_id)
        .where(member.route_id == own.route_id, member.gateway_account_id != own.gateway_account_id, takes)
        .correlate(own)
        .scalar_subquery()
    )
    none: ColumnElement[Any] = cast(array([]), ARRAY(Text))
    by_route = aggregate_order_by(func.coalesce(others, none), Route.name)
    return (
        select(func.json_object_agg(Route.name, by_route))
        .select_from(own)
        .join(Route, Route.id == own.route_id)
        .where(own.gateway_account_id == GatewayAccount.id)
        .correlate(GatewayAccount)
        .scalar_subquery()
    )


def _codes(session: Session, gateways: Gateways) -> Mapping[int, list[str]]:
    """The codes of each account that no table has, as `find_unknown_codes` finds those of one."""
    answers = select(Attempt.gateway_account_id.label("id"), Attempt.raw_code.label("code")).where(
        Attempt.error == ErrorClass.unclassified.value, Attempt.raw_code.is_not(None)
    )
    receipts = select(ReceiptRow.gateway_account_id, ReceiptRow.raw_code).where(
        ReceiptRow.status == ReceiptStatus.unclassified.value, ReceiptRow.raw_code.is_not(None)
    )
    both = union(answers, receipts).subquery()
    names = dict(session.execute(select(GatewayAccount.id, GatewayAccount.name)).all())
    found: dict[int, list[str]] = defaultdict(list)
    for row in session.execute(select(both).order_by(text("1, 2")).limit(MOST_CODES)):
        if row.code not in gateways.known_codes(names[row.id]):
            found[row.id].append(row.code)
    return found


def _rates_now(rates: Mapping[str, float], pace: Pace | None) -> Mapping[str, float]:
    if pace is None:
        return {}
    try:
        return {name: pace.rate(name) for name in rates}
    except RedisError:
        return {}
