"""Many accounts over HTTP and by the shell: a plan, just that, and passwords shown once."""

from __future__ import annotations

import io

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from sms_service.accounts.models import Account, StoredResponse
from sms_service.cli import main
from sms_service.directory.models import Contact
from tests.api.directory_client import Caller
from tests.factories import make_person, make_unit


@pytest.fixture
def street(session):
    street = make_unit(session, code="0101", level="street", parent=make_unit(session))
    branch = make_unit(session, code="0101-A", name="A支部", level="branch", parent=street)
    session.add(Contact(unit_id=branch.id, person_id=make_person(session, branch, "赵二").id, role="书记"))
    session.commit()
    return street


def test_a_plan_and_then_just_that(make_app, session, street):
    caller = Caller(make_app().test_client(), session, street, "administrator")
    plan = caller.post("/logins/plan", data={"unit_id": street.id, "contact_role": "书记"}).json
    assert (plan["create"], [row["state"] for row in plan["rows"]]) == (1, ["create"])
    assert plan["source"] == [{"row": 1, "name": "赵二", "unit_code": "0101-A", "login": None}]
    body = {"unit_id": street.id, "role": "officer", "rows": plan["source"], "digest": plan["digest"]}
    headers = {"Idempotency-Key": "once"}
    first, second = (caller.post("/logins", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, first.json["number"]) == (201, 1)
    (made,) = first.json["logins"]
    assert (made["login"], made["unit"]) == ("0101-a", "A支部")
    assert second.json == {"number": 1, "logins": None}
    stored = session.scalars(select(StoredResponse)).one()
    assert made["password"].encode() not in stored.body
    assert caller.post("/logins", json=body).status_code == 409, "it is there by now"
    assert session.scalars(select(Account.login).where(Account.name == "赵二")).all() == ["0101-a"]


def test_a_file_or_a_role_and_not_both(make_app, session, street):
    caller = Caller(make_app().test_client(), session, street, "administrator")

    def file():
        return (io.BytesIO("姓名,组织编码\n钱三,0101-A\n,0101-A\n".encode()), "书记.csv")

    plan = caller.post("/logins/plan", data={"unit_id": street.id, "role": "auditor", "file": file()})
    assert [row["state"] for row in plan.json["rows"]] == ["create", "refused"]
    assert plan.json["rows"][1]["why_message"]["message"] == "must be a name of 1 to {most} characters"
    for data in ({}, {"contact_role": "书记", "file": file()}, {"role": "administrator", "contact_role": "书记"}):
        assert caller.post("/logins/plan", data={"unit_id": street.id, **data}).status_code == 422
    officer = Caller(make_app().test_client(), session, street, "officer")
    assert officer.post("/logins/plan", data={"unit_id": street.id, "contact_role": "书记"}).status_code == 403


def test_the_shell_says_first_and_makes_when_told(session, street, database_url, redis_url, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    words = ["account", "many", "--unit", "0101", "--contacts", "书记"]
    said = CliRunner().invoke(main, words)
    assert said.output == "row 1 赵二, unit 0101-A: create 0101-a\n1 of 1 would be created\n"
    assert session.scalars(select(Account)).all() == []
    made = CliRunner().invoke(main, [*words, "--make"])
    login, password, name, unit = made.stdout.splitlines()[-1].split("\t")
    assert (login, len(password), name, unit) == ("0101-a", 19, "赵二", "A支部")
    session.expire_all()
    assert session.scalars(select(Account)).one().password_due is True
    file = tmp_path / "书记.csv"
    file.write_text("姓名,组织编码\n赵二,0101-A\n", "utf-8")
    again = CliRunner().invoke(main, ["account", "many", "--unit", "0101", "--file", str(file)])
    assert again.output.startswith("row 2 赵二, unit 0101-A: exists 0101-a\n0 of 1")
    assert CliRunner().invoke(main, ["account", "many", "--unit", "0101"]).exit_code == 2
