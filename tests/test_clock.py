"""What is due by the time of day; the clock that counts is PostgreSQL's."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from sms_service import clock
from sms_service.audit import trail
from sms_service.audit.chain import find_chain_state
from sms_service.campaigns.models import Campaign
from sms_service.db.engine import Database
from sms_service.db.leadership import Leadership
from sms_service.directory.models import Unit
from sms_service.ledger import protocol, resolving, sweeps
from sms_service.ledger.models import Run
from tests.clocks import ahead_by, end_lease
from tests.dispatch.city import drain, make_city, make_dispatcher, messages, statuses, unknown
from tests.factories import make_account


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
    assert status(database, city.run_id) == ("freezing", None)


def test_acts_are_linked_and_the_head_is_logged_once_an_hour(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    city = make_city(database, 1)
    one = clock.Clock(database, None, city.gateways)
    for number in range(2):
        with database.session() as session:
            trail.record_act(session, None, "test.act", "thing", number, "/1/")
        one.tick()
        with database.session() as session:
            state = find_chain_state(session)
        assert state.waiting == 0
        if number == 0:
            first = state.head
    logged = [line for line in caplog.messages if line.startswith("the trail's head is")]
    assert logged == [f"the trail's head is {first}"]


def test_files_of_no_export_are_looked_for_now_and_then_and_not_each_second(database: Database, tmp_path: Path) -> None:
    city = make_city(database, 1)
    one = clock.Clock(database, None, city.gateways, exports_dir=tmp_path)
    first, second = tmp_path / "1-x.csv", tmp_path / "2-x.csv"
    first.touch()
    one.tick()
    second.touch()
    one.tick()
    one.resign()
    assert (first.exists(), second.exists()) == (False, True)


def test_a_schedule_missed_by_more_than_its_grace_is_held(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    plan(database, city.run_id, -31)
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id) == ("held", "its time was missed")
    with database.session() as session:
        kept = session.get_one(Run, city.run_id).reason_message
    assert kept == {"message": "its time was missed", "values": {}}
    assert statuses(database, city.run_id) == {}


def test_expired_rows_end_their_run_and_its_campaign(database: Database) -> None:
    city = make_city(database, 3)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET expires_at = sms_now(); UPDATE messages SET expires_at = sms_now()"))
    clock.tick(database, None, city.gateways)
    clock.tick(database, None, city.gateways)
    assert statuses(database, city.run_id) == {"expired": 3}
    assert status(database, city.run_id)[0] == "closed"
    with database.session() as session:
        assert session.scalars(select(Campaign.status)).one() == "ended"


def test_two_clocks_do_the_work_once(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    other = Leadership(database, clock.LEADERSHIP)
    assert other.prove()
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id)[0] == "planned"
    other.resign()
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id)[0] == "freezing"


def test_a_clock_that_leads_no_longer_does_nothing_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
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

    monkeypatch.setattr(clock, "end_finished", is_stopped_here)
    monkeypatch.setattr(clock.endings, "forget_rows", a_later_duty)
    its = clock.Clock(database, None, city.gateways)
    its.tick()
    assert status(database, city.run_id)[0] == "freezing"  # what came before
    its.tick()
    assert done == []
    other.resign()
    monkeypatch.undo()
    monkeypatch.setattr(clock.endings, "forget_rows", a_later_duty)
    clock.Clock(database, None, city.gateways).tick()
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
    hand.drain(job_s=60)
    assert statuses(database, city.run_id) == {"accepted": 2}


def look_at(database: Database, run_id: int) -> float | None:
    """In how many seconds the clock looks at the run again; None: never."""
    with database.transaction() as connection:
        return connection.execute(
            text("SELECT extract(epoch FROM look_at - sms_now())::float FROM runs WHERE id = :id"), {"id": run_id}
        ).scalar_one()


def test_a_run_that_ended_long_ago_is_looked_at_seldom_and_not_forgotten(database: Database) -> None:
    """A year of runs whose texts stay accepted, or unknown, must not make the tick longer."""
    city = make_city(database, 1)
    drain(database, city.gateways)
    clock.tick(database, None, city.gateways)
    assert status(database, city.run_id)[0] == "finished"
    with ahead_by(database.url, "40 hours") as ahead:
        clock.tick(ahead, None, city.gateways)
        again = look_at(ahead, city.run_id)
        assert again is not None
        assert 9.9 * 3600 < again < 10.1 * 3600, "a quarter of its age"
    with ahead_by(database.url, "60 hours") as ahead:
        clock.tick(ahead, None, city.gateways)
        again = look_at(ahead, city.run_id)
        assert again is not None
        assert 11.9 * 3600 < again < 12.1 * 3600, "no later than its first text is silent"
    with ahead_by(database.url, "73 hours") as ahead:
        clock.tick(ahead, None, city.gateways)
        assert statuses(ahead, city.run_id) == {"no_receipt": 1}
        assert status(ahead, city.run_id)[0] == "closed"


def test_of_a_cancelled_run_nothing_is_looked_at_once_all_is_final(database: Database) -> None:
    city = make_city(database, 3)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET status = 'cancelled'"))
    clock.tick(database, None, city.gateways)
    assert statuses(database, city.run_id) == {"cancelled": 3}
    assert look_at(database, city.run_id) is None
    with database.transaction() as connection:
        assert sweeps.open_months(connection) == []


def test_a_cancelled_run_is_looked_at_for_as_long_as_rows_may_come_back(database: Database) -> None:
    """A worker has one of its rows, and dies."""
    city = make_city(database, 3)
    claim = make_dispatcher(database, city.gateways).offers()[0].claim(str(uuid.uuid4()))
    with database.transaction() as connection:
        assert len(protocol.claim_rows(connection, claim, 1, 60)) == 1
        connection.execute(text("UPDATE runs SET status = 'cancelled'"))
    clock.tick(database, None, city.gateways)
    assert statuses(database, city.run_id) == {"cancelled": 2, "claimed": 1}
    with ahead_by(database.url, "2 minutes") as ahead:
        clock.tick(ahead, None, city.gateways)
        clock.tick(ahead, None, city.gateways)
        assert statuses(ahead, city.run_id) == {"cancelled": 3}
        assert look_at(ahead, city.run_id) is None


def test_a_run_that_goes_again_is_watched_anew(database: Database) -> None:
    """Finished long ago, then a person sends an unknown text again and cancels: its rows are cancelled at once."""
    city = make_city(database, 1)
    city.adapter.answer = unknown
    drain(database, city.gateways)
    clock.tick(database, None, city.gateways)
    with ahead_by(database.url, "40 hours") as ahead:
        clock.tick(ahead, None, city.gateways)
        with ahead.transaction() as connection:
            resolving.send_rows_again(connection, city.run_id, None)
            connection.execute(text("UPDATE runs SET status = 'cancelled'"))
        clock.tick(ahead, None, city.gateways)
        assert statuses(ahead, city.run_id) == {"cancelled": 1}


def test_a_settled_text_closes_its_run_at_once(database: Database) -> None:
    city = make_city(database, 1)
    city.adapter.answer = unknown
    drain(database, city.gateways)
    clock.tick(database, None, city.gateways)
    with database.session() as session:
        somebody = make_account(session, session.get_one(Unit, city.unit.id)).id
    with ahead_by(database.url, "40 hours") as ahead:
        clock.tick(ahead, None, city.gateways)
        with ahead.transaction() as connection:
            assert resolving.settle_row(
                connection, city.month, messages(database, city.run_id)[0].id, "refused", somebody
            )
        clock.tick(ahead, None, city.gateways)
    assert status(database, city.run_id)[0] == "closed"
