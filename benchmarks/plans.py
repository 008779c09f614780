"""`python -m benchmarks.plans`: how PostgreSQL runs a hand-over's statements, after 200 groups of a run to 100,000."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from redis import Redis
from sqlalchemy import Connection

from benchmarks import city, sending
from benchmarks.laboratory import Laboratory
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.dispatch import breaker, freeze
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.dispatch.pace import Pace
from sms_service.gateways.base import OutcomeKind
from sms_service.gateways.registry import Gateways
from sms_service.ledger import protocol
from sms_service.ledger.protocol import Claim, Recorded, Rendered

GROUPS, GROUP = 200, 100
_EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) "


class _Explained(Statement):
    """A statement that prints its plan; its rows are then read as if it had been run."""

    def __init__(self, statement: Statement) -> None:
        self.name, self.sql = statement.name, statement.sql

    def __call__(self, connection: Connection, /, **parameters: Any) -> Any:
        with connection.begin_nested() as point:
            print(f"\n== {self.name}")
            for (line,) in connection.exec_driver_sql(_EXPLAIN + self.sql, parameters):
                print(line)
            point.rollback()
        return super().__call__(connection, **parameters)


def main() -> None:
    """Print the plans of claim, gate and outcomes."""
    with Laboratory() as laboratory, laboratory.city() as database:
        gateways_file = sending.null_gateway(laboratory)
        sending.plan(database, gateways_file)
        freeze.freeze_run(database, city.launch(database))
        gateways = Gateways.from_file(gateways_file, "http://127.0.0.1:1", {})
        with contextlib.closing(Database(database.url, by_key=True)) as ledger:
            pace = Pace(Redis.from_url(laboratory.redis_url), gateways.rates())
            dispatcher = Dispatcher(ledger, gateways, pace)
            dispatcher.hand_over_group(dispatcher.offers()[0], GROUP)  # the canary
            with ledger.transaction() as connection:
                breaker.check_canaries(connection)
            offer = dispatcher.offers()[0]
            for number in range(GROUPS):
                dispatcher.hand_over_group(offer, GROUP)
                if number == 10:  # as the clock does, every second
                    with ledger.transaction() as connection:
                        connection.exec_driver_sql("SELECT analyse_new_months()")
            _explain(ledger, offer.claim(str(uuid.uuid4())))
            dispatcher.close()


def _explain(ledger: Database, claim: Claim) -> None:
    for name in ("CLAIM", "GATE", "RECORD_OUTCOMES"):
        setattr(protocol, name, _Explained(getattr(protocol, name)))
    with ledger.transaction() as connection:
        rows = protocol.claim_rows(connection, claim, GROUP, 60)
    with ledger.transaction() as connection:
        texts = [Rendered(row.id, "【云州先锋】请参加学习。", 1) for row in rows]
        passed = protocol.pass_gate(connection, claim, texts, 60)
    with ledger.transaction() as connection:
        outcomes = [Recorded(row.attempt_id, OutcomeKind.accepted, f"p{row.attempt_id}") for row in passed]
        protocol.record_outcomes(connection, claim.month, outcomes, claim)


if __name__ == "__main__":
    main()
