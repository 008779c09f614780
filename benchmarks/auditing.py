"""What an auditor asks of a year: 20 million rows of the ledger on disk, added up by day.

The rows are made by SQL, as runs to the whole city leave them once all receipts are in; each month is filled as a plain
table and attached. Their attempts are left out: no count of texts with one attempt reads them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta
from sqlalchemy import func, select

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory
from benchmarks.sending import plan
from benchmarks.services import GROUP, simulator_gateway
from benchmarks.turns import GROUPS, compare_cost
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.ledger.amendment_models import CountedDay
from sms_service.reports.comparison import ComparedUnits, ComparisonOrder, compare_units, complete_lines
from sms_service.reports.counts import tabulate_counts
from sms_service.reports.filters import Filter
from sms_service.reports.roll_up_models import CountedMonth
from sms_service.reports.roll_ups import roll_up

ROWS = 20_000_000
RUNS = ROWS // city.PEOPLE
_ASKED_TIMES = 15
_PAGE = 25  # lines of a comparison that are shown at once
_RUN = """
INSERT INTO runs (
    month, day, campaign_id, item, firing, kind, status, lane, unit_id, unit_path, template_version_id, class,
    segment_rule, signature, route_id, validity_s, due_at, launched_at, expires_at, audience, frozen_at, finished_at,
    closed_at
)
SELECT date_trunc('month', d.day)::date, d.day, campaign_id, 1, 1 + d.place, kind, 'closed', lane, unit_id, unit_path,
       template_version_id, class, segment_rule, signature, route_id, validity_s, d.day, d.day, d.day + 1, %(people)s,
       d.day, d.day, d.day
FROM runs, unnest(%(days)s::date[]) WITH ORDINALITY AS d (day, place)
WHERE runs.firing = 1
"""
# 92 of 100 are delivered; the others have ended in each other way. A person has the same end in some runs, not in all.
_FILL = """
INSERT INTO filling (
    month, id, run_id, person_id, unit_id, unit_path, phone, class, template_version_id, route_id, status, reason,
    raw_code, not_before, expires_at, account_id, attempts, parts, text, changed_at, carrier
)
SELECT r.month, nextval('messages_id_seq'), r.id, p.id, u.id, u.path, p.phone, r.class, r.template_version_id,
       r.route_id, e.status, e.reason, e.raw_code, r.launched_at, r.expires_at,
       CASE WHEN e.status <> 'skipped' THEN (SELECT min(id) FROM gateway_accounts) END,
       CASE WHEN e.status = 'skipped' THEN 0 ELSE 1 END, CASE WHEN e.status <> 'skipped' THEN 1 + p.id %% 2 END,
       CASE WHEN e.status <> 'skipped' THEN repeat('学', 60) END, r.launched_at, carrier_of(p.phone)
FROM runs r CROSS JOIN people p JOIN units u ON u.id = p.unit_id
CROSS JOIN LATERAL (SELECT (p.id * 7919 + r.id * 104729) %% 100 AS n) h
CROSS JOIN LATERAL (
    SELECT CASE WHEN h.n < 92 THEN 'delivered' WHEN h.n < 95 THEN 'undelivered' WHEN h.n < 97 THEN 'no_receipt'
                WHEN h.n < 98 THEN 'refused' ELSE 'skipped' END AS status,
           CASE WHEN h.n >= 98 THEN 'opted_out' WHEN h.n = 97 THEN 'bad_number' WHEN h.n IN (92, 93) THEN 'switched_off'
                WHEN h.n = 94 THEN 'bad_number' END AS reason,
           CASE WHEN h.n < 92 THEN 'DELIVRD' WHEN h.n < 95 THEN 'UNDELIV' END AS raw_code
) e
WHERE r.month = %(month)s::date AND r.status = 'closed'
"""


def _auditing(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database:
        plan(database, simulator_gateway(laboratory, "http://127.0.0.1:1"))
        days = _spread_days(RUNS)
        fill_ledger(database, days)
        began = time.monotonic()
        while not _is_added_up(database, len(days)):
            roll_up(database, quiet_s=0)
        rolled_s = time.monotonic() - began
        city_path, street_path = "/1/", f"/1/2/{2 + city.DISTRICTS}/"
        return {
            "counts_20m_ms": _ask(database, ("unit", "status"), city_path, days, RUNS * city.PEOPLE),
            "counts_20m_months_ms": _ask(database, ("month", "status"), city_path, days, RUNS * city.PEOPLE),
            "counts_20m_branches_ms": _ask(database, ("unit", "status"), street_path, days, None),
            "compare_20m_districts_ms": _compare(database, ComparedUnits.below, days[0], days[-1]),
            "compare_20m_branches_ms": _compare(database, ComparedUnits.branches, days[-1].replace(day=1), days[-1]),
            "roll_up_ms_per_1000": 1_000 * rolled_s / (RUNS * city.PEOPLE / 1_000),
        }


def _spread_days(number: int) -> list[date]:
    """So many days over the twelve months that are over."""
    last = date.today().replace(day=1) - timedelta(days=1)
    first = last + timedelta(days=1) - relativedelta(months=12)
    span = (last - first).days + 1
    return sorted({first + timedelta(days=place * span // number) for place in range(number)})


def fill_ledger(database: Database, days: Sequence[date]) -> None:
    """A run to the whole city on each of these days, with all receipts in. The run of `plan` is their pattern."""
    months = sorted({day.replace(day=1) for day in days})
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        for month in months:
            connection.exec_driver_sql("SELECT ensure_month(%(month)s::date)", {"month": month})
        connection.exec_driver_sql(_RUN, {"people": city.PEOPLE, "days": list(days)})
        for month in months:
            began, partition = time.monotonic(), f"messages_{month:%Y%m}"
            connection.exec_driver_sql(f"ALTER TABLE messages DETACH PARTITION {partition}")
            connection.exec_driver_sql(f"DROP TABLE {partition}")
            kept = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
            connection.exec_driver_sql(f"CREATE TABLE filling (LIKE messages {kept})")
            filled = connection.exec_driver_sql(_FILL, {"month": month}).rowcount
            connection.exec_driver_sql(f"ALTER TABLE filling RENAME TO {partition}")
            connection.exec_driver_sql(
                f"ALTER TABLE messages ATTACH PARTITION {partition} FOR VALUES IN ('{month.isoformat()}')"
            )
            connection.exec_driver_sql(f"GRANT SELECT, INSERT, UPDATE ON {partition} TO sms_app")
            said = f"{month:%Y-%m}: {filled:,} rows in {time.monotonic() - began:.0f} s"
            print(said, file=sys.stderr, flush=True)
        connection.exec_driver_sql("VACUUM ANALYZE messages")
        connection.exec_driver_sql("VACUUM ANALYZE runs")
        connection.exec_driver_sql("RESET ROLE")


def _is_added_up(database: Database, days: int) -> bool:
    with database.transaction() as connection:
        added = connection.scalar(select(func.count(CountedDay.rolled_at)))
        waiting = connection.scalar(select(func.count()).where(CountedMonth.rolled_at.is_(None)))
    return added == days and waiting == 0


def _ask(database: Database, by: Sequence[str], path: str, days: Sequence[date], rows: int | None) -> list[float]:
    """How long each of some answers took, in ms, after a first one."""
    took = []
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql("VACUUM ANALYZE daily_counts, daily_people, monthly_people, counted_days")
        connection.exec_driver_sql("RESET ROLE")
    year = Filter((path,), since=days[0].replace(day=1), until=days[-1] + relativedelta(day=31))
    for _ in range(_ASKED_TIMES + 1):
        with database.session() as session:
            began = time.monotonic()
            found = tabulate_counts(session, year, by)
            took.append(1_000 * (time.monotonic() - began))
        if rows is not None and (found.total.messages, found.total.people) != (rows, city.PEOPLE):
            raise BenchmarkError(f"{found.total} was counted; there are {rows} rows of {city.PEOPLE} people")
    return took[1:]


def _compare(database: Database, compared: ComparedUnits, since: date, until: date) -> list[float]:
    """How long each of some comparisons of the whole city took, in ms, after a first one: its districts over the year,
    or all its branches over the last month, with the people of those that stand on a page.
    """
    took = []
    for _ in range(_ASKED_TIMES + 1):
        with database.session() as session:
            unit = session.get_one(Unit, 1)
            rows = Filter((unit.path,), since=since, until=until, kind="campaign")
            began = time.monotonic()
            found = compare_units(session, unit, rows, compared, ComparisonOrder.attention, until.year)
            complete_lines(session, found, found.lines[:_PAGE])
            took.append(1_000 * (time.monotonic() - began))
        if found.total.people != city.PEOPLE or found.total.messages != sum(line.messages for line in found.lines):
            raise BenchmarkError(f"{found.total} was counted, of {city.PEOPLE} people")
    return took[1:]


AUDITING = Benchmark(
    _auditing,
    {
        "counts_20m_ms": "ms",
        "counts_20m_months_ms": "ms",
        "counts_20m_branches_ms": "ms",
        "compare_20m_districts_ms": "ms",
        "compare_20m_branches_ms": "ms",
        "roll_up_ms_per_1000": "ms",
    },
    runs=1,
    group=1,
    size=ROWS,
)


def _amending(laboratory: Laboratory) -> Measured:
    """What the triggers that note changes cost the statements of a hand-over, of a day that nobody has counted yet."""
    found: dict[str, float] = {}
    for label, name in (("claim", "CLAIM"), ("gate", "GATE"), ("outcomes", "RECORD_OUTCOMES")):
        with_, without = compare_cost(laboratory, name, _drop_triggers)
        found |= {f"amending_slows_{label}_pct": 100 * (with_ / without - 1), f"amending_{label}_cpu_ms": with_}
    return found


def _drop_triggers(database: Database) -> None:
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        for table in ("messages", "attempts"):
            connection.exec_driver_sql(f"DROP TRIGGER amend ON {table}")
        connection.exec_driver_sql("RESET ROLE")


AMENDING = Benchmark(
    _amending,
    {
        f"amending_{label}": unit
        for statement in ("claim", "gate", "outcomes")
        for label, unit in ((f"slows_{statement}_pct", "%"), (f"{statement}_cpu_ms", "ms/1000 texts"))
    },
    runs=1,
    group=GROUP,
    size=GROUPS * GROUP,
)
