"""From launch to the gateway: freeze, the pipeline without a gateway's time, and with one over HTTP."""

from __future__ import annotations

from pathlib import Path

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import SECRET, BenchmarkError, Laboratory, wait_for
from sms_service import wake
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.dispatch.accounts import synchronise
from sms_service.gateways.registry import Gateways

WORKERS = 2
GROUP = 100  # what gateways.toml ships with
HTTP_TEXTS = 20_000
_PATIENCE_S = 300.0

# Times are the ledger's own, on PostgreSQL's clock: looking at it decides nothing.
_TIMES = """
SELECT r.audience,
       count(*) FILTER (WHERE a.status = 'accepted') AS accepted,
       extract(epoch FROM max(a.outcome_at) - r.launched_at)::float AS seconds
FROM runs r JOIN attempts a ON a.run_id = r.id AND a.month = r.month
WHERE r.id = %(run_id)s
GROUP BY r.id
"""
_WAITING = """
SELECT r.status = 'freezing'
    OR EXISTS (SELECT FROM messages m WHERE m.month = r.month AND m.run_id = r.id AND m.status = 'pending')
    OR EXISTS (SELECT FROM messages m WHERE m.month = r.month AND m.status IN ('claimed', 'submitting'))
FROM runs r WHERE r.id = %(run_id)s
"""


def null_gateway(laboratory: Laboratory) -> Path:
    """A gateways.toml whose only account takes everything at once."""
    return _gateways(
        laboratory, f'[accounts.null]\nadapter = "null"\nmax_group = {GROUP}\n[routes]\ndefault = ["null"]\n'
    )


def simulator_gateway(laboratory: Laboratory, url: str) -> Path:
    """A gateways.toml whose only account is the simulator at `url`."""
    account = f'[accounts.simulator]\nadapter = "simulator"\nurl = "{url}"\nsecret = "${{SIMULATOR_SECRET}}"\n'
    return _gateways(laboratory, f'{account}max_group = {GROUP}\n[routes]\ndefault = ["simulator"]\n')


def plan(database: Database, gateways: Path, people: int) -> None:
    """A run to `people` members over the accounts of `gateways`, due now."""
    with database.session() as session:
        synchronise(session, Gateways.from_file(gateways, "http://127.0.0.1:1", {"SIMULATOR_SECRET": SECRET}))
        city.plan_run(session, people)


def _gateways(laboratory: Laboratory, text: str) -> Path:
    path = laboratory.folder / "gateways.toml"
    path.write_text(text)
    return path


def _freeze(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database:
        plan(database, null_gateway(laboratory), city.PEOPLE)
        run_id = city.launch(database)
        audience = freeze.freeze(database, run_id)
        with database.transaction() as connection:
            # frozen_at is the start of the statement that writes; the end is now, after its COMMIT.
            row = connection.exec_driver_sql(
                "SELECT extract(epoch FROM clock_timestamp() - launched_at)::float AS seconds,"
                " (SELECT count(*) FROM messages WHERE status = 'pending') AS pending FROM runs WHERE id = %(run_id)s",
                {"run_id": run_id},
            ).one()
    if not audience == row.pending == city.PEOPLE:
        raise BenchmarkError(f"froze {audience} people into {row.pending} pending rows; expected {city.PEOPLE}")
    return {"freeze_100k_s": row.seconds}


def _drain(laboratory: Laboratory, database: Database, gateways: Path, people: int) -> float:
    """Send to `people` with WORKERS processes; texts accepted per second since launch."""
    plan(database, gateways, people)
    with laboratory.workers(WORKERS, laboratory.variables(database, gateways)):
        run_id = city.launch(database)
        wake.wake(laboratory.redis, wake.FREEZE, run_id)

        def done() -> bool:
            with database.transaction() as connection:
                return not connection.exec_driver_sql(_WAITING, {"run_id": run_id}).scalar_one()

        wait_for(done, f"{people} texts to be accepted", _PATIENCE_S, every_s=0.25)
    with database.transaction() as connection:
        row = connection.exec_driver_sql(_TIMES, {"run_id": run_id}).one()
    if not row.audience == row.accepted == people:
        raise BenchmarkError(f"{row.accepted} of {row.audience} texts were accepted; expected {people}")
    return float(people / row.seconds)


def _pipeline(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database:
        per_s = _drain(laboratory, database, null_gateway(laboratory), city.PEOPLE)
    return {"dispatch_pipeline_per_s": per_s}


def _http(laboratory: Laboratory) -> Measured:
    ledger = laboratory.folder / "simulator.jsonl"
    command = ["-m", "sms_service.gateways.simulator", "--port", "0", "--ledger", str(ledger), "--silent-share", "1"]
    with laboratory.city() as database:
        variables = laboratory.variables(database, Path("/dev/null"))
        with laboratory.process(command, variables, read_line=True) as simulator:
            assert simulator.stdout is not None
            url = simulator.stdout.readline().rpartition(" ")[2].strip()
            per_s = _drain(laboratory, database, simulator_gateway(laboratory, url), HTTP_TEXTS)
    with ledger.open(encoding="utf-8") as lines:
        handed = sum('"message"' in line for line in lines)
    ledger.unlink()
    if handed != HTTP_TEXTS:
        raise BenchmarkError(f"the simulator was handed {handed} texts; expected {HTTP_TEXTS}")
    return {"dispatch_http_per_s": per_s}


FREEZE = Benchmark(_freeze, {"freeze_100k_s": "s"}, runs=3, group=city.PEOPLE, size=city.PEOPLE)
PIPELINE = Benchmark(_pipeline, {"dispatch_pipeline_per_s": "texts/s"}, runs=3, group=GROUP, size=city.PEOPLE)
HTTP = Benchmark(_http, {"dispatch_http_per_s": "texts/s"}, runs=3, group=GROUP, size=HTTP_TEXTS)
