"""主题党日 in the console: planned in three taps, moved, called off, ticked off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event as listening
from sqlalchemy import func, select, update

from sms_service.campaigns import approval
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.schedules.attendance_models import Attendance
from sms_service.schedules.event_planning import plan_event
from tests.console.campaigning import Walker, make_branch, make_invitation, write_draft
from tests.console.test_every_page import MOST_STATEMENTS
from tests.factories import make_actor, make_unit
from tests.schedules.eventful import HOURS, EventTown, approve_event, make_town, write_event

EVIL = '"><svg onload=alert(1)><b>'
WORDS = {"values.主题": "重温入党誓词", "values.时间": "", "values.地点": "二楼会议室"}


@pytest.fixture
def branch(session):
    branch = make_branch(session, **HOURS)
    version = make_invitation(session, branch)
    write_draft(session, branch, version_id=version.id, name="上次", values={"地点": "二楼会议室"})
    session.commit()
    return branch


@pytest.fixture
def town(database) -> EventTown:
    """An event five days from `today`, approved."""
    town = make_town(database)
    with database.session() as session:
        write_event(session, town)
        approve_event(session, town)
    return town


@pytest.fixture
def invited(town) -> EventTown:
    """Its invitation left today, as far as its pages see: a run of the day is in the past."""
    with town.clock(2) as later:
        town.tick(later)
    return town


def event_of(session) -> Campaign:
    session.expire_all()
    return session.scalars(select(Campaign).where(Campaign.kind == "event").order_by(Campaign.id.desc())).first()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_theme_day_takes_three_taps_and_three_words(log_in, branch, session, language):
    at = session.scalar(select(func.sms_now())) + timedelta(days=9)
    words = WORDS | {"values.时间": f"{at.month}月{at.day}日上午9点"}
    walker = Walker(log_in(branch, "officer", language=language))
    walker.tap("", "/invite")
    walker.tap("", "/invite?", **words, when="event")
    walker.tap("", "/submit")
    assert walker.taps == 3
    campaign = event_of(session)
    assert (campaign.status, campaign.kind) == ("submitted", "event")
    assert campaign.values["时间"].startswith(f"{at.month}月{at.day}日（星期")
    assert session.scalar(select(func.count()).where(CampaignItem.campaign_id == campaign.id)) == 5
    approval.decide_approval(session, make_actor(session, branch, ("approver",)), campaign.id, approve=True)
    session.commit()
    assert event_of(session).status == "active"


def test_a_time_that_names_no_day_is_asked_for_again(log_in, branch, session):
    walker = Walker(log_in(branch, "officer", language="en"), "/invite?event=true")
    assert 'value="event" checked' in walker.text
    walker.tap("", "/invite?", **WORDS | {"values.时间": "上午9点"})
    assert "write the day and the time" in walker.text
    assert "重温入党誓词" in walker.text
    assert event_of(session) is None
    walker.tap("", "/invite?", **WORDS | {"values.时间": "2026-01-01 9:00"})
    assert "must lie ahead" in walker.text


def test_an_invitation_of_its_own_time_is_no_event_any_more(log_in, branch, session):
    at = session.scalar(select(func.sms_now())) + timedelta(days=9)
    words = WORDS | {"values.时间": f"{at.month}月{at.day}日上午9点"}
    walker = Walker(log_in(branch, "officer"), "/invite?event=true")
    walker.tap("", "/invite?", **words)
    campaign = event_of(session)
    walker = Walker(log_in(branch, "officer"), f"/invite?campaign={campaign.id}")
    assert 'value="event" checked' in walker.text
    walker.tap("", "/invite?", **words, when="now")
    session.expire_all()
    assert (campaign.kind, campaign.schedule) == ("plain", None)


def test_the_list_and_the_page_show_it(log_in, town, session):
    visitor = log_in(town.unit, "officer", language="en")
    listed = visitor.get("/events").get_data(as_text=True)
    assert "重温入党誓词" in listed
    page = visitor.get(f"/campaigns/{town.campaign_id}/event").get_data(as_text=True)
    for words in ("Reminder, to all who did not say no", "ready, if it is needed", "Move it", "Call it off"):
        assert words in page
    other = make_unit(session)
    session.commit()
    stranger = log_in(other, "officer")
    assert stranger.get(f"/campaigns/{town.campaign_id}/event").status_code == 403
    assert "重温入党誓词" not in stranger.get("/events").get_data(as_text=True)
    reader = log_in(town.unit, "auditor")
    assert "event/move" not in reader.get(f"/campaigns/{town.campaign_id}/event").get_data(as_text=True)
    assert reader.get(f"/campaigns/{town.campaign_id}/event/move").status_code == 403
    assert reader.get(f"/campaigns/{town.campaign_id}/attendance").status_code == 403


def test_it_is_moved_and_called_off_with_a_reason(log_in, invited, session):
    walker = Walker(log_in(invited.unit, "officer", language="en"), f"/campaigns/{invited.campaign_id}/event")
    walker.tap("Move it")
    assert "4 people were invited" in walker.text
    at = f"{invited.at(9):%Y-%m-%dT%H:%M}"
    walker.tap("tell 4 people", at=at, place="新礼堂", why=" ")
    assert "新礼堂" in walker.text
    walker.tap("tell 4 people", at=at, place=f"新礼堂{EVIL}", why="下雨")
    assert "waits until somebody approves it" in walker.text
    assert "<svg onload" not in walker.text
    campaign = event_of(session)
    assert (campaign.undecided, campaign.schedule["moved"]) == (True, 1)
    walker.tap("Call it off")
    walker.tap("tell 4 people", why="讲师生病")
    assert "It is called off. 4 people" in walker.text
    campaign = event_of(session)
    assert campaign.schedule["cancelled"]
    assert campaign.values["地点"] == "党群服务中心"


def test_who_came_is_kept_by_one_press(log_in, invited, session):
    campaign = event_of(session)
    visitor = log_in(invited.unit, "officer", language="en")
    page = f"/campaigns/{invited.campaign_id}/attendance"
    assert "has not taken place yet" in visitor.get(page).get_data(as_text=True)
    rule = {**campaign.schedule, "begins": "2026-11-01T09:00+08:00"}
    session.execute(update(Campaign).where(Campaign.id == campaign.id).values(schedule=rule))
    session.commit()
    walker = Walker(visitor, f"/campaigns/{invited.campaign_id}/event")
    walker.tap("Tick off who came")
    assert walker.text.count("checked") == 4
    walker.tap("Keep who came")
    assert "4 of 4 people came" in walker.text
    assert session.scalar(select(func.count()).where(Attendance.came)) == 4


def test_no_page_of_it_asks_the_database_much(log_in, invited, database):
    visitor, asked = log_in(invited.unit, "officer"), []

    def note(connection, cursor, statement, *_):
        if not statement.startswith(("BEGIN", "SET ", "SHOW ")):
            asked.append(" ".join(statement.split())[:90])

    at = f"/campaigns/{invited.campaign_id}"
    for path in ("/events", f"{at}/event", f"{at}/event/move", f"{at}/event/cancel", f"{at}/attendance"):
        asked.clear()
        listening.listen(database.engine, "before_cursor_execute", note)
        try:
            assert visitor.get(path).status_code == 200
        finally:
            listening.remove(database.engine, "before_cursor_execute", note)
        assert len(asked) <= MOST_STATEMENTS, (path, asked)


def test_a_draft_is_changed_where_it_was_written(log_in, branch, session):
    version = make_invitation(session, branch, name="另一个")
    campaign = write_draft(session, branch, version_id=version.id, values={"地点": "礼堂", "主题": "学习"})
    at = session.scalar(select(func.sms_now())) + timedelta(days=9)
    plan_event(session, make_actor(session, branch), campaign.id, {"begins": at})
    session.commit()
    page = log_in(branch, "officer", language="en").get(f"/campaigns/{campaign.id}/event").get_data(as_text=True)
    assert "Check and submit" in page
    assert "event/move" not in page
