"""What the live page of a run shows: counts of one moment, the rate of the last minute, when it may be through."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text, update

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import control
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Forbidden
from sms_service.ledger.models import Run
from sms_service.reports.filters import Filter
from sms_service.reports.messages import find_messages
from sms_service.reports.watching import RunWatch, estimate_end, watch_run
from tests.clocks import ahead_by
from tests.dispatch.city import City, drain, make_city, make_dispatcher, statuses
from tests.factories import make_actor, make_unit

ZONE = ZoneInfo("Asia/Shanghai")


def watch(database: Database, run_id: int) -> RunWatch:
    with database.session() as session:
        return watch_run(session, SYSTEM, run_id)


def launched_ago(database: Database, city: City, seconds: int) -> None:
    with database.transaction() as connection:
        ago = text(f"sms_now() - interval '{seconds} seconds'")
        connection.execute(update(Run).where(Run.id == city.run_id).values(launched_at=ago, watched_from=ago))


def hand_over(database: Database, city: City, texts: int) -> None:
    """One group of so many texts."""
    dispatcher = make_dispatcher(database, city.gateways)
    assert dispatcher.hand_over_group(dispatcher.offers()[0], texts).claimed == texts
    dispatcher.close()


def test_counts_rate_and_end_of_a_run_under_way(database: Database, database_url: str) -> None:
    city = make_city(database, 5, more=[{"phone": None}])
    fresh = watch(database, city.run_id)
    assert (fresh.statuses, fresh.waiting, fresh.handed_over) == ({"pending": 5, "skipped": 1}, 5, 0)
    assert (fresh.per_minute, fresh.through_at, fresh.holds) == (0.0, None, True)
    assert (fresh.campaign, fresh.unit.id, fresh.route) == ("学习", city.unit.id, "default")

    launched_ago(database, city, 600)
    hand_over(database, city, 3)
    under_way = watch(database, city.run_id)
    assert under_way.statuses == {"accepted": 3, "pending": 2, "skipped": 1} == statuses(database, city.run_id)
    assert (under_way.handed_over, under_way.per_minute, under_way.waiting) == (3, pytest.approx(3), 2)
    assert under_way.through_at == under_way.at + timedelta(seconds=40)
    assert under_way.changed_at is not None
    assert fresh.at < under_way.changed_at <= under_way.at

    launched_ago(database, city, 10)  # the rate is that of the seconds that it runs
    assert watch(database, city.run_id).per_minute == pytest.approx(18, rel=0.2)

    launched_ago(database, city, 600)
    with ahead_by(database_url, "61 seconds") as ahead:  # what left before the last minute is not of it
        later = watch(ahead, city.run_id)
    assert (later.handed_over, later.per_minute, later.through_at) == (0, 0.0, None)

    drain(database, city.gateways)
    done = watch(database, city.run_id)
    assert (done.waiting, done.through_at) == (0, None)


def test_each_count_leads_to_its_rows(database: Database) -> None:
    city = make_city(database, 4, more=[{"phone": None}, {"phone": None}])
    hand_over(database, city, 1)
    with database.session() as session:
        found = watch_run(session, SYSTEM, city.run_id)
        for status, number in found.statuses.items():
            rows = session.execute(find_messages(Filter(("/",), run_id=city.run_id, status=status))).all()
            assert len(rows) == number, status


def test_who_paused_a_run_and_nobody_else_may_look(database: Database) -> None:
    city = make_city(database, 2)
    with database.session() as session:
        officer = make_actor(session, city.unit)
        control.pause_run(session, officer, city.run_id, "核对")
    paused = watch(database, city.run_id)
    assert (paused.run.status, paused.run.reason, paused.moved_by) == ("paused", "核对", officer.login)
    assert paused.moved_by_name
    assert (paused.per_minute, paused.through_at) == (None, None)
    with database.transaction() as connection:  # the service holds it, and nobody moved it
        connection.execute(text("UPDATE runs SET status = 'held', held_for = 'breaker'"))
    assert watch(database, city.run_id).moved_by is None
    with database.session() as session:
        stranger = make_actor(session, make_unit(session))
        with pytest.raises(Forbidden):
            watch_run(session, stranger, city.run_id)


@pytest.mark.parametrize(
    ("begin", "work_h", "end"),
    [
        ("2026-12-01 09:00", 1, "2026-12-01 10:00"),
        ("2026-12-01 06:00", 1, "2026-12-01 09:00"),  # before it opens
        ("2026-12-01 19:00", 1, "2026-12-01 20:00"),
        ("2026-12-01 19:00", 2, "2026-12-02 09:00"),
        ("2026-12-01 21:00", 13, "2026-12-03 09:00"),
        ("2026-12-01 09:00", 12 * 40, None),
    ],
)
def test_the_end_lies_within_the_window(begin: str, work_h: int, end: str | None) -> None:
    unit = Unit(timezone="Asia/Shanghai", window_opens=480, window_closes=1200)
    found = estimate_end(datetime.fromisoformat(begin).replace(tzinfo=ZONE), work_h * 3600, unit)
    assert found == (None if end is None else datetime.fromisoformat(end).replace(tzinfo=ZONE))


def test_a_window_of_the_whole_day_has_no_nights() -> None:
    unit = Unit(timezone="Asia/Shanghai", window_opens=0, window_closes=1440)
    begin = datetime(2026, 12, 1, 9, tzinfo=ZONE)
    assert estimate_end(begin, 48 * 3600, unit) == begin + timedelta(hours=48)
