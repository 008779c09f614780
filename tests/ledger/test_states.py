"""The tables of states, and that SQL agrees with them."""

from __future__ import annotations

from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.db.statements import check_all
from sms_service.ledger.states import ATTEMPT_RANK, MESSAGE_TRANSITIONS, MessageStatus


def test_the_database_ranks_attempts_as_the_table_does(database: Database) -> None:
    with database.transaction() as connection:
        found = {s: connection.execute(text("SELECT attempt_rank(:s)"), {"s": s}).scalar_one() for s in ATTEMPT_RANK}
    assert found == dict(ATTEMPT_RANK)


def test_delivered_moves_a_message_from_every_state_but_skipped() -> None:
    sources = {source for source, targets in MESSAGE_TRANSITIONS.items() if MessageStatus.delivered in targets}
    assert sources == set(MessageStatus) - {MessageStatus.skipped, MessageStatus.delivered}


def test_every_statement_can_be_prepared(database: Database) -> None:
    import sms_service.delivery.inbox
    import sms_service.dispatch.dispatcher
    import sms_service.ledger.sweeps  # noqa: F401

    with database.transaction() as connection:
        assert {"claim", "gate", "freeze", "apply_receipts"} <= check_all(connection).keys()
