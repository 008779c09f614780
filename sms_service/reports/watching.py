"""A run as it goes: how many rows have which status, how fast texts leave, when the rest may be through."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, Select, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.control import get_run
from sms_service.campaigns.models import Campaign
from sms_service.controls.models import Route, Tally
from sms_service.controls.quiet_days import list_quiet_dates
from sms_service.directory.models import Unit
from sms_service.ledger.archived import count_archived_runs
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus, RunStatus

# What is handed over is counted over so many seconds.
RATE_S = 60
# No text waits for so long: it would have expired.
LONGEST_DAYS = 30

WAITING = (MessageStatus.pending, MessageStatus.claimed, MessageStatus.submitting)


@dataclass(frozen=True, slots=True)
class RunWatch:
    """A run at the moment `at` of PostgreSQL's clock, with the names of what it belongs to.

    `statuses`: rows by status, only those that there are; the rows behind each are those that `find_messages` finds for
    this run and status. `waiting`: rows that are not through. `handed_over`: texts for which a gateway had an answer in
    the last `RATE_S` seconds, and `per_minute` the rate that follows; None of a run that does not run. `through_at`:
    when the waiting rows will have left at that rate, within the window of the run's unit; None where nothing has left
    of late. `changed_at`: the last change of a row. `moved_by`: the login of the person who brought the run into its
    present status; None: the service did.
    """

    run: Run
    at: datetime
    campaign: str | None  # None of a run that belongs to none
    unit: Unit
    route: str
    statuses: Mapping[str, int]
    waiting: int
    handed_over: int
    per_minute: float | None
    through_at: datetime | None
    changed_at: datetime | None
    moved_by: str | None
    moved_by_name: str | None  # that account's name
    moved_at: datetime | None
    is_archived: bool = False  # its rows are in files; `statuses` is what they came to

    @property
    def holds(self) -> bool | None:
        """Whether the audience is the sum of all statuses; None before the freeze."""
        return None if self.run.audience is None else self.run.audience == sum(self.statuses.values())


def watch_run(session: Session, actor: Actor, run_id: int) -> RunWatch:
    """The run and its numbers in one statement. Raises NotFound or Forbidden.

    The rows are counted where they lie, in one pass over the run's: no index has their status, which every hand-over
    would pay for.
    """
    run = get_run(session, actor, run_id)
    # A frozen run keeps its month, by which the partition is chosen.
    row = session.execute(_statement(run), execution_options={"populate_existing": True}).one()
    archived = {} if row.statuses else count_archived_runs(session, [run_id]).get(run_id, {})
    statuses = dict(sorted((row.statuses or archived).items()))
    waiting = sum(statuses.get(status, 0) for status in WAITING)
    watch = RunWatch(
        run=run,
        at=row.at,
        campaign=row.campaign,
        unit=row.Unit,
        route=row.route,
        statuses=statuses,
        waiting=waiting,
        handed_over=row.handed_over,
        per_minute=None,
        through_at=None,
        changed_at=row.changed_at,
        moved_by=row.moved_by if row.moved_act == f"run.{run.status}" else None,
        moved_by_name=row.moved_by_name if row.moved_act == f"run.{run.status}" else None,
        moved_at=row.moved_at if row.moved_act == f"run.{run.status}" else None,
        is_archived=bool(archived),
    )
    return _with_rate(session, watch) if run.status == RunStatus.running else watch


def estimate_end(begin: datetime, work_s: float, unit: Unit, quiet: Collection[date] = ()) -> datetime | None:
    """When so many seconds of work are done that begin at `begin` and go on in the unit's window only, and not on its
    days `quiet`; None if that is more than 30 days ahead.
    """
    zone = ZoneInfo(unit.timezone)
    day = begin.astimezone(zone).date()
    for _ in range(LONGEST_DAYS):
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        opens = max(begin, midnight + timedelta(minutes=unit.window_opens))
        room_s = (midnight + timedelta(minutes=unit.window_closes) - opens).total_seconds()
        if day in quiet:
            room_s = -1.0
        if 0 <= work_s <= room_s:
            return opens + timedelta(seconds=work_s)
        work_s -= max(0.0, room_s)
        day += timedelta(days=1)
    return None


def _with_rate(session: Session, watch: RunWatch) -> RunWatch:
    """The same with the rate of a running run, counted from its launch, or from when it went on, if that was less than
    a minute ago.
    """
    begin = max(moment for moment in (watch.run.launched_at, watch.run.watched_from) if moment is not None)
    per_s = watch.handed_over / min(float(RATE_S), max(1.0, (watch.at - begin).total_seconds()))
    through_at = None
    if per_s and watch.waiting:
        quiet = list_quiet_dates(session, watch.unit.path, watch.run.class_)
        through_at = estimate_end(watch.at, watch.waiting / per_s, watch.unit, quiet)
    return replace(watch, per_minute=per_s * 60, through_at=through_at)


def _statement(run: Run) -> Select[*tuple[Any, ...]]:
    by_status = (
        select(Message.status, func.count().label("number"), func.max(Message.changed_at).label("changed_at"))
        .where(Message.month == run.month, Message.run_id == run.id)
        .group_by(Message.status)
        .cte("by_status")
    )
    statuses = select(
        func.json_object_agg(by_status.c.status, by_status.c.number, type_=JSON).label("statuses"),
        func.max(by_status.c.changed_at).label("changed_at"),
    ).cte("statuses")
    handed_over = (
        select(func.coalesce(func.sum(Tally.texts), 0))
        .where(Tally.run_id == run.id, Tally.at > func.sms_now() - timedelta(seconds=RATE_S))
        .where(Tally.at >= run.watched_from)
        .scalar_subquery()
    )
    moved = (
        select(TrailEntry.act, TrailEntry.at, Account.login, Account.name)
        .outerjoin(Account, Account.id == TrailEntry.account_id)
        .where(TrailEntry.target_kind == "run", TrailEntry.target_id == cast(literal(run.id), Text))
        .order_by(TrailEntry.id.desc())
        .limit(1)
        .cte("moved")
    )
    return (
        select(
            Run,
            Unit,
            Campaign.name.label("campaign"),
            Route.name.label("route"),
            func.sms_now().label("at"),
            statuses.c.statuses,
            statuses.c.changed_at.label("changed_at"),
            handed_over.label("handed_over"),
            moved.c.act.label("moved_act"),
            moved.c.at.label("moved_at"),
            moved.c.login.label("moved_by"),
            moved.c.name.label("moved_by_name"),
        )
        .outerjoin(Campaign, Campaign.id == Run.campaign_id)
        .join(Unit, Unit.id == Run.unit_id)
        .join(Route, Route.id == Run.route_id)
        .outerjoin(statuses, literal(True))
        .outerjoin(moved, literal(True))
        .where(Run.id == run.id)
    )
