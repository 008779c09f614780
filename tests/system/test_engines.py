"""PostgreSQL and Redis fail in mid-campaign, under real workers: nobody is lost, nobody texted twice, nothing unknown.

No hand-over is broken by an engine that fails: a worker keeps what the gateway said until it is written down.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import control
from sms_service.db.engine import Database
from sms_service.embedded import PostgresServer, RedisServer
from sms_service.ledger.models import Run
from tests.dispatch.city import City, make_city, statuses
from tests.gateways.simulator_process import SimulatorProcess
from tests.second_servers import NAME, either, migrated, promote, restored, standby
from tests.system.service import Service, service

PEOPLE = 1500
SLOWLY = {"silent_share": 1, "answer_delay_s": [0.05, 0.15]}  # so that there is a middle to fail in


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        simulator.behave(**SLOWLY)
        yield simulator


@pytest.fixture
def database(own_postgres: PostgresServer) -> Iterator[Database]:
    database = Database(migrated(own_postgres))
    yield database
    database.close()


def until_handed(simulator: SimulatorProcess, texts: int) -> None:
    simulator.until(lambda: len(simulator.events()) >= texts, timeout_s=60)


def all_accepted(running: Service, city: City) -> None:
    running.wait(lambda: statuses(running.database, city.run_id) == {"accepted": PEOPLE})
    running.check(city.run_id, PEOPLE, most_unknown=0)


def test_postgresql_crashes_and_recovers(
    database: Database, own_postgres: PostgresServer, own_redis: RedisServer, simulator: SimulatorProcess
) -> None:
    with service(database, database.url, own_redis.url, simulator) as running:
        city = make_city(database, PEOPLE, gateways=running.gateways)
        for texts in (200, 700):
            until_handed(simulator, texts)
            own_postgres.process.send_signal(signal.SIGQUIT)  # an immediate shutdown: recovery follows
            own_postgres.process.wait(30)
            own_postgres.start()
        all_accepted(running, city)


def test_every_session_is_terminated_again_and_again(
    database: Database, own_postgres: PostgresServer, own_redis: RedisServer, simulator: SimulatorProcess
) -> None:
    with service(database, database.url, own_redis.url, simulator) as running:
        city = make_city(database, PEOPLE, gateways=running.gateways)
        for texts in range(100, 1300, 100):
            until_handed(simulator, texts)
            with psycopg.connect(own_postgres.url) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
        all_accepted(running, city)


def test_redis_restarts_forgets_and_stays_away(
    database: Database, own_redis: RedisServer, simulator: SimulatorProcess
) -> None:
    with service(database, database.url, own_redis.url, simulator) as running:
        city = make_city(database, PEOPLE, gateways=running.gateways)
        until_handed(simulator, 200)
        own_redis.kill()
        own_redis.start()
        until_handed(simulator, 500)
        redis.Redis.from_url(own_redis.url).flushall()
        until_handed(simulator, 700)
        own_redis.kill()
        # Groups that were under way end; then nothing may begin.
        running.wait(lambda: not {"claimed", "submitting"} & statuses(database, city.run_id).keys())
        handed = len(simulator.events())
        assert handed < PEOPLE
        time.sleep(10)  # the failure itself: workers look every 2 s meanwhile
        assert len(simulator.events()) == handed
        own_redis.start()
        all_accepted(running, city)


def held_for(database: Database, city: City) -> str | None:
    with database.session() as session:
        return session.get_one(Run, city.run_id).held_for


def test_a_standby_is_promoted(
    database: Database, own_postgres: PostgresServer, own_redis: RedisServer, simulator: SimulatorProcess
) -> None:
    with standby(own_postgres, synchronous=True) as second:
        url = either(own_postgres, second)
        after = Database(url)
        with service(after, url, own_redis.url, simulator) as running:
            city = make_city(after, PEOPLE, gateways=running.gateways)
            until_handed(simulator, 300)
            own_postgres.kill()
            promote(second)
            # The workers find the new server by themselves and write down what the gateway said; nothing else leaves.
            running.wait(lambda: held_for(after, city) == "cluster")
            running.wait(lambda: not {"claimed", "submitting"} & statuses(after, city.run_id).keys())
            found = statuses(after, city.run_id)
            assert found["accepted"] == len(simulator.events()) < PEOPLE
            with after.session() as session:
                control.resume_run(session, SYSTEM, city.run_id, "it was synchronous", "nothing_lost")
            all_accepted(running, city)
        after.close()


def test_a_dump_is_restored_elsewhere(
    database: Database, own_postgres: PostgresServer, own_redis: RedisServer, simulator: SimulatorProcess
) -> None:
    with service(database, database.url, own_redis.url, simulator) as running:
        city = make_city(database, PEOPLE, gateways=running.gateways)
        until_handed(simulator, 300)
        with restored(own_postgres) as second:
            running.stop()  # what it still handed over, the dump does not know
            before = [event["reference"] for event in simulator.events()]
            after = Database(second.url_of("postgres", NAME))
            with service(after, after.url, own_redis.url, simulator) as restarted:
                restarted.wait(lambda: held_for(after, city) == "cluster")
                later = make_city(after, 5, gateways=restarted.gateways)
                restarted.wait(lambda: statuses(after, later.run_id) == {"accepted": 5})
                # What was launched since goes; of the held run nothing does, and no name of an attempt comes again.
                names = [event["reference"] for event in simulator.events()]
                assert names[: len(before)] == before
                assert len(set(names)) == len(before) + 5
            after.close()
