"""Units: the tree with its counts, branches without a contact, the window that says what it changes."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.directory.models import Contact, Unit
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_person, make_unit


@pytest.fixture
def branch(session, district):
    branch = make_unit(session, name="第一支部", level="branch", parent=district)
    session.commit()
    return branch


def test_one_top_shows_its_level_with_counts_that_lead_to_rows(log_in, session, city, district, branch):
    for _ in range(3):
        make_person(session, branch)
    session.commit()
    page = log_in(city, "auditor").get("/units").text
    assert "城东区" in page
    assert "第一支部" not in page
    assert f'href="/people?unit={district.id}">3<' in page
    assert f'href="/units/without-contact?unit={district.id}">1<' in page
    assert "Rename" not in page


def test_several_tops_are_a_list_and_a_search_finds_below_them(log_in, session, city, branch):
    visitor = log_in(branch, "auditor")
    assert "第一支部" in visitor.get("/units").text
    other = make_unit(session, name="城西区", parent=city)
    session.commit()
    visitor = log_in(city, "auditor")
    for wanted in ("支部", branch.code):
        answer = visitor.post("/units", form="/units", data={"wanted": wanted})
        assert answer.status_code == 200
        assert f'href="/units/{branch.id}"' in answer.text
        assert f'href="/units/{other.id}"' not in answer.text
        assert "云州市 / 城东区" in answer.text
    assert "No unit of yours" in visitor.post("/units", form="/units", data={"wanted": "%"}).text


def test_a_branch_shows_who_holds_a_role_or_that_nobody_does(log_in, session, city, branch):
    visitor = log_in(city, "auditor")
    path = f"/units/{branch.id}"
    assert "Nobody holds a role in this branch" in visitor.get(path).text
    assert "第一支部" in visitor.get(f"/units/without-contact?unit={city.id}").text
    person = make_person(session, branch, "林书记")
    session.add(Contact(unit_id=branch.id, person_id=person.id, role="书记"))
    session.commit()
    page = visitor.get(path).text
    assert "林书记" in page
    assert person.phone not in page
    assert "Nobody holds a role" not in page
    assert "In every branch" in visitor.get(f"/units/without-contact?unit={city.id}").text
    person.lost_contact = True
    session.commit()
    assert "Nobody who holds a role in this branch is reachable" in visitor.get(path).text
    listed = visitor.get(f"/units/without-contact?unit={city.id}").text
    assert "林书记" in listed
    assert "Out of reach" in listed
    assert log_in(branch, "auditor").get(f"/units/{city.id}").status_code == 403
    above = log_in(branch, "auditor").get(path).text
    assert "云州市" not in above


def test_children_go_on_by_the_cursor(log_in, session, city):
    for number in range(5):
        make_unit(session, code=f"D{number}", name=f"区{number}", parent=city)
    session.commit()
    visitor = log_in(city, "auditor")
    first = visitor.get("/units?limit=3").text
    assert "区3" not in first
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "区3" in visitor.get(following).text


def test_a_window_says_how_many_units_it_changes(log_in, session, city, district, branch):
    branch = session.get(Unit, branch.id)
    branch.window_opens = 600
    session.commit()
    visitor, path = log_in(city, "administrator"), f"/units/{city.id}/window"
    page = visitor.get(path).text
    assert "This changes 3 units: 云州市 and all below." in page
    assert "1 of them have other times now" in page
    assert "Set for 3 units" in page
    data = {"window_opens": "09:00", "window_closes": "08:00", "timezone": "Asia/Shanghai"}
    wrong = visitor.post(path, form=path, data=data)
    assert wrong.status_code == 422
    assert 'value="08:00"' in wrong.text
    done = visitor.post(path, form=path, data={**data, "window_closes": "24:00"})
    assert done.location == f"/units/{city.id}"
    assert "The window is set for 3 units." in visitor.get(done.location).text
    session.expire_all()
    assert {(u.window_opens, u.window_closes) for u in session.scalars(select(Unit))} == {(540, 1440)}
    assert log_in(district, "administrator").post(path, form="/me", data=data).status_code == 403
    assert log_in(city, "officer").get(path).status_code == 403


def test_renaming_and_adding(log_in, session, city, district):
    visitor = log_in(city, "administrator")
    path = f"/units/{district.id}/name"
    assert visitor.post(path, form=path, data={"name": " "}).status_code == 422
    assert visitor.post(path, form=path, data={"name": "新城区"}).location == f"/units/{district.id}"
    path = f"/units/{district.id}/new"
    fields = visitor.fields(path)
    data = {**fields, "name": "和平街道", "code": "S1", "level": "street"}
    answers = [visitor.client.post(path, data=data, headers=SAME_ORIGIN) for _ in range(2)]
    made = session.scalars(select(Unit).where(Unit.code == "S1")).one()
    assert {answer.location for answer in answers} == {f"/units/{made.id}"}
    assert (made.name, made.parent_id) == ("和平街道", district.id)
    session.expire_all()
    assert district.name == "新城区"
    assert visitor.post(path, form=path, data={**data, **visitor.fields(path)}).status_code == 409


def test_a_unit_has_caps_of_its_own(log_in, session):
    unit = make_unit(session, name="城东街道")
    session.commit()
    visitor = log_in(unit, "administrator")
    path = f"/units/{unit.id}/caps"
    assert path in visitor.get(f"/units/{unit.id}").text
    answer = visitor.post(path, form=path, data={"study": "1", "why": "群众反映太多"})
    assert answer.location == path
    page = visitor.get(path).text
    assert "The new caps hold for the unit and all below it." in page
    assert 'name="study" type="number" value="1"' in page
    assert visitor.post(path, form=path, data={"study": "0", "why": "x"}).status_code == 422
    reader = log_in(unit, "auditor")
    assert "<form" not in reader.get(path).text.split("<main")[1].split("</main")[0]


def test_a_unit_is_merged_after_its_effect_was_shown(log_in, session, city):
    one = make_unit(session, name="第一支部", level="branch", parent=city)
    two = make_unit(session, name="第二支部", level="branch", parent=city)
    make_person(session, one)
    session.commit()
    path = f"/units/{one.id}/close"
    assert log_in(city, "officer").get(path).status_code == 403
    visitor = log_in(city, "administrator")
    assert f'href="{path}"' in visitor.get(f"/units/{one.id}").text
    assert 'name="why"' not in visitor.get(path).text  # somebody has to take its people
    chosen = f"{path}?unit={two.id}"
    page = visitor.get(chosen).text
    assert "1 people, 0 units below and 0 roles go to 第二支部." in page
    assert visitor.post(path, form=chosen, data={"into": str(two.id)}).status_code == 422
    done = visitor.post(path, form=chosen, data={"into": str(two.id), "why": "支部合并"})
    assert (done.status_code, done.location) == (303, f"/units/{two.id}")
    shown = visitor.get(f"/units/{one.id}").text
    assert "Closed since" in shown
    assert f'href="/units/{two.id}"' in shown
    assert "第一支部" not in visitor.get(f"/units/{city.id}").text
    assert "第一支部" in visitor.get(f"/units/{city.id}/closed").text
    again = visitor.post(f"/units/{one.id}/reopen", form=f"/units/{one.id}", data={"why": "恢复"})
    assert again.status_code == 303
    assert "第一支部" in visitor.get(f"/units/{city.id}").text
