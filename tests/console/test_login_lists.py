"""Accounts for many: checked first, made once, first passwords on slips and nowhere else."""

from __future__ import annotations

import io
import logging
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from sms_service.accounts.models import Account, RoleGrant, StoredResponse
from sms_service.audit.models import TrailEntry
from sms_service.directory.models import Contact, Unit
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_account, make_person, make_unit

PASSWORD = re.compile(r"[a-km-np-z2-9]{4}(?:-[a-km-np-z2-9]{4}){3}")


@pytest.fixture
def street(session, city):
    """A street with two branches, each with a secretary."""
    street = make_unit(session, name="和平街道", level="street", parent=city)
    for number in "一二":
        branch = make_unit(session, code=f"B{number}", name=f"第{number}支部", level="branch", parent=street)
        person = make_person(session, branch, f"林{number}<b>")
        session.add(Contact(unit_id=branch.id, person_id=person.id, role="书记"))
    session.commit()
    return street


def check(visitor, street, **data):
    form = f"/accounts/many?unit={street.id}"
    return visitor.post("/accounts/many/check", form=form, data={"unit_id": street.id, "role": "officer", **data})


def hidden(page):
    import html

    return {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    }


def test_secretaries_get_slips_once_and_their_passwords_stand_nowhere_else(log_in, session, street, caplog):
    visitor = log_in(street, "administrator")
    assert 'value="书记"' in visitor.get("/accounts/many").text
    checked = check(visitor, street, contact_role="书记")
    assert checked.status_code == 200
    assert checked.text.count("Will be created") == 2
    assert "林一&lt;b&gt;" in checked.text
    assert session.scalars(select(Account).where(Account.name.startswith("林"))).all() == []
    data = hidden(checked.text)
    with caplog.at_level(logging.DEBUG):
        first, second = (visitor.client.post("/accounts/many", data=data, headers=SAME_ORIGIN) for _ in range(2))
    assert first.status_code == 200
    slips = PASSWORD.findall(first.text)
    assert len(set(slips)) == 2
    assert first.headers["Cache-Control"] == "no-store"
    for words in ("第一支部", "http://localhost/", "tear up this slip"):
        assert words in first.text
    assert (second.status_code, second.location) == (303, f"/accounts?unit={street.id}")
    made = session.scalars(select(Account).where(Account.name.startswith("林"))).all()
    assert len(made) == 2
    assert all(account.password_due for account in made)
    roles = session.execute(
        select(RoleGrant.role, RoleGrant.unit_id).where(RoleGrant.account_id.in_(a.id for a in made))
    )
    assert {(role, unit) for role, unit in roles} == {("officer", account.unit_id) for account in made}
    stored = session.scalars(select(StoredResponse)).all()
    acts = session.scalars(select(TrailEntry)).all()
    everywhere = str([(one.headers, one.body) for one in stored]) + str([one.details for one in acts]) + caplog.text
    assert not any(slip in everywhere for slip in slips)
    again = check(visitor, street, contact_role="书记")
    assert again.text.count("Has one already") == 2
    assert '/accounts/many"' not in again.text, "there is nothing to make"


def test_a_slip_opens_the_door_and_asks_for_an_own_password(app, log_in, session, street):
    visitor = log_in(street, "administrator")
    data = hidden(check(visitor, street, contact_role="书记").text)
    page = visitor.client.post("/accounts/many", data=data, headers=SAME_ORIGIN).text
    login = session.scalars(select(Account.login).where(Account.name == "林一<b>")).one()
    password = PASSWORD.search(page[page.index("林一") :])[0]
    client = app.test_client()
    fields = hidden(client.get("/log-in").text)
    answer = client.post("/log-in", data={**fields, "login": login, "password": password}, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert client.get("/").location == "/me/password"


def test_a_file_is_checked_and_what_is_wrong_is_said(log_in, session, street):
    visitor = log_in(street, "administrator")
    file = "姓名,组织编码,登录名\n周一,B一,zhou.yi\n吴二,B九,\n".encode()
    checked = check(visitor, street, file=(io.BytesIO(file), "书记.csv"))
    assert "zhou.yi" in checked.text
    assert "there is no unit with this code" in checked.text
    assert "Create 1 account and show its slip" in checked.text
    for refused in (check(visitor, street), check(visitor, street, file=(io.BytesIO(b"x"), "x.csv"))):
        assert refused.status_code == 422
        assert "Of those who hold a role" in refused.text


def test_the_password_is_asked_again_and_the_list_stays(log_in, session, street, clock):
    visitor = log_in(street, "administrator")
    clock.now += timedelta(minutes=16)
    data = hidden(check(visitor, street, contact_role="书记").text)
    refused = visitor.client.post("/accounts/many", data={**data, "_password": "wrong"}, headers=SAME_ORIGIN)
    assert refused.status_code == 422
    assert refused.text.count("Will be created") == 2
    assert session.scalars(select(Account).where(Account.name.startswith("林"))).all() == []


def test_a_list_that_is_no_longer_so_is_shown_as_it_stands(log_in, session, street):
    visitor = log_in(street, "administrator")
    data = hidden(check(visitor, street, contact_role="书记").text)
    branch = session.scalars(select(Contact.unit_id).order_by(Contact.id).limit(1)).one()
    make_account(session, session.get_one(Unit, branch), "b", name="林一<b>")
    session.commit()
    refused = visitor.client.post("/accounts/many", data=data, headers=SAME_ORIGIN)
    assert refused.status_code == 422
    assert "other logins would be made now than were shown" in refused.text
    assert (refused.text.count("Has one already"), refused.text.count("Will be created")) == (1, 1)
    done = visitor.client.post("/accounts/many", data=hidden(refused.text), headers=SAME_ORIGIN)
    assert len(PASSWORD.findall(done.text)) == 1
    assert len(session.scalars(select(Account).where(Account.name.startswith("林"))).all()) == 2


def test_what_was_changed_on_the_way_is_not_made(log_in, session, street, city):
    visitor = log_in(street, "administrator")
    data = hidden(check(visitor, street, contact_role="书记").text)
    for changed in (
        {"role": "approver"},
        {"rows": '[[1, "王", "B一", null]]'},
        {"rows": "nonsense"},
        {"role": "administrator"},
        {"unit_id": str(city.id)},
    ):
        fields = {**data, **changed, "_once": visitor.fields("/me")["_once"]}
        answer = visitor.client.post("/accounts/many", data=fields, headers=SAME_ORIGIN)
        assert answer.status_code in (403, 409, 422), changed
    assert session.scalars(select(Account).where(Account.name.startswith(("林", "王")[0]))).all() == []
    assert log_in(street, "officer").get("/accounts/many").status_code == 403
    assert check(log_in(street, "administrator"), city, contact_role="书记").status_code == 403
