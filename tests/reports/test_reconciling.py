"""Each night the roll-ups are compared with the ledger, and what differs is mended and told."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import func, select

from sms_service.audit.models import TrailEntry
from sms_service.reports.reconciling import HOUR, ROUND_NIGHTS, Reconciler, _choose_days, reconcile_day
from sms_service.reports.roll_up_models import DAILY_COUNTS
from sms_service.reports.roll_ups import find_drift
from tests.clocks import ahead_by
from tests.dispatch.city import make_run
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAY = date(2026, 9, 1)


def test_a_day_that_differs_is_added_up_again_and_told(database, session):
    tree = make_tree(session, [DAY])
    run = make_run(session, tree[0], day=DAY, month=DAY, status="finished", audience=1)
    add_message(session, run, tree[3], "delivered")
    session.commit()
    settle_roll_ups(database)
    assert reconcile_day(database, DAY) == []
    session.execute(DAILY_COUNTS.delete())
    session.commit()
    assert len(reconcile_day(database, DAY)) == 3
    with database.one_snapshot() as connection:
        assert list(find_drift(connection, DAY)) == []
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "counts.rebuild")).one()
    assert (entry.target_id, entry.details["lines"]) == ("2026-09-01", 3)


def test_each_recent_day_is_compared_in_a_night_and_every_older_one_in_its_turn():
    today = date(2026, 12, 1)
    days = [today - timedelta(days=n) for n in range(100, 0, -1)]
    nights = [_choose_days(days, today + timedelta(days=n)) for n in range(ROUND_NIGHTS)]
    assert set(nights[0]) > {day for day in days if day >= today - timedelta(days=40)}
    assert nights[0][0] == max(days)
    assert set().union(*nights) == set(days)


def test_it_begins_at_its_hour_of_the_citys_night_and_compares_each_day_once(database, session):
    day = session.scalars(select(func.sms_now())).one().date() - timedelta(days=5)
    tree = make_tree(session, [day])
    run = make_run(session, tree[0], day=day, month=day.replace(day=1), status="finished", audience=1)
    add_message(session, run, tree[3], "delivered")
    session.commit()
    settle_roll_ups(database)
    hour = session.scalars(select(func.date_part("hour", func.timezone("Asia/Shanghai", func.sms_now())))).one()
    reconciler = Reconciler()
    numbers = {}
    for later in (HOUR - 1, HOUR, HOUR, HOUR + 1):
        with ahead_by(database.url, f"{24 + later - int(hour)} hours") as then:
            numbers.setdefault(later, []).append(reconciler.reconcile_next(then))
    assert numbers == {HOUR - 1: [0], HOUR: [1, 0], HOUR + 1: [0]}
