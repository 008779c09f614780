"""Events of thousands of branches whose invitations are due at the same time, beside a run to the whole city."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory, wait_for
from benchmarks.sending import WORKERS, plan
from benchmarks.services import GROUP, clock, null_gateway
from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import approval, services
from sms_service.campaigns.contents import load_contents
from sms_service.campaigns.launch import start_campaign
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.renewing import approve_items
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.schedules.event import INVITATION
from sms_service.schedules.event_planning import plan_event

EVENTS = (100, 1_000, city.BRANCHES)
PLANNED = 50  # events that people plan and start one by one; the others are copies of the first
BODY = "{{ name }}同志：请于{{ 时间 }}到{{ 地点 }}参加主题党日“{{ 主题 }}”。不能参加请回复0。"
_TOGETHER = 200  # copies in one transaction
_PATIENCE_S = 1_800.0

# Copies of an event that runs, one for each of these branches, with its items and its approval. The rules of its items
# ask about their own campaign.
_COPIES = """
WITH made AS (
    INSERT INTO campaigns (unit_id, name, status, kind, schedule, template_version_id, segment_id, values, signature,
                           route_id, validity_s, submissions)
    SELECT u.id, c.name, c.status, c.kind, c.schedule, c.template_version_id, c.segment_id, c.values, c.signature,
           c.route_id, c.validity_s, c.submissions
    FROM campaigns c, units u WHERE c.id = %(id)s AND u.id = ANY (%(units)s::bigint[])
    RETURNING id
), items AS (
    INSERT INTO campaign_items (campaign_id, number, position, label, template_version_id, values, rule, next_at)
    SELECT made.id, i.number, i.position, i.label, i.template_version_id, i.values,
           replace(i.rule::text, '"id": %(id)s', '"id": ' || made.id)::jsonb, i.next_at
    FROM campaign_items i, made WHERE i.campaign_id = %(id)s
)
INSERT INTO decisions (campaign_id, verdict, digest, content, at, submission, people)
SELECT made.id, d.verdict, d.digest, d.content, d.at, d.submission, d.people
FROM decisions d, made WHERE d.campaign_id = %(id)s
RETURNING campaign_id
"""
# All at once: so many invitations, and the run to the whole city.
_DUE = """
WITH due AS (
    UPDATE campaign_items SET next_at = sms_now()
    WHERE number = 1 AND campaign_id IN (
        SELECT campaign_id FROM campaign_items WHERE number = 1 ORDER BY campaign_id LIMIT %(events)s)
), bulk AS (UPDATE runs SET due_at = sms_now())
SELECT sms_now()
"""
# `frozen_at` is when the statement began that froze the run. Fired and frozen are told apart: which of the two is dear?
_TIMES = """
SELECT count(*) AS fired, count(frozen_at) AS frozen, count(*) FILTER (WHERE status = 'held') AS held,
       extract(epoch FROM max(created_at) - min(due_at))::float AS fired_s,
       extract(epoch FROM max(frozen_at) - min(due_at))::float AS frozen_s, sum(audience) AS people
FROM runs WHERE item = %(item)s AND unit_id > 1
"""


def _firings(laboratory: Laboratory) -> Measured:
    found: dict[str, float] = {}
    for events in EVENTS:
        with laboratory.city() as database:
            gateways = null_gateway(laboratory)
            plan(database, gateways)
            planning_ms = _plan(database, events)
            variables = laboratory.variables(database, gateways)
            with laboratory.workers(WORKERS, variables), clock(laboratory, variables):
                with database.transaction() as connection:
                    connection.exec_driver_sql(_DUE, {"events": events})
                wait_for(lambda: _times(database).frozen == events, "the invitations to be frozen", _PATIENCE_S)  # noqa: B023
                times = _times(database)
        if times.held or times.fired != events:
            raise BenchmarkError(f"{times.fired} runs were fired and {times.held} of them are held; expected {events}")
        found[f"firing_ms_{events}"] = 1_000 * times.fired_s / events
        found[f"frozen_ms_{events}"] = 1_000 * times.frozen_s / events
        found |= {"firings_4700_s": times.frozen_s, "event_planning_ms": planning_ms}
    return found


def _times(database: Database) -> Row[Any]:
    with database.transaction() as connection:
        return connection.exec_driver_sql(_TIMES, {"item": INVITATION}).one()


def _plan(database: Database, events: int) -> float:
    """Let so many branches have an event that runs; returns the milliseconds that planning and starting one takes."""
    with database.session() as session:
        units = session.scalars(select(Unit.id).where(Unit.level == "branch").order_by(Unit.id).limit(events)).all()
        version_id = city.add_template(session, "主题党日邀请", "invitation", BODY)
        segment_id = session.scalars(select(Campaign.segment_id)).one()
    planned, began = list[int](), time.perf_counter()
    for unit_id in units[:PLANNED]:
        with database.session() as session:
            planned.append(_plan_one(session, unit_id, version_id, segment_id))
    took_ms = 1_000 * (time.perf_counter() - began) / len(planned)
    for first in range(PLANNED, events, _TOGETHER):
        with database.session() as session:
            given = {"id": planned[0], "units": list(units[first : first + _TOGETHER])}
            copies = session.connection().exec_driver_sql(_COPIES, given).scalars().all()
            for content in load_contents(session, copies).values():
                approve_items(session, content)
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")  # only its owner may do this
        connection.exec_driver_sql("ANALYZE campaigns, campaign_items, decisions")
    return took_ms


def _plan_one(session: Session, unit_id: int, version_id: int, segment_id: int) -> int:
    now = session.scalars(select(func.sms_now())).one()
    campaign = services.create_campaign(
        session,
        SYSTEM,
        unit_id=unit_id,
        name="主题党日",
        template_version_id=version_id,
        segment_id=segment_id,
        signature=city.SIGNATURE,
        values={"主题": "重温入党誓词", "地点": "党群服务中心"},
    )
    plan_event(session, SYSTEM, campaign.id, {"begins": now.replace(second=0, microsecond=0) + timedelta(days=10)})
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    start_campaign(session, SYSTEM, campaign.id)
    return campaign.id


FIRINGS = Benchmark(
    _firings,
    {
        "firings_4700_s": "s",
        **{f"{what}_ms_{events}": "ms" for what in ("firing", "frozen") for events in EVENTS},
        "event_planning_ms": "ms",
    },
    runs=1,
    group=GROUP,
    size=city.BRANCHES,
)
