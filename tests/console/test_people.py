"""People: listed by unit and reach, found by a search that leaves no trace in an address, changed, moved, added."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.suppression import suppress_phone
from sms_service.audit.models import TrailEntry
from sms_service.console.people import MOST_FOUND
from sms_service.delivery.models import LostCheck
from sms_service.directory.models import Contact, Person
from tests.api.samples import make_samples
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_person, make_unit


@pytest.fixture
def branch(session, city):
    branch = make_unit(session, name="第一支部", level="branch", parent=city)
    session.commit()
    return branch


def search(visitor, wanted):
    return visitor.post("/people", form="/people", data={"wanted": wanted})


def test_the_list_narrows_by_unit_kind_tag_and_reach(log_in, session, city, branch):
    make_person(session, branch, "林一", tags=["骨干"])
    make_person(session, branch, "林二", kind="contact")
    make_person(session, city, "林三", phone=None)
    make_person(session, city, "林四", phone=None, phone_problem="is a landline, which cannot get texts")
    opted = make_person(session, city, "林五")
    make_person(session, city, "林六", lost_contact=True)
    gone = make_person(session, city, "林七")
    suppress_phone(session, SYSTEM, opted.phone, "opted_out")
    session.execute(Person.__table__.update().where(Person.id == gone.id).values(left_at=gone.created_at))
    session.commit()
    visitor = log_in(city, "auditor")

    def names(query):
        page = visitor.get(f"/people?{query}").text
        return "".join(name[1] for name in ("林一", "林二", "林三", "林四", "林五", "林六", "林七") if name in page)

    assert names("") == "一二三四五六"
    assert names(f"unit={branch.id}") == "一二"
    assert names("kind=contact") == "二"
    assert names("tag=骨干") == "一"
    assert names("reach=reachable") == "一二"
    assert names("reach=no_phone") == "三"
    assert names("reach=bad_number") == "四"
    assert names("reach=opted_out") == "五"
    assert names("reach=lost_contact") == "六"
    assert names("left=true") == "七"
    assert "Nobody in 云州市 fits these filters." in visitor.get("/people?kind=contact&tag=x").text
    assert opted.phone not in visitor.get("/people").text


def test_pages_go_on_by_the_cursor_and_keep_the_filter(log_in, session, city):
    for number in range(5):
        make_person(session, city, f"王{number}", tags=["a"])
    session.commit()
    visitor = log_in(city, "auditor")
    first = visitor.get("/people?limit=3&tag=a").text
    assert "王2" in first
    assert "王3" not in first
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "tag=a" in following
    assert "王3" in visitor.get(following).text


def test_a_search_finds_by_name_number_and_phone_and_is_no_address(log_in, session, city, branch):
    person = make_person(session, branch, "欧阳一", phone="+8613900001111", number="P-77")
    make_person(session, branch, "王二")
    session.commit()
    visitor = log_in(city, "auditor")
    for wanted in ("欧阳", "P-77", "139 0000 1111", "+8613900001111"):
        answer = search(visitor, wanted)
        assert answer.status_code == 200
        assert "欧阳一" in answer.text, wanted
        assert "王二" not in answer.text
    assert "Nobody in your units fits." in search(visitor, "司马").text
    assert "Nobody in your units fits." in search(visitor, "%").text
    assert search(visitor, "x\x00y").status_code == 200
    elsewhere = make_unit(session)
    session.commit()
    assert "欧阳一" not in search(log_in(elsewhere, "auditor"), "欧阳").text
    assert person.phone not in search(visitor, person.phone).text.replace('value="+8613900001111"', "")


def test_too_many_found_says_so(log_in, session, city):
    for _ in range(51):
        make_person(session, city, "张三")
    session.commit()
    assert f"More than {MOST_FOUND} people fit" in search(log_in(city, "auditor"), "张").text


def test_one_person_with_what_is_wrong_in_words(log_in, session, city, branch):
    person = make_person(session, branch, "林一", phone=None, phone_problem="has 10 digits; a mobile number has 11")
    session.add(Contact(unit_id=branch.id, person_id=person.id, role="书记"))
    session.commit()
    page = log_in(city, "auditor").get(f"/people/{person.id}").text
    assert "it has 10 digits; a mobile number has 11." in page
    assert "书记" in page
    assert "云州市" in page
    assert "/change" not in page
    assert "Show the whole phone number" not in page
    assert log_in(make_unit(session), "auditor").get(f"/people/{person.id}").status_code == 403
    assert log_in(city, "auditor").get("/people/99999").status_code == 404


def test_the_last_texts_are_named(log_in, database, session, city):
    ids = make_samples(database, session, city)
    session.commit()
    page = log_in(city, "auditor").get(f"/people/{ids['person_id']}").text
    assert "What became of it" in page


def test_a_whole_phone_is_shown_for_a_reason_that_the_trail_keeps(log_in, session, city, branch, clock):
    person = make_person(session, branch, "林一")
    session.commit()
    visitor = log_in(city, "officer")
    path = f"/people/{person.id}"
    assert person.phone not in visitor.get(path).text
    without = visitor.post(f"{path}/phone", form=path)
    assert without.status_code == 422
    assert person.phone not in without.text
    shown = visitor.post(f"{path}/phone", form=path, data={"why": "问路"})
    assert shown.status_code == 200
    assert person.phone in shown.text
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "people.see_phones")).one()
    assert entry.details == {"people": [person.id], "why": "问路"}
    fields = visitor.fields(path)
    auditor = log_in(city, "auditor")
    assert auditor.post(f"{path}/phone", data={"why": "x"}).status_code == 403
    from datetime import timedelta

    clock.now += timedelta(minutes=16)
    stale = visitor.client.post(f"{path}/phone", data={**fields, "why": "x"}, headers=SAME_ORIGIN)
    assert stale.status_code == 422
    assert person.phone not in stale.text


def test_changing_keeps_what_is_not_touched(log_in, session, city, branch):
    person = make_person(session, branch, "林一", tags=["甲"])
    session.commit()
    visitor, path, phone = log_in(city, "administrator"), f"/people/{person.id}/change", person.phone
    assert phone not in visitor.get(path).text
    data = {"name": "林一一", "kind": "member", "tags": "甲、乙", "lost_contact": "true"}
    assert visitor.post(path, form=path, data=data).location == f"/people/{person.id}"
    session.expire_all()
    assert (person.name, person.tags, person.lost_contact, person.phone) == ("林一一", ["甲", "乙"], True, phone)
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "person.change")).one()
    assert entry.details == {"fields": ["lost_contact", "name", "tags"]}
    wrong = visitor.post(path, form=path, data={**data, "phone": "12345"})
    assert wrong.status_code == 422
    assert 'value="林一一"' in wrong.text
    assert visitor.post(path, form=path, data={**data, "phone": "13900002222"}).status_code == 303
    session.expire_all()
    assert person.phone == "+8613900002222"
    both = {**data, "phone": "13900002222", "without_phone": "true"}
    assert visitor.post(path, form=path, data=both).status_code == 422
    visitor.post(path, form=path, data={**data, "without_phone": "true", "left": "true"})
    session.expire_all()
    assert person.phone is None
    assert person.left_at is not None
    assert log_in(city, "officer").get(path).status_code == 403


def test_moving_says_what_it_means_and_needs_both_units(log_in, session, city, branch):
    other = make_unit(session, name="第二支部", level="branch", parent=city)
    person = make_person(session, branch, "林一")
    session.commit()
    visitor, path = log_in(city, "administrator"), f"/people/{person.id}/move"
    page = visitor.get(f"{path}?unit={other.id}").text
    assert "林一 will belong to 第二支部." in page
    here = log_in(branch, "administrator")
    assert here.post(path, form="/me", data={"unit_id": other.id}).status_code == 403
    assert visitor.post(path, form=f"{path}?unit={other.id}", data={"unit_id": other.id}).status_code == 303
    session.expire_all()
    assert person.unit_id == other.id


def test_adding_acts_once_and_keeps_the_input_of_a_refused_form(log_in, session, city, branch):
    visitor = log_in(city, "administrator")
    path = f"/people/new?unit={branch.id}"
    fields = visitor.fields(path)
    data = {**fields, "name": "赵六", "kind": "member", "phone": "139"}
    wrong = visitor.client.post(path, data=data, headers=SAME_ORIGIN)
    assert wrong.status_code == 422
    assert 'value="赵六"' in wrong.text
    good = {**data, "phone": "13900003333"}
    answers = [visitor.client.post(path, data=good, headers=SAME_ORIGIN) for _ in range(2)]
    assert len({answer.location for answer in answers}) == 1
    found = session.scalars(select(Person).where(Person.name == "赵六")).all()
    assert [(p.unit_id, p.phone) for p in found] == [(branch.id, "+8613900003333")]


def test_nothing_yet_offers_what_fills_it(log_in, city):
    assert "Here will be the people of 云州市" in log_in(city, "administrator").get("/people").text


def test_a_person_is_erased_once_the_name_is_typed(log_in, session, city):
    person = make_person(session, city, "欧阳测试")
    session.commit()
    person_id = person.id
    path = f"/people/{person_id}/erase"
    assert log_in(city, "officer").get(path).status_code == 403
    visitor = log_in(city, "administrator")
    assert f'href="{path}"' in visitor.get(f"/people/{person_id}").text
    assert "This cannot be undone" in visitor.get(path).text
    wrong = visitor.post(path, form=path, data={"name": "欧阳", "why": "本人要求"})
    assert (wrong.status_code, "is not the name of this person" in wrong.text) == (422, True)
    assert visitor.post(path, form=path, data={"name": "欧阳测试"}).status_code == 422
    done = visitor.post(path, form=path, data={"name": " 欧阳测试 ", "why": "本人要求"})
    assert (done.status_code, done.location) == (303, "/people")
    assert "The person is erased" in visitor.get("/people").text
    assert visitor.get(f"/people/{person_id}").status_code == 404
    session.expire_all()
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "person.erase")).one()
    assert (entry.target_id, entry.details["why"]) == (str(person_id), "本人要求")


def test_everything_about_a_person_is_shown_for_a_reason_and_as_a_file(log_in, session, city):
    person = make_person(session, city, "欧阳<b>测试")
    session.add(LostCheck(person_id=person.id, cause="not_reached", campaigns=3, opened_at=func.now()))
    session.commit()
    path = f"/people/{person.id}/data"
    assert log_in(city, "auditor").get(path).status_code == 403
    visitor = log_in(city, "officer")
    assert f'href="{path}"' in visitor.get(f"/people/{person.id}").text
    assert person.phone not in visitor.get(path).text
    assert visitor.post(path, form=path, data={"form": "page"}).status_code == 422
    page = visitor.post(path, form=path, data={"form": "page", "why": "本人要求"})
    assert (page.status_code, person.phone in page.text, "欧阳&lt;b&gt;测试" in page.text) == (200, True, True)
    assert "Lost contact (1)" in page.text
    assert "Texts do not arrive" in page.text
    file = visitor.post(path, form=path, data={"form": "file", "why": "本人要求"})
    assert (file.mimetype, file.json["person"]["phone"]) == ("application/json", person.phone)
    assert session.query(TrailEntry).filter_by(act="person.export").count() == 2
