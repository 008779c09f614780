"""Segments: rules in words, the builder without JavaScript, and what a change touches."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, text

from sms_service.audience.models import Segment
from sms_service.audience.somebody import require_somebody
from sms_service.console.rule_rows import RuleRow, join_rules, make_rules, split_rule
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from tests.api.samples import make_samples
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_person, make_segment, make_unit


def attribute(**comparison):
    return {"attribute": {"name": "生日", **comparison}}


RETIRED, YOUNG = {"tag": "退休"}, {"attribute": {"name": "birthday", "after": "1990-01-01"}}


@pytest.fixture
def city(session):
    city = make_unit(session, name="云州市")
    branch = make_unit(session, name="第一支部", level="branch", parent=city)
    make_person(session, branch, "林一", tags=["退休"])
    make_person(session, city, "林二<b>", tags=["骨干"], attributes={"gender": "女"})
    session.commit()
    return city


def choice(rule):
    return json.dumps(rule, ensure_ascii=False, sort_keys=True)


def send(visitor, address, fields, **rows):
    return visitor.client.post(address, data={**fields, **rows}, headers=SAME_ORIGIN)


@pytest.mark.parametrize(
    "rule",
    [
        {"everyone": True},
        RETIRED,
        {"not": {"role": "书记"}},
        {"all": [{"unit": 17}, {"not": YOUNG}, {"attribute": {"name": "gender", "is": "女"}}]},
        {"any": [RETIRED, {"kind": "member"}, {"suspect": True}]},
        {"all": [{"level": "branch"}, {"segment": 12}, {"campaign": {"id": 17, "outcome": "not_answered"}}]},
        {"any": [attribute(at_least=60), attribute(less=99.5), attribute(**{"is": "本科"}), attribute(exists=False)]},
        {"any": [attribute(before={"years_ago": 1}), attribute(after={"days_ago": 30})]},
        {"all": [attribute(age={"at_least": 60}), attribute(anniversary="this_month"), {"people": [3, 4]}]},
    ],
)
def test_rows_say_what_the_rule_says(rule):
    joined, rows = split_rule(rule)
    assert join_rules(make_rules(rows, "/1/"), joined) == rule


def test_what_rows_cannot_say_stays_json():
    assert split_rule({"all": [{"any": [RETIRED, YOUNG]}, RETIRED]}) is None
    for row in (
        RuleRow("x"),
        RuleRow("[]"),
        RuleRow('{"tag": 1}'),
        RuleRow(choice({"attribute": {"name": "a", "is": None}})),
        RuleRow(choice(attribute(at_least=None)), text="六十"),
        RuleRow(choice(attribute(age={"less": None})), text="18.5"),
        RuleRow(choice(attribute(before={"weeks_ago": None})), text="1"),
        RuleRow(choice({"campaign": {"outcome": "texted"}}), text="1"),
        RuleRow('{"unit": null}'),
    ):
        with pytest.raises(Invalid) as refused:
            make_rules([row], "/1/")
        assert refused.value.field == "row-1"


def test_a_rule_for_nobody_names_its_rows(session, city):
    for rows, message in (
        ([RETIRED, {"tag": "无"}], "no person fits row 2"),
        ([RETIRED, {"tag": "骨干"}], "alone they find 1, 1 people"),
        ([], "nobody is found"),
    ):
        with pytest.raises(Invalid) as refused:
            require_somebody(session, {"all": rows} if rows else {"tag": "无"}, rows, city.path)
        assert message in refused.value.reason


def test_the_list_says_the_rules_in_words_and_who_uses_them(log_in, database, session):
    city = make_unit(session, name="青山市")
    session.commit()
    visitor = log_in(city, "officer")
    assert "青山市: there is no segment yet." in visitor.get("/segments").text
    ids = make_samples(database, session, city)
    make_segment(session, city, {"all": [RETIRED, {"unit": city.id}]}, "老同志<b>")
    make_segment(session, city, {"people": [ids["person_id"]]}, "一次名单")
    session.commit()
    page = visitor.get("/segments").text
    assert "everybody in 青山市 and below who has the tag 退休 and is in 青山市 or below" in page
    assert "老同志&lt;b&gt;" in page
    assert "一次名单" not in page
    assert "一次名单" in visitor.get("/segments?lists=true").text
    assert "No segment of 青山市 fits these filters." in visitor.get("/segments?name=x").text
    used = visitor.get(f"/segments/{ids['segment_id']}").text
    assert f'href="/campaigns/{ids["campaign_id"]}"' in used
    assert f'href="/people/{ids["person_id"]}"' in used
    assert log_in(make_unit(session), "officer").get(f"/segments/{ids['segment_id']}").status_code == 403
    assert "/segments/new" not in log_in(city, "auditor").get("/segments").text


def test_the_builder_adds_rows_previews_and_keeps_once(log_in, session, city):
    visitor, path = log_in(city, "officer"), f"/segments/new?unit={city.id}"
    first = visitor.get(path).text
    assert "退休 (1)" in first
    assert "gender：女 (1)" in first
    assert "第一支部 (1)" in first
    fields = {**visitor.fields(path), "name": "老同志", "joined": "all", "row-1": choice(RETIRED)}
    more = send(visitor, path, fields, add="1", count="1")
    assert more.status_code == 200
    assert 'name="row-2"' in more.text
    assert 'value="老同志"' in more.text
    seen = send(visitor, path, fields, count="1")
    assert "everybody in 云州市 and below who has the tag 退休" in seen.text
    assert "林一" in seen.text
    assert "Keep, with 1 people" in seen.text
    assert not session.scalars(select(Segment)).all()
    keep = f"/segments/new/keep?unit={city.id}"
    nobody = send(visitor, keep, fields, count="2", **{"row-2": choice({"tag": "骨干"})})
    assert nobody.status_code == 422
    assert "nobody fits the rows together" in nobody.text
    nameless = send(visitor, keep, {**fields, "name": ""}, count="1")
    assert nameless.status_code == 422
    answers = [send(visitor, keep, fields, count="1") for _ in range(2)]
    made = session.scalars(select(Segment)).one()
    assert {answer.location for answer in answers} == {f"/segments/{made.id}"}
    assert (made.name, made.rule) == ("老同志", RETIRED)


def test_raw_json_counts_instead_of_the_rows(log_in, session, city):
    visitor, keep = log_in(city, "officer"), f"/segments/new/keep?unit={city.id}"
    fields = {**visitor.fields(f"/segments/new?unit={city.id}"), "name": "复杂", "count": "1"}
    wrong = send(visitor, keep, fields, raw="{")
    assert wrong.status_code == 422
    assert "is not JSON" in wrong.text
    assert 'name="raw"' in wrong.text
    rule = {"any": [{"all": [RETIRED, {"kind": "member"}]}, {"tag": "骨干"}]}
    assert send(visitor, keep, fields, raw=json.dumps(rule)).status_code == 303
    made = session.scalars(select(Segment)).one()
    assert made.rule == rule
    assert "&#34;any&#34;" in visitor.get(f"/segments/{made.id}/change").text


def test_a_change_names_the_campaigns_that_it_touches(log_in, database, session):
    city = make_unit(session)
    session.commit()
    ids = make_samples(database, session, city)
    visitor, path = log_in(city, "officer"), f"/segments/{ids['segment_id']}/change"
    assert "These campaigns use it" not in visitor.get(path).text
    session.execute(text("UPDATE campaigns SET status = 'approved'"))
    session.commit()
    page = visitor.get(path).text
    assert "These campaigns use it" in page
    make_person(session, city, tags=["退休"])
    session.commit()
    fields = {**visitor.fields(path), "name": "改名", "joined": "any", "row-1": choice(RETIRED)}
    rows = {"count": "2", "row-2": choice({"tag": "骨干"}), "not-2": "true"}
    assert send(visitor, f"{path}/keep", fields, **rows).location == f"/segments/{ids['segment_id']}"
    session.expire_all()
    changed = session.get_one(Segment, ids["segment_id"])
    assert (changed.name, changed.rule) == ("改名", {"any": [RETIRED, {"not": {"tag": "骨干"}}]})
    assert "is not" in visitor.get(path).text
    assert log_in(city, "auditor").get(path).status_code == 403
    elsewhere = log_in(make_unit(session), "officer")
    assert elsewhere.get(path).status_code == 403
    assert elsewhere.post(f"{path}/keep", data={"name": "x"}).status_code == 403


def test_a_segment_of_above_is_seen_within_ones_own_unit(log_in, session, city):
    branch = session.scalars(select(Unit).where(Unit.parent_id == city.id)).one()
    base = make_segment(session, city, RETIRED, "老同志")
    names = make_segment(session, city, {"unit": city.id}, "全市")
    own = make_segment(session, branch, {"not": {"segment": base.id}}, "其余")
    session.commit()
    visitor = log_in(branch, "officer")
    assert "老同志" in visitor.get("/segments").text
    page = visitor.get(f"/segments/{base.id}").text
    assert "everybody in 第一支部 and below who is in the segment 老同志 (has the tag 退休)" in page
    assert "林一" in page
    assert "林二" not in page
    assert f'href="/segments/{own.id}"' in page
    assert f"/segments/{base.id}/change" not in page
    assert visitor.get(f"/segments/{base.id}/change").status_code == 403
    unusable = visitor.get(f"/segments/{names.id}")
    assert unusable.status_code == 200
    assert "must be a unit within" in unusable.text
    assert f'href="/segments/{own.id}"' in log_in(city, "officer").get(f"/segments/{base.id}").text


def test_a_row_names_a_unit_far_below_by_what_is_written(log_in, session):
    city = make_unit(session, name="青山市")
    street = make_unit(session, name="湖滨街道", parent=make_unit(session, name="东城区", parent=city))
    for name in ("第一支部", "第二支部"):
        make_person(session, make_unit(session, name=name, parent=street), f"{name}的人")
    session.commit()
    visitor, path = log_in(city, "officer"), f"/segments/new?unit={city.id}"
    fields = {**visitor.fields(path), "name": "支部", "count": "1", "row-1": choice({"unit": None})}
    keep = f"/segments/new/keep?unit={city.id}"
    for written, message in (
        ("", "write the value beside it"),
        ("三支部", "no unit here"),
        ("支部", "several units fit"),
    ):
        refused = send(visitor, keep, fields, **{"text-1": written})
        assert refused.status_code == 422
        assert message in refused.text
    assert send(visitor, keep, fields, **{"text-1": "第一"}).status_code == 303
    branch = session.scalars(select(Unit).where(Unit.name == "第一支部")).one()
    made = session.scalars(select(Segment)).one()
    assert made.rule == {"unit": branch.id}
    form = visitor.get(f"/segments/{made.id}/change").text
    assert "everybody in 青山市 and below who is in 第一支部 or below</option>" in form
    offered = visitor.client.post(
        f"/segments/offers?unit={city.id}",
        data={**fields, "text-1": "二支"},
        headers={**SAME_ORIGIN, "HX-Trigger-Name": "text-1"},
    ).text
    assert "第二支部 · " in offered
    assert "第一支部" not in offered
    elsewhere = log_in(make_unit(session), "officer")
    refused = elsewhere.client.post(
        f"/segments/offers?unit={city.id}", data=elsewhere.fields("/segments/new"), headers=SAME_ORIGIN
    )
    assert refused.status_code == 403


def test_the_builder_offers_what_fits_and_says_the_sentence_at_once(log_in, database, session):
    city = make_unit(session, name="青山市")
    session.commit()
    ids = make_samples(database, session, city)
    make_person(session, city, attributes={"积分": "80", "生日": "1980-02-03"}, tags=["退休"])
    base = make_segment(session, city, RETIRED, "老同志")
    session.commit()
    visitor, path = log_in(city, "officer"), f"/segments/new?unit={city.id}"
    page = visitor.get(path).text
    for label in (
        "积分 is at least …",
        "生日 this month, of whatever year",
        "whole years since 生日: at least …",
        "老同志",
    ):
        assert label in page
    assert "积分 before …" not in page
    assert "学习 · " in page, "campaigns that were launched"
    rows = {"row-1": choice({"segment": base.id}), "row-2": choice({"campaign": {"id": None, "outcome": "texted"}})}
    fields = {**visitor.fields(path), "name": "回访", "count": "2", "joined": "all", "not-2": "true", **rows}
    unfinished = send(visitor, f"/segments/words?unit={city.id}", fields)
    assert "write the value beside it" in unfinished.text
    fields["text-2"] = f"学习 · {ids['campaign_id']}"
    words = send(visitor, f"/segments/words?unit={city.id}", fields).text
    assert "who is in the segment 老同志 (has the tag 退休) and was not texted by the campaign 学习" in words


def test_a_preview_warns_of_what_nobody_has(log_in, session, city):
    visitor, path = log_in(city, "officer"), f"/segments/new?unit={city.id}"
    rule = {"any": [RETIRED, {"attribute": {"name": "性别", "is": "女"}}]}
    shown = send(visitor, path, {**visitor.fields(path), "count": "1"}, raw=json.dumps(rule)).text
    assert "nobody has the attribute 性别; there are: gender" in shown
