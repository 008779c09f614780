"""Receipts against the outcomes of their own attempts and against each other, in two real sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, text

from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.gateways.base import OutcomeKind, Receipt, ReceiptStatus
from sms_service.ledger import protocol, receipts
from sms_service.ledger.protocol import Recorded
from tests.dispatch.city import City, make_city, messages, statuses
from tests.ledger.outcomes import hand_over, reference
from tests.ledger.races import waiting, while_open


def store(database: Database, **fields: object) -> None:
    receipt = Receipt(ReceiptStatus.delivered, raw="{}", **{"provider_id": None, **fields})  # type: ignore[arg-type]
    with database.transaction() as connection:
        receipts.insert_receipts(connection, [("main", receipt)])


def apply(connection: Connection) -> receipts.Applied:
    return receipts.apply_receipts(connection, 10)


def submitting(database: Database, parts: int = 1) -> tuple[City, str]:
    """One text whose hand-over has no outcome yet, and our name for it."""
    city = make_city(database, 1)
    hand_over(database, city, "unknown")
    [row] = messages(database, city.run_id)
    lease = "claim_token = gen_random_uuid(), lease_until = sms_now() + interval '1 minute'"
    with database.transaction() as connection:
        connection.execute(text(f"UPDATE messages SET status = 'submitting', {lease}"))
        connection.execute(text("UPDATE attempts SET status = 'submitting', parts = :parts"), {"parts": parts})
    return city, reference(database, city, row.id)


def accept(connection: Connection, city: City, name: str) -> None:
    attempt = int(name.partition("-")[2])
    protocol.record_outcomes(connection, city.month, [Recorded(attempt, OutcomeKind.accepted, provider_id="p1")])


def ended(database: Database) -> tuple[str, str, str]:
    """Status of message and attempt, and the provider's id."""
    query = "SELECT m.status, a.status, a.provider_id FROM messages m JOIN attempts a ON a.message_id = m.id"
    with database.transaction() as connection:
        row = connection.execute(text(query)).one()
    return row[0], row[1], row[2]


def test_a_receipt_by_the_providers_id_while_the_outcome_that_tells_it_is_written(database: Database) -> None:
    city, name = submitting(database)
    store(database, provider_id="p1", phone=messages(database, city.run_id)[0].phone)
    with while_open(database, lambda connection: accept(connection, city, name)), database.transaction() as other:
        assert apply(other) == receipts.Applied(seen=1, applied=0, moved=0), "nobody waits, it is parked"
    assert ended(database) == ("accepted", "accepted", "p1")
    with database.transaction() as connection:
        connection.execute(text("UPDATE receipts SET next_try_at = sms_now()"))
    inbox.apply_waiting_receipts(database)
    assert ended(database) == ("delivered", "delivered", "p1")


def test_a_receipt_by_our_name_while_the_outcome_is_written(database: Database) -> None:
    city, name = submitting(database)
    store(database, reference=name)
    with ThreadPoolExecutor(1) as pool:
        with while_open(database, lambda connection: accept(connection, city, name)):
            later = waiting(database, apply, pool)
        assert later.result(timeout=30) == receipts.Applied(seen=1, applied=1, moved=1)
    assert ended(database) == ("delivered", "delivered", "p1")


def test_an_outcome_while_the_receipt_is_applied(database: Database) -> None:
    city, name = submitting(database)
    store(database, reference=name)
    with ThreadPoolExecutor(1) as pool:
        with while_open(database, apply):
            later = waiting(database, lambda connection: accept(connection, city, name), pool)
        later.result(timeout=30)
    assert ended(database) == ("delivered", "delivered", "p1")


def test_two_appliers_with_a_part_each_miss_nothing(database: Database) -> None:
    city, name = submitting(database, parts=2)
    store(database, reference=name, part=1)
    with ThreadPoolExecutor(1) as pool:
        with while_open(database, apply):
            store(database, reference=name, part=2)
            later = waiting(database, apply, pool)
        assert later.result(timeout=30).moved == 1
    assert statuses(database, city.run_id) == {"delivered": 1}
