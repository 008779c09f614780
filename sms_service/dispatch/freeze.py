"""From due runs to their rows in the ledger."""

from __future__ import annotations

import json
import logging
import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Dialect, Select, case, func, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from sms_service.audience.listed import ROW, find_row_list_now, is_of_row
from sms_service.audience.reach import is_dotted
from sms_service.audience.rules import audience_select, audience_select_below
from sms_service.content.comparing import CannotRender
from sms_service.content.models import TemplateVersion
from sms_service.content.values import RECIPIENT_FIELDS
from sms_service.db.engine import Database, first_line
from sms_service.db.locks import LockKey, share_lock
from sms_service.db.statements import Statement
from sms_service.dispatch import rendering
from sms_service.errors import ServiceError
from sms_service.ledger import runs
from sms_service.ledger.cohorts import bind_to_cohort
from sms_service.ledger.models import Run
from sms_service.ledger.quota_holds import reserve_frozen
from sms_service.ledger.states import Lane, RunStatus
from sms_service.said import say

WAITING_LANES = Statement(__file__, "waiting_lanes")
SAMPLE_VALUES = Statement(__file__, "sample_values")
ESTIMATE_PARTS = Statement(__file__, "estimate_parts")

log = logging.getLogger(__name__)

GRACE_MIN = 30  # minutes by which a schedule may be missed
CANARY_ABOVE, CANARY_TEXTS = 1000, 50  # a run to more people than this first lets only this many texts leave
SMALL_UP_TO = 200  # people; a run to no more goes before larger ones
_COUNTING = "1s"  # how long a launch counts an audience, to know whether its run is small
_WORK_MEM = "64MB"  # for the sorting of one freeze; PostgreSQL's usual 4 MB would go to disk
_SAMPLE = 20  # texts that are rendered to estimate a run's parts
_DRAWN = "(SELECT q.written FROM quiz_questions q WHERE q.id = drawn.id)"
_COLUMNS = dict(zip(RECIPIENT_FIELDS, ("people.name", "units.name", "people.number", _DRAWN), strict=True))
# One look-up by the key of the table; there is none where the rule names no list.
_ROW_VALUE = (
    "(SELECT o.values -> {column} FROM recipient_rows o"
    " WHERE o.list_id = %(list_id)s::bigint AND o.person_id = people.id)"
)
_LANE = case({lane.value: place for place, lane in enumerate(Lane)}, value=Run.lane)


@dataclass(frozen=True, slots=True)
class Frozen:
    """What one call has done. `audiences`: the runs that are running now, and how many people each has. `failed`: runs
    that were not frozen because of a fault, ours or the database's. `found`: how many waiting runs this call found.
    """

    audiences: dict[int, int]
    failed: tuple[int, ...] = ()
    found: int = 0


def foresee_lane(session: Session, rule: object, unit_path: str) -> Lane:
    """The lane in which a run with this rule waits to be frozen; the freeze then counts anew. A rule that takes long
    to count is bulk.

    Raises Invalid for a rule that cannot be used.
    """
    found = audience_select(session, rule, unit_path).limit(SMALL_UP_TO + 1).subquery()
    connection = session.connection()
    savepoint = connection.begin_nested()  # taken back in any case, the limit of time with it
    try:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_COUNTING}'")
        people = connection.scalars(select(func.count()).select_from(found)).one()
    except OperationalError as error:
        if error.connection_invalidated:
            raise
        return Lane.bulk
    finally:
        if savepoint.is_valid:
            savepoint.rollback()
    return Lane.small if people <= SMALL_UP_TO else Lane.bulk


def begin_due_runs(database: Database) -> list[int]:
    """Take due runs out of `planned`; returns the ids of those now waiting to be frozen."""
    with database.transaction() as connection:
        return runs.begin_runs(connection, GRACE_MIN)


def look_for_due(database: Database) -> set[Lane]:
    """Begin the runs that are due; returns the lanes in which runs wait to be frozen now. Every worker asks twice a
    second, so this is one short transaction.
    """
    with database.transaction() as connection:
        runs.begin_runs(connection, GRACE_MIN)
        return {Lane(row.lane) for row in WAITING_LANES(connection)}


def freeze_next(database: Database, lanes: Collection[Lane], most: int, apart: Collection[int] = ()) -> Frozen:
    """Freeze, in one transaction, up to `most` of the runs that wait in these lanes: the first lane first, and in each
    the oldest first. Runs in `apart` are left out, and so are runs that another worker freezes.

    If that fails, each of these runs is frozen alone, so that the others do not wait for the one that cannot be
    frozen.
    """
    ids: list[int] = []
    try:
        with database.session() as session:
            share_lock(session, LockKey.erase_person)
            taken = _take(session, most, Run.lane.in_(lanes), Run.id.not_in(apart))
            ids += [run.id for run, _ in taken]
            audiences = _freeze(database, session, taken)
    except Exception as error:
        if not ids or (isinstance(error, DBAPIError) and error.connection_invalidated):
            raise
        log.warning("%s runs could not be frozen together; each is frozen alone: %s", len(ids), _said(error))
        return _freeze_one_by_one(database, ids)
    _analyse(database, taken, audiences)
    return Frozen({run_id: audiences[run_id] for run_id in ids if run_id in audiences}, found=len(ids))


def freeze_run(database: Database, run_id: int) -> int | None:
    """Write the run's rows and set it running, in one transaction.

    Returns the audience; None if another worker has done it, or if the run is `held` because its rule or template
    cannot be used any more. Either all rows are written or none.
    """
    try:
        with database.session() as session:
            share_lock(session, LockKey.erase_person)
            taken = _take(session, 1, Run.id == run_id)
            audiences = _freeze(database, session, taken)
    except ServiceError as error:
        log.warning("run %s cannot be frozen and is held: %s", run_id, error)
        with database.session() as session:
            runs.hold_unfreezable(session, run_id, say("it cannot be frozen: {error}", error=error.said))
        return None
    _analyse(database, taken, audiences)
    return audiences.get(run_id)


_Taken = Sequence[tuple[Run, TemplateVersion]]


def _freeze_one_by_one(database: Database, run_ids: Sequence[int]) -> Frozen:
    audiences: dict[int, int] = {}
    failed: list[int] = []
    for run_id in run_ids:
        try:
            audience = freeze_run(database, run_id)
        except DBAPIError as error:
            log.error("run %s cannot be frozen now; trying again: %s", run_id, first_line(error))
            failed.append(run_id)
        except Exception:
            log.exception("run %s cannot be frozen now: a fault in this program; trying again", run_id)
            failed.append(run_id)
        else:
            audiences |= {} if audience is None else {run_id: audience}
    return Frozen(audiences, tuple(failed), len(run_ids))


def _said(error: Exception) -> str:
    return first_line(error) if isinstance(error, DBAPIError) else str(error)


def _take(session: Session, most: int, *which: ColumnElement[bool]) -> _Taken:
    """Lock runs that wait to be frozen; another worker that finds them locked leaves them out."""
    rows = session.execute(
        select(Run, TemplateVersion)
        .join(TemplateVersion, TemplateVersion.id == Run.template_version_id)
        .where(Run.status == RunStatus.freezing, *which)
        .order_by(_LANE, Run.launched_at, Run.id)
        .limit(most)
        .with_for_update(of=Run, skip_locked=True)
    )
    return [(run, version) for run, version in rows]


def _freeze(database: Database, session: Session, taken: _Taken) -> dict[int, int]:
    """Write the rows of these locked runs; one statement for all of one shape. Returns the audiences by run."""
    for month in {run.month for run, _ in taken}:
        with database.transaction() as connection:  # what it locks is not locked for as long as a freeze takes
            connection.exec_driver_sql("SELECT ensure_month(%(month)s::date)", {"month": month})
    if taken:
        session.connection().exec_driver_sql(f"SET LOCAL work_mem = '{_WORK_MEM}'")
    alike: defaultdict[_Shape, list[tuple[Run, TemplateVersion]]] = defaultdict(list)
    for run, version in taken:
        own = tuple(name for name in version.variables if name not in run.values and _is_own(name))
        rule = json.dumps(run.segment_rule, sort_keys=True)
        alike[_Shape(run.month, run.lane, rule, own, run.of_cohort)].append((run, version))
    audiences: dict[int, int] = {}
    for shape, same in alike.items():
        audiences |= _write(session, shape, [run for run, _ in same])
        _estimate_parts(session, shape, same)
    reserve_frozen(session, [run for run, _ in taken if run.id in audiences])
    return audiences


class _Shape(NamedTuple):
    """The properties that runs must share to be frozen by one statement. `own`: the variables that each recipient
    fills; `of_cohort`: only people of the run's cohort are among them.
    """

    month: date
    lane: str
    rule: str
    own: tuple[str, ...]
    of_cohort: bool


class _Query(NamedTuple):
    """A `freeze_statement`, and its parameters but the runs."""

    sql: str
    parameters: Mapping[str, Any]


def _write(session: Session, shape: _Shape, alike: Sequence[Run]) -> dict[int, int]:
    dialect = session.get_bind().dialect
    small = shape.lane == Lane.small and not shape.of_cohort
    if small and (query := _query_of_many(dialect, shape.rule, shape.own)):
        return _execute(session, query, alike)
    # A plan for the run's own place in the tree: of a large run it saves more than it costs.
    audiences: dict[int, int] = {}
    for run in alike:
        found = audience_select(session, run.segment_rule, run.unit_path)
        if shape.of_cohort:
            found = bind_to_cohort(session, run, found)
        list_id = find_row_list_now(session, run.segment_rule, run.unit_path, shape.own)
        audiences |= _execute(session, _query(dialect, found, shape.own, list_id), [run])
    return audiences


def _execute(session: Session, query: _Query, taken: Sequence[Run]) -> dict[int, int]:
    limits = {"canary_above": CANARY_ABOVE, "canary_texts": CANARY_TEXTS, "small_up_to": SMALL_UP_TO}
    parameters = {**query.parameters, **limits, "run_ids": [run.id for run in taken]}
    return runs.freeze_runs(session.connection(), query.sql, parameters)


@lru_cache(maxsize=256)  # a thousand branches' runs have one rule
def _query_of_many(dialect: Dialect, rule: str, own: tuple[str, ...]) -> _Query | None:
    """The query for several runs with this rule; None if each run needs a query of its own."""
    found = audience_select_below(json.loads(rule), "run.unit_path")  # None if it names a list
    return None if found is None else _query(dialect, found, own)


def _query(dialect: Dialect, found: Select[int, int], own: Sequence[str], list_id: int | None = None) -> _Query:
    compiled = found.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    values, keys = _values(own, list_id)
    return _Query(runs.freeze_statement(dialect, str(compiled), values), {**_driver_values(compiled), **keys})


def _estimate_parts(session: Session, shape: _Shape, taken: _Taken) -> None:
    """Parts of a text of each run, on average over a sample: what a worker pays before it has rendered anything."""
    of_run: defaultdict[int, list[Any]] = defaultdict(list)
    size = _SAMPLE if shape.own else 1  # nobody's text differs
    ids = [run.id for run, _ in taken]
    for row in SAMPLE_VALUES(session.connection(), month=shape.month, run_ids=ids, size=size):
        of_run[row.run_id].append(row.values)
    estimates = {run.id: _mean_parts(run, version, of_run[run.id]) for run, version in taken}
    if longer := {run_id: mean for run_id, mean in estimates.items() if mean > 1.0}:
        ESTIMATE_PARTS(session.connection(), ids=list(longer), estimates=list(longer.values()))


def _mean_parts(run: Run, version: TemplateVersion, sample: Sequence[Any]) -> float:
    parts = []
    with suppress(CannotRender):  # of a template that cannot be used any more
        text = rendering.text_of(run, version)
        for own in sample:
            with suppress(CannotRender):  # it will be refused alone, in its turn
                parts.append(text.compose(own).parts)
    return statistics.fmean(parts) if parts else 1.0


def _analyse(database: Database, taken: _Taken, audiences: Mapping[int, int]) -> None:
    """The first statistics of a month come with its first large run."""
    for month in {run.month for run, _ in taken if audiences.get(run.id, 0) > CANARY_ABOVE}:
        with database.transaction() as connection:
            connection.exec_driver_sql("SELECT analyse_month(%(month)s::date)", {"month": month})


def _driver_values(compiled: Any) -> dict[str, Any]:
    """The compiled query's parameters as psycopg takes them (JSON and the like go through their SQLAlchemy types)."""
    processors = compiled._bind_processors
    return {name: processors[name](value) if name in processors else value for name, value in compiled.params.items()}


def _is_own(name: str) -> bool:
    """Whether each recipient fills the variable: no attribute fills one with a dot, but the row of a list does."""
    return not is_dotted(name) or is_of_row(name)


def _values(names: Sequence[str], list_id: int | None) -> tuple[str, dict[str, Any]]:
    """SQL for the recipient's own values of the template's variables, and its parameters; names never become SQL.
    `list_id`: the list that has their rows.
    """
    if not names:
        return "NULL::jsonb", {}
    pairs, keys = [], dict[str, Any]()
    for number, name in enumerate(names):
        key = f"value_{number}"
        keys[key] = name
        column = _COLUMNS.get(name) or f"people.attributes -> %({key})s::text"
        if is_of_row(name):
            keys |= {f"column_{number}": name.removeprefix(ROW), "list_id": list_id}
            column = _ROW_VALUE.format(column=f"%(column_{number})s::text")
        pairs.append(f"%({key})s::text, {column}")
    return f"jsonb_strip_nulls(jsonb_build_object({', '.join(pairs)}))", keys
