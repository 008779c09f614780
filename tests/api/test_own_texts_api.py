"""The own phone, test texts and pushes over HTTP and by the shell."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from sms_service.accounts.models import Account
from sms_service.campaigns.models import Campaign
from sms_service.cli import main
from sms_service.ledger.models import Message
from tests.api.directory_client import Caller
from tests.dispatch.city import make_city
from tests.own_texts.own_phones import let_code_wait

PHONE = "13912345678"


@pytest.fixture
def unit(database, session):
    unit = session.merge(make_city(database, 2, body="明天开会。").unit)
    session.commit()
    return unit


@pytest.fixture
def officer(make_app, session, unit):
    return Caller(make_app().test_client(), session, unit, "officer")


def confirm(session, caller):
    let_code_wait(session, session.get_one(Account, caller.account_id), "123456")
    session.commit()
    assert caller.post("/me/phone/confirm", json={"code": "123456"}).json["confirmed_at"]


def test_the_own_phone(session, officer):
    nothing = {"phone": None, "person_id": None, "confirmed_at": None, "code_until": None}
    assert officer.get("/me/phone").json == nothing
    said = officer.call("PUT", "/me/phone", json={"phone": PHONE})
    assert (said.status_code, said.json["confirmed_at"]) == (200, None)
    assert PHONE not in said.get_data(as_text=True)
    assert said.json["code_until"]
    wrong = officer.post("/me/phone/confirm", json={"code": "nonsense"})
    assert wrong.status_code == 422
    for body in ({}, {"phone": 1}, {"phone": "x"}):
        assert officer.call("PUT", "/me/phone", json=body).status_code == 422
    confirm(session, officer)
    assert officer.call("DELETE", "/me/phone").status_code == 204
    assert officer.get("/me/phone").json == nothing
    assert officer.call("DELETE", "/me/phone").status_code == 409


def test_wrong_codes_are_limited(session, officer):
    officer.call("PUT", "/me/phone", json={"phone": PHONE})
    answers = [officer.post("/me/phone/confirm", json={"code": "000000x"}).status_code for _ in range(6)]
    assert answers[:5] == [422] * 5
    assert answers[5] in (409, 429)


def test_test_texts(session, unit, officer):
    campaign_id = session.scalars(select(Campaign.id)).one()
    assert officer.post("/test-texts", json={"campaign_id": campaign_id}).status_code == 409
    confirm(session, officer)
    sent = officer.post("/test-texts", json={"campaign_id": campaign_id})
    assert sent.status_code == 201
    row = officer.get(f"/messages/{sent.json['message_id']}").json["message"]
    assert (row["text"], row["kind"], row["campaign_id"], row["campaign"]) == (sent.json["text"], "test", None, None)
    run = officer.get(f"/runs/{sent.json['run_id']}").json
    assert (run["kind"], run["campaign_id"], run["campaign"], run["audience"]) == ("test", None, None, 1)
    assert [one["kind"] for one in officer.get("/runs").json["items"]] == ["test", "campaign"]
    assert len(officer.get("/messages", of_campaign="false").json["items"]) == 1
    lines = officer.get("/counts", by="kind").json["items"]
    assert {(line["by"]["kind"], line["messages"]) for line in lines} == {("campaign", 2), ("test", 1)}
    whole = {"unit_id": unit.id, "class": "notice", "body": "您好，{{ 谁 }}。", "signature": "云州先锋"}
    unsaved = officer.post("/test-texts", json={**whole, "values": {"谁": "同志"}})
    assert unsaved.json["text"] == "【云州先锋】您好，同志。"
    person = session.scalars(select(Message.person_id).order_by(Message.id)).first()
    named = {**whole, "body": "{{ name }}，您好。", "person_id": person}
    assert officer.post("/test-texts", json=named).status_code == 201
    for body in (
        {},
        whole,
        {"campaign_id": campaign_id, "body": "x"},
        {"campaign_id": campaign_id, "person_id": 10**9} | {"phone": PHONE},
        {**whole, "class": "nothing"},
        {name: value for name, value in whole.items() if name != "signature"},
    ):
        assert officer.post("/test-texts", json=body).status_code == 422, body


def test_pushes(session, officer):
    assert officer.get("/me/pushes").json == {"way": "none", "kinds": [], "channel_id": None}
    wanted = {"way": "text", "kinds": ["unknown", "held_run"]}
    assert officer.call("PUT", "/me/pushes", json=wanted).status_code == 409
    confirm(session, officer)
    assert officer.call("PUT", "/me/pushes", json=wanted).json["kinds"] == ["held_run", "unknown"]
    without_channel = {"way": "webhook", "kinds": ["unknown"]}
    for body in ({}, {"way": "text"}, {"way": "pigeon"}, {"way": "text", "kinds": ["x"]}, without_channel):
        assert officer.call("PUT", "/me/pushes", json=body).status_code == 422


def test_tasks_have_links(session, unit, officer):
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'canary', reason = 'x'"))
    session.commit()
    (task,) = officer.get("/tasks").json["items"]
    assert (task["kind"], task["number"], task["link"]) == ("held_run", 1, None)  # this process has no pages
    assert task["oldest"]


def test_the_shell(session, officer, unit, database_url, redis_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    confirm(session, officer)
    login = session.get_one(Account, officer.account_id).login

    def run(*words):
        return CliRunner().invoke(main, list(words)).output

    campaign_id = session.scalars(select(Campaign.id)).one()
    assert run("tasks", "--as", login) == "0 in all\n"
    assert "明天开会。" in run("try", str(campaign_id), "--as", login)
    assert "act as" in run("try", str(campaign_id))
