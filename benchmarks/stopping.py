"""What opt-outs of a class and of a signature cost the gate: everybody it lets pass has one, of something else."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import Connection

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory
from benchmarks.sending import plan
from benchmarks.services import GROUP, null_gateway
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.dispatch import breaker, freeze
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.dispatch.pace import Pace
from sms_service.gateways.registry import Gateways
from sms_service.ledger import protocol

GROUPS = 200

# Of half of them the class is another, of the other half the signature. Only the tables' owner may analyse.
_OPT_OUTS = """
INSERT INTO suppressions (phone, class, signature, source)
SELECT phone,
       CASE WHEN id %% 2 = 0 THEN 'notice' ELSE %(class)s END,
       CASE WHEN id %% 2 = 0 THEN %(signature)s ELSE '别处' END, 'reply'
FROM people
"""


class _Timed(Statement):
    """A statement that notes in `seconds` what processor time PostgreSQL needed for each call."""

    def __init__(self, statement: Statement, seconds: list[float]) -> None:
        self.name, self.sql, self._seconds = statement.name, statement.sql, seconds

    def __call__(self, connection: Connection, /, **parameters: Any) -> Any:
        server = connection.connection.driver_connection
        assert server is not None
        statistics_of = Path(f"/proc/{server.info.backend_pid}/schedstat")  # in nanoseconds, others' work left out
        before = int(statistics_of.read_text().split()[0])
        result = super().__call__(connection, **parameters)
        self._seconds.append((int(statistics_of.read_text().split()[0]) - before) / 1e9)
        return result


class _Side:
    """A run to the whole city, handed over group by group, with the times of its gate."""

    def __init__(self, laboratory: Laboratory, database: Database, gateways_file: Path, *, opted_out: bool) -> None:
        plan(database, gateways_file)
        freeze.freeze_run(database, city.launch(database))
        if opted_out:
            _opt_out(database)
        gateways = Gateways.from_file(gateways_file, "http://127.0.0.1:1", {})
        self._database = Database(database.url, by_key=True)
        pace = Pace(Redis.from_url(laboratory.redis_url), gateways.rates())
        self._dispatcher = Dispatcher(self._database, gateways, pace)
        self.seconds: list[float] = []

    def send_canary(self) -> None:
        """Let it go on to everybody."""
        self.send_group()
        with self._database.transaction() as connection:
            breaker.check_canaries(connection)
        self.seconds.clear()

    def send_group(self) -> None:
        """One more."""
        with _timed_gate(self.seconds):
            self._dispatcher.hand_over_group(self._dispatcher.offers()[0], GROUP)

    def analyse(self) -> None:
        """As the clock does, every second."""
        with self._database.transaction() as connection:
            connection.exec_driver_sql("SELECT analyse_new_months()")

    def close(self) -> float:
        """Milliseconds for 1,000 texts. Raises BenchmarkError unless every group had passed."""
        self._dispatcher.close()
        with self._database.transaction() as connection:
            sent = connection.exec_driver_sql("SELECT count(*) FROM attempts").scalar_one()
        self._database.close()
        if sent < GROUPS * GROUP:
            raise BenchmarkError(f"{sent} texts passed the gate; expected {GROUPS * GROUP}")
        return statistics.median(self.seconds) * 1000 * 1000 / GROUP


def _measure(laboratory: Laboratory) -> Measured:
    gateways_file = null_gateway(laboratory)
    with laboratory.city() as one, laboratory.city() as other:
        sides = [_Side(laboratory, one, gateways_file, opted_out=False)]
        sides += [_Side(laboratory, other, gateways_file, opted_out=True)]
        for side in sides:
            side.send_canary()
        for number in range(GROUPS):
            # Group by group in turns, so that what else the machine does falls on both.
            for side in sides[:: -1 if number % 2 else 1]:
                side.send_group()
                if number == 10:
                    side.analyse()
        without, with_ = (side.close() for side in sides)
    return {
        "opt_outs_slow_gate_pct": 100 * (with_ / without - 1),
        "gate_opt_outs_cpu_ms": with_,
        "gate_cpu_ms": without,
    }


def _opt_out(database: Database) -> None:
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql(_OPT_OUTS, {"class": city.CLASS, "signature": city.SIGNATURE})
        connection.exec_driver_sql("VACUUM ANALYZE suppressions")
        connection.exec_driver_sql("RESET ROLE")


@contextmanager
def _timed_gate(seconds: list[float]) -> Iterator[None]:
    gate = protocol.GATE
    protocol.GATE = _Timed(gate, seconds)
    try:
        yield
    finally:
        protocol.GATE = gate


STOPS = Benchmark(
    _measure,
    {"opt_outs_slow_gate_pct": "%", "gate_opt_outs_cpu_ms": "ms/1000 texts", "gate_cpu_ms": "ms/1000 texts"},
    runs=3,
    group=GROUP,
    size=GROUPS * GROUP,
)
