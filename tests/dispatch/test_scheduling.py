"""What the scheduler asks for and how often."""

from __future__ import annotations

import threading

import pytest

from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.dispatch.dispatcher import OFFERS_S
from sms_service.gateways.base import Group, Outcome, OutcomeKind, Text
from tests.dispatch.city import ScriptedAdapter, drain, make_city, make_dispatcher, statuses


class OneByOne(ScriptedAdapter):
    """An account that takes a single text at once."""

    capabilities = ScriptedAdapter.small(1)

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def submit(self, group: Group) -> list[Outcome]:
        self.sizes.append(len(group.texts))
        return super().submit(group)


def test_a_canary_is_handed_over_in_groups_that_the_account_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "CANARY_ABOVE", 5)
    adapter = OneByOne()
    city = make_city(database, 60, adapter=adapter)
    drain(database, city.gateways)
    assert adapter.sizes == [1] * 60


def test_while_postgresql_takes_no_outcomes_the_scheduler_rests(database: Database) -> None:
    city = make_city(database, 1)
    dispatcher = make_dispatcher(database, city.gateways)
    dispatcher._hand_over._stuck.add(0)
    waits = _count(dispatcher._changed, "wait")
    assert dispatcher.drain(0.3)
    dispatcher.close()
    assert waits == [1]
    assert statuses(database, city.run_id) == {"pending": 1}


def test_while_nothing_but_a_slow_call_is_under_way_offers_are_rarely_looked_for(database: Database) -> None:
    answered = threading.Event()
    adapter = ScriptedAdapter()

    def slow(text: Text) -> Outcome:
        assert answered.wait(60)
        return Outcome(text.reference, OutcomeKind.accepted, provider_id="p")

    adapter.answer = slow
    city = make_city(database, 1, adapter=adapter)
    dispatcher = make_dispatcher(database, city.gateways)
    assert dispatcher.drain(OFFERS_S)
    looks = _count(dispatcher, "offers")
    assert dispatcher.drain(2 * OFFERS_S)
    assert looks[0] <= 3
    answered.set()
    dispatcher.close()


def _count(owner: object, name: str) -> list[int]:
    """How often the method is called from now on, as the list's only number."""
    real, calls = getattr(owner, name), [0]

    def counted(*arguments: object) -> object:
        calls[0] += 1
        return real(*arguments)

    setattr(owner, name, counted)
    return calls
