"""Who leads, between real sessions; `tests/system/test_leading.py` does it with processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database
from sms_service.db.leadership import LEASE_S, STOPS_S, Leadership, NotLeading
from tests.clocks import end_lease
from tests.waiting import wait_until_blocked


class Ticking:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def first(database: Database) -> Leadership:
    return Leadership(database, "clock", holder="first")


@pytest.fixture
def second(database: Database) -> Leadership:
    return Leadership(database, "clock", holder="second")


def rows(database: Database) -> list[tuple[str, str, int, bool]]:
    """Who is written down as a leader, and whether the lease still runs."""
    with database.transaction() as connection:
        query = "SELECT name, holder, epoch, until > clock_timestamp() FROM leaderships ORDER BY name"
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_one_leads_until_its_lease_is_over(database: Database, first: Leadership, second: Leadership) -> None:
    assert (first.prove(), second.prove(), first.prove()) == (True, False, True)
    assert rows(database) == [("clock", "first", 1, True)]
    end_lease(database)
    assert (second.prove(), first.prove()) == (True, False)
    assert rows(database) == [("clock", "second", 2, True)]


def test_each_thing_has_its_own_leader(database: Database, first: Leadership) -> None:
    other = Leadership(database, "link carrier", holder="second")
    assert (first.prove(), other.prove()) == (True, True)
    assert [row[:2] for row in rows(database)] == [("clock", "first"), ("link carrier", "second")]


def test_who_was_silent_goes_on_if_nobody_took_over(database: Database, first: Leadership) -> None:
    first.prove()
    end_lease(database)
    assert first.prove()
    assert rows(database) == [("clock", "first", 1, True)]


def test_who_resigns_is_not_waited_for(database: Database, first: Leadership, second: Leadership) -> None:
    first.prove()
    first.resign()
    assert not first.leads()
    assert second.prove()
    first.resign()  # of what it has not
    assert rows(database) == [("clock", "second", 2, True)]


def test_the_transactions_of_a_leader_that_lost_are_refused(
    database: Database, first: Leadership, second: Leadership
) -> None:
    guarded = database.guarded(first.require)
    for begin in (guarded.transaction, guarded.session):
        with pytest.raises(NotLeading), begin():
            pytest.fail("it never led")
        assert first.prove()
        with begin():
            pass
        end_lease(database)
        assert second.prove()
        assert first.leads()  # it knows nothing of it yet
        with pytest.raises(NotLeading), begin():
            pytest.fail("it leads no longer")
        assert not first.leads()
        second.resign()
    with database.transaction():
        pass  # others are not asked


def test_nobody_begins_to_lead_before_a_transaction_of_the_one_before_has_ended(
    database: Database, first: Leadership, second: Leadership
) -> None:
    first.prove()
    with database.guarded(first.require).transaction():
        end_lease(database)
        assert not second.prove()
    assert second.prove()


def test_a_take_over_that_is_under_way_is_waited_for_and_seen(
    database: Database, database_url: str, first: Leadership
) -> None:
    first.prove()
    with psycopg.connect(database_url) as other, ThreadPoolExecutor(1) as threads:
        other.execute("SELECT pg_advisory_xact_lock(leadership_key('clock'))")
        other.execute("UPDATE leaderships SET holder = 'second', epoch = epoch + 1")

        def begin() -> None:
            with database.guarded(first.require).transaction():
                pytest.fail("it leads no longer")

        begun = threads.submit(begin)
        assert wait_until_blocked(database, unless=begun.done)
        other.commit()
        with pytest.raises(NotLeading):
            begun.result()


def test_what_takes_long_is_proved_on_the_way(database: Database) -> None:
    clock = Ticking()
    leader = Leadership(database, "clock", holder="first", clock=clock)
    leader.prove()
    end_lease(database)  # a duty took longer than the lease, and nobody else was there
    clock.now += LEASE_S
    with database.guarded(leader.require).transaction():
        pass
    assert rows(database) == [("clock", "first", 1, True)]


def test_who_cannot_prove_it_stops_before_another_may_begin(database: Database) -> None:
    clock = Ticking()
    leader = Leadership(database, "link carrier", clock=clock)
    assert not leader.leads()
    leader.prove()
    clock.now += STOPS_S - 0.1
    assert leader.leads()
    clock.now += 0.1
    assert not leader.leads()
    leader.prove()
    assert leader.leads()


@pytest.fixture
def patient(database_url: str) -> Iterator[Database]:
    database = Database(database_url, patience_s=1, application_name="patient")
    yield database
    database.close()


def test_a_leader_that_is_stopped_in_a_transaction_is_not_waited_for_for_ever(
    database: Database, patient: Database, second: Leadership
) -> None:
    """Its server ends the transaction; this session is as silent as that of a stopped process."""
    stopped = Leadership(patient, "clock", holder="first")
    stopped.prove()
    with pytest.raises(DBAPIError), patient.guarded(stopped.require).transaction() as connection:  # noqa: PT012 - it is its last line that fails
        end_lease(database)
        while not second.prove():
            pass
        connection.exec_driver_sql("SELECT 1")  # it goes on
