"""The opt-out list: seen with its reasons, found by phone without an address that says it, added to and lifted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Suppression
from sms_service.audience.suppression import find_active, lift_suppression, suppress_by_itself, suppress_phone
from sms_service.audit.models import TrailEntry
from tests.bringing import bring
from tests.console.conftest import SAME_ORIGIN
from tests.factories import fictional_phone, make_person, make_unit


@pytest.fixture
def branch(session, city):
    branch = make_unit(session, name="第一支部", level="branch", parent=city)
    session.commit()
    return branch


def search(visitor, wanted):
    return visitor.post("/opted-out", form="/opted-out", data={"wanted": wanted})


def entry_of(session, phone):
    return session.scalars(select(Suppression.id).where(Suppression.phone == phone)).one()


def test_the_list_says_who_why_since_when_and_whence(log_in, session, city, branch):
    visitor = log_in(city, "auditor")
    assert "Here will be those of 云州市 who want no texts." in visitor.get("/opted-out").text
    one, two = make_person(session, branch, "林一<b>"), make_person(session, city, "林二")
    suppress_phone(session, SYSTEM, one.phone, "complaint")
    suppress_by_itself(session, two.phone, "opted_out", "reply")
    session.commit()
    page = visitor.get("/opted-out").text
    assert "林一&lt;b&gt;" in page
    assert "Complained" in page
    assert "A reply" in page
    assert one.phone not in page
    assert "/opted-out/new" not in page
    assert "林二" not in visitor.get(f"/opted-out?unit={branch.id}").text
    assert "林二" not in visitor.get("/opted-out?reason=complaint").text
    assert "Nobody in 云州市 fits these filters." in visitor.get("/opted-out?reason=blacklisted").text
    assert "林一" not in log_in(make_unit(session), "auditor").get("/opted-out").text


def test_pages_go_on_by_the_cursor(log_in, session, city):
    for number in range(3):
        suppress_phone(session, SYSTEM, make_person(session, city, f"王{number}").phone, "opted_out")
    session.commit()
    visitor = log_in(city, "auditor")
    first = visitor.get("/opted-out?limit=2").text
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    both = first + visitor.get(following).text
    assert all(both.count(f"王{number}") == 1 for number in range(3))


def test_a_number_is_found_by_a_search_that_is_no_address(log_in, session, city, branch):
    person, nobodys = make_person(session, branch, "林一"), fictional_phone()
    for phone in (person.phone, nobodys):
        suppress_phone(session, SYSTEM, phone, "opted_out")
    session.commit()
    visitor = log_in(city, "administrator")
    found = search(visitor, person.phone.removeprefix("+86"))
    assert found.status_code == 200
    assert "林一" in found.text
    assert "Nobody in your units with this number has opted out." in search(visitor, fictional_phone()).text
    assert "nobody of your units has this number" in search(visitor, nobodys).text
    wrong = search(visitor, "123")
    assert wrong.status_code == 422
    assert 'value="123"' in wrong.text
    here = log_in(branch, "auditor")
    assert "nobody of your units has this number" not in search(here, nobodys).text
    path = f"/opted-out/{entry_of(session, nobodys)}"
    assert here.get(path).status_code == 403
    assert visitor.post(f"{path}/lift", form=path, data={"why": "本人来电"}).status_code == 303
    assert find_active(session, nobodys) is None


def test_adding_acts_once_and_keeps_the_input_of_a_refused_form(log_in, session, city, branch):
    person = make_person(session, branch, "林一")
    session.commit()
    visitor, path = log_in(branch, "officer"), "/opted-out/new"
    fields = visitor.fields(path)
    data = {**fields, "phone": "139", "reason": "wrong_person"}
    wrong = visitor.client.post(path, data=data, headers=SAME_ORIGIN)
    assert wrong.status_code == 422
    assert 'value="139"' in wrong.text
    good = {**data, "phone": person.phone}
    answers = [visitor.client.post(path, data=good, headers=SAME_ORIGIN) for _ in range(2)]
    assert [answer.location for answer in answers] == ["/opted-out"] * 2
    assert session.scalars(select(Suppression.reason).where(Suppression.phone == person.phone)).one() == "wrong_person"
    assert len(session.scalars(select(TrailEntry).where(TrailEntry.act == "suppression.add")).all()) == 1
    strangers = {"phone": make_person(session, make_unit(session)).phone, "reason": "opted_out"}
    session.commit()
    assert visitor.post(path, form=path, data=strangers).status_code == 403
    assert log_in(city, "auditor").get(path).status_code == 403


def test_lifting_needs_a_reason_and_everybody_who_has_the_number(log_in, session, city, branch):
    person = make_person(session, branch, "林一")
    suppress_phone(session, SYSTEM, person.phone, "opted_out")
    session.commit()
    path = f"/opted-out/{entry_of(session, person.phone)}"
    visitor = log_in(branch, "administrator")
    assert path in visitor.get("/opted-out").text
    assert visitor.post(f"{path}/lift", form=path).status_code == 422
    make_person(session, city, "林二", phone=person.phone)
    session.commit()
    assert "Only an administrator over everybody who has this number can lift it." in visitor.get(path).text
    fields = visitor.fields("/opted-out")
    refused = visitor.client.post(f"{path}/lift", data={**fields, "why": "本人来电"}, headers=SAME_ORIGIN)
    assert refused.status_code == 403
    top = log_in(city, "administrator")
    assert top.post(f"{path}/lift", form=path, data={"why": "本人来电"}).status_code == 303
    assert find_active(session, person.phone) is None
    page = top.get(path).text
    assert "was let have texts again" in page
    assert "本人来电" in page
    assert "Let 1 number have texts again" not in page
    assert "Let 1 number have texts again" not in log_in(city, "officer").get(path).text
    assert "was on the opt-out list" in top.get(f"/people/{person.id}").text


def test_an_entry_shows_where_it_comes_from_and_what_the_number_had(log_in, database, session, city, branch):
    person = make_person(session, branch, "林一")
    found = bring(session, "people", f"编号,姓名,手机号,组织编码,标签\nM1,王伟,13911112222,{branch.code},不接收短信")
    session.commit()
    visitor = log_in(city, "administrator")
    assert f"/imports/{found.id}" in visitor.get(f"/opted-out/{entry_of(session, '+8613911112222')}").text
    suppress_by_itself(session, person.phone, "opted_out", "reply", 17)
    lift_suppression(session, SYSTEM, person.phone, "本人来电")
    first = suppress_phone(session, SYSTEM, person.phone, "manual", unit_id=branch.id, note="正在住院<b>")
    second = suppress_phone(session, SYSTEM, person.phone, "complaint")
    session.commit()
    page = visitor.get(f"/opted-out/{second.id}").text
    for said in ("Complained", "第一支部 and all below it", "正在住院&lt;b&gt;", "本人来电", "A reply"):
        assert said in page
    assert f"/opted-out/{first.id}" in page
    lifted = session.scalars(select(Suppression.id).where(Suppression.lifted_at.is_not(None))).one()
    assert "/replies?reply=17" in visitor.get(f"/opted-out/{lifted}").text
    assert visitor.get("/replies?reply=17").status_code == 200
    everywhere, of_unit = (visitor.get(f"/opted-out?scope={scope}").text for scope in ("everywhere", "unit"))
    assert ("正在住院" in everywhere, "正在住院" in of_unit) == (False, True)
    only_lifted = visitor.get("/opted-out?state=lifted").text
    assert "lifted " in only_lifted
    assert "正在住院" not in only_lifted
    assert search(visitor, person.phone).text.count("林一") == 3
    person_page = visitor.get(f"/people/{person.id}").text
    assert "Gets no texts of 第一支部 and all below it since" in person_page
    assert "Gets no texts since" in person_page


def test_a_unit_keeps_its_own_texts_from_a_number(log_in, session, city, branch):
    person = make_person(session, branch, "林一")
    session.commit()
    visitor, path = log_in(city, "officer"), f"/opted-out/new?unit={branch.id}"
    data = {"phone": person.phone, "reason": "manual", "unit_id": str(branch.id)}
    wrong = visitor.post("/opted-out/new", form=path, data=data)
    assert wrong.status_code == 422
    assert "is needed with this reason" in wrong.text
    assert visitor.post("/opted-out/new", form=path, data={**data, "note": "家属来电"}).status_code == 303
    found = find_active(session, person.phone, branch.id)
    assert (found.reason, found.note, found.source) == ("manual", "家属来电", "api")
    assert find_active(session, person.phone) is None
    assert "家属来电" in visitor.get("/opted-out").text


def test_a_number_is_kept_from_one_class_and_signature(log_in, session, city, branch):
    person = make_person(session, branch, "林一")
    session.commit()
    visitor, path = log_in(branch, "officer"), "/opted-out/new"
    data = {"phone": person.phone, "reason": "opted_out", "class": "study", "signature": "云州先锋"}
    assert visitor.post(path, form=path, data=data).status_code == 303
    entry = f"/opted-out/{entry_of(session, person.phone)}"
    for page in ("/opted-out?class=study", "/opted-out?signature=云州先锋", "/opted-out?scope=kind", entry):
        assert "Study · 【云州先锋】" in visitor.get(page).text, page
    assert "林一" not in visitor.get("/opted-out?class=notice").text
    assert "Gets none of these texts since" in visitor.get(f"/people/{person.id}").text
