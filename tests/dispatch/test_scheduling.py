"""What the scheduler asks for and how often, and that no run, however it fails, keeps others from being frozen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from sms_service import jobs
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.dispatch.dispatcher import OFFERS_S, Dispatcher
from sms_service.gateways.base import Group, Outcome, OutcomeKind, Text
from tests.dispatch.city import ScriptedAdapter, drain, make_city, make_dispatcher, make_run, statuses


class OneByOne(ScriptedAdapter):
    """An account that takes a single text at once."""

    capabilities = ScriptedAdapter.small(1)

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def submit(self, group: Group) -> list[Outcome]:
        self.sizes.append(len(group.texts))
        return super().submit(group)


@pytest.fixture
def install(redis_client: Redis) -> Iterator[Callable[[Database, Dispatcher], None]]:
    """Lets jobs run in this process."""
    dispatchers: list[Dispatcher] = []

    def install(database: Database, dispatcher: Dispatcher) -> None:
        dispatchers.append(dispatcher)
        jobs.install(jobs.Work(database, redis_client, dispatcher, lambda: False))

    yield install
    for dispatcher in dispatchers:
        dispatcher.close()


def test_a_canary_is_handed_over_in_groups_that_the_account_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "CANARY_ABOVE", 5)
    adapter = OneByOne()
    city = make_city(database, 60, adapter=adapter)
    drain(database, city.gateways)
    assert adapter.sizes == [1] * 60


def test_a_worker_does_not_wait_for_a_run_that_another_freezes(database: Database) -> None:
    city = make_city(database, 3, freeze_now=False)
    freeze.begin_due(database)
    with database.transaction() as other:
        other.exec_driver_sql("SET LOCAL statement_timeout = '30s'")
        other.exec_driver_sql("SELECT FROM runs WHERE id = %(id)s FOR UPDATE", {"id": city.run_id})
        assert freeze.freeze(database, city.run_id) is None  # would wait for ever
    assert freeze.freeze(database, city.run_id) == 3


def test_a_run_whose_freeze_fails_keeps_no_other_from_being_frozen(
    database: Database,
    install: Callable[[Database, Dispatcher], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    city = make_city(database, 3, freeze_now=False)
    with database.session() as session:
        others = [make_run(session, session.merge(city.unit)).id for _ in range(3)]
    freeze.begin_due(database)
    real = freeze._freeze

    def broken(its: Database, run_id: int) -> int | None:
        return 1 // 0 if run_id == city.run_id else real(its, run_id)

    monkeypatch.setattr(freeze, "_freeze", broken)
    monkeypatch.setattr(jobs, "FREEZE_S", 60.0)
    install(database, make_dispatcher(database, city.gateways))
    jobs.look()
    assert [sum(statuses(database, run_id).values()) for run_id in others] == [3, 3, 3]
    assert freeze.waiting(database) == [city.run_id]
    assert f"run {city.run_id} cannot be frozen" in caplog.text


def test_many_runs_to_freeze_do_not_keep_texts_waiting(
    database: Database, install: Callable[[Database, Dispatcher], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FREEZE_S", 0.0)
    city = make_city(database, 3)
    with database.session() as session:
        make_run(session, session.merge(city.unit))
    freeze.begin_due(database)
    install(database, make_dispatcher(database, city.gateways))
    jobs.look()
    jobs.install(jobs.Work(database, None, None, lambda: False))  # type: ignore[arg-type]
    assert len(freeze.waiting(database)) == 1


def test_an_urgent_run_is_frozen_first(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    with database.session() as session:
        for _ in range(20):
            make_run(session, session.merge(city.unit))
        urgent = make_run(session, session.merge(city.unit), lane="urgent").id
    freeze.begin_due(database)
    assert freeze.waiting(database)[0] == urgent


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
