"""Reference lists over HTTP: a file is planned, applied and written again, and a campaign picks a row."""

from __future__ import annotations

import io

import pytest
from sqlalchemy.orm import Session

from sms_service.controls.accounts import synchronise_gateways
from sms_service.directory.models import Unit
from tests.api.directory_client import Caller
from tests.content.test_reference_lists import VENUES, filled
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.factories import make_segment, make_template, make_unit

URL = "/reference-lists"


@pytest.fixture
def city(session: Session) -> Unit:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    city = make_unit(session)
    session.commit()
    return city


@pytest.fixture
def officer(make_app, session: Session, city: Unit) -> Caller:
    return Caller(make_app().test_client(), session, city, "officer")


def upload(caller: Caller, list_id: int, content: str):
    data = {"file": (io.BytesIO(content.encode()), "场地.csv")}
    return caller.call("POST", f"{URL}/{list_id}/file", data=data, content_type="multipart/form-data")


def test_a_list_from_its_file_to_its_file(officer: Caller, city: Unit) -> None:
    made = officer.call("POST", URL, json={"unit_id": city.id, "name": "venue", "label": "场地"})
    assert made.status_code == 201
    id_ = made.json["id"]
    assert officer.call("POST", URL, json={"unit_id": city.id, "name": "venue", "label": "场地"}).status_code == 409
    plan = upload(officer, id_, VENUES).json
    assert (plan["added"], plan["added_rows"], plan["refused"]) == (2, ["市民中心", "图书馆"], [])
    assert officer.call("GET", f"{URL}/{id_}/plan").json == plan
    seen = {name: plan[name] for name in ("draft_id", "version")}
    applied = officer.call("POST", f"{URL}/{id_}/plan", json=seen)
    assert (applied.status_code, applied.json["rows"], applied.json["version"]) == (200, 2, 2)
    assert applied.json["columns"][1] == {"name": "address", "label": "地址"}
    assert officer.call("POST", f"{URL}/{id_}/plan", json=seen).status_code == 409
    assert officer.call("GET", f"{URL}/{id_}/plan").status_code == 404
    refused = upload(officer, id_, "场地\n甲\n甲\n").json
    assert [(one["row"], one["reason"]) for one in refused["refused"]] == [(3, "甲 is the name of row 2 too")]
    file = officer.call("GET", f"{URL}/{id_}/file?format=csv")
    assert file.data.decode("utf-8-sig").splitlines()[1] == "市民中心,南京路1号,88880000"
    assert officer.call("GET", f"{URL}/{id_}/file?format=pdf").status_code == 422
    found = officer.call("GET", f"{URL}/{id_}/rows?wanted=人民路").json["items"]
    assert [one["name"] for one in found] == ["图书馆"]
    assert officer.call("DELETE", f"{URL}/{id_}/rows/{found[0]['id']}").status_code == 204
    assert [one["rows"] for one in officer.call("GET", URL).json["items"]] == [1]
    assert officer.call("PATCH", f"{URL}/{id_}", json={"label": "活动场地"}).json["label"] == "活动场地"
    assert officer.call("DELETE", f"{URL}/{id_}").status_code == 204


def test_a_campaign_picks_a_row(officer: Caller, session: Session, city: Unit) -> None:
    filled(session, city)
    version = make_template(session, city, "请到{{ venue.address }}来", variables=("venue.address",))
    segment = make_segment(session, city, {"everyone": True})
    session.commit()
    (venues,) = officer.call("GET", URL).json["items"]
    assert officer.call("GET", f"{URL}/{venues['id']}").json["templates"][0]["id"] == version.template_id
    rows = {one["name"]: one["id"] for one in officer.call("GET", f"{URL}/{venues['id']}/rows").json["items"]}
    body = {"unit_id": city.id, "name": "通知", "signature": "云州先锋", "segment_id": segment.id}
    body |= {"template_version_id": version.id, "picks": {"venue": rows["市民中心"]}}
    made = officer.call("POST", "/campaigns", json=body).json
    assert (made["values"], made["picks"]) == ({"venue.address": "南京路1号"}, {"venue": rows["市民中心"]})
    for wrong, field in (({"venue": 10**9}, "picks.venue"), ({"teacher": 1}, "picks.teacher"), ({"venue": "x"}, None)):
        answer = officer.call("PATCH", f"/campaigns/{made['id']}", json={"picks": wrong})
        assert answer.status_code == 422, wrong
        assert field is None or answer.json["errors"][0]["field"] == field
    other = officer.call("PATCH", f"/campaigns/{made['id']}", json={"picks": {"venue": rows["图书馆"]}}).json
    assert other["values"] == {"venue.address": "人民路2号"}


def test_bad_files_get_a_clear_answer(officer: Caller, session: Session, city: Unit) -> None:
    found = filled(session, city)
    session.commit()
    for content in (b"", b"\x00" * 100, b"PK\x03\x04broken", b"\xd0\xcf\x11\xe0old", b"{}", "场地".encode()):
        data = {"file": (io.BytesIO(content), "x.xlsx")}
        answer = officer.call("POST", f"{URL}/{found.id}/file", data=data, content_type="multipart/form-data")
        assert (content, answer.status_code) == (content, 422)
        assert answer.json["errors"][0]["field"] == "file"
    empty = officer.call("POST", f"{URL}/{found.id}/file", data={}, content_type="multipart/form-data")
    assert empty.status_code == 422
