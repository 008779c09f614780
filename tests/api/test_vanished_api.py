"""Who is missing from a complete file, over HTTP."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from sms_service.audience.import_work import work_on_import
from sms_service.directory.models import Person
from tests.api.directory_client import Caller
from tests.factories import fictional_phone, make_person, make_unit

PHONES = [fictional_phone(number) for number in (81, 82)]


@pytest.fixture
def street(session):
    street = make_unit(session, code="0101", name="李店街道", parent=make_unit(session, code="01"), level="street")
    branch = make_unit(session, code="0101001", name="第一党支部", parent=street)
    for name, phone in zip("甲乙", PHONES, strict=True):
        make_person(session, branch, name, phone=phone)
    make_person(session, street, "丙")
    session.commit()
    return street


def upload(caller, **form):
    file = (io.BytesIO("姓名,手机号,组织编码\n丁,,0101\n".encode()), "花名册.csv")
    data = {"kind": "people", "file": file, **form}
    return caller.post("/imports", data=data, content_type="multipart/form-data")


def work(database, caller, answer):
    """The import after a worker's turn."""
    assert answer.status_code == 202, answer.json
    work_on_import(database.session, answer.json["id"])
    return caller.get(f"/imports/{answer.json['id']}").json


def test_they_are_listed_counted_and_marked(make_app, database, session, street):
    client = make_app().test_client()
    officer, auditor = Caller(client, session, street, "officer"), Caller(client, session, street, "auditor")
    branch = session.scalars(select(Person.unit_id).where(Person.name == "甲")).one()
    found = work(database, officer, upload(officer, complete_for=street.id))
    none_yet = {"members": 3, "present": 0, "unclear": 0, "unclear_rows": 0, "vanished": 3, "left": 0}
    assert found["complete"] == {"unit_id": street.id, **none_yet}
    path = f"/imports/{found['id']}"
    listed = auditor.get(f"{path}/vanished", limit=2).json
    assert [one["name"] for one in listed["items"]] == ["甲", "乙"]
    assert listed["items"][0] | {"person_id": 0, "number": ""} == {
        "person_id": 0,
        "name": "甲",
        "number": "",
        "phone": PHONES[0][:6] + "****" + PHONES[0][-4:],
        "unit_id": branch,
        "unit": "第一党支部",
        "why": None,
    }
    following = auditor.get(f"{path}/vanished", limit=2, cursor=listed["next"]).json
    assert ([one["name"] for one in following["items"]], following["next"]) == (["丙"], None)
    counted = auditor.get(f"{path}/vanished/counts").json["items"]
    assert counted == [
        {"id": branch, "name": "第一党支部", "proposed": 2},
        {"id": street.id, "name": "李店街道", "proposed": 1},
    ]
    assert auditor.get(f"{path}/vanished/counts", unit=branch).json["items"] == counted[:1]
    assert auditor.get(f"{path}/vanished/counts", unit=street.parent_id).status_code == 403
    assert auditor.get(f"{path}/vanished", unit=street.parent_id).status_code == 403

    first = listed["items"][0]["person_id"]
    body = {"why": "迁出", "person_ids": [first]}
    assert officer.post(f"{path}/vanished/leave", json=body).status_code == 409, "it is not applied"
    done = work(database, officer, officer.post(f"{path}/apply", json={"version": found["version"]}))
    assert (done["state"], done["complete"]["vanished"]) == ("applied", 3)
    assert auditor.post(f"{path}/vanished/leave", json=body).status_code == 403
    for wrong in ({"why": ""}, {"why": "迁出", "person_ids": []}, {"why": "迁出", "person_ids": [999]}, {}):
        assert officer.post(f"{path}/vanished/leave", json=wrong).status_code == 422
    assert officer.post(f"{path}/vanished/leave", json=body).json == {"left": 1, "others": 0, "named": []}
    again = officer.post(f"{path}/vanished/leave", json=body).json
    assert (again["left"], again["others"], again["named"][0]["why"]) == (0, 1, "left")
    rest = officer.post(f"{path}/vanished/leave", json={"why": "迁出", "unit_id": branch}).json
    assert (rest["left"], rest["others"]) == (1, 0)
    assert [one["why"] for one in officer.get(f"{path}/vanished", proposed="false").json["items"]] == ["left"] * 2
    assert officer.get(path).json["complete"]["left"] == 2


def test_it_is_said_later_and_for_units_of_the_import_only(make_app, database, session, street):
    client = make_app().test_client()
    officer = Caller(client, session, street, "officer")
    stranger = Caller(client, session, make_unit(session, code="0102", parent=None), "administrator")
    assert upload(officer, complete_for=street.parent_id).status_code == 403
    assert upload(officer, complete_for=999).status_code == 404
    assert upload(officer, complete_for="x").status_code == 422
    found = work(database, officer, upload(officer))
    path = f"/imports/{found['id']}"
    assert found["complete"] is None
    assert officer.get(f"{path}/vanished").status_code == 409
    assert stranger.call("PUT", f"{path}/complete", json={"unit_id": street.id}).status_code == 403
    assert officer.call("PUT", f"{path}/complete", json={"unit_id": street.parent_id}).status_code == 403
    assert officer.call("PUT", f"{path}/complete", json={}).status_code == 422
    said = work(database, officer, officer.call("PUT", f"{path}/complete", json={"unit_id": street.id}))
    assert (said["complete"]["vanished"], said["version"]) == (3, 2)
    assert officer.post(f"{path}/apply", json={"version": 1}).status_code == 409
    back = work(database, officer, officer.call("PUT", f"{path}/complete", json={"unit_id": None}))
    assert back["complete"] is None


def test_an_apply_that_finds_another_register_says_what_was_shown(make_app, database, session, street):
    officer = Caller(make_app().test_client(), session, street, "officer")
    found = work(database, officer, upload(officer))
    make_person(session, street, "丁", phone=None, number=None)
    session.commit()
    path = f"/imports/{found['id']}"
    answer = officer.post(f"{path}/apply", json={"version": found["version"]})
    assert (answer.status_code, answer.json["state"]) == (202, "applying")
    work(database, officer, answer)  # finds that it would do something else
    anew = work(database, officer, answer)
    assert (anew["state"], anew["version"], anew["created"], anew["unchanged"]) == ("checked", 2, 0, 1)
    assert "nothing was written. That check had shown 1 rows created, 0 changed" in anew["reason"]
    assert {name: anew["values"][name] for name in ("created", "unchanged")} == {"created": 1, "unchanged": 0}
