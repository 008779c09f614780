"""From a due run to its rows in the ledger."""

from __future__ import annotations

import logging
import re
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from sms_service.audience.rules import audience_select
from sms_service.content.language import CannotRender
from sms_service.content.models import TemplateVersion
from sms_service.content.values import RECIPIENT_FIELDS
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.dispatch import rendering
from sms_service.errors import ServiceError
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import HeldFor, Lane, MessageStatus, RunStatus

BEGIN_FREEZE = Statement(__file__, "begin_freeze")
FREEZE = Statement(__file__, "freeze")

log = logging.getLogger(__name__)

GRACE_MIN = 30  # minutes by which a schedule may be missed
CANARY_ABOVE, CANARY_TEXTS = 1000, 50  # a run to more people than this first lets only this many texts leave
SMALL_UP_TO = 200  # people; a run to no more goes before larger ones
_WORK_MEM = "64MB"  # for the sorting of one freeze; PostgreSQL's usual 4 MB would go to disk
_SAMPLE = 20  # texts that are rendered to estimate a run's parts
_MARK = re.compile(r"/\*(audience|values)\*/.*?/\*end\*/", re.DOTALL)
_COLUMNS = dict(zip(RECIPIENT_FIELDS, ("p.name", "u.name", "p.number"), strict=True))


def begin_due(database: Database) -> list[int]:
    """Take due runs out of `planned`; returns the ids of those now waiting to be frozen."""
    with database.transaction() as connection:
        return [row.id for row in BEGIN_FREEZE(connection, grace_min=GRACE_MIN) if row.status == RunStatus.freezing]


def waiting(database: Database) -> list[int]:
    """The ids of runs that wait to be frozen: just begun, or left behind by a worker that died.

    Urgent ones first, the others in any order: so workers rarely try the same run, and none stands in the others' way.
    """
    order = (Run.lane != Lane.urgent, func.random())
    with database.session() as session:
        return list(session.scalars(select(Run.id).where(Run.status == RunStatus.freezing).order_by(*order)))


def freeze(database: Database, run_id: int) -> int | None:
    """Write the run's rows and set it running, in one transaction.

    Returns the audience; None if another worker has done it, or if the run is `held` because its rule or template
    cannot be used any more. Nothing is written unless all is.
    """
    with database.session() as session:
        run = session.scalar(select(Run).where(Run.id == run_id, Run.status == RunStatus.freezing))
        if run is None:
            return None
        month = run.month
        session.connection().exec_driver_sql("SELECT ensure_month(%(month)s::date)", {"month": month})
    try:
        audience = _freeze(database, run_id)
    except ServiceError as error:
        log.warning("run %s cannot be frozen and is held: %s", run_id, error)
        with database.session() as session:
            held = {
                "status": RunStatus.held.value,
                "held_for": HeldFor.unfreezable.value,
                "reason": f"it cannot be frozen: {error}",
            }
            session.execute(update(Run).where(Run.id == run_id, Run.status == RunStatus.freezing).values(held))
        return None
    if audience is not None and audience > CANARY_ABOVE:
        with database.transaction() as connection:
            connection.exec_driver_sql("SELECT analyse_month(%(month)s::date)", {"month": month})
    return audience


def _freeze(database: Database, run_id: int) -> int | None:
    with database.session() as session:
        run = session.get_one(Run, run_id)
        version = session.get_one(TemplateVersion, run.template_version_id)
        own = [name for name in version.variables if name not in run.values]
        audience = _write(session, run_id, audience_select(session, run.segment_rule, run.unit_path), own)
        if audience is not None:
            estimate = update(Run).where(Run.id == run_id).values(parts_estimate=_estimate_parts(session, run))
            session.execute(estimate, execution_options={"synchronize_session": False})
        return audience


def _write(session: Session, run_id: int, audience: Select[int, int], own_values: Sequence[str]) -> int | None:
    compiled = audience.compile(dialect=session.get_bind().dialect, compile_kwargs={"render_postcompile": True})
    values, keys = _values(own_values)
    pieces: Mapping[str, str] = {"audience": str(compiled), "values": values}
    sql = _MARK.sub(lambda mark: pieces[mark[1]], FREEZE.sql)
    limits = {"canary_above": CANARY_ABOVE, "canary_texts": CANARY_TEXTS, "small_up_to": SMALL_UP_TO}
    parameters = {**_driver_values(compiled), **keys, **limits, "run_id": run_id}
    session.connection().exec_driver_sql(f"SET LOCAL work_mem = '{_WORK_MEM}'")
    audience_count: int | None = session.connection().exec_driver_sql(sql, parameters).scalar_one_or_none()
    return audience_count


def _estimate_parts(session: Session, run: Run) -> float:
    """Parts of a text of the run, on average over a sample: what a worker pays before it has rendered anything."""
    waiting = (Message.month == run.month, Message.run_id == run.id, Message.status == MessageStatus.pending)
    sample = session.scalars(select(Message.values).where(*waiting).limit(_SAMPLE)).all()
    parts = []
    with suppress(CannotRender):  # of a template that cannot be used any more
        text = rendering.load(session, run.id)
        for own in sample:
            with suppress(CannotRender):  # it will be refused alone, in its turn
                parts.append(text.compose(own).parts)
    return statistics.fmean(parts) if parts else 1.0


def _driver_values(compiled: Any) -> dict[str, Any]:
    """The compiled query's parameters as psycopg takes them (JSON and the like go through their SQLAlchemy types)."""
    processors = compiled._bind_processors
    return {name: processors[name](value) if name in processors else value for name, value in compiled.params.items()}


def _values(names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """SQL for the recipient's own values of the template's variables, and its parameters; names never become SQL."""
    if not names:
        return "NULL::jsonb", {}
    pairs, keys = [], {}
    for number, name in enumerate(names):
        key = f"value_{number}"
        keys[key] = name
        column = _COLUMNS.get(name)
        pairs.append(f"%({key})s::text, " + (column if column else f"p.attributes -> %({key})s::text"))
    return f"jsonb_strip_nulls(jsonb_build_object({', '.join(pairs)}))", keys
