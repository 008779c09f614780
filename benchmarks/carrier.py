"""A carrier line: a link hands over to an SMSC in a process of its own, without receipts, and with one per part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory, wait_for
from benchmarks.sending import launch, plan, seconds_of, wait_until_sent
from benchmarks.services import clock, gateways_file
from sms_service.db.engine import Database

WINDOW = 50
PEOPLE = 50_000
_LINK = "sms_service link carrier"  # what it calls itself at PostgreSQL
_PATIENCE_S = 300.0

_PARTS = "SELECT coalesce(sum(parts), 0) FROM attempts WHERE status IN ('accepted', 'delivered')"
_RECORDED = """
SELECT count(*) FILTER (WHERE m.status = 'delivered') AS delivered,
       extract(epoch FROM max(m.changed_at) - min(r.launched_at))::float AS seconds
FROM messages m JOIN runs r ON r.id = m.run_id AND r.month = m.month
"""


@contextmanager
def _smsc(laboratory: Laboratory, *options: str) -> Iterator[Path]:
    """An SMSC; yields a gateways.toml whose only account is a line to it."""
    with laboratory.process(["-m", "benchmarks.smsc", "--port", "0", *options], {}, read_line=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[-1])
        yield gateways_file(
            laboratory,
            f"""
            [accounts.carrier]
            adapter = "smpp"
            host = "127.0.0.1"
            port = {port}
            system_id = "city"
            password = "${{SIMULATOR_SECRET}}"
            source_addr = "10690000"
            window = {WINDOW}
            throughput = 100000
            in_flight = 4
            [routes]
            default = ["carrier"]
            """,
        )


def _submit(laboratory: Laboratory, *options: str, receipts: bool) -> float:
    """Parts per second from the run's launch to the last outcome in the ledger or, with receipts, to the last receipt
    that was applied.
    """
    with laboratory.city(PEOPLE) as database, _smsc(laboratory, *options) as gateways:
        plan(database, gateways)
        variables = laboratory.variables(database, gateways)
        link = laboratory.process(["worker.py", "--link", "carrier"], variables)
        with laboratory.workers(1, variables), clock(laboratory, variables), link:
            wait_for(lambda: laboratory.at_work(_LINK), "the link", _PATIENCE_S)
            run_id = launch(laboratory, database)
            wait_until_sent(database, run_id, PEOPLE)
            if receipts:
                wait_for(lambda: _delivered(database)[0] == PEOPLE, "all receipts", _PATIENCE_S, every_s=0.1)
        seconds = _delivered(database)[1] if receipts else seconds_of(database, run_id, PEOPLE)
        with database.transaction() as connection:
            parts = int(connection.exec_driver_sql(_PARTS).scalar_one())
    if parts < PEOPLE:
        raise BenchmarkError(f"{parts} parts were taken of {PEOPLE} texts")
    return parts / seconds


def _delivered(database: Database) -> tuple[int, float]:
    with database.transaction() as connection:
        row = connection.exec_driver_sql(_RECORDED).one()
    return int(row.delivered), float(row.seconds)


def _submits(laboratory: Laboratory) -> Measured:
    return {"smpp_submits_per_s": _submit(laboratory, receipts=False)}


def _with_receipts(laboratory: Laboratory) -> Measured:
    return {"smpp_with_receipts_per_s": _submit(laboratory, "--receipts", receipts=True)}


SUBMITS = Benchmark(_submits, {"smpp_submits_per_s": "parts/s"}, runs=3, group=100, size=PEOPLE)
WITH_RECEIPTS = Benchmark(_with_receipts, {"smpp_with_receipts_per_s": "parts/s"}, runs=3, group=100, size=PEOPLE)
