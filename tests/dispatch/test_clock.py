"""What is due by the time of day; the clock that counts is PostgreSQL's."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, text

from sms_service.campaigns.closing import end_finished
from sms_service.campaigns.models import Campaign
from sms_service.db.engine import Database
from sms_service.db.leadership import Leadership
from sms_service.dispatch import clock, freeze
from sms_service.ledger.models import Run
from tests.clocks import end_lease
from tests.dispatch.city import make_city, make_dispatcher, statuses


def plan(database: Database, run_id: int, minutes: int) -> None:
    """Move the run's time."""
    with database.session() as session:
        now = session.scalars(select(func.sms_now())).one()
        session.get_one(Run, run_id).due_at = now + timedelta(minutes=minutes)


def status(database: Database, run_id: int) -> tuple[str, str | None]:
    with database.session() as session:
        run = session.get_one(Run, run_id)
        return run.status, run.reason


def test_a_run_waits_for_its_time(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    plan(database, city.run_id, 5)
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id) == ("planned", None)
    plan(database, city.run_id, 0)
    clock.tick(database, None, city.gateways)
    assert freeze.waiting(database) == [city.run_id]


def test_a_schedule_missed_by_more_than_its_grace_is_held(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    plan(database, city.run_id, -31)
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id) == ("held", "its time was missed")
    assert statuses(database, city.run_id) == {}


def test_expired_rows_end_their_run_and_its_campaign(database: Database) -> None:
    city = make_city(database, 3)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET expires_at = sms_now(); UPDATE messages SET expires_at = sms_now()"))
    clock.tick(database, None, city.gateways)
    clock.tick(database, None, city.gateways)
    assert statuses(database, city.run_id) == {"expired": 3}
    assert status(database, city.run_id)[0] == "closed"
    assert len(end_finished(database)) == 1
    with database.session() as session:
        assert session.scalars(select(Campaign.status)).one() == "ended"
    assert end_finished(database) == []


def test_two_clocks_do_the_work_once(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    other = Leadership(database, clock.LEADERSHIP)
    assert other.prove()
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id)[0] == "planned"
    other.resign()
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id)[0] == "freezing"


def test_a_clock_that_leads_no_longer_does_nothing_more(database: Database) -> None:
    """Between two of its duties another clock begins: as if it had been stopped there, and continued later."""
    city = make_city(database, 1, freeze_now=False)
    other = Leadership(database, clock.LEADERSHIP)
    done: list[str] = []

    def is_stopped_here(database: Database) -> None:
        end_lease(database)
        assert other.prove()

    def a_later_duty(database: Database) -> None:
        with database.transaction():
            done.append("a later duty")

    its = clock.Clock(database, None, city.gateways, more=(is_stopped_here, a_later_duty))
    its.tick()
    assert status(database, city.run_id)[0] == "freezing"  # what came before
    its.tick()
    assert done == []
    other.resign()
    clock.Clock(database, None, city.gateways, more=(a_later_duty,)).tick()
    assert done == ["a later duty"]


def test_the_months_ahead_are_ready(database: Database) -> None:
    city = make_city(database, 1)
    clock.tick(database, None, city.gateways)
    with database.transaction() as connection:
        counted = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'messages'::regclass"
        assert connection.execute(text(counted)).scalar_one() >= clock.MONTHS_READY


def test_a_closed_window_stops_the_run_and_opens_it_again(database: Database) -> None:
    city = make_city(database, 2)
    with database.transaction() as connection:
        minute = connection.execute(
            text("SELECT extract(epoch FROM (sms_now() AT TIME ZONE 'Asia/Shanghai')::time)::int / 60")
        ).scalar_one()
        opens = 0 if minute > 720 else 1200
        connection.execute(text("UPDATE units SET window_opens = :o, window_closes = :o + 60"), {"o": opens})
    hand = make_dispatcher(database, city.gateways)
    assert hand.offers() == []
    with database.transaction() as connection:
        connection.execute(text("UPDATE units SET window_opens = 0, window_closes = 1440"))
    hand.drain()
    assert statuses(database, city.run_id) == {"accepted": 2}
