"""The clock fires what is due: each firing once, with what was approved, and never late without asking."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Segment
from sms_service.campaigns import approval, control
from sms_service.campaigns.closing import end_finished
from sms_service.campaigns.launch import launch_campaign, start_campaign
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.campaigns.services import copy_campaign
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.errors import Conflict
from sms_service.ledger.models import Run
from sms_service.schedules import firing
from sms_service.schedules.correcting import change_item
from sms_service.schedules.firing import Fired, fire_due_items
from sms_service.schedules.scheduling import continue_campaign, end_schedule, suspend_campaign
from tests.clocks import ahead_by
from tests.schedules.recurrence import Branch, approve_campaign, make_branch, write_daily


@pytest.fixture
def branch(session: Session) -> Branch:
    return make_branch(session)


@pytest.fixture
def daily(session: Session, branch: Branch) -> Campaign:
    """An active campaign that is due in five minutes and then each day."""
    campaign = write_daily(session, branch)
    approve_campaign(session, branch, campaign)
    session.commit()
    return campaign


def runs_of(database: Database, campaign_id: int) -> list[tuple[int, str, str | None, datetime]]:
    with database.session() as session:
        rows = session.scalars(select(Run).where(Run.campaign_id == campaign_id).order_by(Run.firing)).all()
        return [(run.firing, run.status, run.held_for, run.due_at) for run in rows]


def item_of(database: Database, campaign_id: int) -> CampaignItem:
    with database.session() as session:
        return session.scalars(select(CampaignItem).where(CampaignItem.campaign_id == campaign_id)).one()


def test_its_approval_starts_it_and_it_fires_each_day(
    database: Database, database_url: str, branch: Branch, daily: Campaign
) -> None:
    first = branch.clock_in(5)
    assert daily.status == "active"
    assert fire_due_items(database) == Fired(0, 0)
    for day in range(3):
        with ahead_by(database_url, f"{day} days 6 minutes") as later:
            assert fire_due_items(later) == Fired(1, 0)
            assert fire_due_items(later) == Fired(0, 0)
            assert freeze.begin_due_runs(later) != []
    dues = [first + timedelta(days=day) for day in range(3)]
    assert runs_of(database, daily.id) == [(n, "freezing", None, due) for n, due in enumerate(dues, start=1)]
    assert item_of(database, daily.id).next_at == first + timedelta(days=3)


def test_a_clock_that_was_away_asks_for_each_firing_that_it_missed(
    database: Database, database_url: str, daily: Campaign
) -> None:
    with ahead_by(database_url, "1 day 2 hours") as later:
        assert fire_due_items(later) == Fired(2, 0)
        assert freeze.begin_due_runs(later) == []
    assert [(status, held) for _, status, held, _ in runs_of(database, daily.id)] == [("held", "missed")] * 2


def test_a_clock_that_is_put_back_fires_nothing_twice(database: Database, database_url: str, daily: Campaign) -> None:
    with ahead_by(database_url, "6 minutes") as later:
        assert fire_due_items(later).runs == 1
    assert fire_due_items(database).runs == 0
    with ahead_by(database_url, "7 minutes") as later:
        assert fire_due_items(later).runs == 0


def test_two_clocks_fire_once(database: Database, database_url: str, daily: Campaign) -> None:
    together = threading.Barrier(2)

    def tick(_: int) -> int:
        with ahead_by(database_url, "6 minutes") as later:
            together.wait(30)
            return fire_due_items(later).runs

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(tick, range(2))) == [0, 1]
    assert len(runs_of(database, daily.id)) == 1


class Killed(Exception):
    """The process ends here."""


def test_a_clock_that_dies_between_any_two_statements_fires_once(
    database: Database, database_url: str, branch: Branch, daily: Campaign
) -> None:
    with ahead_by(database_url, "6 minutes") as later:
        engine, count, die_at = later.engine, 0, 0

        def before(*_: object) -> None:
            nonlocal count
            count += 1
            if count == die_at:
                raise Killed

        event.listen(engine, "before_cursor_execute", before)
        while True:
            count, die_at = 0, die_at + 1
            try:
                fire_due_items(later)
            except Killed:
                made, next_at = len(runs_of(database, daily.id)), item_of(database, daily.id).next_at
                # All of the firing or nothing: it dies after it, too, where it looks for more.
                assert (made, next_at) in ((0, branch.clock_in(5)), (1, branch.clock_in(5) + timedelta(days=1)))
                continue
            break
    assert die_at > 5
    assert len(runs_of(database, daily.id)) == 1


def test_what_was_changed_is_held_alone_until_it_is_approved(
    session: Session, database: Database, database_url: str, branch: Branch, daily: Campaign
) -> None:
    change_item(session, branch.officer, daily.id, 1, {"label": "改过的", "values": {"地点": "礼堂"}})
    assert daily.undecided
    session.commit()
    with ahead_by(database_url, "6 minutes") as later:
        assert fire_due_items(later) == Fired(1, 1)
        assert freeze.begin_due_runs(later) == []
        ((_, status, held_for, _),) = runs_of(database, daily.id)
        assert (status, held_for) == ("held", "changed")
        with later.session() as own:
            (run,) = own.scalars(select(Run)).all()
            assert control.resume_run(own, branch.officer, run.id, "请发送").held_for == "changed"
            approval.decide_approval(own, branch.approver, daily.id, approve=True)
        assert freeze.begin_due_runs(later) != []
    ((_, status, held_for, _),) = runs_of(database, daily.id)
    assert (status, held_for) == ("freezing", None)
    with database.session() as own:
        (run,) = own.scalars(select(Run)).all()
        assert (run.values, run.digest) == ({"地点": "礼堂"}, own.get_one(CampaignItem, (daily.id, 1)).approved)


def test_a_segment_that_changed_meanwhile_holds_the_firing(
    session: Session, database: Database, database_url: str, daily: Campaign
) -> None:
    session.execute(update(Segment).where(Segment.id == daily.segment_id).values(rule={"not": {"tag": "退休"}}))
    session.commit()
    with ahead_by(database_url, "6 minutes") as later:
        assert fire_due_items(later) == Fired(1, 1)
    session.refresh(daily)
    assert daily.undecided


def test_a_change_that_is_taken_back_needs_no_decision(session: Session, branch: Branch, daily: Campaign) -> None:
    change_item(session, branch.officer, daily.id, 1, {"values": {"地点": "礼堂"}})
    change_item(session, branch.officer, daily.id, 1, {"values": {}})
    assert not daily.undecided
    with pytest.raises(Conflict):
        approval.decide_approval(session, branch.approver, daily.id, approve=True)


def test_a_suspended_schedule_fires_nothing_and_goes_on_from_then(
    session: Session, database: Database, database_url: str, branch: Branch, daily: Campaign
) -> None:
    suspend_campaign(session, branch.officer, daily.id, "放假")
    session.commit()
    with ahead_by(database_url, "2 days") as later:
        assert fire_due_items(later).runs == 0
        with later.session() as own:
            continue_campaign(own, branch.officer, daily.id, "开学")
        assert fire_due_items(later).runs == 0
    assert item_of(database, daily.id).next_at == branch.clock_in(5) + timedelta(days=2)


def test_it_ends_when_nothing_is_to_come_and_its_runs_are_over(
    session: Session, database: Database, database_url: str, branch: Branch
) -> None:
    campaign = write_daily(session, branch, count=1)
    approve_campaign(session, branch, campaign)
    session.commit()
    assert end_finished(database) == []
    with ahead_by(database_url, "6 minutes") as later:
        fire_due_items(later)
    assert item_of(database, campaign.id).next_at is None
    assert end_finished(database) == []
    session.execute(update(Run).values(status="cancelled"))
    session.commit()
    assert end_finished(database) == [campaign.id]


def test_ended_by_hand_it_fires_nothing_more(
    session: Session, database: Database, database_url: str, branch: Branch, daily: Campaign
) -> None:
    end_schedule(session, branch.officer, daily.id, "活动取消")
    session.commit()
    with ahead_by(database_url, "2 days") as later:
        assert fire_due_items(later).runs == 0
    assert end_finished(database) == [daily.id]  # though no run ever ended


def test_it_is_started_and_not_launched_and_a_copy_begins_anew(
    session: Session, branch: Branch, daily: Campaign
) -> None:
    with pytest.raises(Conflict, match="start that"):
        launch_campaign(session, SYSTEM, daily.id)
    assert start_campaign(session, branch.officer, daily.id).status == "active"
    copy = copy_campaign(session, branch.officer, daily.id)
    assert (copy.kind, copy.schedule, copy.status) == (daily.kind, daily.schedule, "draft")
    item = session.get_one(CampaignItem, (copy.id, 1))
    assert (item.approved, item.next_firing) == (None, 1)


def test_many_are_fired_in_groups(
    session: Session, database: Database, database_url: str, branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "TOGETHER", 5)
    for _ in range(12):
        approve_campaign(session, branch, write_daily(session, branch))
    session.commit()
    with ahead_by(database_url, "6 minutes") as later:
        assert fire_due_items(later) == Fired(12, 0)
