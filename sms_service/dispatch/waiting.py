"""Why a run waits: what the dispatcher and the gate ask, said as sentences.

What may hand over now is found by the dispatcher's own statements (`runnable.sql`, `open_accounts.sql`); here the same
conditions are asked apart, so that each that does not hold can be named.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.controls.accounts import lacks_binding
from sms_service.controls.link_state import link_leadership
from sms_service.controls.models import GatewayAccount, RouteMember, Stop
from sms_service.db.leadership import LeadershipRow
from sms_service.db.statements import Statement
from sms_service.directory.models import Unit
from sms_service.dispatch.breaker import CANARY_DEADLINE_MIN
from sms_service.dispatch.pace import Pace
from sms_service.dispatch.routing import OPEN_ACCOUNTS, RUNNABLE
from sms_service.dispatch.waits import Wait, WaitReason, explain_account_wait, format_local
from sms_service.errors import NotFound
from sms_service.gateways.registry import Gateways
from sms_service.ledger.models import Run
from sms_service.ledger.states import HeldFor, Lane, RunStatus
from sms_service.masking import mask_text
from sms_service.said import as_said, say
from sms_service.wake import count_workers

EXPLAIN_WAIT = Statement(__file__, "explain_wait")

# Of the runs that go before or beside one, no more are asked about.
MOST_OTHERS = 200


def explain_wait(
    session: Session, actor: Actor, run_id: int, gateways: Gateways, pace: Pace | None, redis: Redis | None
) -> list[Wait]:
    """All that keeps the run's waiting texts from leaving now; of a run under way how fast they leave; nothing where no
    text waits. `pace` and `redis` are None where no Redis is named.

    Raises NotFound or Forbidden.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound("run", run_id)
    unit = session.get_one(Unit, run.unit_id)
    actor.require(Permission.read, unit.path)
    zone = ZoneInfo(unit.timezone)
    if run.status != RunStatus.running:
        return list(_of_status(session, run, zone, redis))
    row = EXPLAIN_WAIT(session.connection(), run_id=run.id, month=run.month).one()
    if not row.waits:
        return []
    found = list(_of_gate(run, row, zone))
    usable, unusable = _accounts(session, run, gateways)
    if not usable:
        found += [explain_account_wait(member, run, zone) for member in unusable] or [_no_account()]
    if not found:
        found += _of_processes(session, usable, gateways, redis)
    if not found:
        found += _of_pace(session.connection(), run, usable, pace, gateways)
    return found


def _of_status(session: Session, run: Run, zone: ZoneInfo, redis: Redis | None) -> Iterator[Wait]:
    why = run.said_reason or mask_text(run.reason or "")
    match run.status:
        case RunStatus.planned:
            yield Wait(WaitReason.planned, say("it is planned for {at}", at=format_local(run.due_at, zone)), run.due_at)
            if not _leads(session, "clock"):
                yield Wait(WaitReason.nobody, as_said("no clock is at work, which begins runs when their time comes"))
        case RunStatus.freezing:
            yield Wait(WaitReason.freezing, as_said("its list of recipients is being made"))
            yield from _no_worker(redis)
        case RunStatus.paused:
            yield Wait(WaitReason.paused, say("a person paused it: {why}", why=why))
        case RunStatus.held:
            reason = WaitReason.cluster if run.held_for == HeldFor.cluster else WaitReason.held
            yield Wait(reason, say("it is held until a person decides: {why}", why=why))


def _of_gate(run: Run, row: Any, zone: ZoneInfo) -> Iterator[Wait]:
    """What runnable.sql asks, and what the gate asks for each recipient."""
    if not row.known:
        yield Wait(
            WaitReason.cluster,
            as_said("PostgreSQL is another server than before; the clock is about to hold all runs"),
        )
    if not row.window_open:
        said = say("the sending window opens at {at}", at=format_local(row.opens_at, zone))
        yield Wait(WaitReason.window, said, row.opens_at)
    elif row.quiet is not None:
        at = format_local(row.opens_at, zone)
        said = say("today is a quiet day: {name}; it goes on at {at}", name=mask_text(row.quiet), at=at)
        yield Wait(WaitReason.quiet_day, said, row.opens_at)
    if row.stop_id is not None:
        yield _stop(row.stopped_unit, row.stop_why)
    if row.free:
        return
    if row.first_opens_at is not None and row.window_open and row.quiet is None:
        at = format_local(row.first_opens_at, zone)
        said = say("the sending window of the recipients' units opens at {at}", at=at)
        yield Wait(WaitReason.window, said, row.first_opens_at)
    if row.first_stop_id is not None and row.stop_id is None:
        yield _stop(row.first_stopped_unit, row.first_stop_why)
    if row.not_before is not None:
        yield _put_off(row, zone)
    if run.canary is not None:
        yield _of_canary(run, zone)


def _stop(unit: str, why: str) -> Wait:
    return Wait(WaitReason.stop, say("a stop of {unit} stands: {why}", unit=unit, why=mask_text(why)))


def _put_off(row: Any, zone: ZoneInfo) -> Wait:
    at = format_local(row.not_before, zone)
    if row.throttled:
        said = say("the gateway said that texts come too fast; it is tried again at {at}", at=at)
        return Wait(WaitReason.throttled, said, row.not_before)
    said = say("what could not leave is tried again at {at}", at=at)
    if row.answered:
        said = say("the gateway could not take it for now; it is tried again at {at}", at=at)
    return Wait(WaitReason.put_off, said, row.not_before)


def _of_canary(run: Run, zone: ZoneInfo) -> Wait:
    texts = len(run.canary or ())
    if run.canary_since is None:
        said = say("its first {texts} texts have to go well before the others leave", texts=texts)
        return Wait(WaitReason.canary, said)
    until = run.canary_since + timedelta(minutes=CANARY_DEADLINE_MIN)
    said = say(
        "its first {texts} texts have to go well before the others leave; that is decided by {at}",
        texts=texts,
        at=format_local(until, zone),
    )
    if run.canary_receipts:
        said = say(
            "it waits for the receipts of its first {texts} texts before the others leave, until {at} at most",
            texts=texts,
            at=format_local(until, zone),
        )
    return Wait(WaitReason.canary, said, until)


def _accounts(session: Session, run: Run, gateways: Gateways) -> tuple[list[Any], list[Any]]:
    """The accounts of the run's route that may be handed its texts now, the first to be tried first, as the dispatcher
    chooses them; and the others.
    """
    known = gateways.config.accounts
    now = {row.gateway_account_id for row in OPEN_ACCOUNTS(session.connection()) if row.route_id == run.route_id}
    stopped = select(Stop.why).where(Stop.released_at.is_(None), Stop.gateway_account_id == GatewayAccount.id).limit(1)
    unbound = lacks_binding(run.template_version_id).label("unbound")
    members = session.execute(
        select(GatewayAccount, RouteMember.priority, stopped.scalar_subquery().label("stop_why"), unbound)
        .join(RouteMember, RouteMember.gateway_account_id == GatewayAccount.id)
        .where(RouteMember.route_id == run.route_id)
        .order_by(RouteMember.priority, GatewayAccount.name)
    ).all()
    may = {
        member.GatewayAccount.id
        for member in members
        if member.GatewayAccount.id in now
        and member.GatewayAccount.name in known
        and (member.GatewayAccount.simulated or not run.demonstration)
        and not member.unbound
    }
    usable = [member for member in members if member.GatewayAccount.id in may]
    return usable, [member for member in members if member.GatewayAccount.id not in may]


def _no_account() -> Wait:
    return Wait(WaitReason.account_missing, as_said("its route has no gateway account"))


def _of_processes(session: Session, usable: list[Any], gateways: Gateways, redis: Redis | None) -> Iterator[Wait]:
    """Whether somebody is there to hand over on the accounts that are first."""
    links = gateways.links()
    first = [member.GatewayAccount.name for member in usable if member.priority == usable[0].priority]
    held = [name for name in first if name in links and _leads(session, link_leadership(name))]
    if held:
        return
    if any(name not in links for name in first):
        yield from _no_worker(redis)
        return
    said = say("no process holds the link of {accounts: or }: `python worker.py --link NAME`", accounts=first)
    yield Wait(WaitReason.nobody, said)


def _no_worker(redis: Redis | None) -> Iterator[Wait]:
    try:
        if redis is None or not count_workers(redis):
            yield Wait(WaitReason.nobody, as_said("no worker is there: `python worker.py`"))
    except RedisError:
        yield _no_redis()


def _of_pace(
    connection: Connection, run: Run, usable: list[Any], pace: Pace | None, gateways: Gateways
) -> Iterator[Wait]:
    """How fast the run's texts leave, and who leaves before them."""
    first = [member.GatewayAccount.name for member in usable if member.priority == usable[0].priority]
    configured = gateways.rates()
    try:
        now = sum(pace.rate(name) for name in first) if pace is not None else None
    except RedisError:
        now = None
    if now is None:
        yield _no_redis()
        return
    most = sum(configured[name] for name in first)
    before, beside = _others(connection, run)
    if now < 0.99 * most:
        said = say(
            "{rate:.0f} parts a second instead of {most:.0f}, since the gateway throttles; {before} runs go before it"
            " and {beside} take turns with it",
            rate=now,
            most=most,
            before=before,
            beside=beside,
        )
        yield Wait(WaitReason.slowed, said)
        return
    said = say("{rate:.0f} parts a second", rate=now)
    if before or beside:
        said = say(
            "{rate:.0f} parts a second; {before} runs go before it and {beside} take turns with it",
            rate=now,
            before=before,
            beside=beside,
        )
    yield Wait(WaitReason.pace, said)


def _others(connection: Connection, run: Run) -> tuple[int, int]:
    """How many runs over the same route may hand over now: of lanes that go first, and of the run's own lane."""
    lanes = list(Lane)[: list(Lane).index(Lane(run.lane)) + 1]
    others = (
        select(Run.id)
        .where(Run.status == RunStatus.running, Run.lane.in_(lanes), Run.route_id == run.route_id, Run.id != run.id)
        .limit(MOST_OTHERS)
    )
    ids = list(connection.scalars(others))
    due = [row.lane for row in RUNNABLE(connection, run_ids=ids) if row.due] if ids else []
    return sum(lane != run.lane for lane in due), sum(lane == run.lane for lane in due)


def _no_redis() -> Wait:
    return Wait(WaitReason.redis, as_said("Redis cannot be reached; without it there is no pace"))


def _leads(session: Session, name: str) -> bool:
    """Whether a process leads in `name` now."""
    found = select(LeadershipRow.name).where(LeadershipRow.name == name, LeadershipRow.until > func.clock_timestamp())
    return session.scalar(found) is not None
