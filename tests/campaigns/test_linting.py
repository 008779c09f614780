"""Lint before a campaign is submitted, approved and launched; an approver's ticks are kept with the decision."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import approval, outlook, services
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign
from sms_service.content.bindings import BindingChange, set_binding
from sms_service.content.library import change_template, get_version
from sms_service.content.models import ListKind
from sms_service.content.wordlists import add_words
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import BindingState, GatewayAccount
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Invalid
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.factories import make_person, make_segment, make_template, make_unit


@pytest.fixture
def district(session: Session) -> Unit:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, parent=make_unit(session))
    make_person(session, unit, name="张三", attributes={"事": "学习"})
    make_person(session, unit, name="李四")
    return unit


def write(session: Session, unit: Unit, body: str, names: tuple[str, ...] = (), **values: str) -> Campaign:
    version = make_template(session, unit, body, class_="notice", variables=names)
    segment = make_segment(session, unit, {"everyone": True})
    fields = {"template_version_id": version.id, "segment_id": segment.id, "signature": "云州先锋"}
    return services.create_campaign(session, SYSTEM, unit_id=unit.id, name="通知", values=values, **fields)


def found(session: Session, campaign: Campaign) -> list[tuple[str, str]]:
    return [(str(one.severity), one.key) for one in outlook.lint_campaign(session, SYSTEM, campaign.id)]


def test_who_lacks_a_value_is_counted_and_named(session: Session, district: Unit) -> None:
    campaign = write(session, district, "请来{{ 事 }}。", ("事",))
    (finding,) = outlook.lint_campaign(session, SYSTEM, campaign.id)
    assert (finding.severity, finding.key, finding.people) == ("note", "missing:事", ("李四",))
    assert finding.text == "1 people have no 事; they are refused, not texted"
    services.submit_campaign(session, SYSTEM, campaign.id)
    nobody = write(session, district, "请来{{ 地点 }}。", ("地点",))
    assert found(session, nobody) == [("refused", "nobody_has:地点")]
    with pytest.raises(Conflict, match="nor anybody of its audience"):
        services.submit_campaign(session, SYSTEM, nobody.id)
    assert session.get_one(Campaign, nobody.id).status == "draft"


def test_no_attribute_of_a_person_fills_a_variable_with_a_dot(session: Session, district: Unit) -> None:
    make_person(session, district, attributes={"venue.address": "南京路1号"})
    names = ("venue.address",)
    campaign = write(session, district, "请到{{ venue.address }}来。", names)
    assert found(session, campaign) == [("refused", "nobody_has:venue.address")]
    filled = write(session, district, "请到{{ venue.address }}来。", names, **{"venue.address": "二楼"})
    assert found(session, filled) == []


def test_a_text_that_cannot_be_made_is_refused(session: Session, district: Unit) -> None:
    campaign = write(session, district, "请{{ 时间 | 日期 }}来。", ("时间",), 时间="随时")
    assert found(session, campaign) == [("refused", "unrendered")]


def test_a_day_that_is_over_is_noted(session: Session, district: Unit) -> None:
    field = {"name": "日期", "label": "日期", "hint": "", "example": "", "kind": "date"}
    version = make_template(session, district, "请{{ 日期 }}来。", class_="notice", variables=("日期",), fields=[field])
    campaign = write(session, district, "请{{ 日期 }}来。", ("日期",), 日期="2020-01-02")
    assert found(session, campaign) == []
    campaign.template_version_id = version.id
    session.flush()
    assert found(session, campaign) == [("note", "past_day:日期")]
    campaign.values = {"日期": "2099-01-02"}
    session.flush()
    assert found(session, campaign) == []


def test_a_blocked_word_keeps_it_back_at_every_step(session: Session, district: Unit) -> None:
    campaign = write(session, district, "请来{{ 事 }}。", ("事",), 事="领免费礼品")
    submitted = write(session, district, "领免费礼品。")
    approved = write(session, district, "领免费礼品！")
    for one in (submitted, approved):
        services.submit_campaign(session, SYSTEM, one.id)
    approval.decide_approval(session, SYSTEM, approved.id, approve=True)
    assert district.parent_id is not None
    add_words(session, SYSTEM, district.parent_id, ListKind.block, ["免费"])
    for act in (
        lambda: services.submit_campaign(session, SYSTEM, campaign.id),
        lambda: approval.decide_approval(session, SYSTEM, submitted.id, approve=True),
        lambda: launch_campaign(session, SYSTEM, approved.id),
    ):
        with pytest.raises(Conflict, match="“免费” is on the block list"), session.begin_nested():
            act()
    approval.decide_approval(session, SYSTEM, submitted.id, approve=False, comment="请换说法")


def test_a_word_to_be_reviewed_needs_a_tick_that_the_decision_keeps(session: Session, district: Unit) -> None:
    add_words(session, SYSTEM, district.id, ListKind.review, ["捐款"])
    campaign = write(session, district, "请自愿捐款。")
    services.submit_campaign(session, SYSTEM, campaign.id)
    for ticks in ((), ("review_word:别的",)):
        with pytest.raises(Invalid, match="“捐款” is on the review list") as caught, session.begin_nested():
            approval.decide_approval(session, SYSTEM, campaign.id, approve=True, ticks=ticks)
        assert caught.value.field == "ticks"
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True, ticks=["review_word:捐款"])
    decision = approval.latest_decision(session, campaign.id)
    assert decision is not None
    assert decision.content is not None
    assert [one["values"]["word"] for one in decision.content["ticked"]] == ["捐款"]


def test_the_outlook_has_the_findings_with_the_price_of_a_link(session: Session, district: Unit) -> None:
    campaign = write(session, district, "请看 https://www.12371.cn/" + "a" * 60)
    seen = outlook.foresee_run(session, SYSTEM, campaign.id, {"main": 10.0}, {"main": 4.0})
    (link, parts) = seen.findings
    assert (link.key, parts.key) == ("link:www.12371.cn", "parts")
    assert "costs 1 parts of each text, 0.04 yuan" in link.text


def test_no_new_campaign_uses_an_archived_template_and_those_that_have_it_keep_it(
    session: Session, district: Unit
) -> None:
    campaign = write(session, district, "请来学习。")
    version_id = campaign.template_version_id
    change_template(session, SYSTEM, get_version(session, SYSTEM, version_id)[0].id, archived=True)
    services.change_campaign(session, SYSTEM, campaign.id, {"name": "改名", "template_version_id": version_id})
    services.submit_campaign(session, SYSTEM, campaign.id)
    with pytest.raises(Invalid, match="archived"):
        services.copy_campaign(session, SYSTEM, campaign.id)


def test_without_a_binding_that_its_route_needs_a_campaign_is_refused_at_every_step(
    session: Session, district: Unit
) -> None:
    draft, submitted, approved = (write(session, district, f"请来学习{mark}") for mark in "。！？")
    for one in (submitted, approved):
        services.submit_campaign(session, SYSTEM, one.id)
    approval.decide_approval(session, SYSTEM, approved.id, approve=True)
    session.execute(update(GatewayAccount).values(needs_binding=True))
    assert found(session, draft) == [("refused", "binding")]
    for act in (
        lambda: services.submit_campaign(session, SYSTEM, draft.id),
        lambda: approval.decide_approval(session, SYSTEM, submitted.id, approve=True),
        lambda: launch_campaign(session, SYSTEM, approved.id),
    ):
        with pytest.raises(Conflict, match="only registered templates pass at main"), session.begin_nested():
            act()
    seen = outlook.foresee_run(session, SYSTEM, approved.id, {"main": 10.0}, {"main": 4.0})
    assert (seen.through, seen.cost_fen) == (None, None), "no account would take it"
    template, version = get_version(session, SYSTEM, approved.template_version_id)
    set_binding(session, SYSTEM, template.id, version.number, "main", BindingChange(BindingState.usable, "SMS_1"))
    assert launch_campaign(session, SYSTEM, approved.id)[1]


def test_the_policy_of_an_account_of_the_route_refuses_a_campaign(session: Session, district: Unit) -> None:
    campaign = write(session, district, "请来学习。")
    policy = {"refused_words": ["学习"], "window": ["09:00", "18:00"]}
    session.execute(update(GatewayAccount).values(policy=policy))
    assert found(session, campaign) == [("refused", "policy:main:word:学习"), ("note", "policy:main:window")]
    district.demonstration = True
    session.execute(update(GatewayAccount).values(simulated=False))
    assert found(session, campaign) == [], "the demonstration never goes there"
