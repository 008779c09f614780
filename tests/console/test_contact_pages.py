"""Roles on the pages of a person and a unit, and the branches that nobody is reached through."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.directory.models import Contact
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_person, make_unit

EVIL = '"><svg onload=alert(1)><b>'


@pytest.fixture
def branches(session, city):
    found = [make_unit(session, name=f"第{number}支部", level="branch", parent=city) for number in "一二"]
    session.commit()
    return found


def test_a_role_is_given_from_the_units_page_and_taken_again(log_in, session, city, branches):
    one, two = branches
    person = make_person(session, one, f"林{EVIL}")
    make_person(session, make_unit(session), "林外人")
    session.commit()
    visitor = log_in(city, "administrator")
    path = f"/units/{two.id}/contacts"
    assert f'href="{path}"' in visitor.get(f"/units/{two.id}").text
    assert "Nobody holds a role here yet." in visitor.get(path).text
    found = visitor.post(path, form=path, data={"wanted": "林"})
    assert found.status_code == 200
    assert f'href="/people/{person.id}/roles?unit={two.id}"' in found.text
    assert "林外人" not in found.text
    assert "<svg onload" not in found.text
    form = f"/people/{person.id}/roles?unit={two.id}"
    fields = visitor.fields(form)
    assert fields["unit_id"] == str(two.id)
    empty = visitor.post(f"/people/{person.id}/roles", form=form, data={"unit_id": two.id, "role": " "})
    assert empty.status_code == 422
    answers = [
        visitor.client.post(f"/people/{person.id}/roles", data={**fields, "role": "书记"}, headers=SAME_ORIGIN)
        for _ in range(2)
    ]
    assert {answer.location for answer in answers} == {f"/people/{person.id}"}
    contact = session.scalars(select(Contact)).one()
    assert (contact.unit_id, contact.person_id, contact.role) == (two.id, person.id, "书记")
    assert "holds the role 书记 in 第二支部 now" in visitor.get(f"/people/{person.id}").text
    page = visitor.get(path).text
    assert "Take away" in page
    assert "Reachable" in page
    assert person.phone not in page
    take = f"/people/{person.id}/roles/{contact.id}/take"
    assert visitor.post(take, form=path).location == f"/people/{person.id}/roles"
    assert session.scalars(select(Contact)).all() == []


def test_a_second_branch_keeps_the_first(log_in, session, city, branches):
    one, two = branches
    person = make_person(session, one)
    session.add(Contact(unit_id=one.id, person_id=person.id, role="书记"))
    session.commit()
    visitor, path = log_in(city, "administrator"), f"/people/{person.id}/roles"
    assert "It need not be the person" in visitor.get(path).text
    visitor.post(path, form=f"{path}?unit={two.id}", data={"unit_id": two.id, "role": "书记"})
    assert {one.unit_id for one in session.scalars(select(Contact))} == {one.id, two.id}


def test_who_may_not(log_in, session, city, branches):
    one, two = branches
    person = make_person(session, one)
    contact = Contact(unit_id=two.id, person_id=person.id, role="书记")
    session.add(contact)
    session.commit()
    officer, of_one = log_in(city, "officer"), log_in(one, "administrator")
    for path in (f"/units/{one.id}/contacts", f"/people/{person.id}/roles"):
        assert officer.get(path).status_code == 403
    assert officer.post(f"/people/{person.id}/roles", data={"unit_id": one.id, "role": "x"}).status_code == 403
    assert of_one.get(f"/units/{two.id}/contacts").status_code == 403
    page = of_one.get(f"/people/{person.id}/roles").text
    assert "in a unit that you may not read" in page
    assert "第二支部" not in page
    assert of_one.post(f"/people/{person.id}/roles/{contact.id}/take").status_code == 403
    assert of_one.post(f"/people/{person.id}/roles", data={"unit_id": two.id, "role": "x"}).status_code == 403
    assert session.scalars(select(Contact.id)).all() == [contact.id]


def test_the_task_leads_to_the_branches_and_a_role_narrows_them(log_in, session, city, branches):
    one, _ = branches
    for _ in range(3):
        person = make_person(session, one)
    session.add(Contact(unit_id=one.id, person_id=person.id, role="组织委员"))
    session.commit()
    visitor = log_in(city, "administrator")
    assert 'href="/units/without-contact?managed=true"' in visitor.get("/").text
    page = visitor.get("/units/without-contact?managed=true").text
    assert "第二支部" in page
    assert "第一支部" not in page
    assert 'value="组织委员"' in page, "the roles that there are can be chosen"
    of_role = visitor.get("/units/without-contact?role=书记").text
    assert f'href="/people?unit={one.id}&amp;kind=member">3<' in of_role
    assert "Nobody holds the role 书记" in of_role
    first = visitor.get("/units/without-contact?role=书记&limit=1").text
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert (first + visitor.get(following).text).count("Nobody holds the role") == 2
    below = log_in(one, "auditor")
    assert "In every branch of 第一支部" in below.get("/units/without-contact").text
    assert below.get(f"/units/without-contact?unit={city.id}").status_code == 403
    assert below.get("/units/without-contact?managed=true").status_code == 403
