"""The invitation: from the first page to the approver in three taps, and what can go wrong on the way."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Segment, Suppression
from sms_service.campaigns import approval, services
from sms_service.campaigns.invitations import MOST_TICKED
from sms_service.campaigns.models import Campaign
from sms_service.content.fields import FieldKind, TemplateField
from sms_service.content.library import create_template
from sms_service.directory.models import Person
from tests.console.campaigning import Walker, make_branch, make_invitation, write_draft
from tests.factories import make_actor, make_person, make_template, make_unit

EVIL = '"><svg onload=alert(1)><b>'
WORDS = {"values.主题": "重温入党誓词", "values.时间": "本周六上午9时", "values.地点": "二楼会议室"}


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    version = make_invitation(session, branch)
    write_draft(session, branch, version_id=version.id, name="上次", values={"地点": "二楼会议室"})
    session.commit()
    return branch


def people_of(session, unit):
    return session.scalars(select(Person.id).where(Person.unit_id == unit.id).order_by(Person.id)).all()


def newest(session):
    session.expire_all()
    campaign = session.scalars(select(Campaign).order_by(Campaign.id.desc())).first()
    return campaign, session.get_one(Segment, campaign.segment_id)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_three_taps_and_three_words_to_the_approver(log_in, branch, session, language):
    walker = Walker(log_in(branch, "officer", language=language))
    walker.tap("", "/invite")
    assert "云州先锋" in walker.text, "the signature is there already"
    assert '<option value="二楼会议室">' in walker.text, "the last place is offered"
    walker.tap("", "/invite?", **WORDS)
    assert "重温入党誓词" in walker.text
    assert "3" in walker.buttons[-1]
    walker.tap("", "/submit")
    assert walker.taps == 3
    campaign, segment = newest(session)
    assert (campaign.status, campaign.signature, segment.rule) == ("submitted", "云州先锋", {"everyone": True})
    assert campaign.values == {name.removeprefix("values."): value for name, value in WORDS.items()}
    assert re.fullmatch("主题党日邀请[：:] ?重温入党誓词", campaign.name)


def test_what_it_is_about_comes_first_and_the_last_words_are_one_tap_away(log_in, branch):
    page = log_in(branch).get("/invite").text
    fields = re.findall(r'id="f-values\.([^"]+)"', page)
    assert fields[:3] == ["主题", "时间", "地点"]
    assert 'data-fill="f-values.地点" data-value="二楼会议室"' in page


def test_a_day_is_offered_by_its_date_and_lies_ahead(log_in, branch, session):
    campaign, _ = newest(session)
    campaign.values = {"时间": "2020-01-04 上午9时"}  # a Saturday
    session.commit()
    offered = re.search(r'data-fill="f-values.时间" data-value="([^"]+)"', log_in(branch).get("/invite").text)[1]
    assert re.fullmatch(r"\d+月\d+日（星期六）上午9时", offered)


@pytest.mark.parametrize("large", [False, True], ids=["ticked", "whole"])
def test_it_says_who_of_the_unit_gets_none_and_leads_to_them(log_in, branch, session, large):
    session.add(Suppression(phone=session.get_one(Person, people_of(session, branch)[0]).phone, source="api"))
    make_person(session, branch, name="张无号", phone=None)
    for _ in range(MOST_TICKED if large else 0):
        make_person(session, branch)
    session.commit()
    number = len(people_of(session, branch))
    page = log_in(branch).get("/invite").text
    assert f"{number - 2} of these {number} get it. The others do not:" in page
    for reason in ("opted_out", "no_phone"):
        assert f'href="/people?unit={branch.id}&amp;reach={reason}"' in page


def test_who_is_not_ticked_gets_none(log_in, branch, session):
    first, second, third = people_of(session, branch)
    walker = Walker(log_in(branch), "/invite").tap("Next", people=[first, third, 999_999], **WORDS)
    assert "Submit for approval (2 people)" in walker.buttons
    campaign, segment = newest(session)
    assert segment.rule == {"people": [first, third]}
    walker.tap("Change", "/invite")
    page = walker.text
    assert f'value="{second}">' in page
    assert f'value="{first}" checked>' in page
    assert 'value="重温入党誓词"' in page
    walker.tap("Next", people=[second])
    changed, own = newest(session)
    assert (changed.id, own.id, own.rule) == (campaign.id, segment.id, {"people": [second]})


def test_nobody_ticked_is_said_and_keeps_the_words(log_in, branch, session):
    walker = Walker(log_in(branch), "/invite").tap("Next", people=[], **WORDS)
    assert walker.answer.status_code == 422
    assert "tick at least one person" in walker.text
    assert 'value="重温入党誓词"' in walker.text


def test_what_is_missing_is_named(log_in, branch, session):
    walker = Walker(log_in(branch), "/invite").tap("Next", **{**WORDS, "values.地点": " "})
    assert walker.answer.status_code == 422
    assert 'href="#f-values.地点"' in walker.text
    assert "地点 is missing" in walker.text
    assert 'value="本周六上午9时"' in walker.text
    assert newest(session)[0].name == "上次"


def test_a_person_whom_no_text_reaches_is_known_as_such(log_in, branch, session):
    person = session.get_one(Person, people_of(session, branch)[0])
    session.add(Suppression(phone=person.phone, source="api"))
    make_person(session, branch, name="张无号", phone=None)
    session.commit()
    walker = Walker(log_in(branch), "/invite")
    assert "Wants no texts" in walker.text
    assert "No phone number" in walker.text
    walker.tap("Next", **WORDS)
    assert "Submit for approval (2 people)" in walker.buttons
    assert "张无号" in walker.text


def test_a_time_in_the_past_is_refused_and_a_later_one_is_kept(log_in, branch, clock):
    for at in ("2020-01-01T09:00", "", "morgen"):
        walker = Walker(log_in(branch), "/invite").tap("Next", when="later", at=at, **WORDS)
        assert walker.answer.status_code == 422
        assert 'href="#f-at"' in walker.text
    later = (clock.now + timedelta(days=2)).strftime("%Y-%m-%dT10:30")
    walker = Walker(log_in(branch), "/invite").tap("Next", when="later", at=later, **WORDS)
    assert f'name="at" value="{later}"' in walker.text
    assert "10:30" in walker.text


def test_a_large_unit_is_invited_as_a_whole(log_in, branch, session):
    for _ in range(MOST_TICKED):
        make_person(session, branch)
    session.commit()
    walker = Walker(log_in(branch), "/invite")
    assert 'type="checkbox"' not in walker.text
    assert f"all {MOST_TICKED + 3} people" in walker.text
    walker.tap("Next", **WORDS)
    assert newest(session)[1].rule == {"everyone": True}


def test_another_template_has_other_fields(log_in, branch, session):
    make_invitation(session, branch, "活动提醒", "{{ 活动 }}将于{{ 时间 }}举行。")
    make_template(session, branch, "学习", name="学习内容")
    session.commit()
    walker = Walker(log_in(branch), "/invite")
    assert "学习内容" not in walker.text
    walker.tap("活动提醒")
    assert 'name="values.活动"' in walker.text
    assert 'name="values.主题"' not in walker.text
    walker.tap("Next", **{"values.活动": "义诊", "values.时间": "周日"})
    assert newest(session)[0].name == "活动提醒: 义诊"


def test_an_officer_of_several_units_chooses(log_in, branch, session):
    city = session.get_one(type(branch), branch.parent_id)
    visitor = log_in(city)
    page = visitor.get("/invite").text
    assert f'<option value="{branch.id}">' in page
    Walker(visitor, f"/invite?unit={branch.id}").tap("Next", **WORDS)
    assert newest(session)[0].unit_id == branch.id


def test_without_a_template_it_says_so(log_in, session):
    unit = make_unit(session, name="新支部")
    session.commit()
    page = log_in(unit).get("/invite")
    assert page.status_code == 200
    assert "新支部 has no template for invitations yet" in page.text


def test_the_text_shows_what_is_written_without_being_kept(log_in, branch, session):
    visitor = log_in(branch)
    page = visitor.get("/invite").text
    path = re.search(r'hx-post="([^"]+)"', page)[1]
    first = people_of(session, branch)[0]
    answer = visitor.post(path, "/invite", {**WORDS, "signature": "云州先锋", "people": first})
    assert answer.status_code == 200
    assert "【云州先锋】党员00同志：幸福支部定于本周六上午9时在二楼会议室" in answer.text
    part = visitor.post(path, "/invite", {"values.主题": EVIL, "signature": "云州先锋"})
    assert "<svg onload" not in part.text
    assert "〔地点〕" in part.text
    assert newest(session)[0].name == "上次"


def test_a_double_tap_writes_one(log_in, branch, session):
    visitor = log_in(branch)
    page = visitor.get("/invite").text
    action = re.search(r'action="(/invite[^"]*)"', page)[1].replace("&amp;", "&")
    fields = {name: value for name, value in visitor.fields("/invite").items() if name.startswith("_")}
    data = {**fields, **WORDS, "signature": "云州先锋", "people": people_of(session, branch)}
    answers = [
        visitor.client.post(action, data=data, headers={"Sec-Fetch-Site": "same-origin"}).location for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert session.query(Campaign).count() == 2


def test_what_waits_for_an_approver_cannot_be_changed_here(log_in, branch, session):
    campaign, _ = newest(session)
    campaign.values = {name.removeprefix("values."): value for name, value in WORDS.items()}
    services.submit_campaign(session, make_actor(session, branch), campaign.id)
    session.commit()
    assert log_in(branch).get(f"/invite?campaign={campaign.id}").status_code == 409
    assert approval.latest_decision(session, campaign.id) is None


def test_who_may_not_write_gets_no_form(log_in, branch, session):
    assert log_in(branch, "auditor").get("/invite").status_code == 403
    elsewhere = make_unit(session)
    session.commit()
    assert log_in(elsewhere).get(f"/invite?unit={branch.id}").status_code == 403
    assert log_in(elsewhere).get(f"/invite?campaign={newest(session)[0].id}").status_code == 403


def test_a_form_asks_with_label_hint_and_example_and_refuses_another_kind(log_in, branch, session):
    fields = [
        TemplateField("主题", "活动主题", "只写主题", "重温入党誓词"),
        TemplateField("时间", "何时", kind=FieldKind.moment, example="12月1日9:00"),
        TemplateField("人数", "几人", kind=FieldKind.number),
    ]
    body = "{{ name }}：{{ 时间 | 日期时间 }}{{ 人数 }}人，{{ 主题 }}。"
    made, _ = create_template(session, SYSTEM, branch.id, "报名", "invitation", body, fields)
    session.commit()
    walker = Walker(log_in(branch), f"/invite?template={made.id}")
    page = walker.text
    assert page.index("活动主题") < page.index("何时") < page.index("几人")
    assert "只写主题" in page
    assert "for example: 12月1日9:00" in page
    assert 'inputmode="decimal"' in page
    words = {"values.主题": "党课", "values.时间": "十点", "values.人数": "3"}
    refused = walker.tap("Next", **words)
    assert refused.answer.status_code == 422
    assert "must be a date with a time" in refused.text
    kept = refused.tap("Next", **words | {"values.时间": "2026-12-01 9:00"})
    assert "12月1日（周二）上午9:00" in kept.text
    campaign, _ = newest(session)
    assert campaign.name == "报名: 党课", "what is asked first says what it is about"
