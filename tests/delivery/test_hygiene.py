"""What is learned about phones: provider's stop lists suppress, dead numbers on two campaigns make suspect."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from sms_service import clock
from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.delivery import hygiene
from sms_service.directory import people
from sms_service.dispatch import freeze
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Receipt, ReceiptStatus
from sms_service.ledger import receipts
from tests.audience.counting import count_audience
from tests.dispatch.city import City, drain, make_city, make_run, messages, refused
from tests.factories import fictional_phone

PHONE = fictional_phone(6)
DEAD = (ReceiptStatus.undelivered, ErrorClass.bad_number)
ARRIVED = (ReceiptStatus.delivered, None)


def rows(database: Database, query: str) -> list[Any]:
    with database.transaction() as connection:
        return list(connection.execute(text(query)).all())


def run_to(database: Database, city: City, *says: tuple[ReceiptStatus, ErrorClass | None]) -> None:
    """Another campaign to everybody, handed over; receipts say so of PHONE's text."""
    with database.session() as session:
        run_id = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, city.gateways)
    [message] = [row for row in messages(database, run_id) if row.phone == PHONE and row.status != "skipped"]
    for status, error in says:
        with database.transaction() as connection:
            attempt = f"SELECT id FROM attempts WHERE message_id = {message.id} ORDER BY number DESC LIMIT 1"
            name = receipts.attempt_reference(message.month, connection.execute(text(attempt)).scalar_one())
            receipts.insert_receipts(connection, [("main", Receipt(status, None, "{}", reference=name, error=error))])
            receipts.apply_receipts(connection, 10)


def suspects(database: Database) -> list[int]:
    return [row.id for row in rows(database, "SELECT id FROM people WHERE suspect_since IS NOT NULL ORDER BY id")]


@pytest.fixture
def city(database: Database) -> City:
    return make_city(database, 1, freeze_now=False, more=[{"phone": PHONE}, {"phone": PHONE}])


def test_dead_on_two_campaigns_makes_everybody_with_the_phone_suspect(database: Database, city: City) -> None:
    run_to(database, city, DEAD)
    clock.tick(database, None, city.gateways)
    assert suspects(database) == [], "one campaign proves nothing"
    run_to(database, city, DEAD)
    clock.tick(database, None, city.gateways)
    assert suspects(database) == [2, 3]
    with database.session() as session:
        assert count_audience(session, {"suspect": True}, city.unit.path) == 2
        assert count_audience(session, {"not": {"suspect": True}}, city.unit.path) == 1
        assert count_audience(session, {"suspect": False}, city.unit.path) == 1


def test_two_runs_of_one_campaign_are_one(database: Database, city: City) -> None:
    for _ in range(2):
        run_to(database, city, DEAD)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET firing = id"))
        connection.execute(text("UPDATE runs SET campaign_id = (SELECT min(campaign_id) FROM runs)"))
    assert hygiene.mark_suspects(database).suspect == 0


def test_a_refusal_says_the_same_as_a_receipt(database: Database, city: City) -> None:
    city.adapter.answer = refused(ErrorClass.bad_number)
    run_to(database, city)
    run_to(database, city)
    hygiene.mark_suspects(database)
    assert suspects(database) == [1, 2, 3]


def test_a_text_that_arrives_clears_it_and_it_begins_anew(database: Database, city: City) -> None:
    for _ in range(2):
        run_to(database, city, DEAD)
    hygiene.mark_suspects(database)
    run_to(database, city, ARRIVED)
    assert hygiene.mark_suspects(database) == hygiene.Marked(0, 2)
    assert suspects(database) == []
    run_to(database, city, DEAD)
    assert hygiene.mark_suspects(database).suspect == 0


def test_another_phone_clears_it_however_it_came(database: Database, city: City) -> None:
    for _ in range(2):
        run_to(database, city, DEAD)
    hygiene.mark_suspects(database)
    with database.session() as session:
        people.change_person(session, SYSTEM, 2, phone=PHONE)
    assert suspects(database) == [2, 3], "it is the same phone"
    with database.session() as session:
        people.change_person(session, SYSTEM, 2, phone=fictional_phone(60))
    assert suspects(database) == [3]
    with database.transaction() as connection:  # as an import writes it
        connection.execute(text("UPDATE people SET phone = :phone WHERE id = 3"), {"phone": fictional_phone(61)})
    assert hygiene.mark_suspects(database) == hygiene.Marked(0, 1)


def test_a_providers_stop_list_suppresses_with_ids_in_the_trail(database: Database, city: City) -> None:
    run_to(database, city, (ReceiptStatus.undelivered, ErrorClass.blacklisted))
    clock.tick(database, None, city.gateways)
    [row] = rows(database, "SELECT * FROM suppressions")
    assert (row.phone, row.reason, row.source) == (PHONE, "blacklisted", "gateway")
    trail = rows(database, "SELECT * FROM trail WHERE act = 'suppression.add' ORDER BY id")
    assert [(entry.target_id, entry.account_id) for entry in trail] == [("2", None), ("3", None)]
    assert trail[0].details.keys() == {"reason", "source", "message"}
    assert PHONE not in str(trail)
    clock.tick(database, None, city.gateways)
    assert len(rows(database, "SELECT FROM trail WHERE act = 'suppression.add'")) == 2


def test_a_refusal_by_a_stop_list_does_it_too_and_the_next_run_skips_the_phone(database: Database, city: City) -> None:
    city.adapter.answer = lambda handed: (
        Outcome(handed.reference, OutcomeKind.refused, error=ErrorClass.blacklisted)
        if handed.phone == PHONE
        else Outcome(handed.reference, OutcomeKind.accepted, provider_id="p" + handed.reference)
    )
    run_to(database, city)
    assert hygiene.suppress_blacklisted(database) == 1
    with database.session() as session:
        run_id = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    reasons = {row.reason for row in messages(database, run_id) if row.phone == PHONE}
    assert "blacklisted" in reasons


def test_a_slice_at_a_time_and_two_at_once_heed_each_report_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hygiene, "SLICE", 3)
    city = make_city(database, 10)
    city.adapter.answer = refused(ErrorClass.blacklisted)
    drain(database, city.gateways)
    assert hygiene.suppress_blacklisted(database) == 3
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: hygiene.suppress_blacklisted(database), range(9))) == 7
    assert len(rows(database, "SELECT FROM trail WHERE act = 'suppression.add'")) == 10
