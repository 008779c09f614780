"""审批规则 and 审批委托: rules added, tried, changed and removed by an administrator; the right lent and ended."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from sms_service.accounts.actors import SYSTEM
from sms_service.accounts.models import Delegation
from sms_service.campaigns.rule_acts import add_approval_rule
from sms_service.campaigns.rule_models import ApprovalRule
from sms_service.directory.models import Unit
from tests.console.campaigning import Walker, make_branch, write_draft
from tests.factories import make_account


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


@pytest.fixture
def city(session, branch):
    return session.get_one(Unit, branch.parent_id)


def test_an_administrator_adds_tries_changes_and_removes_a_rule(log_in, branch, city, session):
    walker = Walker(log_in(city, "administrator", language="zh"), "/approval-rules")
    assert "云州市：还没有规则，所有活动均由一人审批" in walker.text
    terms = {"level": "branch", "up_to": "60", "approvals": "0"}
    walker.tap("新增", "/approval-rules", unit_id=city.id, **terms)
    assert "规则从现在起生效：支部 · 不超过 60 人 · 自助发送" in walker.text
    rule = session.scalars(select(ApprovalRule)).one()
    assert (rule.level, rule.class_, rule.up_to, rule.approvals, rule.growth_percent) == ("branch", None, 60, 0, 20)
    for people, said in ((60, "自助发送"), (61, "一人审批")):
        address = f"/approval-rules?unit={branch.id}&class=invitation&people={people}"
        tried = walker.visitor.get(address).text.partition('id="tried"')[2].partition("</strong>")[0]
        assert f"幸福支部 · 邀请 · {people} 人：{said}" in tried
    walker = Walker(walker.visitor, f"/approval-rules/{rule.id}")
    walker.tap("保存", up_to="30")
    session.expire_all()
    assert session.get_one(ApprovalRule, rule.id).up_to == 30
    Walker(walker.visitor, f"/approval-rules/{rule.id}").tap("删除这条规则")
    trail = walker.visitor.get("/trail").text
    assert "新增了云州市的审批规则：支部 · 不超过 60 人 · 自助发送" in trail
    assert "删除了云州市的审批规则：支部 · 不超过 30 人 · 自助发送" in trail
    assert session.scalar(select(func.count()).select_from(ApprovalRule)) == 0


def test_what_a_rule_cannot_say_is_said_beside_the_field(log_in, city, session):
    walker = Walker(log_in(city, "administrator"), "/approval-rules")
    walker.tap("Add the rule", unit_id=city.id, approvals="0", up_to="5000")
    assert walker.answer.status_code == 422
    assert "self-service needs a number of people, at most 1,000" in walker.text
    assert 'value="5000"' in walker.text
    assert session.scalar(select(func.count()).select_from(ApprovalRule)) == 0


def test_others_read_the_rules_and_change_none(log_in, branch, city, session):
    rule = add_approval_rule(session, SYSTEM, unit_id=city.id, level="branch", up_to=60, approvals=0)
    session.commit()
    for visitor in (log_in(branch), log_in(branch, "administrator"), log_in(city, "approver")):
        page = visitor.get("/approval-rules").text
        assert "up to 60 people" in page
        assert f"/approval-rules/{rule.id}" not in page
        assert visitor.get(f"/approval-rules/{rule.id}").status_code == 403
        for path in (f"/approval-rules/{rule.id}", f"/approval-rules/{rule.id}/remove"):
            assert visitor.post(path, data={"approvals": "1"}).status_code == 403
    answer = log_in(branch, "administrator").post("/approval-rules", data={"unit_id": city.id, "approvals": "2"})
    assert answer.status_code == 403


def test_the_right_is_lent_seen_by_both_and_ended(log_in, branch, city, session, clock):
    deputy = log_in(branch, "officer", login="deputy")
    boss = log_in(city, "approver", login="boss", language="zh")
    until = (clock.now.astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(days=7)).date()
    walker = Walker(boss, "/me").tap("审批委托")
    walker.tap("委托", unit_id=branch.id, login="deputy", until=until.isoformat(), why="<b>出差")
    assert "生效中" in walker.text
    assert "&lt;b&gt;出差" in walker.text
    assert "代您审批" in boss.get("/me").text
    assert "You approve for" in deputy.get("/me").text
    campaign = write_draft(session, branch)
    session.commit()
    assert deputy.get("/decisions").status_code == 200
    named = log_in(city, "officer").get(f"/campaigns/{campaign.id}/check").text
    assert "账号deputy" in named
    admin = log_in(city, "administrator")
    assert "deputy" in admin.get("/approval-rules").text
    Walker(deputy, "/me/delegations").tap("End now")
    assert deputy.get("/decisions").status_code == 403
    assert session.scalars(select(Delegation.ended_by)).all() == [deputy.account_id]
    assert "已提前结束" in boss.get("/me/delegations").text


def test_an_administrator_ends_what_others_lent(log_in, branch, city, session, clock):
    make_account(session, branch, "deputy", ())
    boss = log_in(city, "approver")
    until = (clock.now.astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(days=1)).date()
    data = {"unit_id": branch.id, "login": "deputy", "until": until.isoformat(), "why": "出差"}
    assert boss.post("/me/delegations", data=data).status_code == 303
    lent = session.scalars(select(Delegation.id)).one()
    path = f"/approval-rules/delegations/{lent}/end"
    below = log_in(branch, "officer")
    assert below.post(path).status_code == 403
    page = Walker(log_in(city, "administrator"), "/approval-rules")
    page.tap("End", path)
    session.expire_all()
    assert session.get_one(Delegation, lent).ended_at is not None
    assert path not in page.text


@pytest.mark.parametrize(
    ("field", "value"), [("login", "nobody"), ("until", "2020-01-01"), ("until", "soon"), ("why", ""), ("unit_id", "x")]
)
def test_what_cannot_be_lent_is_said_and_the_input_kept(log_in, city, session, clock, field, value):
    make_account(session, city, "deputy", ())
    boss = log_in(city, "approver")
    until = clock.now.astimezone(ZoneInfo("Asia/Shanghai")).date()
    data = {"unit_id": city.id, "login": "deputy", "until": until.isoformat(), "why": "出差", field: value}
    answer = boss.post("/me/delegations", data=data)
    assert answer.status_code == 422
    if value:
        assert f'value="{value}"' in answer.text or field == "unit_id"
    assert session.scalar(select(func.count()).select_from(Delegation)) == 0
