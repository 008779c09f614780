"""How long invitations of thousands of branches take, launched within a minute, beside a campaign to the city."""

from __future__ import annotations

import time

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory, wait_for
from benchmarks.sending import WORKERS, launch, plan, seconds_of
from benchmarks.services import GROUP, clock, null_gateway
from sms_service import wake
from sms_service.db.engine import Database

RUNS, INVITED = 4_700, 30
LAUNCHED_WITHIN_S = 60.0
BODY = "{{ name }}同志：请参加{{ unit }}本周六上午9时的主题党日，地点：社区党群服务中心。"
_PATIENCE_S = 900.0

# A city of its own, so that the large campaign does not reach its people too: branches of exactly INVITED members.
_BRANCHES = """
WITH city AS (
    INSERT INTO units (id, parent_id, code, name, level, path, window_opens, window_closes)
    SELECT max(id) + 1, NULL, 'J', '江州市', 'city', '/' || max(id) + 1 || '/', 0, 1440 FROM units
    RETURNING id, path
)
INSERT INTO units (id, parent_id, code, name, level, path, window_opens, window_closes)
SELECT city.id + n, city.id, 'J' || n, '第' || n || '临时党支部', 'branch', city.path || city.id + n || '/', 0, 1440
FROM city, generate_series(1, %(runs)s) AS n
RETURNING id
"""
_MEMBERS = """
INSERT INTO people (unit_id, number, name, phone)
SELECT unit.id, 'J' || unit.place * 1000 + n, '受邀' || n, '+86137' || lpad((unit.place * 1000 + n)::text, 8, '0')
FROM unnest(%(units)s::bigint[]) WITH ORDINALITY AS unit (id, place), generate_series(1, %(invited)s) AS n
"""
# The rows that the campaigns room writes for approved campaigns, each of a branch to its members, and for their runs:
# planned, in the lane that a launch gives them, due tomorrow.
_RUNS = """
WITH template AS (
    SELECT v.id AS version_id FROM template_versions v WHERE v.id = %(version_id)s
), segment AS (
    INSERT INTO segments (unit_id, name, rule)
    SELECT parent_id, '支部全体成员', '{"everyone": true}' FROM units WHERE id = (%(units)s::bigint[])[1]
    RETURNING id, rule
), campaign AS (
    INSERT INTO campaigns (unit_id, name, status, segment_id, template_version_id, signature, route_id, validity_s)
    SELECT u.id, '主题党日', 'active', segment.id, template.version_id, %(signature)s, routes.id, 86400
    FROM units u, template, segment, routes WHERE u.id = ANY (%(units)s::bigint[]) AND routes.name = 'default'
    RETURNING *
)
INSERT INTO runs (
    campaign_id, unit_id, unit_path, template_version_id, class, segment_rule, signature, route_id, validity_s, lane,
    due_at, day, month)
SELECT c.id, c.unit_id, u.path, c.template_version_id, 'invitation', segment.rule, c.signature, c.route_id,
       c.validity_s, 'small', sms_now() + interval '1 day', sms_now()::date, date_trunc('month', sms_now())::date
FROM campaign c JOIN units u ON u.id = c.unit_id CROSS JOIN segment
RETURNING id
"""
_LAUNCH = "UPDATE runs SET due_at = sms_now() WHERE id = %(run_id)s"
_TIMES = """
SELECT extract(epoch FROM max(a.outcome_at) - r.due_at)::float AS seconds,
       count(*) FILTER (WHERE a.status = 'accepted') AS accepted
FROM runs r JOIN attempts a ON a.run_id = r.id AND a.month = r.month
WHERE r.id = ANY (%(runs)s::bigint[])
GROUP BY r.id
ORDER BY 1
"""
_UNDER_WAY = """
SELECT EXISTS (
    SELECT FROM runs
    WHERE status IN ('freezing', 'running') OR status = 'planned' AND due_at <= sms_now())
"""


def _crowd(laboratory: Laboratory) -> Measured:
    alone = _send(laboratory, [])[0]
    beside, seconds = _send(laboratory, range(1, RUNS + 1))
    return {
        "small_runs_4700": seconds[len(seconds) // 2],
        "small_runs_4700_p99": seconds[len(seconds) * 99 // 100],
        "small_runs_4700_max": seconds[-1],
        "small_runs_4700_bulk": beside,
        "small_runs_4700_bulk_alone": alone,
    }


def _send(laboratory: Laboratory, small: range | list[int]) -> tuple[float, list[float]]:
    """Seconds from launch to last outcome: of the large run, and of each small one, the fastest first."""
    with laboratory.city() as database:
        gateways = null_gateway(laboratory)
        plan(database, gateways)
        runs = _plan_small(database, len(small)) if small else []
        variables = laboratory.variables(database, gateways)
        with laboratory.workers(WORKERS, variables), clock(laboratory, variables):
            bulk = launch(laboratory, database)
            _launch_all(laboratory, database, runs)
            wait_for(lambda: not _under_way(database), "the runs to finish", _PATIENCE_S)
        with database.transaction() as connection:
            rows = connection.exec_driver_sql(_TIMES, {"runs": runs}).all()
        if len(rows) != len(runs) or any(row.accepted != INVITED for row in rows):
            raise BenchmarkError(f"{sum(row.accepted for row in rows)} texts of {len(rows)} small runs were accepted")
        return seconds_of(database, bulk, city.PEOPLE), [row.seconds for row in rows]


def _plan_small(database: Database, runs: int) -> list[int]:
    with database.session() as session:
        connection = session.connection()
        units = connection.exec_driver_sql(_BRANCHES, {"runs": runs}).scalars().all()
        connection.exec_driver_sql(_MEMBERS, {"units": list(units), "invited": INVITED})
        version_id = city.add_template(session, "主题党日邀请", "invitation", BODY)
        values = {"units": list(units), "version_id": version_id, "signature": city.SIGNATURE}
        return list(connection.exec_driver_sql(_RUNS, values).scalars())


def _launch_all(laboratory: Laboratory, database: Database, runs: list[int]) -> None:
    """Make one run after the other due, spread over the time, and tell the workers as the API does."""
    started = time.monotonic()
    for place, run_id in enumerate(runs):
        time.sleep(max(0.0, started + LAUNCHED_WITHIN_S * place / len(runs) - time.monotonic()))
        with database.transaction() as connection:
            connection.exec_driver_sql(_LAUNCH, {"run_id": run_id})
        wake.wake_workers(laboratory.redis, wake.FREEZE)


def _under_way(database: Database) -> bool:
    with database.transaction() as connection:
        return bool(connection.exec_driver_sql(_UNDER_WAY).scalar_one())


CROWD = Benchmark(
    _crowd,
    {
        "small_runs_4700": "s",
        "small_runs_4700_p99": "s",
        "small_runs_4700_max": "s",
        "small_runs_4700_bulk": "s",
        "small_runs_4700_bulk_alone": "s",
    },
    runs=3,
    group=GROUP,
    size=RUNS * INVITED,
)
