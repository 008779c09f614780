"""发送计划 in the console: what was sent and comes, how it is suspended and ends, and what was changed meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event as listening
from sqlalchemy import select

from sms_service.accounts.models import Account
from sms_service.campaigns import services
from sms_service.campaigns.control import cancel_run
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import CampaignItem
from sms_service.campaigns.rule_acts import add_approval_rule
from sms_service.dispatch import freeze
from sms_service.ledger.models import Message, Run
from sms_service.reports.tasks import list_tasks
from sms_service.schedules.correcting import change_item
from sms_service.schedules.firing import fire_due_items
from sms_service.schedules.scheduling import end_schedule, suspend_campaign
from tests.clocks import ahead_by
from tests.console.campaigning import Walker
from tests.console.test_every_page import MOST_STATEMENTS
from tests.factories import make_actor, make_person
from tests.own_texts.own_phones import give_own_phone
from tests.schedules.recurrence import approve_campaign, make_branch, write_campaign, write_daily

EVIL = '"><svg onload=alert(1)><b>'


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


@pytest.fixture
def daily(session, branch):
    """Active, due in five minutes and then each day."""
    campaign = write_daily(session, branch)
    approve_campaign(session, branch, campaign)
    session.commit()
    return campaign


@pytest.fixture
def changed(session, branch, daily, database_url):
    """The same; its text was corrected, and the run that it fired is held for that."""
    change_item(session, branch.officer, daily.id, 1, {"label": f"第一讲{EVIL}", "values": {"内容": "新课"}})
    session.commit()
    with ahead_by(database_url, "6 minutes") as later:
        assert fire_due_items(later).held == 1
    session.expire_all()
    return daily


def tasks_of(session, actor):
    return {str(task.kind): task.number for task in list_tasks(session, actor)}


def test_the_campaign_says_when_it_is_sent_and_what_was(log_in, branch, daily, database_url):
    with ahead_by(database_url, "1 day 6 minutes") as later:
        fire_due_items(later)
        for run_id in freeze.begin_due_runs(later):
            freeze.freeze_run(later, run_id)
    walker = Walker(log_in(branch.unit, "officer", language="en"), f"/campaigns/{daily.id}")
    assert f"Every day at {branch.clock_in(5):%H:%M}" in walker.text
    assert walker.text.count("/runs/") == 2
    assert "1 recipients" in walker.text
    assert "Running" in walker.text or "Sending" in walker.text
    walker.tap("每周学习", "/items/1")
    assert "请按时参加学习。" in walker.text
    listed = log_in(branch.unit, "auditor").get(f"/campaigns/{daily.id}/items").get_data(as_text=True)
    assert "每周学习" in listed
    assert log_in(branch.unit, "auditor").get(f"/campaigns/{daily.id}/items/9").status_code == 404


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_is_suspended_goes_on_and_ends_each_with_a_reason(log_in, branch, daily, session, language):
    words = {
        "zh": ("暂停", "暂停发送计划", "继续", "恢复发送计划", "结束", "结束发送计划"),
        "en": ("Suspend", "Suspend the schedule", "Go on", "Go on with the schedule", "End it", "End the schedule"),
    }[language]
    at = f"/campaigns/{daily.id}"
    walker = Walker(log_in(branch.unit, "officer", language=language), at)
    for link, button, status, path in (
        (*words[:2], "suspended", "suspend"),
        (*words[2:4], "active", "continue"),
        (*words[4:], "active", "end"),
    ):
        walker.tap(link if language == "en" else "", f"{at}/{path}")
        assert "svg onload" not in walker.text
        walker.tap(button, why=" ")
        assert button in walker.text  # the reason is asked for again
        walker.tap(button, why="放假")
        session.expire_all()
        assert daily.status == status
    assert session.scalars(select(CampaignItem.next_at)).all() == [None]
    assert f"{at}/end" not in walker.text


def test_acts_that_make_no_sense_now_lead_back(log_in, branch, daily, session):
    at, officer = f"/campaigns/{daily.id}", log_in(branch.unit, "officer")
    assert officer.get(f"{at}/continue").status_code == 303
    reader = log_in(branch.unit, "auditor", language="en")
    assert reader.get(f"{at}/suspend").status_code == 403
    assert "Suspend" not in reader.get(at).get_data(as_text=True)
    suspend_campaign(session, branch.officer, daily.id, "放假")
    session.commit()
    assert officer.get(f"{at}/suspend").status_code == 303
    assert "goes on from now" in log_in(branch.unit, "officer", language="en").get(f"{at}/continue").text


def test_an_approved_one_is_started_from_its_check(log_in, branch, session):
    campaign = write_daily(session, branch)
    services.change_campaign(session, branch.officer, campaign.id, {"launch_on_approval": False})
    approve_campaign(session, branch, campaign)
    session.commit()
    walker = Walker(log_in(branch.unit, "officer", language="en"), f"/campaigns/{campaign.id}")
    walker.tap("Check and start")
    walker.tap("Start it")
    assert "The schedule is started." in walker.text
    session.expire_all()
    assert campaign.status == "active"


def test_what_was_changed_stands_with_the_approvals_until_it_is_decided(log_in, branch, changed, session):
    approver = log_in(branch.unit, "approver", language="en")
    home = Walker(approver)
    home.tap("Campaigns to approve" if "Campaigns to approve" in home.text else "", "/decisions?waiting=true")
    assert "changed while it is under way" in home.text
    home.tap("每周学习", "/decision")
    assert "was changed since" in home.text
    assert "waits" in home.text
    assert "Text of" in home.text
    assert "<svg onload" not in home.text
    assert "新课" not in home.text.split("<del>")[1].split("</del>")[0]
    home.tap("Approve")
    home.tap("Confirm for")
    session.expire_all()
    run = session.scalars(select(Run)).one()
    assert (changed.undecided, run.status, run.held_for) == (False, "planned", None)
    assert "The campaign is approved." in home.text


def test_a_no_to_it_leaves_it_with_its_author_until_it_is_changed_again(log_in, branch, changed, session):
    author, approver = make_actor(session, branch.unit), make_actor(session, branch.unit, ("approver",))
    changed.created_by = author.account_id
    session.commit()
    assert tasks_of(session, approver) == {"approval": 1}
    page = f"/campaigns/{changed.id}/decision"
    walker = Walker(log_in(branch.unit, "approver", language="en"), page)
    walker.tap("Return it to who wrote it", comment="有错字")
    session.expire_all()
    assert changed.undecided
    assert tasks_of(session, approver) == {}
    assert tasks_of(session, author)["returned"] == 1
    assert "有错字" in log_in(branch.unit, "officer").get(page).get_data(as_text=True)
    listed = log_in(branch.unit, "approver", language="en").get("/decisions").get_data(as_text=True)
    assert "nothing waits for an approval" in listed
    change_item(session, branch.officer, changed.id, 1, {"values": {"内容": "新课二"}})
    session.commit()
    assert tasks_of(session, approver) == {"approval": 1}
    assert "returned" not in tasks_of(session, author)


def test_what_ended_waits_for_nobody(branch, daily, session):
    change_item(session, branch.officer, daily.id, 1, {"values": {"内容": "新课"}})
    approver = make_actor(session, branch.unit, ("approver",))
    assert tasks_of(session, approver) == {"approval": 1}
    end_schedule(session, branch.officer, daily.id, "不用了")
    assert tasks_of(session, approver) == {}


def test_a_level_that_one_does_not_hold_is_no_task(log_in, branch, session):
    city = branch.unit.parent_id
    top = session.get_one(type(branch.unit), city)
    admin = make_actor(session, top, ("administrator",))
    add_approval_rule(session, admin, unit_id=city, approvals=1, approver_level="city")
    add_approval_rule(session, admin, unit_id=city, approvals=1, up_to=2)
    campaign = write_campaign(session, branch)
    services.submit_campaign(session, branch.officer, campaign.id)
    near, far = make_actor(session, branch.unit, ("approver",)), make_actor(session, top, ("approver",))
    assert (tasks_of(session, near), tasks_of(session, far)) == ({"approval": 1}, {"approval": 1})
    for _ in range(2):  # three people by now: the other rule
        make_person(session, branch.unit)
    session.commit()
    assert (tasks_of(session, near), tasks_of(session, far)) == ({}, {"approval": 1})
    visitor = log_in(branch.unit, "approver", language="en")
    assert "nothing waits" in visitor.get("/decisions?waiting=true").get_data(as_text=True)
    assert "每周学习" in visitor.get("/decisions").get_data(as_text=True)


def test_a_held_run_says_why_with_numbers_and_what_can_be_done(log_in, branch, changed, session):
    make_person(session, branch.unit)
    session.commit()
    run = session.scalars(select(Run)).one()
    page = log_in(branch.unit, "officer", language="en").get(f"/runs/{run.id}").get_data(as_text=True)
    assert "approved for 1 people; now it would go to 2" in page
    assert "What was changed" in page
    assert f"/runs/{run.id}/resume" not in page
    approver = log_in(branch.unit, "approver", "officer", language="en")
    assert "Read and decide" in approver.get(f"/runs/{run.id}").get_data(as_text=True)
    run.held_for, run.audience, run.frozen_at = "grown", 40, run.due_at
    session.commit()
    page = log_in(branch.unit, "officer", language="zh").get(f"/runs/{run.id}").get_data(as_text=True)
    assert "审批时为 1 人，现在名单有 40 人" in page
    assert f"/runs/{run.id}/resume" in page


def test_a_run_that_waits_gets_another_time(log_in, branch, session, clock):
    campaign = write_campaign(session, branch)
    approve_campaign(session, branch, campaign)
    run, _ = launch_campaign(session, branch.officer, campaign.id, branch.now + timedelta(hours=3))
    session.commit()
    walker = Walker(log_in(branch.unit, "officer", language="en"), f"/runs/{run.id}")
    walker.tap("Another time")
    walker.tap("Change the time", at="2020-01-01T09:00")
    assert "lies in the past" in walker.text
    at = branch.clock_in(60 * 30)
    walker.tap("Change the time", at=f"{at:%Y-%m-%dT%H:%M}")
    assert "It has another time." in walker.text
    session.expire_all()
    assert (run.due_at, run.status) == (at, "planned")
    cancel_run(session, branch.officer, run.id, "不发了")
    session.commit()
    assert log_in(branch.unit, "officer").get(f"/runs/{run.id}/retime").status_code == 303


def test_one_text_of_a_schedule_goes_to_oneself(log_in, branch, daily, session):
    visitor = log_in(branch.unit, "officer", language="en")
    give_own_phone(session, session.get_one(Account, visitor.account_id))
    session.commit()
    walker = Walker(visitor, f"/campaigns/{daily.id}/items/1")
    walker.tap("Send one to myself")
    assert "on its way to your phone" in walker.text
    assert session.scalars(select(Message.text).join(Run).where(Run.kind == "test")).one() == (
        "【城东街道】请按时参加学习。拒收请回复R"
    )


def test_no_page_of_it_asks_the_database_much(log_in, branch, changed, database, session):
    visitor, asked = log_in(branch.unit, "officer", "approver"), []

    def note(connection, cursor, statement, *_):
        if not statement.startswith(("BEGIN", "SET ", "SHOW ")):
            asked.append(" ".join(statement.split())[:90])

    at, too_many = f"/campaigns/{changed.id}", {}
    for path in (at, f"{at}/items", f"{at}/items/1", f"{at}/suspend", f"{at}/end", f"{at}/decision", "/", "/decisions"):
        asked.clear()
        listening.listen(database.engine, "before_cursor_execute", note)
        try:
            assert visitor.get(path).status_code == 200
        finally:
            listening.remove(database.engine, "before_cursor_execute", note)
        if len(asked) > MOST_STATEMENTS:
            too_many[path] = "\n".join(asked)
    assert not too_many, "\n".join(f"{path}:\n{lines}" for path, lines in too_many.items())
