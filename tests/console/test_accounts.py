"""Accounts: listed with roles and last use; a first password is shown once; nobody gives a role to themselves."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import select, text

from sms_service.accounts.models import Account, BrowserSession, RoleGrant
from sms_service.accounts.passwords import check_password, make_password
from sms_service.accounts.uses import find_last_uses
from sms_service.audit.models import TrailEntry
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_account


def password_on(page):
    found = re.search(r">([a-z2-9]{4}(?:-[a-z2-9]{4}){3})<", page)
    return found and found[1]


def test_the_list_shows_roles_last_use_and_state_and_narrows(log_in, session, city, district):
    lin = log_in(district, "officer", login="lin")
    make_account(session, district, "zhou", ("auditor",), disabled_at=session.scalar(text("SELECT now()")))
    make_account(session, district, "wu", ())
    session.commit()
    visitor = log_in(city, "administrator", login="chief")
    page = visitor.get("/accounts").text
    assert all(login in page for login in ("lin", "zhou", "wu", "chief"))
    assert "Officer · 城东区" in page
    assert "not in the last 30 days" in page
    assert find_last_uses(session, [lin.account_id]).keys() == {lin.account_id}

    def logins(query):
        page = visitor.get(f"/accounts?{query}").text
        return [login for login in ("chief", "lin", "wu", "zhou") if re.search(rf">{login} · |>{login}<", page)]

    assert logins(f"unit={district.id}") == ["lin", "wu", "zhou"]
    assert logins("role=auditor") == ["zhou"]
    assert logins("disabled=true") == ["zhou"]
    assert logins("disabled=false&role=officer") == ["lin"]
    found = visitor.post("/accounts", form="/accounts", data={"wanted": "账号l"})
    assert found.status_code == 200
    assert ">lin · " in found.text
    assert ">wu · " not in found.text
    assert log_in(district, "officer").get("/accounts").status_code == 403
    assert ">chief · " not in log_in(district, "administrator").get("/accounts").text


def test_a_first_password_is_shown_once_and_kept_nowhere(log_in, session, city, district):
    visitor = log_in(city, "administrator")
    path = f"/accounts/new?unit={district.id}"
    fields = visitor.fields(path)
    data = {**fields, "name": "林书记", "login": "lin", "role": "officer"}
    first = visitor.client.post(path, data=data, headers=SAME_ORIGIN)
    assert first.status_code == 200
    password = password_on(first.text)
    account = session.scalars(select(Account).where(Account.login == "lin")).one()
    assert check_password(account.password_hash, password)
    assert account.password_due
    assert account.unit_id == district.id
    again = visitor.client.post(path, data=data, headers=SAME_ORIGIN)
    assert (again.status_code, again.location) == (303, f"/accounts/{account.id}")
    assert password_on(visitor.get(again.location).text) is None
    assert session.query(Account).filter_by(login="lin").count() == 1
    for table in ("stored_answers", "trail", "accounts"):
        rows = session.scalars(text(f"SELECT t::text FROM {table} t")).all()
        assert not any(password in row for row in rows), table
    assert "Officer" in visitor.get(again.location).text


def test_an_account_that_cannot_be_keeps_what_was_written(log_in, session, city, clock):
    visitor = log_in(city, "administrator")
    path = f"/accounts/new?unit={city.id}"
    wrong = visitor.post(path, form=path, data={"name": "林书记", "login": "Lin!", "role": "auditor"})
    assert wrong.status_code == 422
    assert 'value="林书记"' in wrong.text
    assert re.search(r'value="auditor"[^>]* checked', wrong.text)
    fields = visitor.fields(path)
    clock.now += timedelta(minutes=16)
    stale = visitor.client.post(
        path, data={**fields, "name": "林", "login": "lin", "role": "auditor"}, headers=SAME_ORIGIN
    )
    assert stale.status_code == 422
    assert 'id="f-_password"' in stale.text


def test_giving_and_taking_a_role_asks_for_the_password_and_says_how_far_it_reaches(
    log_in, session, city, district, clock
):
    account = make_account(session, district, "lin", ())
    session.commit()
    visitor = log_in(city, "administrator")
    path = f"/accounts/{account.id}/roles/new?unit={city.id}"
    assert "It will reach 云州市, 1 units below and 0 people." in visitor.get(path).text
    fields = visitor.fields(path)
    data = {**fields, "role": "approver", "unit_id": city.id}
    clock.now += timedelta(minutes=16)
    assert visitor.client.post(path, data=data, headers=SAME_ORIGIN).status_code == 422
    clock.now -= timedelta(minutes=16)
    assert visitor.client.post(path, data=data, headers=SAME_ORIGIN).location == f"/accounts/{account.id}"
    grant = session.scalars(select(RoleGrant).where(RoleGrant.account_id == account.id)).one()
    page = visitor.get(f"/accounts/{account.id}/roles/{grant.id}").text
    assert "“Approver” on 云州市" in page
    take = f"/accounts/{account.id}/roles/{grant.id}/take"
    assert visitor.post(take, form=f"/accounts/{account.id}/roles/{grant.id}").status_code == 303
    assert session.scalars(select(RoleGrant).where(RoleGrant.account_id == account.id)).all() == []
    assert visitor.get(f"/accounts/{account.id}/roles/{grant.id}").status_code == 404


def test_nobody_gives_a_role_to_themselves_and_the_last_administrator_stays(log_in, session, city):
    visitor = log_in(city, "administrator")
    own = f"/accounts/{visitor.account_id}"
    page = visitor.get(own).text
    assert "Give a role" not in page
    assert "Disable" not in page
    form = "/accounts/new"
    data = {"role": "approver", "unit_id": city.id}
    assert visitor.post(f"{own}/roles/new?unit={city.id}", form=form, data=data).status_code == 403
    grant = session.scalars(select(RoleGrant).where(RoleGrant.account_id == visitor.account_id)).one()
    refused = visitor.post(f"{own}/roles/{grant.id}/take", form=form)
    assert refused.status_code == 409
    assert "last administrator" in refused.text
    assert visitor.post(f"{own}/disable", form=form).status_code == 409


def test_an_account_with_a_role_above_is_shown_and_not_touched(log_in, session, city, district):
    account = make_account(session, district, "lin", ())
    session.add(RoleGrant(account_id=account.id, role="auditor", unit_id=city.id))
    session.commit()
    visitor = log_in(district, "administrator")
    page = visitor.get(f"/accounts/{account.id}").text
    assert "only an administrator there can change it" in page
    assert "Disable" not in page
    for act in ("disable", "password", "end-sessions"):
        assert visitor.post(f"/accounts/{account.id}/{act}", form="/accounts").status_code == 403
    other = make_account(session, city, "wu")
    session.commit()
    assert visitor.get(f"/accounts/{other.id}").status_code == 403


def test_a_reset_password_ends_what_there_was(log_in, session, city, district):
    lin = log_in(district, "officer", login="lin")
    visitor = log_in(city, "administrator")
    path = f"/accounts/{lin.account_id}/password"
    shown = visitor.post(path, form=path)
    password = password_on(shown.text)
    session.expire_all()
    assert check_password(session.get_one(Account, lin.account_id).password_hash, password)
    assert lin.get("/me").status_code == 303


def test_sessions_end_and_a_disabled_account_comes_back(log_in, session, city, district):
    lin = log_in(district, "officer", login="lin")
    visitor = log_in(city, "administrator")
    path = f"/accounts/{lin.account_id}"
    assert "End 1 session" in visitor.get(path).text
    visitor.post(f"{path}/end-sessions", form=path)
    assert "Nowhere now." in visitor.get(path).text
    assert lin.get("/me").status_code == 303
    assert visitor.post(f"{path}/disable", form=f"{path}/disable").status_code == 303
    assert "Disabled since" in visitor.get(path).text
    assert visitor.post(f"{path}/enable", form=path).status_code == 303
    assert "Disabled since" not in visitor.get(path).text
    acts = set(session.scalars(select(TrailEntry.act)))
    assert {"session.end_all", "account.disable", "account.enable"} <= acts
    assert session.query(BrowserSession).filter(BrowserSession.ended_at.is_(None)).count() == 1


def test_first_passwords_are_of_signs_that_nobody_mixes_up():
    assert make_password(lambda count: bytes(range(count))) == "abcd-efgh-ijkm-npqr"
    assert re.fullmatch("[a-km-np-z2-9-]{19}", make_password(lambda count: bytes(range(240, 240 + count))))
