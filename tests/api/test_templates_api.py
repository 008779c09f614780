"""Templates over HTTP: made, listed, given new versions, previewed, and kept to their scope."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from factories import make_account, make_person, make_unit
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from sms_service.accounts import tokens
from sms_service.accounts.actors import SYSTEM
from sms_service.content import library
from sms_service.directory.models import Unit

URL = "/api/v1/templates"
BODY = "{{ name }}同志：{{ 时间 }}学习。"


@pytest.fixture
def districts(session: Session) -> tuple[Unit, Unit]:
    """Two districts of one city, one with two people in a branch."""
    city = make_unit(session)
    one, other = make_unit(session, parent=city), make_unit(session, parent=city)
    branch = make_unit(session, parent=one)
    make_person(session, branch, name="张三")
    make_person(session, branch, name="欧阳震华")
    session.commit()
    return one, other


def login(session: Session, unit: Unit, role: str = "officer") -> dict[str, str]:
    """The header of a new account that holds the role on the unit."""
    account = make_account(session, unit, roles=(role,))
    now = datetime.now(UTC)
    _, secret = tokens.issue_token(session, SYSTEM, account.id, "test", now=now, random_bytes=secrets.token_bytes)
    session.commit()
    return {"Authorization": f"Bearer {secret}"}


def make(client: FlaskClient, headers: dict[str, str], unit: Unit, **kw: Any) -> Any:
    fields = {"unit_id": unit.id, "name": "学习", "class": "study", "body": BODY, **kw}
    return client.post(URL, json=fields, headers=headers)


def test_from_first_wording_to_second(client: FlaskClient, session: Session, districts: tuple[Unit, Unit]) -> None:
    officer = login(session, districts[0])
    made = make(client, officer, districts[0])
    assert made.status_code == 201
    template = made.json
    assert (template["name"], template["class"], template["unit_id"]) == ("学习", "study", districts[0].id)
    assert (template["version"]["number"], template["version"]["variables"]) == (1, ["name", "时间"])

    versions = f"{URL}/{template['id']}/versions"
    second = client.post(versions, json={"body": "今日学习。"}, headers=officer)
    assert (second.status_code, second.json["number"], second.json["body"]) == (201, 2, "今日学习。")

    assert client.get(f"{URL}/{template['id']}", headers=officer).json == {**template, "version": second.json}
    listed = client.get(f"{versions}?limit=1", headers=officer).json
    assert ([unit["id"] for unit in listed["scope"]], listed["items"]) == ([districts[0].id], [second.json])
    following = client.get(f"{versions}?limit=1&cursor={listed['next']}", headers=officer).json
    assert (following["items"], following["next"]) == ([template["version"]], None)


def test_the_list_names_its_scope_filters_and_pages(
    client: FlaskClient, session: Session, districts: tuple[Unit, Unit]
) -> None:
    one, other = districts
    assert one.parent_id is not None
    for unit_id, name, class_ in (
        (one.id, "乙", "study"),
        (one.id, "甲", "invitation"),
        (one.parent_id, "丙", "study"),
        (other.id, "丁", "study"),
    ):
        library.create_template(session, SYSTEM, unit_id, name, class_, "学习。")
    officer = login(session, one)

    listed, cursor = [], ""
    while cursor is not None:
        answer = client.get(f"{URL}?limit=2{cursor and f'&cursor={cursor}'}", headers=officer).json
        assert [unit["code"] for unit in answer["scope"]] == [one.code]
        listed += [item["name"] for item in answer["items"]]
        cursor = answer["next"]
    assert len(listed) == len(set(listed)) == 3
    assert set(listed) == {"甲", "乙", "丙"}
    answer = client.get(f"{URL}?class=study&unit={one.id}", headers=officer).json
    assert {item["name"] for item in answer["items"]} == {"乙", "丙"}


def test_what_belongs_to_another_district_is_forbidden(
    client: FlaskClient, session: Session, districts: tuple[Unit, Unit]
) -> None:
    one, other = districts
    template, _ = library.create_template(session, SYSTEM, other.id, "学习", "study", "学习。")
    officer = login(session, one)
    preview = {"signature": "城东街道"}
    answers = [
        client.get(f"{URL}?unit={other.id}", headers=officer),
        make(client, officer, other),
        client.get(f"{URL}/{template.id}", headers=officer),
        client.get(f"{URL}/{template.id}/versions", headers=officer),
        client.post(f"{URL}/{template.id}/versions", json={"body": "乙"}, headers=officer),
        client.post(f"{URL}/{template.id}/preview", json=preview, headers=officer),
        client.post(
            f"{URL}/preview",
            json={**preview, "class": "study", "body": "{{ name }}", "unit_id": other.id},
            headers=officer,
        ),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert client.get(f"{URL}/999", headers=officer).status_code == 404


def test_an_auditor_reads_and_changes_nothing(
    client: FlaskClient, session: Session, districts: tuple[Unit, Unit]
) -> None:
    template, _ = library.create_template(session, SYSTEM, districts[0].id, "学习", "study", "学习。")
    auditor = login(session, districts[0], "auditor")
    assert client.get(f"{URL}/{template.id}", headers=auditor).status_code == 200
    assert make(client, auditor, districts[0]).status_code == 403
    answer = client.post(f"{URL}/{template.id}/versions", json={"body": "乙"}, headers=auditor)
    assert answer.status_code == 403


def test_a_preview_shows_the_shortest_and_the_longest_text(
    client: FlaskClient, session: Session, districts: tuple[Unit, Unit]
) -> None:
    officer = login(session, districts[0])
    template = make(client, officer, districts[0]).json
    fields = {"signature": "城东街道", "values": {"时间": "九点"}}
    answer = client.post(f"{URL}/{template['id']}/preview", json=fields, headers=officer)
    assert answer.status_code == 200
    assert answer.json == {
        "variables": ["name", "时间"],
        "required": ["name", "时间"],
        "shortest": {
            "text": "【城东街道】张三同志：九点学习。拒收请回复R",
            "encoding": "UCS-2",
            "units": 22,
            "parts": 1,
        },
        "longest": {
            "text": "【城东街道】欧阳震华同志：九点学习。拒收请回复R",
            "encoding": "UCS-2",
            "units": 24,
            "parts": 1,
        },
        "people": 2,
        "lacking": {},
    }
    unsaved = client.post(f"{URL}/preview", json={**fields, "class": "study", "body": BODY}, headers=officer)
    assert unsaved.json == answer.json
    given = {**fields, "recipients": [{"name": "王" * 60}], "version": 1}
    answer = client.post(f"{URL}/{template['id']}/preview", json=given, headers=officer)
    assert answer.json["longest"]["parts"] == 2
    missing = client.post(f"{URL}/{template['id']}/preview", json={**fields, "version": 2}, headers=officer)
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("body", {"body": "a\n{% set x = y %}"}),
        ("body", {"body": "【别的】您好"}),
        ("body", {"body": "\x00"}),
        ("class", {"class": "advert"}),
        ("signature", {"signature": "城"}),
        ("values.时间", {"values": {"时间": True}}),
        ("values.name", {"values": {"name": "王"}}),
        ("values", {"values": {}}),
        ("recipients", {"recipients": []}),
        ("nonsense", {"nonsense": 1}),
    ],
)
def test_what_is_wrong_is_named(
    client: FlaskClient, session: Session, districts: tuple[Unit, Unit], field: str, change: dict[str, Any]
) -> None:
    officer = login(session, districts[0])
    fields = {"signature": "城东街道", "values": {"时间": "九点"}, "class": "study", "body": BODY, **change}
    answer = client.post(f"{URL}/preview", json=fields, headers=officer)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_a_taken_name_is_a_conflict_and_a_repeated_request_is_not(
    client: FlaskClient, session: Session, districts: tuple[Unit, Unit]
) -> None:
    officer = login(session, districts[0])
    keyed = {**officer, "Idempotency-Key": "one"}
    first = make(client, keyed, districts[0])
    assert make(client, keyed, districts[0]).json == first.json
    again = make(client, officer, districts[0])
    assert (again.status_code, again.mimetype) == (409, "application/problem+json")


def test_what_a_template_asks_for_is_kept_with_each_version(
    client: FlaskClient, session: Session, districts: tuple[Unit, Unit]
) -> None:
    officer = login(session, districts[0])
    asked = {"name": "时间", "label": "何时", "hint": "几点开始", "example": "12月1日9:00", "kind": "moment"}
    made = make(client, officer, districts[0], fields=[asked])
    assert made.json["version"]["fields"] == [asked]
    versions = f"{URL}/{made.json['id']}/versions"
    second = client.post(versions, json={"body": "{{ 地点 }}{{ 时间 }}"}, headers=officer).json
    plain = {"name": "地点", "label": "地点", "hint": "", "example": "", "kind": "text"}
    assert second["fields"] == [asked, plain], "what is known of a variable stays with it"
    third = client.post(versions, json={"body": second["body"], "fields": [{"name": "地点"}, asked]}, headers=officer)
    assert (third.json["number"], third.json["fields"]) == (3, [plain, asked])
    for wrong, at in (
        ({"name": "人数"}, "fields.人数"),
        ({"name": "地点", "kind": "colour"}, "fields[0].kind"),
        ({"name": "时间", "kind": "moment", "example": "随时"}, "fields.时间"),
    ):
        answer = client.post(versions, json={"body": second["body"], "fields": [wrong]}, headers=officer)
        assert (answer.status_code, [one["field"] for one in answer.json["errors"]]) == (422, [at])
