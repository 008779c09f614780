"""Receipts: early, late, twice, reversed, without our name, and never for another account."""

from __future__ import annotations

from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Receipt, ReceiptStatus
from sms_service.ledger import receipts as ledger
from tests.dispatch.city import City, drain, make_city, make_dispatcher, messages, statuses


def arrive(database: Database, *receipts: Receipt, account: str = "main") -> None:
    with database.transaction() as connection:
        ledger.insert_receipts(connection, [(account, receipt) for receipt in receipts])
    inbox.apply_waiting_receipts(database)


def delivered(reference: str | None, **kw: object) -> Receipt:
    return Receipt(ReceiptStatus.delivered, kw.pop("provider_id", None), "{}", reference=reference, **kw)  # type: ignore[arg-type]


def undelivered(reference: str) -> Receipt:
    return Receipt(
        ReceiptStatus.undelivered, None, "{}", reference=reference, error=ErrorClass.unreachable, raw_code="U"
    )


def sent(database: Database, people: int = 1) -> City:
    city = make_city(database, people)
    drain(database, city.gateways)
    return city


def test_a_receipt_that_echoes_our_name_ends_the_message(database: Database) -> None:
    city = sent(database, 2)
    arrive(database, delivered(city.adapter.handed[0].reference), undelivered(city.adapter.handed[1].reference))
    assert statuses(database, city.run_id) == {"delivered": 1, "undelivered": 1}


def test_receipts_twice_and_reversed_end_the_same(database: Database) -> None:
    city = sent(database)
    name = city.adapter.handed[0].reference
    arrive(database, delivered(name), delivered(name))
    arrive(database, undelivered(name), Receipt(ReceiptStatus.interim, None, "{}", reference=name))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_a_receipt_may_come_before_the_outcome_is_written(database: Database) -> None:
    city = make_city(database, 1)

    def answer(handed: object) -> Outcome:
        arrive(database, delivered(handed.reference))  # type: ignore[attr-defined]
        assert statuses(database, city.run_id) == {"delivered": 1}
        return Outcome(handed.reference, OutcomeKind.accepted, provider_id="late")  # type: ignore[attr-defined]

    city.adapter.answer = answer
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"delivered": 1}
    with database.transaction() as connection:
        assert connection.execute(text("SELECT status, provider_id FROM attempts")).one() == ("delivered", "late")


def test_by_the_providers_id_only_within_the_account_and_for_the_phone(database: Database) -> None:
    city = sent(database)
    row = messages(database, city.run_id)[0]
    name = f"p{city.adapter.handed[0].reference}"
    arrive(database, delivered(None, provider_id=name, phone="+8613900009999"))
    assert statuses(database, city.run_id) == {"accepted": 1}
    arrive(database, delivered(None, provider_id=name, phone=row.phone))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_an_unmatched_receipt_is_parked_and_joined_again(database: Database) -> None:
    city = sent(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE attempts SET status = 'unknown', provider_id = NULL"))
        connection.execute(text("UPDATE messages SET status = 'unknown'"))
    arrive(database, delivered(None, provider_id="pX"))
    with database.transaction() as connection:
        assert connection.execute(text("SELECT applied_at, note FROM receipts")).one() == (
            None,
            "no attempt of this account matches",
        )
        connection.execute(text("UPDATE attempts SET provider_id = 'pX'"))
        connection.execute(text("UPDATE receipts SET next_try_at = sms_now()"))
    inbox.apply_waiting_receipts(database)
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_exactly_one_unknown_attempt_to_the_phone_is_meant(database: Database) -> None:
    city = make_city(database, 1)
    city.adapter.answer = lambda handed: None
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 1}
    arrive(database, delivered(None, provider_id="new", phone=messages(database, city.run_id)[0].phone))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_a_retry_that_waits_is_not_sent_once_its_first_attempt_is_delivered(database: Database) -> None:
    city = make_city(database, 1)
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.throttled)
    hand = make_dispatcher(database, city.gateways)
    hand.drain(job_s=60)
    arrive(database, delivered(city.adapter.handed[0].reference))
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET not_before = sms_now()"))
    hand.drain(job_s=60)
    assert len(city.adapter.handed) == 1
    assert statuses(database, city.run_id) == {"delivered": 1}
