"""What a person decides about rows that are done, and its races with receipts, cancels and the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from sms_service.controls.models import CapUse
from sms_service.db.engine import Database
from sms_service.delivery.inbox import Inbox
from sms_service.gateways.base import ErrorClass, Receipt, ReceiptStatus
from sms_service.ledger import receipts, resolving, sweeps
from sms_service.ledger.models import Run
from sms_service.ledger.resolving import RETRYABLE
from sms_service.reports.counts import check_identity
from tests.dispatch.city import City, make_city, messages, statuses
from tests.factories import make_account
from tests.ledger.outcomes import hand_over, reference
from tests.ledger.races import waiting, while_open


def write(database: Database, statement: str, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement), values)


def run_of(database: Database, city: City) -> Run:
    with database.session() as session:
        return session.get_one(Run, city.run_id)


def deliver(database: Database, name: str) -> None:
    """The provider's receipt, stored; `receipts.apply` applies it."""
    Inbox(database).store("main", [Receipt(ReceiptStatus.delivered, None, "{}", reference=name)])


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_every_error_class_is_decided_on() -> None:
    assert set(ErrorClass) - set(RETRYABLE) == {
        *("bad_number", "blacklisted", "blocked", "content", "partial", "render")
    }


def test_a_retry_takes_what_passes_and_says_what_it_leaves(database: Database) -> None:
    city = make_city(database, 6)
    ids = hand_over(database, city, "refused", "later")
    for message_id, reason in zip(ids, ("later", "balance", None, "content", "bad_number", "later"), strict=True):
        write(database, "UPDATE messages SET reason = :r, raw_code = 'X' WHERE id = :id", r=reason, id=message_id)
    write(database, "UPDATE messages SET phone = NULL WHERE id = :id", id=ids[5])
    with database.transaction() as connection:
        assert sweeps.finish_runs(connection) == {city.run_id: "finished"}
    before = run_of(database, city)
    write(database, "UPDATE runs SET expires_at = launched_at, watched_from = launched_at - interval '1 day'")
    write(database, "UPDATE messages SET expires_at = changed_at - interval '1 day'")
    with database.transaction() as connection:
        gone = resolving.retry_rows(connection, city.run_id, RETRYABLE)
    assert gone.again == {"later": 1, "balance": 1, "unclassified": 1}
    assert gone.left == {"content": 1, "bad_number": 1, "redacted": 1}
    assert gone.ids == ids[:3]
    run = run_of(database, city)
    assert (run.status, run.finished_at, run.closed_at) == ("running", None, None)
    assert run.expires_at is not None
    assert before.launched_at is not None
    assert run.watched_from >= before.launched_at
    for row in messages(database, city.run_id)[:3]:
        assert (row.status, row.reason, row.raw_code, row.gateway_account_id, row.attempts) == (
            "pending",
            None,
            None,
            None,
            1,
        )
        assert row.expires_at == run.expires_at == row.not_before + timedelta(seconds=run.validity_s)
    assert statuses(database, city.run_id) == {"pending": 3, "refused": 3}
    with database.session() as session:
        assert check_identity(session, city.run_id).holds


def test_a_retry_of_some_classes_leaves_the_others(database: Database) -> None:
    city = make_city(database, 2)
    ids = hand_over(database, city, "refused", "rate")
    write(database, "UPDATE messages SET reason = 'balance' WHERE id = :id", id=ids[0])
    with database.transaction() as connection:
        gone = resolving.retry_rows(connection, city.run_id, [ErrorClass.balance])
    assert (gone.ids, gone.again, gone.left) == (ids[:1], {"balance": 1}, {"rate": 1})


@pytest.mark.parametrize("status", ["paused", "held"])
def test_a_run_that_waits_for_a_person_goes_on_waiting(database: Database, status: str) -> None:
    city = make_city(database, 1)
    hand_over(database, city, "refused", "later")
    held_for = "breaker" if status == "held" else None
    write(database, "UPDATE runs SET status = :s, held_for = :h", s=status, h=held_for)
    with database.transaction() as connection:
        assert len(resolving.retry_rows(connection, city.run_id, RETRYABLE).ids) == 1
    assert run_of(database, city).status == status


@pytest.mark.parametrize("act", ["retry", "send_again"])
def test_nothing_of_a_cancelled_run_goes_again(database: Database, act: str) -> None:
    city = make_city(database, 1)
    hand_over(database, city, "refused" if act == "retry" else "unknown", "later")
    write(database, "UPDATE runs SET status = 'cancelled'")
    with database.transaction() as connection:
        if act == "retry":
            assert resolving.retry_rows(connection, city.run_id, RETRYABLE).ids == []
        else:
            assert resolving.send_rows_again(connection, city.run_id, None).ids == []
    assert statuses(database, city.run_id) == {"refused" if act == "retry" else "unknown": 1}


def test_unknown_rows_go_again_by_name_and_others_are_left_with_why(database: Database) -> None:
    city = make_city(database, 4)
    ids = hand_over(database, city, "unknown")
    write(database, "UPDATE messages SET status = 'accepted' WHERE id = :id", id=ids[1])
    write(database, "UPDATE messages SET phone = NULL WHERE id = :id", id=ids[2])
    with database.transaction() as connection:
        gone = resolving.send_rows_again(connection, city.run_id, [*ids[:3], ids[0], ids[3] + 1])
    assert (gone.ids, gone.again) == ([ids[0]], {"unknown": 1})
    assert gone.left == {"accepted": 1, "redacted": 1, "not_of_this_run": 1}
    assert statuses(database, city.run_id) == {"pending": 1, "accepted": 1, "unknown": 2}
    with database.transaction() as connection:
        assert set(connection.execute(text("SELECT status FROM attempts")).scalars()) == {"unknown"}
        rest = resolving.send_rows_again(connection, city.run_id, None)
    assert (rest.ids, rest.left) == ([ids[3]], {"redacted": 1})


def test_what_was_delivered_first_does_not_go_again(database: Database) -> None:
    """Two real sessions: the receipt is written, and committed only after the decision."""
    city = make_city(database, 2)
    ids = hand_over(database, city, "unknown")
    deliver(database, reference(database, city, ids[0]))
    with while_open(database, lambda connection: receipts.apply_receipts(connection, 10)):
        with database.transaction() as connection:
            gone = resolving.send_rows_again(connection, city.run_id, None)
        assert (gone.ids, gone.left) == ([ids[1]], {"busy": 1})
    with database.transaction() as connection:
        assert resolving.send_rows_again(connection, city.run_id, ids).left == {"delivered": 1, "pending": 1}
    assert statuses(database, city.run_id) == {"delivered": 1, "pending": 1}


def test_what_is_delivered_after_the_decision_is_not_sent(database: Database, pool: ThreadPoolExecutor) -> None:
    """Two real sessions: the receipt waits for the decision's commit, and ends the row that waits to go again."""
    city = make_city(database, 1)
    (message_id,) = hand_over(database, city, "unknown")
    deliver(database, reference(database, city, message_id))
    with while_open(database, lambda connection: resolving.send_rows_again(connection, city.run_id, [message_id])):
        applied = waiting(database, lambda connection: receipts.apply_receipts(connection, 10), pool)
    assert applied.result(30).moved == 1
    assert statuses(database, city.run_id) == {"delivered": 1}
    with database.transaction() as connection:
        assert sweeps.finish_runs(connection) == {city.run_id: "finished"}


def test_a_cancel_that_comes_later_waits_for_the_retry_and_takes_its_rows(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    city = make_city(database, 2)
    hand_over(database, city, "refused", "later")
    cancel = text("UPDATE runs SET status = 'cancelled', reason = '停' WHERE status IN ('running', 'finished')")
    with while_open(database, lambda connection: resolving.retry_rows(connection, city.run_id, RETRYABLE)):
        cancelled = waiting(database, lambda connection: connection.execute(cancel).rowcount, pool)
    assert cancelled.result(30) == 1
    with database.transaction() as connection:
        assert sweeps.cancel_slice(connection) == 2
    assert statuses(database, city.run_id) == {"cancelled": 2}


def test_a_retry_that_waited_for_a_cancel_does_nothing(database: Database, pool: ThreadPoolExecutor) -> None:
    city = make_city(database, 2)
    hand_over(database, city, "refused", "later")
    cancel = text("UPDATE runs SET status = 'cancelled', reason = '停'")
    with while_open(database, lambda connection: connection.execute(cancel)):
        retried = waiting(database, lambda connection: resolving.retry_rows(connection, city.run_id, RETRYABLE), pool)
    assert retried.result(30).ids == []
    assert statuses(database, city.run_id) == {"refused": 2}


@pytest.mark.parametrize("status", ["running", "finished"])
def test_a_run_is_not_finished_over_a_retry_that_commits_meanwhile(
    database: Database, pool: ThreadPoolExecutor, status: str
) -> None:
    city = make_city(database, 1)
    hand_over(database, city, "refused", "later")
    write(database, "UPDATE runs SET status = :s", s=status)
    with while_open(database, lambda connection: resolving.retry_rows(connection, city.run_id, RETRYABLE)):
        finished = waiting(database, sweeps.finish_runs, pool)
    assert finished.result(30) == {}
    run = run_of(database, city)
    assert (run.status, run.finished_at, run.closed_at) == ("running", None, None)


def test_two_send_agains_at_once_send_once(database: Database) -> None:
    city = make_city(database, 20)
    hand_over(database, city, "unknown")
    together = threading.Barrier(2)

    def decide(_: int) -> int:
        with database.transaction() as connection:
            together.wait(30)
            return len(resolving.send_rows_again(connection, city.run_id, None).ids)

    with ThreadPoolExecutor(2) as two:
        assert sum(two.map(decide, range(2))) == 20
    assert statuses(database, city.run_id) == {"pending": 20}


@pytest.fixture
def account_id(database: Database) -> Callable[[City], int]:
    def make(city: City) -> int:
        with database.session() as session:
            return make_account(session, city.unit).id

    return make


def test_a_person_settles_an_unknown_row(database: Database, account_id: Callable[[City], int]) -> None:
    city = make_city(database, 2, class_="study")
    one, two = hand_over(database, city, "unknown")
    who = account_id(city)
    write(database, "UPDATE messages SET cap_day = '2026-10-01'")
    write(database, "INSERT INTO cap_uses SELECT phone, class, cap_day, 1 FROM messages")
    with database.transaction() as connection:
        assert resolving.settle_row(connection, city.month, one, "accepted", who)
        assert resolving.settle_row(connection, city.month, two, "refused", who)
        assert not resolving.settle_row(connection, city.month, two, "accepted", who)
    rows = messages(database, city.run_id)
    assert [(row.status, row.reason) for row in rows] == [("accepted", None), ("refused", "unclassified")]
    with database.transaction() as connection:
        found = connection.execute(text("SELECT status, settled_by, provider_id FROM attempts ORDER BY id")).all()
        assert found == [("accepted", who, None), ("refused", who, None)]
    with database.session() as session:
        uses = {use.phone: use.used for use in session.query(CapUse)}
    assert [uses.get(row.phone or "", 0) for row in rows] == [1, 0]
    assert [row.cap_day is None for row in rows] == [False, True]


@pytest.mark.parametrize("receipt_first", [True, False])
def test_the_networks_word_stands_above_a_persons(
    database: Database, account_id: Callable[[City], int], pool: ThreadPoolExecutor, receipt_first: bool
) -> None:
    city = make_city(database, 1)
    (message_id,) = hand_over(database, city, "unknown")
    who = account_id(city)
    deliver(database, reference(database, city, message_id))

    def settle(connection: Connection) -> bool:
        return resolving.settle_row(connection, city.month, message_id, "refused", who)

    def apply(connection: Connection) -> int:
        return receipts.apply_receipts(connection, 10).moved

    first, second = (apply, settle) if receipt_first else (settle, apply)
    with while_open(database, first):
        later = waiting(database, second, pool)
    assert later.result(30) == (0 if receipt_first else 1)
    assert statuses(database, city.run_id) == {"delivered": 1}
    with database.transaction() as connection:
        assert connection.execute(text("SELECT status FROM attempts")).scalars().all() == ["delivered"]
