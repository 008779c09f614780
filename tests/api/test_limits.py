"""Limits: so much a token, little for failed log-ins, counted by all processes together, never in the way of work."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from directory_client import Caller
from factories import make_account, make_unit

from sms_service.accounts import passwords
from sms_service.accounts.passwords import hash_password
from sms_service.web import limits

PASSWORD = "correct horse battery"


@pytest.fixture
def unit(session):
    unit = make_unit(session, code="01")
    make_account(session, unit, "li.na", password_hash=hash_password(PASSWORD))
    session.commit()
    return unit


def log_in(client, login, password, address="192.0.2.1"):
    return client.post(
        "/api/v1/tokens", json={"name": "x"}, auth=(login, password), environ_overrides={"REMOTE_ADDR": address}
    )


def test_a_token_has_its_own_limit_in_all_processes_together(make_app, session, unit, redis_url, redis_client):
    environ = {"REDIS_URL": redis_url, "RATE_LIMIT": "3 per minute"}
    one, two = make_app(environ).test_client(), make_app(environ).test_client()
    caller, other = Caller(one, session, unit, "officer"), Caller(one, session, unit, "officer")
    same = Caller(two, session, unit, "officer")
    same._headers = caller._headers
    assert [caller.get("/me").status_code, same.get("/me").status_code, caller.get("/units").status_code] == [200] * 3
    for over in (caller, same):
        response = over.get("/me")
        assert (response.status_code, response.content_type) == (429, "application/problem+json")
        assert 1 <= int(response.headers["Retry-After"]) <= 61  # rounded up
        assert response.json["type"] == "/docs#problem-too-many-requests"
    assert other.get("/me").status_code == 200
    assert one.get("/health").status_code == 200


def test_the_keys_in_redis_hold_no_secret(make_app, session, unit, redis_url, redis_client):
    client = make_app({"REDIS_URL": redis_url}).test_client()
    issued = log_in(client, "li.na", PASSWORD).json["token"]
    client.get("/api/v1/me", headers={"Authorization": f"Bearer {issued}"})
    log_in(client, "li.na", "wrong horse battery")
    keys = " ".join(key.decode() for key in redis_client.scan_iter())
    assert "token:" in keys
    assert "li.na" not in keys
    assert issued[4:] not in keys


@pytest.mark.parametrize("login", ["li.na", "nobody"])
def test_failed_log_ins_are_limited_whether_or_not_the_login_exists(make_app, unit, login):
    client = make_app().test_client()
    assert [log_in(client, login, "wrong", f"192.0.2.{n}").status_code for n in range(7)] == [401] * 5 + [429] * 2
    assert log_in(client, login, PASSWORD).status_code == 429, "not even the right one"


def test_log_ins_that_succeed_are_not_counted(make_app, unit):
    client = make_app().test_client()
    assert {log_in(client, "li.na", PASSWORD).status_code for _ in range(8)} == {201}


def test_an_address_that_tries_many_logins_is_stopped(make_app, unit):
    client = make_app().test_client()
    tried = [log_in(client, f"guess{n}", "wrong").status_code for n in range(22)]
    assert tried == [401] * 20 + [429] * 2
    assert log_in(client, "li.na", PASSWORD, "192.0.2.2").status_code == 201


def test_an_address_that_guesses_tokens_is_stopped(make_app, unit):
    client = make_app().test_client()
    tried = [client.get("/api/v1/me", headers={"Authorization": f"Bearer sms_{n:043d}"}).status_code for n in range(62)]
    assert tried == [401] * 60 + [429] * 2


def test_who_presents_a_good_token_is_never_refused_for_the_guesses_of_others(make_app, session, unit, monkeypatch):
    monkeypatch.setattr(limits, "FAILED_TOKENS_AN_ADDRESS", "3 per minute")
    client = make_app().test_client()
    good = Caller(client, session, unit, "officer")
    wrong = [{"Authorization": f"Bearer sms_{n:0<43d}"} for n in range(1, 6)]
    assert [client.get("/api/v1/me", headers=header).status_code for header in wrong] == [401] * 3 + [429] * 2
    assert good.get("/me").status_code == 200, "from the same address"


def test_guesses_at_once_do_not_pass_a_limit(make_app, unit, redis_url, redis_client, monkeypatch):
    at_work, most, lock = 0, 0, threading.Lock()
    check = passwords.check_password_hash

    def counted(kept, given):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        try:
            return check(kept, given)
        finally:
            with lock:
                at_work -= 1

    monkeypatch.setattr(passwords, "check_password_hash", counted)
    app = make_app({"REDIS_URL": redis_url})
    with ThreadPoolExecutor(30) as pool:
        tried = list(pool.map(lambda n: log_in(app.test_client(), "li.na", f"wrong {n}").status_code, range(30)))
        assert Counter(tried) == {401: 5, 429: 25}
        logins = [f"somebody{n}" for n in range(12)]
        other = list(pool.map(lambda login: log_in(app.test_client(), login, "x", "192.0.2.9").status_code, logins))
    assert set(other) == {401}
    assert most == passwords.AT_ONCE, "more hashes at once would cost 32 MB each"


def test_who_waits_too_long_for_the_check_of_a_password_is_sent_away(make_app, unit, monkeypatch):
    monkeypatch.setattr(passwords, "WAIT_S", 0.01)
    client = make_app().test_client()
    with passwords._a_place(), passwords._a_place():
        refused = log_in(client, "li.na", PASSWORD)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert {log_in(client, "li.na", PASSWORD).status_code for _ in range(6)} == {201}, "it was no guess"


def test_guessing_the_own_password_with_a_stolen_token_is_limited(make_app, session, unit):
    caller = Caller(make_app().test_client(), session, unit, "officer")
    body = {"current_password": "guess", "password": "a better horse battery"}
    assert [caller.call("PUT", "/me/password", json=body).status_code for _ in range(6)] == [422] * 5 + [429]


def test_behind_our_own_proxy_the_caller_is_who_the_proxy_says(make_app, unit):
    client = make_app({"TRUSTED_PROXIES": "1"}).test_client()
    for n in range(21):
        client.post(
            "/api/v1/tokens", json={}, auth=(f"guess{n}", "x"), headers={"X-Forwarded-For": "198.51.100.9, 203.0.113.7"}
        )
    auth = ("li.na", PASSWORD)
    body = {"json": {"name": "x"}, "auth": auth}
    assert client.post("/api/v1/tokens", headers={"X-Forwarded-For": "203.0.113.7"}, **body).status_code == 429
    assert client.post("/api/v1/tokens", headers={"X-Forwarded-For": "203.0.113.8"}, **body).status_code == 201


def test_without_redis_the_work_goes_on_and_is_still_counted(make_app, session, unit, own_redis):
    app = make_app({"REDIS_URL": own_redis.url, "RATE_LIMIT": "4 per minute"})
    caller = Caller(app.test_client(), session, unit, "officer")
    assert caller.get("/me").status_code == 200
    own_redis.kill()
    assert [caller.get("/me").status_code for _ in range(6)] == [200] * 4 + [429] * 2
    assert log_in(app.test_client(), "li.na", "wrong").status_code == 401
