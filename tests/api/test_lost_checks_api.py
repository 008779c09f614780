"""Lost contact over HTTP and by the shell."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from sms_service.cli import main
from sms_service.delivery.models import LostCheck
from tests.api.directory_client import Caller
from tests.factories import fictional_phone, make_account, make_person, make_unit


@pytest.fixture
def branch(session):
    branch = make_unit(session, code="0101-A", name="A支部", level="branch", parent=make_unit(session, code="0101"))
    for name in ("张三", "李四"):
        now = session.scalar(select(func.now()))
        person = make_person(session, branch, name)
        session.add(LostCheck(person_id=person.id, cause="dead_number", campaigns=2, opened_at=now))
        session.flush()
    session.commit()
    return branch


def test_list_answer_and_count(make_app, session, branch):
    client = make_app().test_client()
    secretary, auditor = Caller(client, session, branch, "officer"), Caller(client, session, branch, "auditor")
    first, second = auditor.get("/lost-checks").json["items"]
    assert (first["person"], first["cause"], first["campaigns"], first["answer"]) == ("张三", "dead_number", 2, None)
    assert "****" in first["phone"]
    path = f"/lost-checks/{first['id']}/answer"
    assert auditor.post(path, json={"answer": "lost"}).status_code == 403
    for body in ({}, {"answer": "reached"}, {"answer": "new_number"}, {"answer": "lost", "phone": fictional_phone()}):
        assert secretary.post(path, json=body).status_code == 422
    done = secretary.post(path, json={"answer": "new_number", "phone": fictional_phone()})
    assert (done.status_code, done.json["answer"], done.json["answered_by"]) == (
        200,
        "new_number",
        secretary.account_id,
    )
    assert secretary.post(path, json={"answer": "lost"}).status_code == 409
    assert [one["id"] for one in auditor.get("/lost-checks").json["items"]] == [second["id"]]
    assert [one["id"] for one in auditor.get("/lost-checks", answered="true").json["items"]] == [first["id"]]
    counts = auditor.get("/lost-checks/counts", unit=branch.id).json["items"]
    assert counts == [{"id": branch.id, "name": "A支部", "open": 1, "answers": {"new_number": 1}}]
    assert auditor.get("/lost-checks/counts", unit=branch.parent_id).status_code == 403
    tasks = {task["kind"]: task["number"] for task in secretary.get("/tasks").json["items"]}
    assert tasks["lost_check"] == 1
    assert "lost_check" not in {task["kind"] for task in auditor.get("/tasks").json["items"]}


def test_the_shell(session, branch, database_url, redis_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    make_account(session, branch, "wang")
    session.commit()

    def run(*words):
        return CliRunner().invoke(main, ["lost", *words])

    listed = run("list", "--unit", "0101").output
    assert listed.endswith("2 people\n")
    assert "张三, A支部, +86139****" in listed
    assert run("answer", "1", "moved_away", "--as", "wang").output == "check 1: moved_away\n"
    assert run("answer", "1", "lost").exit_code == 1
    assert "; moved_away by wang" in run("list", "--answered").output
    assert run("counts", "--unit", "0101").output == "A支部: 1 open; 1 moved_away\n1 open\n"
