"""Tokens before claims, lanes before bulk, and no account that waits for another."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError
from sqlalchemy import text

from sms_service.controls.models import Route
from sms_service.db.engine import Database
from sms_service.dispatch import dispatcher as dispatcher_module
from sms_service.dispatch import freeze
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.dispatch.pace import Pace, PartsGrant
from sms_service.embedded import RedisServer
from sms_service.gateways.base import Outcome, OutcomeKind, Text
from tests.dispatch.city import (
    FreePace,
    ScriptedAdapter,
    ScriptedGateways,
    drain,
    make_city,
    make_dispatcher,
    make_run,
    messages,
    statuses,
)


class Purse(FreePace):
    """Grants so many parts and no more."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts = parts

    def take(self, account: str, want: int, least: int = 1) -> PartsGrant:
        granted = min(want, self.parts)
        self.parts -= granted
        return PartsGrant(granted, 0.0 if granted else 0.01)

    def settle(self, account: str, unused: int) -> None:
        self.parts += unused


def test_no_more_is_claimed_than_was_paid_for(database: Database) -> None:
    city = make_city(database, 30)
    purse = Purse(12)
    dispatcher = make_dispatcher(database, city.gateways, pace=purse)
    assert dispatcher.drain(0.5) is True
    dispatcher.close()
    assert statuses(database, city.run_id) == {"accepted": 12, "pending": 18}
    assert purse.parts == 0
    assert "claimed" not in {row.status for row in messages(database, city.run_id)}  # nothing is held without tokens


def test_a_text_of_two_parts_costs_two(database: Database) -> None:
    city = make_city(database, 10, body="{{ name }}同志，" + "请参加学习。" * 12)
    purse = Purse(9)
    dispatcher = make_dispatcher(database, city.gateways, pace=purse)
    dispatcher.drain(0.5)
    dispatcher.close()
    assert statuses(database, city.run_id) == {"accepted": 4, "pending": 6}
    assert {row.parts for row in messages(database, city.run_id) if row.status == "accepted"} == {2}
    assert purse.parts == 1


def test_without_redis_nothing_is_handed_over_and_afterwards_all_is(
    database: Database, own_redis: RedisServer, tmp_path: Path
) -> None:
    city = make_city(database, 3)
    client = redis.Redis.from_url(own_redis.url)
    dispatcher = Dispatcher(database, city.gateways, Pace(client, {"main": 1000.0}))
    own_redis.stop()
    with pytest.raises(RedisError):
        dispatcher.drain(5)
    assert statuses(database, city.run_id) == {"pending": 3}
    own_redis.start()
    assert dispatcher.drain(30) is False
    dispatcher.close()
    assert statuses(database, city.run_id) == {"accepted": 3}


def test_a_provider_that_throttles_slows_the_account_down(database: Database, redis_client: redis.Redis) -> None:
    city = make_city(database, 5)
    pace = Pace(redis_client, {"main": 1000.0})
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.throttled)
    drain(database, city.gateways, pace=pace)
    assert statuses(database, city.run_id) == {"pending": 5}
    assert pace.rate("main") < 600


def test_an_account_that_crawls_holds_up_no_other(database: Database) -> None:
    """One run's gateway does not answer at all; the other run's texts leave meanwhile, in the same worker."""
    crawling, quick = ScriptedAdapter(), ScriptedAdapter()
    gateways = ScriptedGateways({"crawling": crawling, "quick": quick})
    city = make_city(database, 30, gateways=gateways, freeze_now=False)
    with database.session() as session:
        other = Route(name="other")
        session.add(other)
        session.flush()
        session.execute(text("DELETE FROM route_members"))
        session.execute(
            text(
                "INSERT INTO route_members (route_id, account_id, priority)"
                " SELECT r.id, g.id, 1 FROM routes r JOIN gateway_accounts g"
                " ON (r.name, g.name) IN (('default', 'crawling'), ('other', 'quick'))"
            )
        )
        second = make_run(session, city.unit, route_id=other.id).id
    freeze.begin_due_runs(database)
    for run_id in (city.run_id, second):
        freeze.freeze_run(database, run_id)
    answered = threading.Event()

    def crawl(handed: Text) -> Outcome:
        answered.wait(30)
        return Outcome(handed.reference, OutcomeKind.accepted, provider_id=handed.reference)

    crawling.answer = crawl
    quick_done = threading.Event()
    quick.answer = lambda handed: (
        quick_done.set() if len({t.phone for t in quick.handed}) == 30 else None,
        Outcome(handed.reference, OutcomeKind.accepted, provider_id=handed.reference),
    )[1]
    dispatcher = make_dispatcher(database, gateways)
    thread = threading.Thread(target=dispatcher.drain, args=(60,))
    thread.start()
    assert quick_done.wait(30)
    assert statuses(database, city.run_id).get("accepted") is None
    answered.set()
    thread.join()
    dispatcher.close()
    assert statuses(database, city.run_id) == statuses(database, second) == {"accepted": 30}


def test_a_small_run_goes_before_the_rest_of_a_large_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher_module, "OFFERS_S", 0.0)  # the large one would be over before it looks again
    city = make_city(database, 300, freeze_now=False)
    city.adapter.capabilities = ScriptedAdapter.small(10)
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    with database.session() as session:
        small = make_run(session, city.unit, body="小", segment_rule={"phone": "none"}, lane="urgent").id
        session.execute(text("UPDATE runs SET segment_rule = '{\"everyone\": true}' WHERE id = :id"), {"id": small})
    launched = threading.Event()

    def answer(handed: Text) -> Outcome:
        if len(city.adapter.handed) >= 30 and not launched.is_set():
            launched.set()
            freeze.begin_due_runs(database)
            freeze.freeze_run(database, small)
        return Outcome(handed.reference, OutcomeKind.accepted, provider_id=handed.reference)

    city.adapter.answer = answer
    drain(database, city.gateways)
    bodies = [handed.body.endswith("小") for handed in city.adapter.handed]
    assert sum(bodies) == 300
    # What was under way when it was launched went first; then all of the urgent run before the rest of the other.
    first = bodies.index(True)
    assert not any(bodies[:first])
    assert len(bodies) - bodies[::-1].index(True) < 420
