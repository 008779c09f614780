"""What becomes of a run: planned, begun, frozen, running, held, paused, cancelled. Nobody else writes a run's status.

The rooms above decide and call; what may follow what is in `states.py`. Each function is one conditional statement, so
that a run which is not (any more) what its caller thinks stays as it is. Whether a run is finished, is closed or runs
again is told by its rows (`sweeps.py`, `resolving.py`); after a failover it is held by `failover.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    Text,
    func,
    literal_column,
    null,
    or_,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.audience.covering import TextKind
from sms_service.audience.skipping import PEOPLE, find_reason
from sms_service.db.locks import close_gate_of_run
from sms_service.db.statements import Statement
from sms_service.ledger.models import Run
from sms_service.ledger.quotas import mark_ended
from sms_service.ledger.states import HeldFor, RunStatus
from sms_service.said import Said, as_said, to_json

BEGIN_FREEZE = Statement(__file__, "begin_freeze")
OPEN_QUESTIONS = Statement(__file__, "open_questions")
FREEZE = Statement(__file__, "freeze")
TRIP_RUN = Statement(__file__, "trip_run")
REFILL_CANARY = Statement(__file__, "refill_canary")
JUDGE_CANARY = Statement(__file__, "judge_canary")

_MARK = re.compile(r"/\*(audience|values|reason|people)\*/.*?/\*end\*/", re.DOTALL)
_INLINE = {"literal_binds": True}
# Whose text it is and of which kind, in freeze.sql.
_OF_RUN = literal_column("r.unit_path", Text), TextKind(literal_column("r.class"), literal_column("r.signature"))
CHANGED = as_said("what it would send is not what was approved; it waits until somebody approves it")


class Judged(NamedTuple):
    """What a canary came to: the run's status, and why it is held if it is."""

    status: str
    reason: str | None


def plan_run(session: Session, values: Mapping[str, Any]) -> int:
    """A new run, `planned`, with these columns; returns its id."""
    return session.scalars(insert(Run).values(**values, status=RunStatus.planned.value).returning(Run.id)).one()


def plan_runs(session: Session, many: Sequence[Mapping[str, Any]]) -> dict[tuple[int, int, int], int]:
    """New runs with these columns, all of the same names, `planned` unless a column says otherwise; returns their ids
    by campaign, item and firing. A run that is there already is left out.
    """
    # As parameters, not as VALUES: the statement is compiled once, whatever their number.
    made = session.execute(
        insert(Run)
        .on_conflict_do_nothing(index_elements=[Run.campaign_id, Run.item, Run.firing])
        .returning(Run.campaign_id, Run.item, Run.firing, Run.id),
        [{"status": RunStatus.planned.value, **values} for values in many],
    )
    return {(row.campaign_id, row.item, row.firing): row.id for row in made}


def replan_run(session: Session, run_id: int, held_for: HeldFor, values: Mapping[str, Any]) -> bool:
    """Let a run that is held for this, and was never frozen, wait for its time again with these columns; False if it
    was not so.
    """
    again: dict[str, Any] = {"status": RunStatus.planned.value, "held_for": None, "reason": None}
    moved = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status == RunStatus.held, Run.held_for == held_for, Run.frozen_at.is_(None))
        .values(again | {"reason_message": null()} | dict(values))
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    return moved is not None


def hold_changed(session: Session, run_id: int) -> None:
    """Hold a held run, which was never frozen, because what it would send is not what was approved."""
    held: dict[str, Any] = {
        "held_for": HeldFor.changed.value,
        "reason": str(CHANGED),
        "reason_message": to_json(CHANGED),
    }
    waits = (Run.id == run_id, Run.status == RunStatus.held, Run.frozen_at.is_(None))
    session.execute(update(Run).where(*waits).values(held))


def retime_run(session: Session, run_id: int, due_at: datetime, day: date, hold: Said | None) -> bool:
    """Give a run that waits for its time, missed it, or lacks a quota in its month, another one (`day`: its local day);
    False if it is not so. `hold`: it is held for a change, with this reason.
    """
    values: dict[str, Any] = {"due_at": due_at, "day": day, "month": day.replace(day=1), "launched_at": None}
    if hold is None:
        values |= {"status": RunStatus.planned.value, "held_for": None, "reason": None, "reason_message": null()}
    else:
        values |= {"status": RunStatus.held.value, "held_for": HeldFor.changed.value, "reason": str(hold)}
        values["reason_message"] = to_json(hold)
    waits = or_(Run.status == RunStatus.planned, Run.held_for.in_((HeldFor.missed, HeldFor.changed, HeldFor.quota)))
    moved = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.frozen_at.is_(None), waits)
        .values(values)
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    return moved is not None


def begin_runs(connection: Connection, grace_min: int) -> list[int]:
    """Take due runs out of `planned`; those late by more than `grace_min` minutes are held. Returns the ids of those
    now waiting to be frozen. What their texts ask is open from now on.
    """
    begun = [row for row in BEGIN_FREEZE(connection, grace_min=grace_min) if row.status == RunStatus.freezing]
    if asking := [row.id for row in begun if row.asks]:
        OPEN_QUESTIONS(connection, run_ids=asking)
    return [row.id for row in begun]


def freeze_statement(dialect: Dialect, audience: str, values: str) -> str:
    """The statement by which runs of one shape are frozen: `audience` is the segment's compiled query, `values` the SQL
    of what each recipient fills in.
    """
    pieces: Mapping[str, str] = {"audience": audience, "values": values, **_skipping(dialect)}
    return _MARK.sub(lambda mark: pieces[mark[1]], FREEZE.sql)


@lru_cache(maxsize=1)
def _skipping(dialect: Dialect) -> Mapping[str, str]:
    """Who is skipped and why, in SQL without parameters."""
    pieces: Mapping[str, ClauseElement] = {"reason": find_reason(*_OF_RUN), "people": PEOPLE}
    compiled = {name: piece.compile(dialect=dialect, compile_kwargs=_INLINE) for name, piece in pieces.items()}
    return {name: str(piece) for name, piece in compiled.items()}


def freeze_runs(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> dict[int, int]:
    """Write the rows of runs that the caller has locked, and set them running; returns the audiences by run.

    `statement` is from `freeze_statement`, `parameters` are its own and the pieces'.
    """
    return {row.id: row.audience for row in connection.exec_driver_sql(statement, dict(parameters))}


def hold_unfreezable(session: Session, run_id: int, why: Said) -> None:
    """Hold a run that waits to be frozen and cannot be."""
    held: dict[str, Any] = {"status": RunStatus.held.value, "held_for": HeldFor.unfreezable.value, "reason": why}
    held["reason_message"] = to_json(why)
    session.execute(update(Run).where(Run.id == run_id, Run.status == RunStatus.freezing).values(held))


def trip_run(connection: Connection, run_id: int, *, texts: int, least: int, bad_share: float) -> str | None:
    """Hold a running run if so large a share of its last texts went wrong; returns why, None if it is not held."""
    run = TRIP_RUN(connection, run_id=run_id, texts=texts, least=least, bad_share=bad_share).one_or_none()
    return None if run is None else run.reason


def refill_canary(connection: Connection, run_id: int, month: date, moment_s: float) -> None:
    """Put other rows of the run in the place of those of its canary that say nothing soon."""
    REFILL_CANARY(connection, run_id=run_id, month=month, moment_s=moment_s)


def judge_canary(
    connection: Connection,
    run_id: int,
    month: date,
    *,
    moment_s: float,
    bad_share: float,
    receipts_min: int,
    deadline_min: int,
) -> Judged | None:
    """Let a run go on whose first texts went well, or hold it; None while that cannot be told."""
    row = JUDGE_CANARY(
        connection,
        run_id=run_id,
        month=month,
        moment_s=moment_s,
        bad_share=bad_share,
        receipts_min=receipts_min,
        deadline_min=deadline_min,
    ).one_or_none()
    return None if row is None else Judged(row.status, row.reason)


def move_run(
    session: Session,
    run_id: int,
    sources: Sequence[RunStatus],
    target: RunStatus,
    why: str,
    *,
    condition: ColumnElement[bool] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> bool:
    """A person's act on the run: from one of `sources` to `target`, if `condition` holds; False if it was not so.

    `why` is kept as its reason unless it goes on by this; `changes` are set beside the status. Waits for the gates that
    are under way.
    """
    goes_on = target in (RunStatus.running, RunStatus.planned)
    values: dict[str, Any] = {"status": target.value, "reason": None if goes_on else why, "held_for": None}
    values["reason_message"] = null()  # a person's own words are no message of ours
    if goes_on:
        values["watched_from"] = func.sms_now()
    close_gate_of_run(session.connection(), run_id)
    moved = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(sources), true() if condition is None else condition)
        .values(values | dict(changes or {}))
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    if moved is not None and target == RunStatus.cancelled:
        mark_ended(session.connection(), [run_id])
    return moved is not None
