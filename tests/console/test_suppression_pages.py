"""The opt-out list: seen with its reasons, found by phone without an address that says it, added to and lifted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Suppression
from sms_service.audience.suppression import suppress_by_itself, suppress_phone
from sms_service.audit.models import TrailEntry
from tests.console.conftest import SAME_ORIGIN
from tests.factories import fictional_phone, make_person, make_unit


@pytest.fixture
def branch(session, city):
    branch = make_unit(session, name="第一支部", level="branch", parent=city)
    session.commit()
    return branch


def search(visitor, wanted):
    return visitor.post("/opted-out", form="/opted-out", data={"wanted": wanted})


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
    assert "Lift</a>" not in page
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
    assert "nobody in the directory has it" in search(visitor, nobodys).text
    wrong = search(visitor, "123")
    assert wrong.status_code == 422
    assert 'value="123"' in wrong.text
    here = log_in(branch, "auditor")
    assert "nobody in the directory has it" not in search(here, nobodys).text
    data = {"phone": nobodys, "why": "本人来电"}
    assert visitor.post("/opted-out/lift", form="/opted-out", data=data).status_code == 303
    assert session.get(Suppression, nobodys) is None


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
    path = f"/opted-out/{person.id}/lift"
    visitor = log_in(branch, "administrator")
    assert path in visitor.get("/opted-out").text
    assert visitor.post(path, form=path).status_code == 422
    make_person(session, city, "林二", phone=person.phone)
    session.commit()
    assert "People outside your units have this number too." in visitor.get(path).text
    assert visitor.post(path, form=path, data={"why": "本人来电"}).status_code == 403
    top = log_in(city, "administrator")
    assert top.post(path, form=path, data={"why": "本人来电"}).status_code == 303
    assert session.get(Suppression, person.phone) is None
    assert top.get(path).status_code == 404
    assert log_in(city, "officer").get(path).status_code == 403
