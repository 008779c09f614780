"""Races between a worker and the sweeps, each between two real sessions; docs/sending.md names all races."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

from sqlalchemy import Connection, text

from sms_service.db.engine import Database
from sms_service.gateways.base import OutcomeKind
from sms_service.ledger import protocol, sweeps
from sms_service.ledger.protocol import Claim, Passed, Recorded, Rendered
from tests.dispatch.city import City, make_city, make_dispatcher, statuses
from tests.waiting import wait_until_blocked

TEXT = "【云州先锋】请参加学习。"


def claimed(database: Database, city: City) -> tuple[Claim, list[Rendered]]:
    claim = make_dispatcher(database, city.gateways).offers()[0].claim(str(uuid.uuid4()))
    with database.transaction() as connection:
        rows = protocol.claim_rows(connection, claim, 10, 60)
    return claim, [Rendered(row.id, TEXT, 1) for row in rows]


def passed(database: Database, city: City) -> tuple[Claim, list[Passed]]:
    claim, rows = claimed(database, city)
    with database.transaction() as connection:
        return claim, protocol.pass_gate(connection, claim, rows, 60)


def leases_end(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET lease_until = sms_now() WHERE lease_until IS NOT NULL"))


def waiting(database: Database, act: Callable[[Connection], object]) -> threading.Thread:
    """`act` in a session of its own, begun and now waiting for another session's lock."""

    def run() -> None:
        with database.transaction() as connection:
            act(connection)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_until_blocked(database, unless=lambda: not thread.is_alive())
    return thread


def accept(connection: Connection, claim: Claim, rows: list[Passed]) -> None:
    outcomes = [Recorded(row.attempt_id, OutcomeKind.accepted, f"p{row.attempt_id}") for row in rows]
    protocol.record_outcomes(connection, claim.month, outcomes, claim)


def test_a_worker_whose_lease_ended_hands_nothing_over(database: Database) -> None:
    """Its rows were given to another worker, which has them under its own token now."""
    city = make_city(database, 3)
    slow, rows = claimed(database, city)
    leases_end(database)
    with database.transaction() as connection:
        assert sweeps.release_claimed(connection) == 3
    quick, _ = claimed(database, city)
    with database.transaction() as connection:
        assert protocol.pass_gate(connection, slow, rows, 60) == []
        assert protocol.release_rows(connection, slow, [row.id for row in rows]) == {}
    with database.transaction() as connection:
        assert len(protocol.pass_gate(connection, quick, rows, 60)) == 3


def test_a_lease_that_ends_while_its_worker_is_in_the_gate(database: Database) -> None:
    """The sweep leaves rows alone that are on their way, and waits for nobody."""
    city = make_city(database, 3)
    claim, rows = claimed(database, city)
    with database.engine.connect() as gate:
        assert len(protocol.pass_gate(gate, claim, rows, 60)) == 3
        with database.transaction() as connection:
            connection.execute(text("SELECT set_config('sms.clock_offset', '61 seconds', true)"))  # the sweep's clock
            assert sweeps.release_claimed(connection) == 0
        gate.commit()
    assert statuses(database, city.run_id) == {"submitting": 3}


def test_outcomes_that_come_after_the_lease_are_kept(database: Database) -> None:
    city = make_city(database, 3)
    claim, rows = passed(database, city)
    leases_end(database)
    with database.transaction() as connection:
        assert sum(sweeps.give_up_submitting(connection).values()) == 3
    assert statuses(database, city.run_id) == {"unknown": 3}
    with database.transaction() as connection:
        accept(connection, claim, rows)
    assert statuses(database, city.run_id) == {"accepted": 3}


def test_the_sweep_against_outcomes_that_are_being_written(database: Database) -> None:
    city = make_city(database, 3)
    claim, rows = passed(database, city)
    leases_end(database)
    with database.engine.connect() as worker:
        accept(worker, claim, rows)
        with database.transaction() as connection:
            assert sweeps.give_up_submitting(connection) == {}
        worker.commit()
    with database.transaction() as connection:
        assert sweeps.give_up_submitting(connection) == {}
    assert statuses(database, city.run_id) == {"accepted": 3}
    with database.transaction() as connection:
        assert set(connection.execute(text("SELECT status FROM attempts")).scalars()) == {"accepted"}


def test_outcomes_against_the_sweep_that_is_being_written(database: Database) -> None:
    city = make_city(database, 3)
    claim, rows = passed(database, city)
    leases_end(database)
    with database.engine.connect() as sweep:
        assert sum(sweeps.give_up_submitting(sweep).values()) == 3
        thread = waiting(database, lambda connection: accept(connection, claim, rows))
        sweep.commit()
        thread.join()
    assert statuses(database, city.run_id) == {"accepted": 3}


def test_a_stop_that_has_committed_is_seen_by_the_next_gate(database: Database) -> None:
    city = make_city(database, 3)
    claim, rows = claimed(database, city)
    with database.transaction() as connection:
        statement = "INSERT INTO stops (unit_id, why, stopped_at) VALUES (:unit, '有误', sms_now())"
        connection.execute(text(statement), {"unit": city.unit.id})
    with database.transaction() as connection:
        assert protocol.pass_gate(connection, claim, rows, 60) == []
        assert set(protocol.release_rows(connection, claim, [row.id for row in rows]).values()) == {"pending"}
    assert make_dispatcher(database, city.gateways).offers() == []
    with database.transaction() as connection:
        connection.execute(text("UPDATE stops SET released_at = sms_now(), release_why = '改好了'"))
        connection.execute(text("UPDATE messages SET not_before = sms_now()"))
    assert len(make_dispatcher(database, city.gateways).offers()) == 1
