"""Accounts, roles, tokens and the trail over HTTP, from the first log-in to the last revocation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from directory_client import Caller
from factories import make_account, make_unit
from sqlalchemy import select

from sms_service.accounts.models import Account, RoleGrant, StoredResponse, Token
from sms_service.accounts.passwords import hash_password

PASSWORD = "correct horse battery"


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(make_app, clock):
    return make_app(clock=clock).test_client()


@pytest.fixture
def city(session):
    top = make_unit(session, code="01", name="云州市")
    one = make_unit(session, code="0101", name="城东区", parent=top)
    make_account(session, one, "li.na", ("officer",), password_hash=hash_password(PASSWORD))
    session.commit()
    return {"top": top, "one": one}


@pytest.fixture
def administrator(client, session, city):
    return Caller(client, session, city["one"], "administrator")


def log_in(client, password=PASSWORD, login="li.na", headers=None, **body):
    return client.post("/api/v1/tokens", json={"name": "laptop", **body}, auth=(login, password), headers=headers or {})


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def test_one_logs_in_works_and_logs_out(client, city, clock):
    issued = log_in(client)
    assert issued.status_code == 201
    assert issued.json["expires_at"] == (clock.now + timedelta(days=90)).isoformat()
    secret, token_id = issued.json["token"], issued.json["id"]

    me = client.get("/api/v1/me", headers=bearer(secret)).json
    assert (me["login"], me["has_password"]) == ("li.na", True)
    assert [(role["role"], role["unit_code"]) for role in me["roles"]] == [("officer", "0101")]
    assert "edit_campaigns" in me["roles"][0]["permissions"]

    listed = client.get("/api/v1/tokens", headers=bearer(secret)).json["items"]
    assert [(token["name"], token["last_used_at"]) for token in listed] == [("laptop", clock.now.isoformat())]
    assert secret not in str(listed)

    assert client.delete(f"/api/v1/tokens/{token_id}", headers=bearer(secret)).json["revoked_at"] is not None
    refused = client.get("/api/v1/me", headers=bearer(secret))
    assert (refused.status_code, "revoked" in refused.json["detail"]) == (401, True)


def test_a_token_stops_on_time(client, city, clock):
    secret = log_in(client, expires_at=(clock.now + timedelta(hours=1)).isoformat()).json["token"]
    clock.now += timedelta(hours=1)
    assert client.get("/api/v1/me", headers=bearer(secret)).status_code == 401
    late = log_in(client, expires_at=(clock.now + timedelta(days=366)).isoformat())
    assert (late.status_code, late.json["errors"][0]["field"]) == (422, "expires_at")


def test_the_secret_is_never_stored_and_never_replayed(client, session, city):
    headers = {"Idempotency-Key": "log-in-1"}
    first, again = log_in(client, headers=headers), log_in(client, headers=headers)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.json == {**first.json, "token": None}
    stored = session.scalars(select(StoredResponse)).one()
    assert first.json["token"].encode() not in stored.body
    assert len(session.scalars(select(Token)).all()) == 1


def test_a_wrong_password_says_nothing_about_the_login(client, city):
    wrong, nobody = log_in(client, "wrong horse battery"), log_in(client, login="nobody")
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.json["detail"] == nobody.json["detail"]
    assert wrong.headers["WWW-Authenticate"].startswith("Basic")


def test_an_administrator_makes_an_account_that_works(client, administrator, city):
    body = {"login": "wang.wei", "name": " 王伟 ", "unit_id": city["one"].id, "password": PASSWORD}
    made = administrator.post("/accounts", json=body)
    assert (made.status_code, made.json["name"], made.json["roles"]) == (201, "王伟", [])
    account = f"/accounts/{made.json['id']}"
    secret = log_in(client, login="wang.wei").json["token"]
    assert client.get("/api/v1/units", headers=bearer(secret)).status_code == 403

    role = administrator.post(f"{account}/roles", json={"role": "auditor", "unit_id": city["one"].id})
    assert (role.status_code, role.json["unit_name"]) == (201, "城东区")
    assert client.get("/api/v1/units", headers=bearer(secret)).status_code == 200

    assert administrator.patch(account, disabled=True).json["disabled_at"] is not None
    assert client.get("/api/v1/units", headers=bearer(secret)).status_code == 401
    assert administrator.patch(account, disabled=False).json["disabled_at"] is None
    assert administrator.call("DELETE", f"{account}/roles/{role.json['id']}").status_code == 204
    assert client.get("/api/v1/units", headers=bearer(secret)).status_code == 403
    assert administrator.get(account).json["roles"] == []


def test_no_answer_and_no_problem_repeats_a_password(administrator, city):
    body = {"login": "wang.wei", "name": "王伟", "unit_id": city["one"].id, "password": "tooshort1"}
    refused = administrator.post("/accounts", json=body)
    (error,) = refused.json["errors"]
    assert (error["field"], error["reason"]) == ("password", "must have 12 to 128 characters")
    assert error.keys() == {"field", "reason", "message", "values"}
    made = administrator.post("/accounts", json={**body, "password": PASSWORD})
    assert "password" not in {*made.json} - {"has_password"}
    assert "scrypt" not in made.get_data(as_text=True)


def test_accounts_are_listed_in_pages_within_the_scope(client, session, administrator, city):
    for number in range(5):
        make_account(session, city["one"], f"user{number}")
    make_account(session, city["top"], "user9")
    session.commit()
    found, cursor = [], None
    while True:
        answer = administrator.get("/accounts", limit=2, **({"cursor": cursor} if cursor else {})).json
        assert [unit["code"] for unit in answer["scope"]] == ["0101"]
        found += [account["login"] for account in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert found == sorted(found)
    assert {f"user{number}" for number in range(5)} < set(found)
    assert "user9" not in found
    assert [account["login"] for account in administrator.get("/accounts", login="user3").json["items"]] == ["user3"]
    wrong = administrator.get("/accounts", cursor="abc")
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (422, "cursor")
    assert administrator.get("/accounts", limit=201).status_code == 422
    assert administrator.get("/accounts", offset=1).json["errors"][0]["field"] == "offset"


def test_accounts_are_found_by_role_and_state_and_say_when_they_were_used(client, session, administrator, city, clock):
    make_account(session, city["one"], "wu", ("auditor",), disabled_at=clock.now)
    session.commit()

    def logins(query):
        return [item["login"] for item in administrator.get(f"/accounts?{query}").json["items"]]

    assert logins("role=auditor") == ["wu"]
    assert logins("disabled=true") == ["wu"]
    assert logins("disabled=false&role=officer") == ["li.na"]
    assert administrator.get("/accounts?role=king").status_code == 422
    assert administrator.get("/accounts?login=li.na").json["items"][0]["last_used_at"] is None
    client.get("/api/v1/me", headers=bearer(log_in(client).json["token"]))
    used = administrator.get("/accounts?login=li.na").json["items"][0]["last_used_at"]
    assert datetime.fromisoformat(used) == clock.now


def test_an_administrator_sees_and_revokes_tokens_of_others_in_scope(client, administrator, city):
    issued = log_in(client).json
    listed = administrator.get("/tokens", account=issued["account_id"]).json["items"]
    assert [token["id"] for token in listed] == [issued["id"]]
    assert administrator.call("DELETE", f"/tokens/{issued['id']}").status_code == 200
    assert client.get("/api/v1/me", headers=bearer(issued["token"])).status_code == 401


def test_one_changes_ones_own_password(client, city):
    headers = bearer(log_in(client).json["token"])
    new = "a better horse battery"
    wrong = client.put("/api/v1/me/password", json={"current_password": "x", "password": new}, headers=headers)
    reason = "is not the password of this account"
    assert wrong.json["errors"] == [{"field": "current_password", "reason": reason, "message": reason, "values": {}}]
    right = client.put("/api/v1/me/password", json={"current_password": PASSWORD, "password": new}, headers=headers)
    assert right.status_code == 204
    assert (log_in(client).status_code, log_in(client, new).status_code) == (401, 201)


def test_the_trail_names_who_did_what_within_the_scope(client, session, administrator, city):
    log_in(client)
    answer = administrator.get("/trail").json
    assert [(entry["act"], entry["target_kind"]) for entry in answer["items"]] == [("token.issue", "token")] * 2
    assert [unit["code"] for unit in answer["scope"]] == ["0101"]
    administrator.post("/accounts", json={"login": "wang.wei", "name": "王伟", "unit_id": city["one"].id})
    newest = administrator.get("/trail", act="account.create").json["items"]
    assert [(entry["account_id"], entry["details"]) for entry in newest] == [
        (administrator.account_id, {"login": "wang.wei"})
    ]
    first = administrator.get("/trail", limit=1).json
    second = administrator.get("/trail", limit=1, cursor=first["next"]).json
    assert first["items"][0]["id"] > second["items"][0]["id"]
    none = administrator.get("/trail", until="2020-01-01T00:00:00+08:00").json["items"]
    assert none == []
    assert administrator.get("/trail", since="2020-01-01").status_code == 422
    assert administrator.call("DELETE", "/trail").status_code == 405


def test_secrets_come_from_the_given_source(make_app, session, city):
    client = make_app(random_bytes=lambda n: b"\0" * n).test_client()
    assert log_in(client).json["token"] == "sms_" + "A" * 43


def test_an_account_with_rights_above_ones_own_is_seen_and_left_alone(client, session, administrator, city):
    """It lies in the district and administers the city: where an account lies gives no power over it."""
    account = session.scalars(select(Account).filter_by(login="li.na")).one()
    token = log_in(client).json
    session.add(RoleGrant(account_id=account.id, role="administrator", unit_id=city["top"].id))
    session.commit()
    shown = administrator.get(f"/accounts/{account.id}").json
    assert [(role["role"], role["unit_code"], role["unit_name"]) for role in shown["roles"]] == [
        ("officer", "0101", "城东区"),
        ("administrator", None, None),
    ]
    own_role = shown["roles"][0]["id"]
    for answer in (
        administrator.call("DELETE", f"/tokens/{token['id']}"),
        administrator.get("/tokens", account=account.id),
        administrator.patch(f"/accounts/{account.id}", password="a better horse battery"),
        administrator.patch(f"/accounts/{account.id}", disabled=True),
        administrator.patch(f"/accounts/{account.id}", name="x"),
        administrator.post(f"/accounts/{account.id}/roles", json={"role": "auditor", "unit_id": city["one"].id}),
        administrator.call("DELETE", f"/accounts/{account.id}/roles/{own_role}"),
    ):
        assert answer.status_code == 403
        assert not {"01", "云州市"} & {*answer.json["detail"].split()}
    assert client.get("/api/v1/me", headers=bearer(token["token"])).status_code == 200


def test_a_login_that_is_taken_elsewhere_says_nothing_of_who_has_it(session, administrator, city):
    make_account(session, city["top"], "zhao.min", name="赵敏")
    session.commit()
    body = {"login": "zhao.min", "name": "x", "unit_id": city["one"].id}
    taken = administrator.post("/accounts", json=body)
    assert (taken.status_code, taken.json["detail"]) == (409, "the login is taken; choose another")
