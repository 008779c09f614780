"""What the pages say and do where a rule lets a secretary send by themselves, or where two people must approve."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.approval import decide_approval
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.rule_acts import add_approval_rule, remove_approval_rule
from sms_service.campaigns.services import submit_campaign
from sms_service.ledger.models import Run
from tests.console.campaigning import Walker, make_branch, make_invitation, write_draft
from tests.factories import make_account, make_actor, make_person
from tests.schedules import recurrence

WORDS = {"values.主题": "重温", "values.时间": "周六", "values.地点": "二楼", "signature": "云州先锋"}


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    make_invitation(session, branch)
    session.commit()
    return branch


def add_rule(session, unit_id, **terms):
    rule = add_approval_rule(session, SYSTEM, unit_id=unit_id, **terms)
    session.commit()
    return rule


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_invitation_that_self_service_covers_goes_with_the_third_tap(log_in, branch, session, language):
    add_rule(session, branch.parent_id, level="branch", up_to=60, approvals=0)
    walker = Walker(log_in(branch, language=language), "/invite")
    walker.taps = 1  # from the first page
    walker.tap("下一步" if language == "zh" else "Next", **WORDS)
    words = (
        ["发送给 3 人", "支部 · 不超过 60 人 · 自助发送"] if language == "zh" else ["Send to 3 people", "self-service"]
    )
    assert words[0] in " ".join(walker.buttons)
    assert words[1] in walker.text
    assert "审批人" not in walker.text
    walker.tap(words[0])
    run = session.scalars(select(Run)).one()
    assert (walker.taps, walker.answer.request.path) == (3, f"/runs/{run.id}")
    campaign = session.scalars(select(Campaign)).one()
    assert campaign.status == "active"
    shown = walker.visitor.get(f"/campaigns/{campaign.id}").text
    assert ("自助发送" if language == "zh" else "Self-service") in shown


def test_what_it_does_not_cover_names_who_can_approve_and_why(log_in, branch, session):
    add_rule(session, branch.parent_id, level="branch", up_to=2, approvals=0)
    add_rule(session, branch.parent_id, level="branch", approvals=1, approver_level="city")
    make_account(session, branch, "near", ("approver",), name="支部审批人")
    city = session.get_one(type(branch), branch.parent_id)
    make_account(session, city, "far", ("approver",), name="市审批人")
    session.commit()
    walker = Walker(log_in(branch), "/invite").tap("Next", **WORDS)
    assert "市审批人" in walker.text
    assert "支部审批人" not in walker.text
    assert "one approval by the city or above" in walker.text
    walker.tap("Submit for approval")
    assert session.scalars(select(Campaign.status)).all() == ["submitted"]


def test_a_rule_that_appears_or_goes_meanwhile_sends_nothing_unsaid(log_in, branch, session):
    campaign = write_draft(session, branch)
    session.commit()
    visitor = log_in(branch)
    walker = Walker(visitor, f"/campaigns/{campaign.id}/check")
    rule = add_rule(session, branch.id, up_to=60, approvals=0)
    walker.tap("Submit for approval")
    assert walker.answer.status_code == 409
    assert "look again before you send it" in walker.text
    assert session.scalar(select(func.count()).select_from(Run)) == 0
    walker = Walker(visitor, f"/campaigns/{campaign.id}/check")
    remove_approval_rule(session, SYSTEM, rule.id)
    session.commit()
    walker.tap("Send to 3 people")
    assert "Nothing is sent before somebody has approved it" in walker.text
    assert session.scalars(select(Campaign.status)).all() == ["submitted"]


def test_the_audience_that_grew_is_sent_to_nobody(log_in, branch, session):
    add_rule(session, branch.id, up_to=3, approvals=0)
    campaign = write_draft(session, branch)
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/check")
    make_person(session, branch)
    session.commit()
    answer = walker.tap("Send to 3 people").answer
    assert answer.status_code == 422
    assert session.scalars(select(Campaign.status)).all() == ["draft"]


def test_two_approvers_see_each_other(log_in, branch, session):
    add_rule(session, branch.parent_id, approvals=2)
    author = make_actor(session, branch)
    campaign = write_draft(session, branch, author, launch_on_approval=True)
    submit_campaign(session, author, campaign.id)
    session.commit()
    path = f"/campaigns/{campaign.id}/decision"
    first = Walker(log_in(branch, "approver", login="first"), path)
    assert "0 of 2" in first.text
    assert "After you another person must approve" in first.text
    first.tap("Approve", "/approve").tap("Confirm for 3 people")
    assert "Your approval is kept" in first.text
    assert "first has approved campaign" in first.text
    assert "1 of 2" in first.text
    officer = log_in(branch)
    assert "One more person must approve exactly this" in officer.get(f"/campaigns/{campaign.id}").text
    assert "One more person must approve exactly this" in officer.get(f"/campaigns/{campaign.id}/check").text
    second = Walker(log_in(branch, "approver"), path)
    assert "Its approval sends it" in second.text
    second.tap("Approve", "/approve").tap("Confirm for 3 people")
    assert second.answer.request.path.startswith("/runs/")
    assert session.scalar(select(func.count()).select_from(Decision)) == 2


def test_an_approver_of_too_low_a_level_may_return_it_alone(log_in, branch, session):
    add_rule(session, branch.parent_id, approvals=1, approver_level="city")
    campaign = write_draft(session, branch)
    submit_campaign(session, SYSTEM, campaign.id)
    session.commit()
    walker = Walker(log_in(branch, "approver"), f"/campaigns/{campaign.id}/decision")
    assert "needs an approver of the city or above" in walker.text
    assert walker.buttons[-1:] == ["Return it to who wrote it"]
    walker.tap("Return it", reason="0")
    session.expire_all()
    assert session.get_one(Campaign, campaign.id).status == "rejected"


def test_the_list_of_what_waits_says_that_one_has_approved(log_in, branch, session):
    add_rule(session, branch.parent_id, approvals=2)
    campaign = write_draft(session, branch)
    submit_campaign(session, SYSTEM, campaign.id)
    decide_approval(session, make_actor(session, branch, ("approver",)), campaign.id, approve=True)
    session.commit()
    visitor = log_in(branch, "approver")
    assert "one more is needed" in visitor.get("/decisions").text
    page = visitor.get(f"/campaigns/{campaign.id}/decision").text
    assert "Different from what was approved" not in page, "the first of two is none of before"


def test_a_schedule_that_self_service_covers_begins(log_in, session):
    own = recurrence.make_branch(session)
    add_rule(session, own.unit.id, up_to=60, approvals=0)
    campaign = recurrence.write_daily(session, own)
    session.commit()
    walker = Walker(log_in(own.unit), f"/campaigns/{campaign.id}/check")
    walker.tap("Start it (1 person now)")
    assert walker.answer.status_code == 200
    assert walker.answer.request.path == f"/campaigns/{campaign.id}"
    session.expire_all()
    assert session.get_one(Campaign, campaign.id).status == "active"
