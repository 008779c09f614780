"""Receipts that name nothing of ours, at accounts without an echo: of which text they can be, whatever became of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Receipt, ReceiptStatus
from sms_service.ledger import protocol, receipts, resolving, sweeps
from sms_service.ledger.protocol import Claim, Recorded, Rendered
from sms_service.ledger.receipt_matching import NO_TEXT, ON_ITS_WAY, SEVERAL, TOO_MANY, match_receipts
from sms_service.ledger.resolving import RETRYABLE
from sms_service.reports.counts import check_identity
from tests.clocks import ahead_by
from tests.dispatch.city import City, drain, make_city, messages, statuses
from tests.factories import make_account
from tests.ledger.outcomes import hand_over
from tests.ledger.races import waiting, while_open

DELIVERED, UNDELIVERED = ReceiptStatus.delivered, ReceiptStatus.undelivered
TOKEN = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def write(database: Database, statement: str, **values: object) -> Any:
    with database.transaction() as connection:
        return connection.execute(text(statement), values)


def unknown(database: Database, phone: str | None = None) -> City:
    """A run of one text, to this phone, whose answer never came."""
    city = make_city(database, 0 if phone else 1, more=[{"phone": phone}] if phone else [])
    city.adapter.answer = lambda handed: None
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 1}
    return city


def phone_of(database: Database, city: City) -> str:
    return messages(database, city.run_id)[0].phone or ""


def store(database: Database, phone: str, name: str | None, status: ReceiptStatus = DELIVERED, **kw: Any) -> None:
    error = ErrorClass.unreachable if status is UNDELIVERED else None
    with database.transaction() as connection:
        receipts.insert_receipts(connection, [("main", Receipt(status, name, "{}", phone=phone, error=error, **kw))])


def apply(database: Database) -> None:
    write(database, "UPDATE receipts SET next_try_at = sms_now() WHERE applied_at IS NULL")
    inbox.apply_waiting_receipts(database)


def notes(database: Database) -> list[str]:
    """Why receipts are of no text, in their order."""
    with database.transaction() as connection:
        return list(
            connection.execute(text("SELECT note FROM receipts WHERE applied_at IS NULL ORDER BY id")).scalars()
        )


def settle(database: Database, city: City, settled_as: resolving.SettledAs) -> None:
    with database.session() as session:
        person = make_account(session, city.unit).id
    row = messages(database, city.run_id)[0]
    with database.transaction() as connection:
        assert resolving.settle_row(connection, city.month, row.id, settled_as, person)


def test_a_receipt_that_came_before_a_text_left_is_not_of_it(database: Database) -> None:
    city = make_city(database, 1)
    store(database, phone := phone_of(database, city), "early")
    city.adapter.answer = lambda handed: None
    drain(database, city.gateways)
    with database.transaction() as connection:
        now: datetime = connection.execute(text("SELECT sms_now()")).scalar_one()
    store(database, phone, "of half an hour ago", occurred_at=now - timedelta(minutes=30))
    apply(database)
    assert statuses(database, city.run_id) == {"unknown": 1}
    assert notes(database) == [NO_TEXT, NO_TEXT]
    # A clock that says minutes only, one that is set to another zone or stands still, and one that is ahead.
    said = {
        timedelta(seconds=50): DELIVERED,
        timedelta(hours=8): ReceiptStatus.interim,
        -timedelta(hours=1): UNDELIVERED,
    }
    for ago, status in sorted(said.items(), reverse=True):
        store(database, phone, "of it", status, occurred_at=now - ago)
        apply(database)
    assert notes(database) == [NO_TEXT, NO_TEXT]
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_an_id_that_is_used_again_is_not_found_in_what_left_later(database: Database) -> None:
    city = make_city(database, 1)
    store(database, phone_of(database, city), "7")
    hand_over(database, city, "accepted")
    write(database, "UPDATE attempts SET provider_id = '7'")
    apply(database)
    assert statuses(database, city.run_id) == {"accepted": 1}


def test_a_text_taken_in_part_without_a_name_may_be_meant_too(database: Database) -> None:
    """The rest was refused. Its receipt is not of an older text to the phone, of which nothing may have arrived."""
    older = unknown(database)
    phone = phone_of(database, older)
    newer = make_city(database, 0, more=[{"phone": phone}])
    newer.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.partial, error=ErrorClass.partial)
    drain(database, newer.gateways)
    store(database, phone, "of the part")
    apply(database)
    assert (statuses(database, older.run_id), notes(database)) == ({"unknown": 1}, [SEVERAL])
    settle(database, older, "accepted")
    write(database, "UPDATE attempts SET provider_id = 'else' WHERE run_id = :run", run=older.run_id)
    apply(database)  # the older one has another name: it is of the newer, which is not whole all the same
    assert (statuses(database, newer.run_id), notes(database)) == ({"undelivered": 1}, [])


@pytest.mark.parametrize("ended", ["72 h old", "refused", "accepted", "again and refused"])
def test_of_two_texts_neither_is_meant_whatever_became_of_the_first(database: Database, ended: str) -> None:
    first = unknown(database)
    second = unknown(database, phone := phone_of(database, first))
    write(
        database, "UPDATE attempts SET started_at = sms_now() - interval '71 hours' WHERE run_id = :r", r=first.run_id
    )
    store(database, phone, "x")
    if ended == "again and refused":
        with database.transaction() as connection:
            resolving.send_rows_again(connection, first.run_id, None)
        hand_over(database, first, "refused", "later")
    elif ended != "72 h old":
        settle(database, first, ended)  # type: ignore[arg-type]
    with ahead_by(database.url, "2 hours" if ended == "72 h old" else "0 hours") as later:
        apply(later)
    assert statuses(database, second.run_id) == {"unknown": 1}
    assert notes(database) == [SEVERAL]
    # Until the answer of the first is there after all: the receipt's id is another's.
    [attempt] = write(database, "SELECT min(id) FROM attempts").scalars()
    with database.transaction() as connection:
        named = [Recorded(attempt, OutcomeKind.accepted, provider_id="of the first")]
        protocol.record_outcomes(connection, first.month, named)
    apply(database)
    assert statuses(database, second.run_id) == {"delivered": 1}


@pytest.mark.parametrize("status", [DELIVERED, UNDELIVERED])
@pytest.mark.parametrize("settled_as", ["refused", "accepted"])
def test_the_networks_word_stands_above_a_persons(
    database: Database, settled_as: resolving.SettledAs, status: ReceiptStatus
) -> None:
    city = unknown(database)
    settle(database, city, settled_as)
    store(database, phone_of(database, city), "x", status)
    apply(database)
    assert statuses(database, city.run_id) == {status.value: 1}
    with database.transaction() as connection:
        attempt = connection.execute(text("SELECT status, provider_id, settled_by IS NULL FROM attempts")).one()
    assert tuple(attempt) == (status.value, "x", False)
    with database.session() as session:
        assert check_identity(session, city.run_id).holds


@pytest.mark.parametrize("again", ["pending", "claimed"])
def test_what_was_settled_refused_and_waits_again_is_delivered_and_not_sent(database: Database, again: str) -> None:
    city = unknown(database)
    settle(database, city, "refused")
    claim = Claim(city.run_id, city.month, 1, TOKEN)
    with database.transaction() as connection:
        assert resolving.retry_rows(connection, city.run_id, RETRYABLE).again == {"unclassified": 1}
    if again == "claimed":
        with database.transaction() as connection:
            [row] = protocol.claim_rows(connection, claim, 10, 60.0)
    store(database, phone_of(database, city), "x")
    apply(database)
    assert statuses(database, city.run_id) == {"delivered": 1}
    if again == "claimed":
        with database.transaction() as connection:
            assert protocol.pass_gate(connection, claim, [Rendered(row.id, "文", 1)], 60.0) == []
    handed = len(city.adapter.handed)
    drain(database, city.gateways)
    assert len(city.adapter.handed) == handed


def test_a_text_of_a_worker_that_died_is_found_too(database: Database) -> None:
    city = make_city(database, 1)
    claim = Claim(city.run_id, city.month, 1, TOKEN)
    with database.transaction() as connection:
        [row] = protocol.claim_rows(connection, claim, 10, 60.0)
        protocol.pass_gate(connection, claim, [Rendered(row.id, "文", 1)], 60.0)
    store(database, phone := phone_of(database, city), "x")
    apply(database)
    assert statuses(database, city.run_id) == {"submitting": 1}
    with ahead_by(database.url, "2 minutes") as later:
        with later.transaction() as connection:
            assert sweeps.give_up_submitting(connection) == {(1, city.run_id): 1}
        apply(later)
    assert statuses(database, city.run_id) == {"delivered": 1}
    assert write(database, "SELECT phone FROM attempts").scalar_one() == phone


def test_while_another_text_to_the_phone_is_on_its_way_the_receipt_waits(database: Database) -> None:
    city = unknown(database)
    second = make_city(database, 0, more=[{"phone": (phone := phone_of(database, city))}])
    claim = Claim(second.run_id, second.month, 1, TOKEN)
    with database.transaction() as connection:
        [row] = protocol.claim_rows(connection, claim, 10, 60.0)
        [passed] = protocol.pass_gate(connection, claim, [Rendered(row.id, "文", 1)], 60.0)
    store(database, phone, "x")
    apply(database)
    assert notes(database) == [ON_ITS_WAY]
    with database.transaction() as connection:
        answer = Recorded(passed.attempt_id, OutcomeKind.accepted, provider_id="y")
        protocol.record_outcomes(connection, second.month, [answer])
    apply(database)
    assert (statuses(database, city.run_id), statuses(database, second.run_id)) == ({"delivered": 1}, {"accepted": 1})


def test_of_two_ids_a_text_in_one_piece_has_the_first(database: Database) -> None:
    city = unknown(database)
    phone = phone_of(database, city)
    store(database, phone, "x", UNDELIVERED)
    store(database, phone, "y")
    apply(database)
    assert statuses(database, city.run_id) == {"undelivered": 1}
    assert notes(database) == [NO_TEXT]


def test_an_outcome_that_is_being_written_names_the_text_otherwise(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """Two real sessions: the receipt finds the unknown text, waits for its outcome's commit, and then it is no longer
    meant.
    """
    city = unknown(database)
    store(database, phone_of(database, city), "of a stranger")
    [attempt] = write(database, "SELECT id FROM attempts").scalars()

    def accept(connection: Connection) -> None:
        named = [Recorded(attempt, OutcomeKind.accepted, provider_id="its own")]
        protocol.record_outcomes(connection, city.month, named)

    with while_open(database, accept):
        applied = waiting(database, lambda connection: receipts.apply_receipts(connection, 10), pool)
    assert applied.result(30) == receipts.Applied(seen=1, applied=0, moved=0)
    assert statuses(database, city.run_id) == {"accepted": 1}
    assert notes(database) == [NO_TEXT]


@pytest.mark.parametrize("first", ["settle", "receipt"])
def test_a_person_who_settles_while_the_receipt_is_applied(
    database: Database, pool: ThreadPoolExecutor, first: str
) -> None:
    """Two real sessions, in both orders: it is delivered."""
    city = unknown(database)
    store(database, phone_of(database, city), "x")
    [row] = messages(database, city.run_id)
    with database.session() as session:
        person = make_account(session, city.unit).id

    def refuse(connection: Connection) -> object:
        return resolving.settle_row(connection, city.month, row.id, "refused", person)

    def deliver(connection: Connection) -> object:
        return receipts.apply_receipts(connection, 10)

    one, other = (refuse, deliver) if first == "settle" else (deliver, refuse)
    with while_open(database, one):
        later = waiting(database, other, pool)
    later.result(30)
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_two_appliers_with_a_strange_id_each_name_one_text_once(database: Database, pool: ThreadPoolExecutor) -> None:
    city = unknown(database)
    phone = phone_of(database, city)
    store(database, phone, "x")
    with while_open(database, lambda connection: receipts.apply_receipts(connection, 10)):
        store(database, phone, "y")
        other = waiting(database, lambda connection: receipts.apply_receipts(connection, 10), pool)
    assert other.result(30).applied == 0
    assert write(database, "SELECT provider_id, status FROM attempts").one() == ("x", "delivered")


def test_two_appliers_with_a_part_of_an_unknown_text_each_name_both(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    city = unknown(database)
    write(database, "UPDATE attempts SET parts = 2")
    write(database, "UPDATE gateway_accounts SET names_parts = true")
    phone = phone_of(database, city)
    store(database, phone, "x")
    with while_open(database, lambda connection: receipts.apply_receipts(connection, 10)):
        store(database, phone, "y")
        other = waiting(database, lambda connection: receipts.apply_receipts(connection, 10), pool)
    assert other.result(30).moved == 1
    assert statuses(database, city.run_id) == {"delivered": 1}
    named = write(database, "SELECT part, provider_id FROM attempt_parts ORDER BY part").all()
    assert [tuple(row) for row in named] == [(1, "x"), (2, "y")]


def test_strangers_hide_nobody(database: Database) -> None:
    """More strange receipts on the line than a batch holds, and then those of a long text whose answer never came."""
    city = unknown(database)
    write(database, "UPDATE attempts SET parts = 2")
    write(database, "UPDATE gateway_accounts SET names_parts = true")
    strangers = [("main", Receipt(DELIVERED, f"s{n}", "{}", phone=f"+86199{n:08}")) for n in range(inbox.BATCH + 100)]
    with database.transaction() as connection:
        receipts.insert_receipts(connection, strangers)
    apply(database)
    for name in ("a", "b", "c"):
        store(database, phone_of(database, city), name)
    apply(database)
    assert statuses(database, city.run_id) == {"delivered": 1}
    assert notes(database) == [NO_TEXT] * len(strangers) + [TOO_MANY]


def test_what_is_looked_at_does_not_grow_with_the_unknown_texts_of_the_account(database: Database) -> None:
    city = unknown(database)
    store(database, phone_of(database, city), "x")
    many = (
        "INSERT INTO attempts (month, message_id, run_id, number, account_id, claim_token, status, parts, started_at,"
        " phone) SELECT month, message_id, run_id, 1 + n, account_id, gen_random_uuid(), 'unknown', 1,"
        " started_at, '+86190' || (10000000 + n) FROM attempts, generate_series(1, 2000) AS n WHERE number = 1"
    )

    def read() -> int:
        """Rows of the attempts and entries of their indexes that one look reads."""
        counters = (
            "SELECT sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid))"
            " FROM pg_class c WHERE relname LIKE 'attempts%' OR relname LIKE 'ix_attempts%'"
        )
        with database.transaction() as connection:
            asked = connection.execute(text("SELECT id, in_month FROM receipts"))
            receipt = {row.id: row.in_month for row in asked}
            match_receipts(connection, receipt)
            before = connection.execute(text(counters)).scalar_one()
            assert len(match_receipts(connection, receipt).meant) == 1
            return int(connection.execute(text(counters)).scalar_one() - before)

    few = read()
    assert few > 0
    write(database, many)
    assert read() == few
