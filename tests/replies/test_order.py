"""Whatever the order in which a reply, the outcome, the receipt and the closing come, the end is the same."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.gateways.base import Outcome, OutcomeKind, Receipt, ReceiptStatus, Reply
from sms_service.ledger import receipts
from sms_service.ledger.questions import move_closing
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.dispatch.city import City, ScriptedAdapter, drain, make_city
from tests.examples import count_examples
from tests.factories import fictional_phone
from tests.replies.asking import ask

NUMBERS = itertools.count(100)
# The replies by the minute at which they were written, by their provider's clock.
SAID = {"yes": (1, "参加"), "no": (2, "请假"), "many": (3, "3人"), "words": (4, "几点开始？")}
OTHERS = ("receipt", "closing", "outcome")
STEPS = (*SAID, *OTHERS)
USUAL = ("outcome", "receipt", *SAID, "closing")
_usual: dict[tuple[str, int], list[Any]] = {}  # by database and minute of the closing


class Story:
    """One person, who is asked and answers; each step happens when it is told."""

    def __init__(self, database: Database, outcome: OutcomeKind, closes_after: int) -> None:
        self.database, self.outcome, self.closes_after = database, outcome, closes_after
        self.phone = fictional_phone(next(NUMBERS))
        self.adapter = ScriptedAdapter()
        self.city: City = make_city(database, 0, more=[{"phone": self.phone}], adapter=self.adapter)
        self.question_id = ask(database, self.city.run_id)

    def tell(self, order: tuple[str, ...], read_at_once: bool) -> list[Any]:
        """Let it happen in this order; what came before the outcome comes while the gateway is called."""
        before, after = order[: order.index("outcome")], order[order.index("outcome") + 1 :]

        def answer(handed: Any) -> Outcome:
            self.began = datetime.now().astimezone()
            self.provider_id = f"p{handed.reference}"
            self._do(before, read_at_once)
            if self.outcome == OutcomeKind.accepted:
                return Outcome(handed.reference, self.outcome, provider_id=self.provider_id)
            return Outcome(handed.reference, self.outcome)

        self.adapter.answer = answer
        drain(self.database, self.city.gateways)
        self._do(after, read_at_once)
        self._read()
        return self._end()

    def _do(self, steps: tuple[str, ...], read_at_once: bool) -> None:
        for step in steps:
            if step in SAID:
                minute, words = SAID[step]
                at = self.began + timedelta(minutes=minute)
                with ahead_by(self.database.url, "10 minutes") as later:
                    store_replies(later, "main", [Reply(self.phone, words, "{}", occurred_at=at)])
                if read_at_once:
                    self._read()
            elif step == "receipt":
                with self.database.transaction() as connection:
                    said = Receipt(ReceiptStatus.delivered, self.provider_id, "{}", phone=self.phone)
                    receipts.insert_receipts(connection, [("main", said)])
                    receipts.apply_receipts(connection, 10)
            else:
                closes_at = self.began + timedelta(minutes=self.closes_after, seconds=30)
                with self.database.session() as session:
                    query = text("SELECT campaign_id FROM questions WHERE id = :id")
                    campaign_id = session.execute(query, {"id": self.question_id}).scalar_one()
                    move_closing(session, campaign_id, 1, closes_at)

    def _read(self) -> None:
        with ahead_by(self.database.url, "10 minutes") as later:
            matching.match_waiting(later)

    def _end(self) -> list[Any]:
        query = """
            SELECT r.text, r.meaning, r.message_id IS NOT NULL, a.said, a.people, a.at <= q.closes_at
            FROM replies r LEFT JOIN answers a ON a.reply_id = r.id AND a.voided_at IS NULL
            LEFT JOIN questions q ON q.id = a.question_id
            WHERE r.phone = :phone ORDER BY r.text
        """
        with self.database.transaction() as connection:
            found = [tuple(row) for row in connection.execute(text(query), {"phone": self.phone})]
            last = "SELECT said FROM answers WHERE question_id = :id AND said <> 'free_text' ORDER BY at DESC LIMIT 1"
            return [found, connection.execute(text(last), {"id": self.question_id}).scalar()]


@pytest.mark.slow
@settings(max_examples=count_examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(STEPS),
    read_at_once=st.booleans(),
    outcome=st.sampled_from([OutcomeKind.accepted, OutcomeKind.unknown]),
    closes_after=st.integers(0, 5),
)
def test_the_end_does_not_depend_on_the_order(
    database: Database, order: list[str], read_at_once: bool, outcome: OutcomeKind, closes_after: int
) -> None:
    told = Story(database, outcome, closes_after).tell(tuple(order), read_at_once)
    if (key := (database.url, closes_after)) not in _usual:
        _usual[key] = Story(database, OutcomeKind.accepted, closes_after).tell(USUAL, True)
    assert told == _usual[key]
