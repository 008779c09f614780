"""Contacts over HTTP and by the shell: roles of a unit, and the branches that nobody is reached through."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from sms_service.cli import main
from tests.api.directory_client import Caller
from tests.factories import make_person, make_unit


@pytest.fixture
def one(session):
    """A district."""
    one = make_unit(session, name="城东区", parent=make_unit(session))
    make_unit(session, parent=one, level="branch")
    session.commit()
    return one


@pytest.fixture
def branch(session, one):
    branch = make_unit(session, name="第九支部", parent=one, level="branch")
    session.commit()
    return branch


@pytest.fixture
def administrator(make_app, session, one):
    return Caller(make_app().test_client(), session, one, "administrator")


@pytest.fixture
def officer(make_app, session, one):
    return Caller(make_app().test_client(), session, one, "officer")


def test_give_list_and_take(administrator, officer, session, branch):
    person = make_person(session, branch, "林书记")
    session.commit()
    path = f"/units/{branch.id}/contacts"
    body = {"person_id": person.id, "role": "书记"}
    made = administrator.post(path, json=body)
    assert made.status_code == 201
    assert administrator.post(path, json=body).status_code == 200
    (held,) = officer.get(path).json["items"]
    assert held == made.json
    assert (held["name"], held["role"], held["unreachable"]) == ("林书记", "书记", None)
    assert person.phone not in str(held)
    assert officer.post(path, json=body).status_code == 403
    assert officer.call("DELETE", f"{path}/{held['id']}").status_code == 403
    other = make_unit(session)
    session.commit()
    assert administrator.call("DELETE", f"/units/{other.id}/contacts/{held['id']}").status_code == 404
    assert administrator.call("DELETE", f"{path}/{held['id']}").status_code == 204
    assert administrator.call("DELETE", f"{path}/{held['id']}").status_code == 404
    assert officer.get(path).json["items"] == []


def test_branches_without_a_reachable_contact_by_pages_and_within_scope(administrator, officer, session, one, branch):
    make_person(session, branch)
    elsewhere = make_unit(session, name="外面", level="branch", parent=make_unit(session))
    session.commit()
    seen, cursor = [], None
    while True:
        answer = officer.get("/units/without-contact", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += answer.json["items"]
        cursor = answer.json["next"]
        if cursor is None:
            break
    assert len(seen) == len({one["id"] for one in seen}) >= 2
    assert elsewhere.id not in {one["id"] for one in seen}
    (found,) = [lacking for lacking in seen if lacking["id"] == branch.id]
    assert found == {
        "id": branch.id, "code": branch.code, "name": "第九支部", "parent_id": one.id, "members": 1, "contacts": [],
    }  # fmt: skip
    assert officer.get(f"/units/without-contact?unit={elsewhere.id}").status_code == 403
    person = make_person(session, branch, phone=None)
    session.commit()
    administrator.post(f"/units/{branch.id}/contacts", json={"person_id": person.id, "role": "书记"})
    (found,) = officer.get(f"/units/without-contact?unit={branch.id}&role=书记").json["items"]
    assert [contact["unreachable"] for contact in found["contacts"]] == ["no_phone"]


def test_the_shell_gives_takes_and_lists(session, branch, database_url, redis_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    person = make_person(session, branch, "林书记")
    session.commit()

    def run(*words):
        return CliRunner().invoke(main, ["contacts", *words]).output

    which = ("--person", person.number, "--unit", branch.code, "--role", "书记")
    lacking = ("lacking", "--unit", branch.code)
    assert run(*lacking) == f"{branch.code} 第九支部: 1 members; nobody holds the role\n1 branches, 1 members\n"
    assert run("give", *which) == f"person {person.number} holds the role 书记 in unit {branch.code}\n"
    assert run("give", *which).endswith(" already\n")
    assert run(*lacking) == "0 branches, 0 members\n"
    assert "林书记" not in run(*lacking)
    person.phone = None
    session.commit()
    assert "书记 林书记: no_phone" in run(*lacking)
    assert "any more" in run("take", *which)
    assert "was not found" in run("take", *which) or "no contact" in run("take", *which)
