"""What the clock's tick costs after a month, a third of a year and a year of 4,700 runs a day: it must not grow."""

from __future__ import annotations

import statistics
import time

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import Laboratory
from benchmarks.sending import null_gateway, plan
from sms_service.clock import tick
from sms_service.db.engine import Database
from sms_service.gateways.registry import Gateways

RUNS_A_DAY = city.BRANCHES
DAYS = (30, 120, 365)
TICKS = 20

# Most of each day's runs are closed; one in fifty was cancelled, and one in fifty waits for a receipt that never comes,
# as at an account without receipts. Everything else is copied from the one run that exists.
_CAMPAIGNS = """
INSERT INTO campaigns (unit_id, name, status, template_version_id, segment_id, signature, route_id)
SELECT unit_id, name, 'ended', template_version_id, segment_id, signature, route_id
FROM (SELECT * FROM campaigns ORDER BY id LIMIT 1) AS one, generate_series(1, %(runs)s)
"""
_RUNS = """
INSERT INTO runs (
    campaign_id, unit_id, unit_path, template_version_id, class, segment_rule, signature, route_id, validity_s, status,
    due_at, month, day, audience, launched_at, frozen_at, expires_at, finished_at, closed_at, look_at)
SELECT c.id, r.unit_id, r.unit_path, r.template_version_id, r.class, r.segment_rule, r.signature, r.route_id,
    r.validity_s, k.status, d.at, date_trunc('month', d.at)::date, d.at::date, 1, d.at, d.at, d.at + interval '1 day',
    CASE WHEN k.status <> 'cancelled' THEN d.at END, CASE WHEN k.status = 'closed' THEN d.at END,
    CASE WHEN k.status = 'finished' THEN now() + random() * (now() - d.at) / 4 END
FROM (SELECT * FROM runs ORDER BY id LIMIT 1) AS r
CROSS JOIN (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM campaigns ORDER BY id DESC LIMIT %(runs)s) AS c
CROSS JOIN LATERAL (
    SELECT CASE n %% 50 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'finished' ELSE 'closed' END AS status) AS k
CROSS JOIN LATERAL (
    SELECT date_trunc('day', now()) - make_interval(days => 4 + (%(first)s + n / %(a_day)s)::int) AS at) AS d
"""
_MESSAGES = """
INSERT INTO messages (
    month, run_id, person_id, unit_id, unit_path, phone, class, template_version_id, route_id, status, not_before,
    expires_at, changed_at, attempts)
SELECT month, id, 1, unit_id, unit_path, '+8613900000001', class, template_version_id, route_id, 'accepted',
    launched_at, expires_at, launched_at, 1
FROM runs WHERE status = 'finished' AND id NOT IN (SELECT run_id FROM messages)
"""


def _tick(laboratory: Laboratory) -> Measured:
    """The median of so many ticks, in milliseconds, with nothing to do."""
    found: dict[str, float] = {}
    with laboratory.city(1_000) as database:
        gateways_file = null_gateway(laboratory)
        plan(database, gateways_file)
        gateways = Gateways.from_file(gateways_file, "http://127.0.0.1:1", {})
        with database.transaction() as connection:
            connection.exec_driver_sql(
                "SELECT ensure_month((date_trunc('month', now()) - make_interval(months => n))::date)"
                " FROM generate_series(0, 12) AS n"
            )
        there = 0
        for days in DAYS:
            _add(database, there, days)
            there = days
            for _ in range(10):  # first the clock looks at everything that is due, as it would have done by now
                _once(database, gateways)
            found[f"tick_ms_{days}_days"] = statistics.median(_once(database, gateways) for _ in range(TICKS))
    return found


def _once(database: Database, gateways: Gateways) -> float:
    began = time.perf_counter()
    tick(database, None, gateways)
    return (time.perf_counter() - began) * 1000


def _add(database: Database, there: int, days: int) -> None:
    """Let there be so many days of runs."""
    runs = (days - there) * RUNS_A_DAY
    with database.transaction() as connection:
        connection.exec_driver_sql(_CAMPAIGNS, {"runs": runs})
        connection.exec_driver_sql(_RUNS, {"runs": runs, "first": there, "a_day": RUNS_A_DAY})
        connection.exec_driver_sql(_MESSAGES)
    _analyse(database)


def _analyse(database: Database) -> None:
    """Statistics and visibility as autovacuum leaves them."""
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")  # only an owner may
        connection.exec_driver_sql("SELECT analyse_new_months()")
        for table in ("runs", "campaigns"):
            connection.exec_driver_sql(f"ANALYZE {table}")


TICK = Benchmark(_tick, {f"tick_ms_{days}_days": "ms" for days in DAYS}, runs=1, group=1, size=365 * RUNS_A_DAY)
