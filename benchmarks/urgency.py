"""How long a branch's invitation takes while a campaign to the whole city is being sent."""

from __future__ import annotations

import json
import random
import secrets
import time
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory, wait_for
from benchmarks.sending import WORKERS, attempts_begun, launch, plan
from benchmarks.services import GROUP, clock, simulator, simulator_gateway, web
from sms_service.accounts import services as accounts
from sms_service.accounts import tokens
from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.audience import segments
from sms_service.campaigns import approval, services
from sms_service.db.engine import Database
from sms_service.ops.http import call_api

LAUNCHES = 8
INVITED = 30
BODY = "{{ name }}同志：请参加{{ unit }}本周六上午9时的主题党日，地点：社区党群服务中心。"
# Launches come at moments that nothing in the service can expect: at most so many seconds after the last one.
_LONGEST_PAUSE_S = 1.5
_PATIENCE_S = 30.0

# Branches of exactly INVITED members each, in the first street.
_BRANCHES = """
INSERT INTO units (id, parent_id, code, name, level, path, window_opens, window_closes)
SELECT last.id + n, street.id, 'I' || n, '第' || n || '临时党支部', 'branch', street.path || last.id + n || '/', 0, 1440
FROM (SELECT max(id) AS id FROM units) AS last, generate_series(1, %(branches)s) AS n, units AS street
WHERE street.code = 'S1'
RETURNING id
"""
_MEMBERS = """
INSERT INTO people (unit_id, number, name, phone)
SELECT unit.id, 'I' || unit.place * 1000 + n, '受邀' || n, '+86138' || lpad((unit.place * 1000 + n)::text, 8, '0')
FROM unnest(%(units)s::bigint[]) WITH ORDINALITY AS unit (id, place), generate_series(1, %(invited)s) AS n
"""
# From the run's rows to their attempts by key, so that nothing else of a large ledger is read.
_HANDED_OVER = """
SELECT count(*) AS texts, extract(epoch FROM max(a.outcome_at))::float AS at
FROM runs r
JOIN messages m ON m.month = r.month AND m.run_id = r.id
CROSS JOIN LATERAL (
    SELECT outcome_at FROM attempts WHERE month = m.month AND message_id = m.id AND status = 'accepted' LIMIT 1) AS a
WHERE r.id = %(run_id)s
"""
_BULK_WAITS = "SELECT EXISTS (SELECT FROM messages WHERE run_id = %(run_id)s AND status = 'pending')"


def _urgent(laboratory: Laboratory) -> Measured:
    moments = random.Random()
    with laboratory.city() as database, simulator(laboratory) as provider:
        gateways = simulator_gateway(laboratory, provider.url)
        plan(database, gateways)
        with database.session() as session:
            invitations, token = _invitations(session)
        variables = laboratory.variables(database, gateways)
        with laboratory.workers(WORKERS, variables), clock(laboratory, variables), web(laboratory, variables) as port:
            bulk = launch(laboratory, database)
            # The canary is over and the campaign is in full flow.
            wait_for(lambda: attempts_begun(database) > 2 * GROUP, "the campaign to be sent", _PATIENCE_S)
            seconds = []
            for campaign_id in invitations:
                time.sleep(moments.uniform(0, _LONGEST_PAUSE_S))
                seconds.append(
                    _invite(database, f"http://127.0.0.1:{port}/api/v1/campaigns/{campaign_id}/launch", token)
                )
            with database.transaction() as connection:
                if not connection.exec_driver_sql(_BULK_WAITS, {"run_id": bulk}).scalar_one():
                    raise BenchmarkError("the large campaign was over before the last invitation")
    return {"urgent_s": seconds}


def _invite(database: Database, address: str, token: str) -> float:
    """Seconds from the request that launches to the outcome of the last hand-over. One machine, so one clock."""
    started = time.time()
    run_id = json.loads(call_api(address, token, "POST", {}))["id"]
    ended = 0.0

    def handed_over() -> bool:
        nonlocal ended
        with database.transaction() as connection:
            row = connection.exec_driver_sql(_HANDED_OVER, {"run_id": run_id}).one()
        ended = row.at or 0.0
        return bool(row.texts == INVITED)

    wait_for(handed_over, f"the {INVITED} texts of an invitation", _PATIENCE_S)
    return ended - started


def _invitations(session: Session) -> tuple[list[int], str]:
    """The ids of approved campaigns, each of a branch to its members, and the token of an account that may launch."""
    connection = session.connection()
    units = connection.exec_driver_sql(_BRANCHES, {"branches": LAUNCHES}).scalars().all()
    connection.exec_driver_sql(_MEMBERS, {"units": list(units), "invited": INVITED})
    version_id = city.add_template(session, "主题党日邀请", "invitation", BODY)
    officer, approver = (_actor(session, role) for role in ("officer", "approver"))
    campaigns = []
    for unit_id in units:
        segment = segments.create_segment(session, officer, unit_id, "支部全体成员", {"everyone": True})
        campaign = services.create_campaign(
            session,
            officer,
            unit_id=unit_id,
            name="主题党日",
            template_version_id=version_id,
            segment_id=segment.id,
            signature=city.SIGNATURE,
        )
        services.submit_campaign(session, officer, campaign.id)
        approval.decide_approval(session, approver, campaign.id, approve=True)
        campaigns.append(campaign.id)
    assert officer.account_id is not None
    now = datetime.now(UTC)
    _, token = tokens.issue_token(
        session, SYSTEM, officer.account_id, "benchmarks", now=now, random_bytes=secrets.token_bytes
    )
    return campaigns, token


def _actor(session: Session, role: str) -> Actor:
    account = accounts.create_account(session, SYSTEM, unit_id=1, login=role, name=role)
    accounts.grant_role(session, SYSTEM, account.id, role=role, unit_id=1)
    return load_actor(session, account.id)


URGENT = Benchmark(_urgent, {"urgent_s": "s"}, runs=3, group=GROUP, size=INVITED)
