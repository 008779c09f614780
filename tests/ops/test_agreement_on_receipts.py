"""Receipts, messages and what still waits are part of the comparison of the two ledgers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.ledger.models import Attempt, Message, ReceiptRow
from sms_service.ledger.receipts import attempt_reference
from sms_service.ops.agreement import Agreement, compare_ledgers
from tests.dispatch.city import City, make_city


@pytest.fixture
def city(database: Database) -> City:
    """One member, whose text waits."""
    return make_city(database, 1)


def accept(database: Database, city: City) -> tuple[Attempt, dict[str, Any]]:
    """The member's text becomes `accepted`; returns the attempt, and the simulator's line about it."""
    with database.session() as session:
        message = session.scalars(select(Message)).one()
        message.status, message.attempts, message.text, message.parts = "accepted", 1, "请参加学习。", 1
        message.gateway_account_id = session.scalars(select(GatewayAccount.id)).one()
        attempt = Attempt(
            month=message.month,
            message_id=message.id,
            run_id=city.run_id,
            number=1,
            gateway_account_id=message.gateway_account_id,
            claim_token="00000000-0000-0000-0000-000000000001",
            status="accepted",
            parts=1,
            provider_id="S1",
            started_at=func.sms_now(),
        )
        session.add(attempt)
        session.flush()
        reference = attempt_reference(attempt.month, attempt.id)
        line = {"id": "S1", "reference": reference, "to": message.phone, "receipts": [[0, "DELIVRD"]]}
        return attempt, line


def compared(database: Database, city: City, *lines: dict[str, Any]) -> Agreement:
    with database.session() as session:
        return compare_ledgers(session, lines, [city.run_id])


def test_an_acknowledged_receipt_must_be_applied_or_wait_to_be(database: Database, city: City) -> None:
    attempt, taken = accept(database, city)
    pushed = {"event": "receipt", "id": "S1", "reference": taken["reference"], "code": "DELIVRD", "acknowledged": True}
    assert compared(database, city, taken, {**pushed, "acknowledged": False}).sentences() == []
    assert compared(database, city, taken, pushed).sentences() == ["1 texts whose acknowledged receipt was not applied"]
    with database.session() as session:
        session.add(
            ReceiptRow(
                gateway_account_id=attempt.gateway_account_id,
                received_at=func.sms_now(),
                next_try_at=func.sms_now(),
                reference=taken["reference"],
                part=0,
                status="delivered",
                month=attempt.month,
                attempt_id=attempt.id,
            )
        )
    assert compared(database, city, taken, pushed).sentences() == []
    inbox.apply_waiting_receipts(database, lambda: False)
    assert compared(database, city, taken, pushed).sentences() == []
    never = {**taken, "receipts": [[0, "UNDELIV"]]}
    assert compared(database, city, never).sentences() == ["1 texts whose final word no receipt says"]


def test_a_message_must_follow_its_latest_attempt(database: Database, city: City) -> None:
    _, taken = accept(database, city)
    assert compared(database, city, taken).sentences() == []
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE messages SET status = 'cancelled'")
    assert compared(database, city, taken).sentences() == ["1 texts whose message does not follow its attempt"]


def test_what_is_still_to_leave_is_named(database: Database, city: City) -> None:
    assert len(compared(database, city).waiting) == 1
    accept(database, city)
    assert compared(database, city).waiting == []
