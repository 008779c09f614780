"""What something costs a statement of the hand-over: two runs go group by group in turns, one with it and one without,
so that what else the machine does falls on both; and PostgreSQL's processor time counts, others' work left out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import Connection

from benchmarks import city
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


def compare_cost(laboratory: Laboratory, name: str, change: Callable[[Database], None]) -> tuple[float, float]:
    """Milliseconds for 1,000 texts of the statement `protocol.<name>`, median of the groups: without `change`, which is
    made to the database before, and with it.
    """
    with laboratory.city() as one, laboratory.city() as other:
        sides = [_Side(laboratory, database, name) for database in (one, other)]
        change(other)
        for side in sides:
            side.send_canary()
        for number in range(GROUPS):
            for side in sides[:: -1 if number % 2 else 1]:
                side.send_group()
                if number == 10:
                    side.analyse()
        without, with_ = (side.close() for side in sides)
    return without, with_


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
    """A run to the whole city, handed over group by group, with the times of one statement."""

    def __init__(self, laboratory: Laboratory, database: Database, name: str) -> None:
        gateways_file = null_gateway(laboratory)
        plan(database, gateways_file)
        freeze.freeze_run(database, city.launch(database))
        gateways = Gateways.from_file(gateways_file, "http://127.0.0.1:1", {})
        self._database = Database(database.url, by_key=True)
        pace = Pace(Redis.from_url(laboratory.redis_url), gateways.rates())
        self._dispatcher = Dispatcher(self._database, gateways, pace)
        self._name = name
        self.seconds: list[float] = []

    def send_canary(self) -> None:
        """Let it go on to everybody."""
        self.send_group()
        with self._database.transaction() as connection:
            breaker.check_canaries(connection)
        self.seconds.clear()

    def send_group(self) -> None:
        """One more."""
        with _timed(self._name, self.seconds):
            self._dispatcher.hand_over_group(self._dispatcher.offers()[0], GROUP)

    def analyse(self) -> None:
        """As the clock does, every second."""
        with self._database.transaction() as connection:
            connection.exec_driver_sql("SELECT analyse_new_months()")

    def close(self) -> float:
        """Milliseconds for 1,000 texts. Raises BenchmarkError unless every group had passed the gate."""
        self._dispatcher.close()
        with self._database.transaction() as connection:
            sent = connection.exec_driver_sql("SELECT count(*) FROM attempts").scalar_one()
        self._database.close()
        if sent < GROUPS * GROUP:
            raise BenchmarkError(f"{sent} texts passed the gate; expected {GROUPS * GROUP}")
        return statistics.median(self.seconds) * 1000 * 1000 / GROUP


@contextmanager
def _timed(name: str, seconds: list[float]) -> Iterator[None]:
    statement = getattr(protocol, name)
    setattr(protocol, name, _Timed(statement, seconds))
    try:
        yield
    finally:
        setattr(protocol, name, statement)
