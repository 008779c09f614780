"""The inbox over HTTP and by the shell: what waits, what an answer would become, and 409 for who saw another state."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from sms_service.cli import main
from sms_service.directory.models import Unit
from tests.api.directory_client import Caller
from tests.dispatch.city import drain, make_city
from tests.factories import fictional_phone, make_account
from tests.replies.replying import write_in

PHONE = fictional_phone(5)


@pytest.fixture
def city(database):
    city = make_city(database, 0, more=[{"phone": PHONE, "name": "张三"}])
    drain(database, city.gateways)
    return city


def test_a_reply_is_found_answered_and_over(make_app, database, session, city):
    [reply_id] = write_in(database, PHONE, "几点开会")
    unit, client = session.get_one(Unit, city.unit.id), make_app().test_client()
    secretary, auditor = Caller(client, session, unit, "officer"), Caller(client, session, unit, "auditor")
    [listed] = auditor.get("/inbox", status="unread").json["items"]
    assert (listed["id"], listed["state"], listed["person"], listed["text"]) == (reply_id, "unread", "张三", "几点开会")
    assert (listed["answer"], listed["withheld"]) == (None, None)
    assert "****" in listed["phone"]
    for wanted, found in ((PHONE, 1), ("几点", 1), ("李", 0)):
        assert len(auditor.post("/inbox/search", json={"wanted": wanted}).json["items"]) == found, wanted
    shown = secretary.get(f"/inbox/{reply_id}").json
    assert shown["outlook"] == {
        "against": None,
        "against_message": None,
        "signature": "云州先锋",
        "leaves_at": None,
        "waits": None,
    }
    assert [one["id"] for one in shown["assignees"]] == [secretary.account_id]
    answer = {"state": "unread", "text": "九点。"}
    assert auditor.post(f"/inbox/{reply_id}/answer", json=answer).status_code == 403
    assert secretary.post(f"/inbox/{reply_id}/answer", json={**answer, "text": " "}).status_code == 422
    done = secretary.post(f"/inbox/{reply_id}/answer", json=answer)
    assert (done.status_code, done.json["status"], done.json["answer"]["text"]) == (
        200,
        "answered",
        "【云州先锋】九点。",
    )
    drain(database, city.gateways)
    [reply] = auditor.get("/replies").json["items"]
    assert reply["answer"]["status"] == "accepted"
    late = secretary.post(f"/inbox/{reply_id}/close", json={"state": "unread"})
    assert late.status_code == 409
    assert "it is answered now" in late.json["detail"]
    again = secretary.post(f"/inbox/{reply_id}/reopen", json={"state": done.json["state"]}).json
    assert (again["state"], again["answer"]["status"]) == ("unread", "accepted")
    shown = secretary.get(f"/inbox/{reply_id}").json
    assert [one["act"] for one in shown["acts"]] == ["reply.answer", "reply.reopen"]
    assert shown["outlook"]["against"] == "it has an answer; a reply gets one"
    assert {one["kind"]: one["number"] for one in secretary.get("/tasks").json["items"]} == {"unread_reply": 1}


def test_the_shell(database, session, city, database_url, redis_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    [reply_id] = write_in(database, PHONE, "几点开会")
    make_account(session, session.get_one(Unit, city.unit.id), "wang")
    session.commit()

    def run(*words):
        return CliRunner().invoke(main, ["inbox", *map(str, words)]).output

    assert run("list").splitlines()[-1] == "1 replies"
    assert "张三" in run("list", "--find", "几点")
    assert "an answer leaves at once" in run("show", reply_id)
    assert "assigned to 账号wang" in run("assign", reply_id, "wang", "--as", "wang")
    assert f"reply {reply_id} is answered by message" in run("answer", reply_id, "九点。", "--as", "wang")
    assert "cannot be answered: it has an answer" in run("show", reply_id)
    assert "assigned to 账号wang" in run("reopen", reply_id, "--as", "wang")
    assert run("close", reply_id, "--why", "已电话答复", "--as", "wang") == f"reply {reply_id} is closed\n"
    assert "it is closed now" in run("close", reply_id, "--as", "wang")
