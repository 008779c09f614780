"""One bad receipt never takes its batch with it: what is stored already and cannot be applied is set aside alone."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.gateways.base import Receipt, ReceiptStatus
from sms_service.ledger import receipts
from tests.delivery.poison import refusing
from tests.dispatch.city import drain, make_city, messages, statuses


def noise(length: int) -> str:
    """Words that no index can compress."""
    return "".join(random.Random(1).choices("0123456789abcdefghijklmnopqrstuvwxyz", k=length))


def test_an_id_that_no_index_holds_stops_nobody_elses_receipts(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    city = make_city(database, 5)
    city.adapter.answer = lambda handed: None
    drain(database, city.gateways)
    said = [Receipt(ReceiptStatus.delivered, f"p{row.id}", "{}", phone=row.phone) for row in messages(database, 1)]
    with database.transaction() as connection:
        receipts.insert_receipts(connection, [("main", receipt) for receipt in said])
        # As it was stored before ids were bounded.
        connection.execute(text("UPDATE receipts SET provider_id = :id WHERE id = 3"), {"id": noise(65_536)})
    assert inbox.apply_waiting_receipts(database) is False
    assert statuses(database, city.run_id) == {"delivered": 4, "unknown": 1}
    with database.transaction() as connection:
        [bad] = connection.execute(
            text("SELECT id, tries, next_try_at::text, note FROM receipts WHERE applied_at IS NULL")
        )
    assert tuple(bad) == (3, 1, "infinity", "it cannot be applied: ProgramLimitExceeded")
    assert "receipt 3 cannot be applied" in caplog.text
    assert inbox.apply_waiting_receipts(database) is False


def test_a_row_that_refuses_what_is_said_stops_nobody_elses_receipts(database: Database) -> None:
    city = make_city(database, 4)
    drain(database, city.gateways)
    with database.transaction() as connection:
        said = [Receipt(ReceiptStatus.delivered, None, "{}", reference=t.reference) for t in city.adapter.handed]
        receipts.insert_receipts(connection, [("main", receipt) for receipt in said])
    with refusing(database.url, "messages", f"status = 'delivered' AND id = {messages(database, 1)[0].id}"):
        assert inbox.apply_waiting_receipts(database) is False
    assert statuses(database, city.run_id) == {"delivered": 3, "accepted": 1}
    with database.transaction() as connection:
        notes = connection.execute(text("SELECT note FROM receipts WHERE applied_at IS NULL")).scalars().all()
    assert notes == ["it cannot be applied: CheckViolation"]
