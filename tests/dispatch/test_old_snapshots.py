"""What is asked before a text leaves is asked of one moment, and nothing leaves long after it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from sqlalchemy import Connection, text

from sms_service.db.engine import Database
from sms_service.db.locks import close_gate_of_gateway_account, close_gate_of_run
from sms_service.dispatch import hand_over
from sms_service.dispatch.points import Point
from sms_service.ledger import sweeps
from tests.clocks import ahead_by
from tests.dispatch.city import City, drain, make_city, make_dispatcher, messages, statuses
from tests.waiting import wait_until_blocked

BLOCKERS = ("run", "run's gate", "account", "account's gate", "message", "cap")


def capped_city(database: Database, people: int = 2) -> City:
    city = make_city(database, people)
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO caps VALUES ('notice', 1)"))
    return city


def block(connection: Connection, blocker: str, city: City) -> None:
    """Hold a lock that the gate needs, as whoever stopped in the middle of a transaction does."""
    gateway_account_id = connection.execute(text("SELECT id FROM gateway_accounts")).scalar_one()
    match blocker:
        case "run":
            connection.execute(text("SELECT FROM runs FOR UPDATE"))
        case "run's gate":
            close_gate_of_run(connection, city.run_id)
        case "account":
            connection.execute(text("SELECT FROM gateway_accounts FOR UPDATE"))
        case "account's gate":
            close_gate_of_gateway_account(connection, gateway_account_id)
        case "message":
            connection.execute(text("SELECT FROM messages WHERE id = (SELECT min(id) FROM messages) FOR UPDATE"))
        case "cap":
            place = "SELECT min(phone), 'notice', (sms_now() AT TIME ZONE 'Asia/Shanghai')::date, 1 FROM messages"
            connection.execute(text(f"INSERT INTO cap_uses (phone, class, day, used) {place}"))


def forbid(database: Database, change: str, city: City) -> None:
    """What is committed while the gate waits."""
    with database.transaction() as connection:
        if change == "lost contact":
            marked = "UPDATE people SET lost_contact = true WHERE phone = (SELECT max(phone) FROM messages)"
            connection.execute(text(marked))
        elif change == "opt-out":
            connection.execute(
                text("INSERT INTO suppressions (phone, source) SELECT max(phone), 'reply' FROM messages")
            )
        else:
            stop = "INSERT INTO stops (unit_id, why, stopped_at) VALUES (:unit, '有误', sms_now())"
            connection.execute(text(stop), {"unit": city.unit.id})


@pytest.mark.parametrize(
    ("blocker", "change"),
    [
        *((blocker, "opt-out") for blocker in BLOCKERS),
        *product(("cap", "run"), ("city stop", "lost contact")),
    ],
)
def test_a_gate_that_waits_gives_up_and_asks_anew(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, blocker: str, change: str
) -> None:
    """While it waits for a lock, a person opts out or is lost, or the city is stopped. However long the lock is held,
    nothing leaves by what was asked before.
    """
    monkeypatch.setattr(hand_over, "LOCK_WAIT_S", 0.3)
    city = capped_city(database)
    with ThreadPoolExecutor(1) as pool, database.engine.connect() as other:

        def at(point: Point) -> None:
            if point is Point.claimed:  # which passes over rows that are locked
                block(other, blocker, city)

        hand = make_dispatcher(database, city.gateways, at=at)
        group = pool.submit(hand.hand_over_group, hand.offers()[0], 100)
        wait_until_blocked(database, unless=group.done)
        forbid(database, change, city)
        try:
            assert group.result(timeout=20).parts == 0
        finally:
            other.rollback()
    assert city.adapter.handed == []
    with database.transaction() as connection:  # neither the account nor the texts have lost anything by it
        assert connection.execute(text("SELECT count(*) FROM attempts")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM tallies")).scalar_one() == 0
    found = statuses(database, city.run_id)
    waiting = "claimed" if blocker == "message" else "pending"  # a row that is locked itself keeps its lease
    assert found == ({"pending": 2} if change == "city stop" else {waiting: 1, "skipped": 1})
    with ahead_by(database_url, "70 seconds") as later:
        with later.transaction() as connection:
            sweeps.release_claimed(connection)
        drain(later, city.gateways)
    assert statuses(database, city.run_id) == (
        {"pending": 2} if change == "city stop" else {"accepted": 1, "skipped": 1}
    )


def test_the_time_counts_from_the_gates_statement_and_not_from_its_commit(database: Database) -> None:
    """A worker that stops between the two, for 45 s, in which a person opts out."""
    city = capped_city(database)
    now = 0.0

    def at(point: Point) -> None:
        nonlocal now
        if point is Point.gate_sent:
            now = 45.0

    hand = make_dispatcher(database, city.gateways, clock=lambda: now, at=at)
    assert hand.hand_over_group(hand.offers()[0], 100).parts == 0
    assert city.adapter.handed == []
    assert statuses(database, city.run_id) == {"pending": 2}
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2}


def test_a_group_whose_lease_ended_before_it_was_withdrawn_surely_never_left(
    database: Database, database_url: str
) -> None:
    """The sweep had to call it unknown; who was to hand it over knows better."""
    city = capped_city(database)
    now = 0.0

    def at(point: Point) -> None:
        nonlocal now
        if point is Point.gate_committed:
            now = 120.0
            with ahead_by(database_url, "2 minutes") as later, later.transaction() as connection:
                assert sum(sweeps.give_up_submitting(connection).values()) == 2
            assert statuses(database, city.run_id) == {"unknown": 2}

    hand = make_dispatcher(database, city.gateways, clock=lambda: now, at=at)
    assert hand.hand_over_group(hand.offers()[0], 100).parts == 0
    assert city.adapter.handed == []
    assert {(row.status, row.reason, row.cap_day) for row in messages(database, city.run_id)} == {
        ("refused", "not_taken", None)
    }
    with database.transaction() as connection:
        assert set(connection.execute(text("SELECT status, error FROM attempts"))) == {("refused", "withdrawn")}
        assert set(connection.execute(text("SELECT used FROM cap_uses")).scalars()) == {0}
