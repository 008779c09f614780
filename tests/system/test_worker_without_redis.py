"""A worker goes on when Redis fails, wherever it stands: RQ's own loop would end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

import worker
from sms_service import jobs
from sms_service.embedded import RedisServer

_server: RedisServer | None = None


def lose_redis() -> None:
    """A job in which Redis ends, so that RQ can note neither its end nor anything after it."""
    assert _server is not None
    _server.kill()


def ask_to_end() -> None:
    """A job after which the worker ends as it does for its supervisor."""
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def signals_kept() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_kept")
def test_a_worker_outlives_redis(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}._server", own_redis)
    monkeypatch.setattr(worker, "LOOK_EVERY_S", 0.02)
    connection = Redis.from_url(own_redis.url)
    queue = Queue("a queue", connection=connection)
    missed = 0

    def look() -> None:
        """What takes tokens from Redis, and brings Redis back when it has failed often enough."""
        nonlocal missed
        try:
            connection.ping()
        except RedisError:
            missed += 1
            if missed == 3:
                own_redis.start()
                queue.enqueue(ask_to_end)
            raise

    monkeypatch.setattr(jobs, "look", look)
    lasting = worker.WarmWorker([queue], connection=connection)
    queue.enqueue(lose_redis)
    lasting.work(logging_level="WARNING")
    assert missed == 3
    assert lasting.stopping()
