"""The check: what it says, what has to be done before many people are sent to, and that it sends once."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.segments import change_segment
from sms_service.campaigns.models import Campaign
from sms_service.console import check
from sms_service.ledger.models import Run
from tests.console.campaigning import Walker, approve_draft, make_branch, write_draft
from tests.factories import make_account, make_person, make_segment, make_template


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


def test_what_is_found_in_a_text_and_whom_it_goes_to_show_no_phone(log_in, branch, session):
    version = make_template(session, branch, "{{ 地点 }}见。", variables=("地点",))
    rule = {"not": {"attribute": {"name": "备注", "is": "13912345678"}}}
    segment, values = make_segment(session, branch, rule), {"地点": "https://12371.cn/13987654321"}
    campaign = write_draft(session, branch, version_id=version.id, segment_id=segment.id, values=values)
    session.commit()
    visitor = log_in(branch)
    check_page = visitor.get(f"/campaigns/{campaign.id}/check").text
    assert "the link https://12371.cn/139****4321 has" in check_page
    for page in (check_page, visitor.get("/segments").text):
        assert "139****5678" in page
        assert "13912345678" not in page


def test_it_says_who_gets_what_and_who_does_not(log_in, branch, session):
    make_person(session, branch, name="欧阳没有号码", phone=None)
    version = make_template(session, branch, "{{ name }}同志：请学习。", variables=("name",))
    campaign = write_draft(session, branch, version_id=version.id)
    session.commit()
    page = log_in(branch).get(f"/campaigns/{campaign.id}/check").text
    assert "【云州先锋】党员00同志：请学习。" in page
    assert "欧阳没有号码" in page
    assert "No phone number" in page
    assert "Submit for approval (3 people)" in " ".join(page.split())


def test_the_check_of_one_who_only_reads_has_no_button(log_in, branch, session):
    campaign = write_draft(session, branch)
    session.commit()
    page = log_in(branch, "auditor").get(f"/campaigns/{campaign.id}/check").text
    assert "Submit for approval" not in page


def test_what_is_approved_is_sent_once(log_in, branch, session):
    campaign = approve_draft(session, write_draft(session, branch))
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}").tap("Check and send")
    before = walker.text
    walker.tap("Send to 3 people")
    run = session.scalars(select(Run)).one()
    assert str(run.id) in walker.answer.request.path or walker.answer.request.path == f"/campaigns/{campaign.id}"
    again = Walker(walker.visitor, f"/campaigns/{campaign.id}/check")
    assert "Send to 3 people" not in " ".join(again.text.split())
    assert any("Copy" in button for button in again.buttons)
    assert "Send to 3 people" in " ".join(before.split())
    assert session.query(Run).count() == 1


def test_a_planned_time_is_worked_out_and_kept(log_in, branch, session, clock):
    campaign = approve_draft(session, write_draft(session, branch))
    session.commit()
    at = (clock.now + timedelta(days=1)).strftime("%Y-%m-%dT09:30")
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/check")
    walker.tap("Work it out", when="later", at=at)
    walker.tap("Send to 3 people")
    due = session.scalars(select(Run.due_at)).one()
    assert due.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:%M") == at
    other = write_draft(session, branch)
    session.commit()
    past = Walker(walker.visitor, f"/campaigns/{other.id}/check").tap(
        "Work it out", when="later", at="2020-01-01T00:00"
    )
    assert "lies in the past" in past.text


def test_a_planned_time_is_given_up_for_now(log_in, branch, session, clock):
    campaign = write_draft(session, branch, planned_at=clock.now + timedelta(days=2))
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/check")
    assert "Its approval sends it, at" in walker.text
    walker.tap("Work it out", when="now")
    assert "Its approval sends it, as soon as" in walker.text
    walker.tap("Submit for approval")
    session.expire_all()
    assert (session.get_one(Campaign, campaign.id).planned_at, campaign.launch_on_approval) == (None, True)


def test_what_changed_since_is_not_sent_unseen(log_in, branch, session):
    segment = make_segment(session, branch, {"everyone": True})
    campaign = write_draft(session, branch, segment_id=segment.id)
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/check")
    people = make_person(session, branch)
    session.commit()
    walker.tap("Submit for approval")
    assert walker.answer.status_code == 422
    assert "4 people by now, not 3" in walker.text
    assert "Submit for approval (4 people)" in walker.buttons
    change_segment(session, SYSTEM, segment.id, rule={"people": [people.id]})
    session.commit()
    walker.tap("Submit for approval")
    assert walker.answer.status_code == 409
    session.expire_all()
    assert session.get_one(Campaign, campaign.id).status == "draft"


def test_it_names_who_can_approve(log_in, branch, session):
    campaign = write_draft(session, branch)
    session.commit()
    officer = log_in(branch)
    assert "Nobody can approve it now" in officer.get(f"/campaigns/{campaign.id}/check").text
    make_account(session, branch, "wang", ("approver",), name="王审批")
    session.commit()
    walker = Walker(officer, f"/campaigns/{campaign.id}/check")
    assert "Who can approve it: 王审批" in walker.text
    assert "Who can approve it: 王审批" in walker.tap("Submit for approval").text


def test_nobody_is_no_campaign(log_in, branch, session):
    campaign = write_draft(session, branch, segment_id=make_segment(session, branch, {"tag": "没有"}).id)
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/check")
    assert "nobody would get a text" in walker.text
    with pytest.raises(AssertionError, match="nothing says"):
        walker.tap("Submit for approval")


def test_many_people_take_a_tick_and_a_number(log_in, branch, session, monkeypatch):
    monkeypatch.setattr(check, "READ_ABOVE", 1)
    monkeypatch.setattr(check, "TYPED_ABOVE", 2)
    campaign = write_draft(session, branch)
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/check")
    walker.tap("Submit for approval", number="3")
    assert (walker.answer.status_code, 'href="#f-read"' in walker.text) == (422, True)
    walker.tap("Submit for approval", read="true", number="4")
    assert (walker.answer.status_code, 'href="#f-number"' in walker.text) == (422, True)
    walker.tap("Submit for approval", read="true", number=" 3 人")
    session.expire_all()
    assert session.get_one(Campaign, campaign.id).status == "submitted"
