"""The decision: three taps on a phone, nothing unseen, nobody on their own text."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from sms_service.accounts import services as accounts
from sms_service.accounts.actors import SYSTEM, load_actor
from sms_service.accounts.models import Account
from sms_service.audience.segments import change_segment
from sms_service.campaigns import services
from sms_service.campaigns.approval import decide_approval
from sms_service.campaigns.models import Campaign, Decision
from sms_service.console import decision
from sms_service.ledger.models import Run
from tests.console.campaigning import Walker, approve_draft, make_branch, make_invitation, write_draft
from tests.factories import make_actor, make_person, make_segment, make_unit

PASSWORD = "correct horse battery staple"


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


@pytest.fixture
def author(session, branch):
    return make_actor(session, branch)


def submit(session, unit, author, **kw):
    campaign = write_draft(session, unit, author, **kw)
    services.submit_campaign(session, author, campaign.id)
    session.commit()
    return campaign


def now(session, campaign):
    session.expire_all()
    return session.get_one(Campaign, campaign.id)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_three_taps_from_the_link(log_in, branch, session, author, language):
    campaign = submit(session, branch, author)
    walker = Walker(log_in(branch, "approver", language=language), f"/campaigns/{campaign.id}/decision")
    walker.taps = 1  # the link in the notice
    walker.tap("批准" if language == "zh" else "Approve", "/approve")
    assert "3" in " ".join(walker.buttons)
    walker.tap("确认批准 3 人" if language == "zh" else "Confirm for 3 people")
    assert walker.taps == 3
    assert now(session, campaign).status in ("approved", "active")


@pytest.mark.parametrize("later", [False, True])
def test_the_approval_of_an_invitation_sends_it(log_in, branch, session, clock, later):
    make_invitation(session, branch)
    session.commit()
    at = (clock.now + timedelta(days=1)).astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT09:30")
    words = {"values.主题": "重温", "values.时间": "周六", "values.地点": "二楼", "signature": "云州先锋"}
    walker = Walker(log_in(branch), "/invite").tap("Next", **words, **({"when": "later", "at": at} if later else {}))
    assert ("Its approval sends it, at" if later else "as soon as it may be sent") in walker.text
    walker.tap("Submit for approval")
    campaign = session.scalars(select(Campaign)).one()
    approver = Walker(log_in(branch, "approver"), f"/campaigns/{campaign.id}/decision")
    assert "Its approval sends it" in approver.text
    approver.tap("Approve", "/approve").tap("Confirm for 3 people")
    run = session.scalars(select(Run)).one()
    assert approver.answer.request.path == f"/runs/{run.id}"
    assert (now(session, campaign).status, run.status) == ("active", "planned")
    if later:
        assert run.due_at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:%M") == at


def test_a_time_that_was_missed_is_said_and_can_be_sent_now(log_in, branch, session, author):
    campaign = submit(session, branch, author, launch_on_approval=True)
    session.execute(update(Campaign).values(planned_at=func.sms_now() - timedelta(hours=1)))
    session.commit()
    approver = Walker(log_in(branch, "approver"), f"/campaigns/{campaign.id}/decision")
    approver.tap("Approve", "/approve").tap("Confirm for 3 people")
    assert "was over before it was approved" in approver.text
    officer = Walker(log_in(branch), f"/campaigns/{campaign.id}").tap("Check and send").tap("Send to 3 people")
    assert officer.answer.request.path.startswith("/runs/")


def test_what_waits_is_listed_for_who_may_approve_it(log_in, branch, session, author):
    campaign = submit(session, branch, author, name="等待中")
    submit(session, make_unit(session), SYSTEM, name="别处的")
    write_draft(session, branch, name="草稿")
    session.commit()
    walker = Walker(log_in(branch, "approver"), "/").tap("Approvals")
    assert re.findall(r'class="stretched-link fw-bold"[^>]*>([^<]+)<', walker.text) == ["等待中"]
    assert f"/campaigns/{campaign.id}/decision" in walker.text
    services.withdraw_campaign(session, SYSTEM, campaign.id)
    session.commit()
    assert "幸福支部: nothing waits for an approval" in walker.visitor.get("/decisions").text
    officer = log_in(branch)
    assert officer.get("/decisions").status_code == 403
    assert "/decisions" not in officer.get("/").text


def test_it_is_returned_with_a_reason(log_in, branch, session, author):
    campaign = submit(session, branch, author)
    walker = Walker(log_in(branch, "approver"), f"/campaigns/{campaign.id}/decision")
    walker.tap("Return it to who wrote it")
    assert walker.answer.status_code == 422
    assert "say why it is returned" in walker.text
    walker.tap("Return it to who wrote it", reason="0", comment="“周六”应为“周日”")
    assert now(session, campaign).status == "rejected"
    comment = session.scalars(select(Decision.comment)).one()
    assert comment == "The text has a mistake. “周六”应为“周日”"
    assert "“周六”应为“周日”" in log_in(branch).get(f"/campaigns/{campaign.id}").text


def test_nobody_decides_on_their_own_text_and_is_told_why(log_in, branch, session):
    both = log_in(branch, "officer", "approver")
    campaign = submit(session, branch, load_actor(session, both.account_id))
    page = both.get(f"/campaigns/{campaign.id}/decision").text
    assert "had a hand in campaign" in page
    assert "/decision/approve" not in page
    assert "Return it" not in page
    digest = re.search(r"[0-9a-f]{64}", log_in(branch, "approver").get(f"/campaigns/{campaign.id}/decision").text)[0]
    data = {"digest": digest, "phones": 3}
    assert both.post(f"/campaigns/{campaign.id}/decision/approve", data=data).status_code == 403
    # Whoever made the author's account is no other person.
    maker = log_in(branch, "approver")
    session.get_one(Account, both.account_id).created_by = maker.account_id
    session.commit()
    page = maker.get(f"/campaigns/{campaign.id}/decision").text
    assert "is no other person" in page
    assert "/decision/approve" not in page
    assert now(session, campaign).status == "submitted"


def test_who_only_reads_sees_no_button(log_in, branch, session, author):
    campaign = submit(session, branch, author)
    page = log_in(branch, "auditor").get(f"/campaigns/{campaign.id}/decision").text
    assert "/decision/approve" not in page
    assert log_in(branch, "auditor").get(f"/campaigns/{campaign.id}/decision/approve").status_code == 403
    assert log_in(make_outside(session), "approver").get(f"/campaigns/{campaign.id}/decision").status_code == 403


def make_outside(session):
    unit = make_unit(session)
    session.commit()
    return unit


def test_what_changed_since_it_was_read_is_not_approved(log_in, branch, session, author):
    segment = make_segment(session, branch, {"everyone": True})
    campaign = submit(session, branch, author, segment_id=segment.id)
    visitor = log_in(branch, "approver")
    walker = Walker(visitor, f"/campaigns/{campaign.id}/decision").tap("Approve", "/approve")
    change_segment(session, author, segment.id, rule={"tag": "退休"})
    session.commit()
    name = session.get_one(Account, author.account_id).name
    walker.tap("Confirm for 3 people")
    assert walker.answer.status_code == 409
    assert "退休" in walker.text
    assert name in walker.text
    assert now(session, campaign).status == "submitted"
    old = Walker(visitor, f"/campaigns/{campaign.id}/decision/approve?digest={'0' * 64}")
    assert old.answer.request.path == f"/campaigns/{campaign.id}/decision"
    assert "It has changed since you opened it" in old.text


def test_more_people_than_were_read_is_not_approved(log_in, branch, session, author):
    campaign = submit(session, branch, author)
    walker = Walker(log_in(branch, "approver"), f"/campaigns/{campaign.id}/decision").tap("Approve", "/approve")
    make_person(session, branch)
    session.commit()
    walker.tap("Confirm for 3 people")
    assert walker.answer.status_code == 422
    walker.tap("Confirm for 4 people")
    assert now(session, campaign).status in ("approved", "active")


def test_the_difference_to_what_was_approved_last(log_in, branch, session, author):
    campaign = approve_draft(session, write_draft(session, branch, values={"词": "旧"}))
    copy = services.copy_campaign(session, author, campaign.id)
    services.change_campaign(session, author, copy.id, {"signature": "云州党建", "validity_s": 3600})
    services.submit_campaign(session, author, copy.id)
    session.commit()
    visitor = log_in(branch, "approver")
    page = visitor.get(f"/campaigns/{copy.id}/decision").text
    assert re.findall(r"<del>(.*?)</del>", page, re.DOTALL)[0].startswith("【云州先锋】")
    assert re.findall(r"<ins>(.*?)</ins>", page, re.DOTALL)[0].startswith("【云州党建】")
    assert "24 hours" in page
    same = services.copy_campaign(session, author, campaign.id)
    services.submit_campaign(session, author, same.id)
    first = submit(session, branch, author)
    session.commit()
    assert "Nothing: it is the same." in visitor.get(f"/campaigns/{same.id}/decision").text
    assert "Different from what was approved" not in visitor.get(f"/campaigns/{first.id}/decision").text


def test_many_people_take_the_password_again(app, branch, session, author, clock, monkeypatch):
    monkeypatch.setattr(decision, "PASSWORD_ABOVE", 2)
    account = accounts.create_account(session, SYSTEM, unit_id=branch.id, login="lin", name="林", password=PASSWORD)
    accounts.grant_role(session, SYSTEM, account.id, role="approver", unit_id=branch.id)
    campaign = submit(session, branch, author)
    from tests.console.conftest import SAME_ORIGIN, Visitor

    client = app.test_client()
    client.post("/log-in", data={"login": "lin", "password": PASSWORD}, headers=SAME_ORIGIN)
    client.set_cookie("sms-language", "en")
    visitor = Visitor(client, "lin", account.id)
    clock.now += timedelta(minutes=10)
    assert visitor.get("/me").status_code == 200
    clock.now += timedelta(minutes=10)
    walker = Walker(visitor, f"/campaigns/{campaign.id}/decision").tap("", "/approve")
    path = f"/campaigns/{campaign.id}/decision/approve"
    assert 'name="_password"' in walker.text
    walker.tap("", path, _password="wrong")
    assert walker.answer.status_code == 422
    assert now(session, campaign).status == "submitted"
    walker.tap("", path, _password=PASSWORD)
    assert now(session, campaign).status in ("approved", "active")


def test_a_double_tap_decides_once(log_in, branch, session, author):
    campaign = submit(session, branch, author)
    visitor = log_in(branch, "approver")
    walker = Walker(visitor, f"/campaigns/{campaign.id}/decision").tap("Approve", "/approve")
    page = walker.answer
    walker.tap("Confirm for 3 people")
    walker.answer = page
    walker.tap("Confirm for 3 people")
    assert walker.answer.status_code == 200
    assert session.query(Decision).count() == 1
    with pytest.raises(Exception, match="is"):
        decide_approval(session, SYSTEM, campaign.id, approve=True)


def test_the_back_button_after_an_approval_shows_the_decision(log_in, branch, session, author):
    campaign = submit(session, branch, author)
    visitor = log_in(branch, "approver")
    walker = Walker(visitor, f"/campaigns/{campaign.id}/decision").tap("Approve", "/approve")
    page = f"/campaigns/{campaign.id}/decision/approve?digest={campaign_digest(walker)}"
    walker.tap("Confirm for 3 people")
    answer = visitor.get(page, follow_redirects=True)
    assert answer.request.path == f"/campaigns/{campaign.id}/decision"
    assert f"Approved by {accounts_name(session, visitor)}," in answer.text
    assert f'href="/campaigns/{campaign.id}"' in answer.text
    assert "Approve " not in answer.text.partition("<main")[2].partition("</h1>")[0]


def test_what_waits_is_listed_with_how_many_get_it(log_in, branch, session, author):
    make_person(session, branch, name="张无号", phone=None)
    submit(session, branch, author, name="主题党日")
    page = log_in(branch, "approver").get("/decisions").text
    assert "主题党日" in page
    assert "3 people" in page
    page = log_in(branch, "approver", language="zh").get("/decisions").text
    assert "3 人" in page


def campaign_digest(walker):
    return re.search(r'name="digest" value="([0-9a-f]+)"', walker.text)[1]


def accounts_name(session, visitor):
    return session.get_one(Account, visitor.account_id).name
