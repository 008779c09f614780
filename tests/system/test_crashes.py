"""Killed workers, a flushed Redis, doubled and lost wake-ups: nobody is lost and nobody is texted twice.

The simulator's own ledger is the witness.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import redis
from rq import Worker
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.embedded import RedisServer
from sms_service.ledger import sweeps
from sms_service.reports.counts import check_identity
from tests.dispatch.city import make_city, make_run, statuses
from tests.gateways.simulator_process import SimulatorProcess
from tests.system.service import service
from tests.waiting import wait_until_blocked

PEOPLE = 3000


def test_killed_workers_and_a_flushed_redis_in_mid_campaign(
    database: Database, database_url: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        simulator.behave(silent_share=1)
        with service(database, database_url, own_redis.url, simulator) as running:
            city = make_city(database, PEOPLE, gateways=running.gateways)
            simulator.until(lambda: len(simulator.events()) > 300, timeout_s=60)
            running.workers[0].send_signal(signal.SIGKILL)
            running.start_worker()
            redis.Redis.from_url(own_redis.url).flushall()
            simulator.until(lambda: len(simulator.events()) > 1200, timeout_s=60)
            running.workers[1].send_signal(signal.SIGKILL)
            running.start_worker()
            running.wait_for_end(city.run_id)
            # What a killed worker had claimed waits again, and goes.
            with service(database, database_url, own_redis.url, simulator, workers=1):
                running.wait(lambda: not {"pending", "claimed"} & statuses(database, city.run_id).keys())
            running.check(city.run_id, PEOPLE, most_unknown=2 * running.most_under_way)


def test_a_worker_that_is_asked_to_end_writes_its_outcomes_first(
    database: Database, database_url: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        simulator.behave(silent_share=1)
        with service(database, database_url, own_redis.url, simulator, workers=1) as running:
            city = make_city(database, PEOPLE, gateways=running.gateways)
            simulator.until(lambda: len(simulator.events()) > 300, timeout_s=60)
            running.workers[0].send_signal(signal.SIGTERM)
            assert running.workers[0].wait(timeout=60) == 0
            assert not {"claimed", "submitting", "unknown"} & statuses(database, city.run_id).keys()
            running.start_worker()
            running.wait(lambda: statuses(database, city.run_id) == {"accepted": PEOPLE})
            running.check(city.run_id, PEOPLE, most_unknown=0)


def test_two_workers_that_freeze_one_run_write_its_rows_once(database: Database) -> None:
    city = make_city(database, 500, freeze_now=False)
    freeze.begin_due_runs(database)
    audiences: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: audiences.append(freeze.freeze_run(database, city.run_id))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(audiences, key=str) == [500, None, None, None]
    assert statuses(database, city.run_id) == {"pending": 500}


def test_a_worker_killed_while_it_freezes_many_runs_loses_and_doubles_none(
    database: Database, database_url: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        simulator.behave(silent_share=1)
        with service(database, database_url, own_redis.url, simulator, workers=1) as running:
            running.wait(lambda: workers(own_redis.url))
            with database.transaction() as lock:
                lock.execute(text("LOCK TABLE suppressions IN ACCESS EXCLUSIVE MODE"))  # no freeze gets past it
                city = make_city(database, 5, gateways=running.gateways, freeze_now=False)
                with database.session() as session:
                    unit = session.merge(city.unit)
                    runs = [city.run_id, *(make_run(session, unit, lane="small").id for _ in range(20))]
                wait_until_blocked(database)
                running.workers[0].send_signal(signal.SIGKILL)
                running.workers[0].wait()
            running.start_worker()
            running.wait(lambda: all(statuses(database, run_id) == {"accepted": 5} for run_id in runs))
            for run_id in runs:
                with database.session() as session:
                    assert check_identity(session, run_id).holds
            assert len(simulator.ledger()) == 5 * len(runs)


def workers(redis_url: str) -> int:
    """How many workers are ready for work."""
    return len(Worker.all(connection=redis.Redis.from_url(redis_url)))


def test_a_cancel_that_waits_for_the_gate_sees_what_has_left(database: Database) -> None:
    """Two real sessions: the gate holds the run's row, so a cancel comes after it and the next gate sees the cancel."""
    city = make_city(database, 2)
    with database.transaction() as gate:
        gate.execute(text("SELECT 1 FROM runs WHERE id = :id FOR SHARE"), {"id": city.run_id})
        cancelled = threading.Event()

        def cancel() -> None:
            with database.transaction() as connection:
                connection.execute(text("UPDATE runs SET status = 'cancelled' WHERE id = :id"), {"id": city.run_id})
            cancelled.set()

        thread = threading.Thread(target=cancel)
        thread.start()
        wait_until_blocked(database)
        assert not cancelled.is_set()
    thread.join()
    with database.transaction() as connection:
        assert sweeps.cancel_slice(connection) == 2
    assert statuses(database, city.run_id) == {"cancelled": 2}
