"""The token buckets, on a real Redis: never faster than configured, whatever is taken, settled, throttled or lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import RedisError

from sms_service.dispatch.pace import Pace, PartsGrant, connect_pace
from sms_service.embedded import RedisServer
from sms_service.errors import NotFound
from tests.examples import count_examples


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def module_redis(redis_url: str) -> Iterator[Redis]:
    """A client for hypothesis, which runs one test many times: each example flushes by itself."""
    client = connect_pace(redis_url)
    yield client
    client.close()


def test_a_bucket_starts_empty_and_fills_with_its_rate(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 50}, clock)
    assert pace.take("a", 10) == PartsGrant(0, 0.02)
    clock.now += 0.1
    assert pace.take("a", 10) == PartsGrant(5, 0)
    clock.now += 0.1
    assert pace.take("a", 3) == PartsGrant(3, 0)
    assert pace.take("a", 10) == PartsGrant(2, 0)
    assert pace.take("a", 10).parts == 0


def test_it_holds_one_seconds_worth_and_no_more(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 50}, clock)
    pace.take("a", 1)
    clock.now += 1000
    assert pace.take("a", 500).parts == 50
    pace.settle("a", 1000)
    assert pace.take("a", 500).parts == 50


def test_a_slow_account_holds_enough_for_a_long_text(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 0.5}, clock)
    assert pace.take("a", 12, 12) == PartsGrant(0, 1.0), "it says when to ask again, at the latest in a second"
    clock.now += 23.9
    assert pace.take("a", 12, 12).parts == 0
    clock.now += 0.1
    assert pace.take("a", 12, 12).parts == 12


def test_what_is_less_than_worth_a_claim_is_left(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100}, clock)
    pace.take("a", 1)
    clock.now += 0.3
    assert pace.take("a", 100, 40) == PartsGrant(0, 0.1)
    assert pace.take("a", 25, 40).parts == 25, "who wants less than `least` gets it"


def test_more_than_the_bucket_holds_is_served_when_it_is_full_and_owed(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 10}, clock)
    pace.take("a", 1)
    clock.now += 1.9
    assert pace.take("a", 50, 30).parts == 0
    clock.now += 0.1
    assert pace.take("a", 50, 30).parts == 30
    clock.now += 1
    assert pace.take("a", 1).parts == 0
    clock.now += 0.1
    assert pace.take("a", 1).parts == 1


def test_what_was_not_used_comes_back_and_what_was_used_beyond_is_owed(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100}, clock)
    pace.take("a", 1)
    clock.now += 1
    assert pace.take("a", 100).parts == 100
    pace.settle("a", 60)
    assert pace.take("a", 100).parts == 60
    pace.settle("a", -50)
    clock.now += 0.5
    assert pace.take("a", 1).parts == 0
    clock.now += 0.015
    assert pace.take("a", 10).parts == 1


def test_a_debt_has_an_end(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100}, clock)
    pace.settle("a", -1_000_000_000)
    clock.now += 60
    assert pace.take("a", 10).parts == 0
    clock.now += 0.1
    assert pace.take("a", 10).parts == 10


def test_throttling_halves_once_a_second_down_to_one_part_and_the_rate_returns(
    redis_client: Redis, clock: Clock
) -> None:
    pace = Pace(redis_client, {"a": 100, "slow": 0.4}, clock)
    for _ in range(100):
        pace.throttled("a")  # a whole group was answered so
    assert pace.rate("a") == 50
    clock.now += 1
    assert pace.rate("a") == 55
    pace.throttled("a")
    assert pace.rate("a") == 27.5
    clock.now += 10
    assert pace.rate("a") == 77.5
    clock.now += 4.5
    assert pace.rate("a") == 100
    clock.now += 1000
    assert pace.rate("a") == 100
    pace.throttled("slow")
    assert pace.rate("slow") == 0.4, "an account slower than a part a second stays as it is"


def test_a_rate_under_throttling_ends_at_one_part_a_second(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 2}, clock)
    for _ in range(10):
        pace.throttled("a")
        assert pace.rate("a") >= 1
        clock.now += 1
    assert pace.rate("a") <= 1.2


def test_a_throttled_bucket_fills_as_its_rate_climbs(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 1000}, clock)
    pace.throttled("a")
    clock.now += 1
    assert pace.take("a", 10_000).parts == 525, "the mean of 500 and 550"


def test_a_configured_rate_that_changes_is_obeyed(redis_client: Redis, clock: Clock) -> None:
    Pace(redis_client, {"a": 1000}, clock).take("a", 1)
    clock.now += 10
    slower = Pace(redis_client, {"a": 30}, clock)
    assert slower.rate("a") == 30
    assert slower.take("a", 1000).parts == 30


def test_a_clock_that_was_put_back_grants_nothing_for_it_and_goes_on(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100}, clock)
    pace.throttled("a")
    clock.now -= 3600
    assert pace.take("a", 10).parts == 0
    clock.now += 1
    pace.throttled("a")
    assert pace.rate("a") == 27.5
    assert pace.take("a", 10).parts == 10


def test_redis_own_clock_is_used(redis_client: Redis) -> None:
    pace = Pace(redis_client, {"a": 100_000})
    granted = [pace.take("a", 10) for _ in range(1000)]
    assert any(grant.parts for grant in granted)
    seconds, micros = redis_client.time()
    assert float(redis_client.hget("sms:pace:a", "at")) == pytest.approx(seconds + micros / 1e6, abs=60)  # type: ignore[arg-type]


def test_an_idle_bucket_is_forgotten(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100}, clock)
    assert pace.rate("a") == 100
    assert redis_client.keys() == [], "asking for the rate leaves nothing behind"
    pace.take("a", 1)
    assert redis_client.keys() == [b"sms:pace:a"]
    assert 0 < redis_client.ttl("sms:pace:a") <= 3600


def test_accounts_have_buckets_of_their_own(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100, "b": 100}, clock)
    pace.take("a", 1), pace.take("b", 1)
    clock.now += 1
    pace.throttled("a")
    assert (pace.take("a", 100).parts, pace.take("b", 100).parts) == (50, 100)


@pytest.mark.parametrize(("want", "least"), [(0, 1), (-1, 1), (1, 0)])
def test_nothing_is_no_wish(redis_client: Redis, want: int, least: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Pace(redis_client, {"a": 1}).take("a", want, least)


def test_an_account_that_is_not_configured_is_not_found(redis_client: Redis) -> None:
    with pytest.raises(NotFound, match="nobody"):
        Pace(redis_client, {"a": 1}).take("nobody", 1)


def test_a_flush_makes_it_empty_and_not_full(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100}, clock)
    pace.take("a", 1)
    clock.now += 1
    redis_client.flushdb()
    assert pace.take("a", 100).parts == 0
    clock.now += 0.1
    assert pace.take("a", 100).parts == 10


def test_a_lost_script_is_loaded_again(redis_client: Redis, clock: Clock) -> None:
    pace = Pace(redis_client, {"a": 100}, clock)
    pace.take("a", 1)
    clock.now += 1
    redis_client.script_flush()
    assert pace.take("a", 100).parts == 100


def test_without_redis_it_raises_and_after_a_restart_it_starts_empty(own_redis: RedisServer, clock: Clock) -> None:
    client = connect_pace(own_redis.url)
    pace = Pace(client, {"a": 100}, clock)
    pace.take("a", 1)
    clock.now += 1
    own_redis.kill()
    for act in (lambda: pace.take("a", 1), lambda: pace.settle("a", 1), lambda: pace.throttled("a")):
        with pytest.raises(RedisError):
            act()
    own_redis.start()
    assert pace.take("a", 100).parts == 0
    clock.now += 0.5
    assert pace.take("a", 100).parts == 50
    client.close()


def test_workers_that_race_never_spend_a_part_twice(redis_url: str, redis_client: Redis, clock: Clock) -> None:
    Pace(redis_client, {"a": 1000}, clock).take("a", 1)
    clock.now += 1
    granted: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        with connect_pace(redis_url) as client:
            pace = Pace(client, {"a": 1000}, clock)
            start.wait()
            while grant := pace.take("a", 7).parts:
                granted.append(grant)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 1000


SECONDS = st.one_of(st.just(0.0), st.floats(0, 0.05), st.floats(0, 3), st.floats(0, 100))
WORKERS = st.integers(0, 2)
TAKE = st.tuples(st.just("take"), WORKERS, st.integers(1, 500), st.integers(1, 20))
THROTTLED = st.tuples(st.just("throttled"), WORKERS, st.just(0), st.just(0))
GIVE_BACK = st.tuples(st.just("settle"), WORKERS, st.floats(0, 1), st.just(0))  # a share of what was granted
SETTLE = st.tuples(st.just("settle"), WORKERS, st.floats(-0.5, 1), st.just(0))
FLUSH = st.tuples(st.just("flush"), WORKERS, st.just(0), st.just(0))


def stories(*acts: st.SearchStrategy[tuple[str, int, float, int]]) -> st.SearchStrategy[list[tuple[float, tuple]]]:
    return st.lists(st.tuples(SECONDS, st.one_of(*acts)), max_size=40)


@given(
    rate=st.one_of(st.floats(0.1, 50), st.integers(1, 100_000)),
    # A flush forgets also what is owed, which no bucket can know afterwards; so the two have stories of their own.
    story=st.one_of(stories(TAKE, SETTLE, THROTTLED), stories(TAKE, GIVE_BACK, THROTTLED, FLUSH)),
)
@settings(deadline=None, max_examples=count_examples(40))
def test_whatever_happens_it_is_never_faster_than_configured(
    module_redis: Redis, rate: float, story: list[tuple[float, tuple[str, int, float, int]]]
) -> None:
    """Over every stretch of time, not only over the whole: used ≤ capacity + rate × seconds."""
    module_redis.flushdb()
    clock = Clock()
    workers = [Pace(module_redis, {"a": rate}, clock) for _ in range(3)]
    granted = [0, 0, 0]  # to each worker, not settled yet
    used = 0
    history = [(clock.now, 0)]
    for seconds, (act, worker, amount, least) in story:
        clock.now += seconds
        pace = workers[worker]
        before = pace.rate("a")
        if act == "take":
            want = int(amount)
            grant = pace.take("a", want, least)
            assert grant.parts == 0 or min(least, want) <= grant.parts <= want
            assert grant.wait_s == 0 if grant.parts else 0.001 <= grant.wait_s <= 1
            granted[worker] = grant.parts
            used += grant.parts
            if grant.parts:
                for when, used_then in history:
                    assert used - used_then <= max(rate, 20) + rate * (clock.now - when) + 1e-3
        elif act == "settle":
            unused = int(amount * granted[worker])
            pace.settle("a", unused)
            used -= unused
            granted[worker] = 0
        elif act == "throttled":
            pace.throttled("a")
            assert pace.rate("a") in (before, pytest.approx(max(before / 2, min(1, rate)), abs=1e-5))
        else:
            module_redis.flushdb()
        assert min(1, rate) - 1e-5 <= pace.rate("a") <= rate + 1e-5
        history.append((clock.now, used))
    clock.now += 20.001
    assert workers[0].rate("a") == pytest.approx(rate, abs=1e-5)
