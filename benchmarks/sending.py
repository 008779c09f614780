"""From launch to the gateway: freeze, the pipeline without a gateway's time, and with one over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import SECRET, BenchmarkError, Laboratory, wait_for
from benchmarks.services import GROUP, clock, null_gateway, simulator, simulator_gateway
from sms_service import wake
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.registry import Gateways

WORKERS = 2
_PATIENCE_S = 900.0

# Times are those in the ledger, from PostgreSQL's clock, so it does not matter when the benchmark reads them.
_TIMES = """
SELECT r.audience,
       count(*) FILTER (WHERE a.status = 'accepted') AS accepted,
       extract(epoch FROM max(a.outcome_at) - r.launched_at)::float AS seconds
FROM runs r JOIN attempts a ON a.run_id = r.id AND a.month = r.month
WHERE r.id = %(run_id)s
GROUP BY r.id
"""
_ATTEMPTS = "SELECT coalesce(pg_sequence_last_value('attempts_id_seq'::regclass), 0)"
_WAITING = """
SELECT r.status = 'freezing'
    OR EXISTS (SELECT FROM messages m WHERE m.month = r.month AND m.run_id = r.id AND m.status = 'pending')
    OR EXISTS (SELECT FROM messages m WHERE m.month = r.month AND m.status IN ('claimed', 'submitting'))
FROM runs r WHERE r.id = %(run_id)s
"""


def plan(database: Database, gateways: Path) -> None:
    """A run to the whole city over the accounts of `gateways`, waiting for its launch."""
    with database.session() as session:
        synchronise_gateways(session, Gateways.from_file(gateways, "http://127.0.0.1:1", {"SIMULATOR_SECRET": SECRET}))
        city.plan_run(session)


def launch(laboratory: Laboratory, database: Database) -> int:
    """Make the planned run due and wake a worker; its id."""
    run_id = city.launch(database)
    wake.wake_workers(laboratory.redis, wake.FREEZE)
    return run_id


def attempts_begun(database: Database) -> int:
    """How many hand-overs have begun, from a counter, so that the rows are not read while they are written."""
    with database.transaction() as connection:
        return int(connection.exec_driver_sql(_ATTEMPTS).scalar_one())


def wait_until_sent(
    database: Database, run_id: int, people: int, at_attempts: Callable[[int], None] = lambda _: None
) -> None:
    """Return when none of the run's texts waits any more. `at_attempts` is called again and again with the number of
    attempts so far.
    """

    def sent() -> bool:
        begun = attempts_begun(database)
        at_attempts(begun)
        if begun < people:
            return False
        with database.transaction() as connection:
            return not connection.exec_driver_sql(_WAITING, {"run_id": run_id}).scalar_one()

    wait_for(sent, f"{people} texts to be accepted", _PATIENCE_S, every_s=0.1)


def seconds_of(database: Database, run_id: int, people: int) -> float:
    """Seconds from launch to the last outcome. Raises BenchmarkError unless `people` texts were accepted."""
    with database.transaction() as connection:
        row = connection.exec_driver_sql(_TIMES, {"run_id": run_id}).one()
    if not row.audience == row.accepted == people:
        raise BenchmarkError(f"{row.accepted} of {row.audience} texts were accepted; expected {people}")
    return float(row.seconds)


def texts_per_s(laboratory: Laboratory, database: Database, gateways: Path, people: int) -> float:
    """Send to the city's `people` members with WORKERS processes and the clock; texts accepted per second since
    launch.
    """
    plan(database, gateways)
    variables = laboratory.variables(database, gateways)
    with laboratory.workers(WORKERS, variables), clock(laboratory, variables):
        run_id = launch(laboratory, database)
        wait_until_sent(database, run_id, people)
    return people / seconds_of(database, run_id, people)


def _freeze(people: int, figure: str) -> Callable[[Laboratory], Measured]:
    def measure(laboratory: Laboratory) -> Measured:
        with laboratory.city(people) as database:
            plan(database, null_gateway(laboratory))
            run_id = city.launch(database)
            audience = freeze.freeze_run(database, run_id)
            with database.transaction() as connection:
                # frozen_at is the start of the statement that writes; the end is now, after its COMMIT.
                seconds: float = connection.exec_driver_sql(
                    "SELECT extract(epoch FROM clock_timestamp() - launched_at)::float FROM runs"
                ).scalar_one()
                pending = connection.exec_driver_sql(
                    "SELECT count(*) FROM messages WHERE status = 'pending'"
                ).scalar_one()
        if not audience == pending == people:
            raise BenchmarkError(f"froze {audience} people into {pending} pending rows; expected {people}")
        return {figure: seconds}

    return measure


def _pipeline(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database:
        per_s = texts_per_s(laboratory, database, null_gateway(laboratory), city.PEOPLE)
    return {"dispatch_pipeline_per_s": per_s}


def _http(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database, simulator(laboratory) as provider:
        per_s = texts_per_s(laboratory, database, simulator_gateway(laboratory, provider.url), city.PEOPLE)
        provider.check(city.PEOPLE)
    return {"dispatch_http_per_s": per_s}


FREEZE, FREEZE_MANY = (
    Benchmark(_freeze(people, figure), {figure: "s"}, runs=3, group=people, size=people)
    for people, figure in ((city.PEOPLE, "freeze_100k_s"), (city.MANY_PEOPLE, "freeze_1m_s"))
)
PIPELINE = Benchmark(_pipeline, {"dispatch_pipeline_per_s": "texts/s"}, runs=3, group=GROUP, size=city.PEOPLE)
HTTP = Benchmark(_http, {"dispatch_http_per_s": "texts/s"}, runs=3, group=GROUP, size=city.PEOPLE)
