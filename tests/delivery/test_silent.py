"""Asking how accepted texts arrived of which no receipt came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.delivery import inbox, reconcile
from sms_service.gateways.base import ErrorClass, Finding, Outcome, OutcomeKind, Question, Receipt, ReceiptStatus
from sms_service.ledger import receipts
from tests.clocks import ahead_by
from tests.dispatch.city import City, ScriptedAdapter, drain, make_city, messages, statuses


class Knowing(ScriptedAdapter):
    """An account that can be asked how texts arrived, and answers as the test decides; it keeps every question."""

    capabilities = replace(
        ScriptedAdapter.capabilities, look_up_after_s=600.0, look_up_complete=True, look_up_receipts=True
    )

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Question] = []
        self.tell: Callable[[Question], Finding | None] = arrived

    def look_up(self, questions: Sequence[Question]) -> list[Finding | None]:
        """Whatever the test's `tell` says of each."""
        self.asked += questions
        return [self.tell(question) for question in questions]


def arrived(question: Question, status: ReceiptStatus = ReceiptStatus.delivered, **kw: Any) -> Finding:
    """The provider's records say how the text arrived."""
    name = question.provider_id or "found"
    return Finding(name, Receipt(status, name, "{}", phone=question.phone, **kw))


def silent_city(database: Database, people: int = 1) -> tuple[City, Knowing]:
    adapter = Knowing()
    city = make_city(database, people, adapter=adapter)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": people}
    return city, adapter


def look_up(database: Database, city: City, at: str) -> int:
    with ahead_by(database.url, at) as ahead:
        settled = reconcile.look_up_unknown(ahead, city.gateways)
        inbox.apply_waiting_receipts(ahead)
    return settled


def test_a_silent_text_is_asked_about_by_its_name_and_its_receipt_applied(database: Database) -> None:
    city, adapter = silent_city(database, 2)
    look_up(database, city, "9 minutes")
    assert adapter.asked == []
    assert look_up(database, city, "11 minutes") == 0, "no hand-over was unknown"
    assert sorted(question.provider_id for question in adapter.asked) == sorted(
        f"p{handed.reference}" for handed in adapter.handed
    )
    assert statuses(database, city.run_id) == {"delivered": 2}
    with database.transaction() as connection:
        stored = connection.execute(text("SELECT reference, applied_at IS NOT NULL AS applied FROM receipts")).all()
    assert {row.reference for row in stored} == {handed.reference for handed in adapter.handed}
    assert all(row.applied for row in stored)
    look_up(database, city, "30 minutes")
    assert len(adapter.asked) == 2


def test_what_did_not_arrive_says_why(database: Database) -> None:
    city, adapter = silent_city(database)
    adapter.tell = lambda question: arrived(
        question, ReceiptStatus.undelivered, error=ErrorClass.unreachable, raw_code="30003"
    )
    look_up(database, city, "11 minutes")
    [row] = messages(database, city.run_id)
    assert (row.status, row.reason, row.raw_code) == ("undelivered", "unreachable", "30003")


@pytest.mark.parametrize(
    "tell",
    [
        lambda question: None,
        lambda question: Finding(question.provider_id),
        lambda question: Finding(None),
        lambda question: arrived(question, ReceiptStatus.interim),
    ],
)
def test_what_says_nothing_changes_nothing_and_is_asked_later_each_time(
    database: Database, tell: Callable[[Question], Finding | None]
) -> None:
    city, adapter = silent_city(database)
    adapter.tell = tell
    asked = []
    for at in ("599 seconds", "610 seconds", "750 seconds", "780 seconds", "71 hours", "71 hours", "73 hours"):
        assert look_up(database, city, at) == 0
        asked.append(len(adapter.asked))
    assert asked == [0, 1, 1, 2, 3, 3, 3]
    assert statuses(database, city.run_id) == {"accepted": 1}
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM receipts")).scalar_one() == 0


def test_nothing_is_asked_that_the_provider_keeps_no_records_of(database: Database) -> None:
    city, adapter = silent_city(database)
    adapter.capabilities = replace(adapter.capabilities, look_up_within_s=3600)
    look_up(database, city, "61 minutes")
    assert adapter.asked == []


def test_an_account_that_says_nothing_of_arrivals_is_not_asked(database: Database) -> None:
    city, adapter = silent_city(database)
    adapter.capabilities = replace(adapter.capabilities, look_up_receipts=False)
    look_up(database, city, "11 minutes")
    assert adapter.asked == []


def test_the_providers_rate_bounds_a_cycle_and_unknown_texts_come_first(database: Database) -> None:
    adapter = Knowing()
    adapter.capabilities = replace(adapter.capabilities, look_up_per_s=0.5)
    city = make_city(database, 8, adapter=adapter)
    adapter.answer = lambda handed: (
        None
        if handed is adapter.handed[0]
        else Outcome(handed.reference, OutcomeKind.accepted, provider_id="p" + handed.reference)
    )
    drain(database, city.gateways)
    assert look_up(database, city, "11 minutes") == 1
    assert [question.provider_id is None for question in adapter.asked] == [True] + [False] * 4
    look_up(database, city, "11 minutes")
    assert len({question.reference for question in adapter.asked}) == len(adapter.asked) == 8
    assert statuses(database, city.run_id) == {"delivered": 8}


def test_a_receipt_that_comes_while_the_provider_is_asked_is_as_good(database: Database) -> None:
    city, adapter = silent_city(database)

    def tell(question: Question) -> Finding:
        with database.transaction() as connection:
            pushed = Receipt(ReceiptStatus.delivered, question.provider_id, "{}", phone=question.phone)
            receipts.insert_receipts(connection, [("main", pushed)])
            assert receipts.apply_receipts(connection, 10).moved == 1
        return arrived(question, ReceiptStatus.undelivered, error=ErrorClass.carrier)

    adapter.tell = tell
    look_up(database, city, "11 minutes")
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_two_that_look_up_at_once_never_ask_the_same(database: Database) -> None:
    city, adapter = silent_city(database, 40)
    start = Barrier(3)

    def cycle(ahead: Database) -> None:
        start.wait(30)
        reconcile.look_up_unknown(ahead, city.gateways)

    with ahead_by(database.url, "11 minutes") as ahead:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(cycle, [ahead] * 3))
        reconcile.look_up_unknown(ahead, city.gateways)
    assert sorted(question.reference for question in adapter.asked) == sorted(
        handed.reference for handed in adapter.handed
    )
