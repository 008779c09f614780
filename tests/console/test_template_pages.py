"""Templates: listed, shown with versions and uses; a new version is looked at on a person before it is kept."""

from __future__ import annotations

from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.content.categories import add_category
from sms_service.content.models import Template, TemplateVersion
from sms_service.controls.models import Cap
from tests.api.samples import make_samples
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_person, make_template, make_unit

EVIL = '"><svg onload=alert(1)><b>'


def versions(session):
    session.expire_all()
    return list(session.scalars(select(TemplateVersion.body).order_by(TemplateVersion.id)))


def test_the_list_filters_and_says_what_is_missing(log_in, session, city):
    visitor = log_in(city, "officer")
    assert "云州市: there is no template yet." in visitor.get("/templates").text
    make_template(session, city, name=EVIL, body="{# 说明 #}" + EVIL)
    make_template(session, city, name="会议通知", class_="notice")
    session.commit()
    page = visitor.get("/templates").text
    assert "会议通知" in page
    assert "<svg onload" not in page
    assert "说明" not in page
    make_template(session, city, name="每日一学", body="{{ name }}同志：{{ 内容 }}")
    session.commit()
    page = visitor.get("/templates").text
    assert "{{" not in page
    assert '<span class="busy rounded px-1">name</span>同志：<span class="busy rounded px-1">内容</span>' in page
    assert "会议通知" not in visitor.get("/templates?class=study").text
    assert "No template of 云州市 fits these filters." in visitor.get("/templates?class=survey").text
    assert "/templates/new" not in log_in(city, "auditor").get("/templates").text
    first = visitor.get("/templates?limit=1").text
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert (first + visitor.get(following).text).count("会议通知") == 1


def test_one_template_explains_its_class_and_says_who_uses_it(log_in, database, session, city):
    ids = make_samples(database, session, city)
    session.add(Cap(class_="study", per_day=3))
    session.commit()
    visitor, path = log_in(city, "officer"), f"/templates/{ids['template_id']}"
    page = visitor.get(path).text
    assert "each text ends with “拒收请回复R”" in page
    assert "at most 3 of them on one day" in page
    assert f'href="/campaigns/{ids["campaign_id"]}"' in page
    assert "New version" in page
    notice = make_template(session, city, class_="notice")
    session.commit()
    assert "no line about opting out" in visitor.get(f"/templates/{notice.template_id}").text
    assert "New version" not in log_in(city, "auditor").get(path).text
    assert log_in(make_unit(session), "officer").get(path).status_code == 403
    assert visitor.get("/templates/99999").status_code == 404


def test_a_new_version_is_looked_at_on_a_person_and_kept_once(log_in, session, city):
    make_person(session, city, "欧阳一")
    version = make_template(session, city, body="您好。", class_="notice")
    session.commit()
    visitor, path = log_in(city, "officer"), f"/templates/{version.template_id}"
    form = f"{path}/new-version"
    assert "您好。" in visitor.get(form).text
    data = {**visitor.fields(form), "body": "{{ name }}同志：\r\n{{ 时间 }}开会。", "signature": "云州先锋"}
    seen = visitor.client.post(form, data={**data, "wanted": "欧阳"}, headers=SAME_ORIGIN)
    assert seen.status_code == 200
    assert "【云州先锋】欧阳一同志：\n〔时间〕开会。" in seen.text
    filled = visitor.client.post(form, data={**data, "values.时间": "周五"}, headers=SAME_ORIGIN)
    assert "〔name〕同志：\n周五开会。" in filled.text
    nobody = visitor.client.post(form, data={**data, "wanted": "x"}, headers=SAME_ORIGIN)
    assert "Nobody in your units fits." in nobody.text
    assert versions(session) == ["您好。"]
    sent = [visitor.client.post(f"{path}/versions", data=data, headers=SAME_ORIGIN) for _ in range(2)]
    assert [answer.location for answer in sent] == [path] * 2
    assert versions(session) == ["您好。", "{{ name }}同志：\n{{ 时间 }}开会。"]
    page = visitor.get(path).text
    assert "This is version 2." in page
    assert page.index("Version 2") < page.index("Version 1")


def test_a_fault_in_the_text_stands_at_the_field(log_in, session, city):
    version = make_template(session, city)
    session.commit()
    visitor, path = log_in(city, "officer"), f"/templates/{version.template_id}"
    form = f"{path}/new-version"
    data = {**visitor.fields(form), "body": "{% for a in b %}", "signature": "云州先锋"}
    for address in (form, f"{path}/versions"):
        wrong = visitor.client.post(address, data=data, headers=SAME_ORIGIN)
        assert wrong.status_code == 422
        assert 'id="e-body-1"' in wrong.text
        assert "{% for a in b %}" in wrong.text
    assert len(versions(session)) == 1
    assert (
        visitor.client.post(form, data={**data, "body": "好", "signature": "【】"}, headers=SAME_ORIGIN).status_code
        == 422
    )


def test_a_new_template_and_who_may_write_one(log_in, session, city):
    visitor, path = log_in(city, "officer"), "/templates/new"
    data = {**visitor.fields(path), "unit_id": city.id, "name": "提醒", "class": "notice", "body": "您好{{"}
    wrong = visitor.client.post("/templates/new/keep", data=data, headers=SAME_ORIGIN)
    assert wrong.status_code == 422
    assert 'value="提醒"' in wrong.text
    good, keep = {**data, "body": "您好。"}, "/templates/new/keep"
    answers = [visitor.client.post(keep, data=good, headers=SAME_ORIGIN) for _ in range(2)]
    made = session.scalars(select(Template)).one()
    assert {answer.location for answer in answers} == {f"/templates/{made.id}"}
    good = {name: value for name, value in good.items() if not name.startswith("_")}
    assert visitor.post(keep, form=path, data=good).status_code == 409
    other = make_unit(session)
    session.commit()
    elsewhere = {**good, "unit_id": other.id}
    assert visitor.post(keep, form=path, data=elsewhere).status_code == 403
    assert log_in(city, "auditor").get(path).status_code == 403


def test_what_a_campaign_fills_in_is_described_on_the_form_and_asked_in_its_order(log_in, session, city):
    visitor = log_in(city, "officer")
    form = visitor.fields("/templates/new")
    form |= {
        "unit_id": city.id,
        "name": "会议",
        "signature": "云州先锋",
        "class": "notice",
        "body": "{{ 时间 }}在{{ 地点 }}，{{ name }}",
    }
    page = visitor.client.post("/templates/new", data=form, headers=SAME_ORIGIN).text
    assert 'name="fields.label.时间"' in page
    assert 'name="fields.label.name"' not in page, "that is each person's own"
    form |= {
        "fields.label.时间": EVIL,
        "fields.kind.时间": "moment",
        "fields.example.时间": "随时",
        "fields.place.时间": "2",
        "fields.label.地点": "地点",
        "fields.place.地点": "1",
    }
    refused = visitor.client.post("/templates/new/keep", data=form, headers=SAME_ORIGIN)
    assert refused.status_code == 422
    assert "must be a date with a time" in refused.text
    assert "<svg onload" not in refused.text
    form["fields.example.时间"] = "12月1日9:00"
    visitor.client.post("/templates/new/keep", data=form, headers=SAME_ORIGIN)
    version = session.scalars(select(TemplateVersion)).one()
    assert [(one["name"], one["kind"]) for one in version.fields] == [("地点", "text"), ("时间", "moment")]
    page = visitor.get(f"/templates/{version.template_id}").text
    assert "12月1日9:00在〔地点〕" in page, "an example stands where there is one"
    assert "<svg onload" not in page
    changed = visitor.get(f"/templates/{version.template_id}/new-version").text
    assert changed.index('name="fields.label.地点"') < changed.index('name="fields.label.时间"')


def test_a_template_is_copied_sorted_archived_and_brought_back(log_in, session, city):
    category = add_category(session, SYSTEM, city.id, EVIL)
    version = make_template(session, city, name="学习", body="您好。", class_="notice")
    session.commit()
    visitor, path = log_in(city, "officer"), f"/templates/{version.template_id}"
    copied = visitor.post(f"{path}/copy", form=f"{path}/copy", data={"name": "副本", "unit_id": city.id})
    page = visitor.get(copied.location).text
    assert "This is your copy" in page
    assert f'href="{path}">学习</a>' in page
    visitor.post(f"{path}/category", form=path, data={"category_id": category.id})
    page = visitor.get("/templates").text
    assert "<svg onload" not in page
    assert "学习" in visitor.get(f"/templates?category={category.id}").text
    assert "副本" not in visitor.get(f"/templates?category={category.id}").text
    visitor.post(f"{path}/archive", form=path)
    assert "no new campaign can use it" in visitor.get(path).text
    assert f'href="{path}"' not in visitor.get("/templates").text
    assert f'href="{path}"' in visitor.get("/templates?archived=true").text
    visitor.post(f"{path}/restore", form=path)
    assert f'href="{path}"' in visitor.get("/templates").text
    assert log_in(city, "auditor").client.post(f"{path}/archive", headers=SAME_ORIGIN).status_code == 403


def test_the_list_marks_what_a_filter_will_write(log_in, session, city):
    make_template(session, city, body="{{ 时间 | 日期时间 }}见。", variables=("时间",))
    session.commit()
    page = log_in(city, "officer").get("/templates").text
    assert "needs a date with a time" not in page
    assert "时间" in page
