"""The calendar of working days over HTTP: set, read in, taken over, removed, and a year as it holds for a unit."""

from __future__ import annotations

import io

import pytest
from sqlalchemy.orm import Session

from sms_service.directory.models import Unit
from tests.api.directory_client import Caller
from tests.factories import make_unit

URL = "/calendar-days"


@pytest.fixture
def city(session: Session) -> Unit:
    city = make_unit(session, name="云州市")
    session.commit()
    return city


@pytest.fixture
def administrator(make_app, session: Session, city: Unit) -> Caller:
    return Caller(make_app().test_client(), session, city, "administrator")


def upload(caller: Caller, content: bytes, name: str = "日历.csv", **form):
    data = {**form, "file": (io.BytesIO(content), name)}
    return caller.call("POST", f"{URL}/file", data=data, content_type="multipart/form-data")


def test_days_are_set_listed_and_removed(administrator: Caller, city: Unit) -> None:
    days = [
        {"day": "2027-02-05", "works": False, "name": "春节"},
        {"day": "2027-02-14", "works": True, "name": "春节调休"},
    ]
    made = administrator.call("POST", URL, json={"unit_id": city.id, "days": days})
    assert made.status_code == 200
    assert made.json["items"][0] | {"id": 0} == {**days[0], "id": 0, "unit_id": city.id, "unit": "云州市"}
    listed = administrator.call("GET", f"{URL}?year=2027&limit=1").json
    assert (len(listed["items"]), listed["next"] is not None) == (1, True)
    assert administrator.call("GET", f"{URL}?year=2026").json["items"] == []
    assert administrator.call("GET", f"{URL}?year=1999").status_code == 422
    gone = made.json["items"][0]["id"]
    assert administrator.call("DELETE", f"{URL}/{gone}").status_code == 204
    assert administrator.call("DELETE", f"{URL}/{gone}").status_code == 404
    cleared = {"unit_id": city.id, "first": "2027-01-01", "last": "2027-12-31"}
    assert administrator.call("POST", f"{URL}/clear", json=cleared).json == {"number": 1}


def test_a_dry_run_sets_nothing_and_a_row_that_cannot_be_read_neither(administrator: Caller, city: Unit) -> None:
    body = {"unit_id": city.id, "text": "2月5日至6日 春节 放假\n2月14日 春节 上班", "year": 2027, "dry_run": True}
    dry = administrator.call("POST", f"{URL}/text", json=body).json
    assert (dry["is_set"], [one["state"] for one in dry["days"]], dry["refused"]) == (False, ["added"] * 3, [])
    wrong = administrator.call(
        "POST", f"{URL}/text", json={**body, "dry_run": False, "text": "2月5日 放假\n2月30日 放假"}
    )
    (refused,) = wrong.json["refused"]
    assert (wrong.status_code, wrong.json["is_set"], refused["row"], refused["value"]) == (
        200,
        False,
        2,
        "2月30日 放假",
    )
    assert refused["reason_message"]["message"] == "{value} is no day of the calendar"
    assert administrator.call("GET", URL).json["items"] == []
    assert administrator.call("POST", f"{URL}/text", json={**body, "dry_run": False}).json["is_set"] is True
    again = administrator.call("POST", f"{URL}/text", json={**body, "text": "2月5日 除夕 放假\n2月14日 春节 上班"}).json
    assert [one["state"] for one in again["days"]] == ["changed", "same"]


def test_a_file_is_read_in(administrator: Caller, city: Unit) -> None:
    table = "日期,结束日期,名称,安排\n2027-02-05,2027-02-11,春节,放假\n2027-02-14,,春节,上班\n".encode("gb18030")
    dry = upload(administrator, table, unit_id=city.id, dry_run="true").json
    assert (dry["is_set"], len(dry["days"])) == (False, 8)
    assert upload(administrator, table, unit_id=city.id).json["is_set"] is True
    lines = upload(administrator, "2月5日 除夕 放假".encode(), "日历.txt", unit_id=city.id, year=2027)
    assert [one["state"] for one in lines.json["days"]] == ["changed"]


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "a.xlsx"), (b"PK\x03\x04nothing", "a.xlsx"), (b"\x00\x01", "a.txt"), ("姓名\n甲\n".encode(), "a.csv")],
)
def test_what_is_no_calendar_is_refused(administrator: Caller, city: Unit, content: bytes, name: str) -> None:
    answer = upload(administrator, content, name, unit_id=city.id)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "file")


def test_a_year_is_taken_over_and_shown_as_it_holds_below(administrator: Caller, city: Unit, session: Session) -> None:
    branch = make_unit(session, level="branch", parent=city)
    session.commit()
    url = f"/units/{branch.id}/working-days"
    before = administrator.call("GET", f"{url}?year=2026").json
    assert (before["known_until"], before["working_days"], before["days"]) == (None, 261, [])
    assert before["warning"].startswith("no holidays are known for 2026")
    made = administrator.call("POST", f"{URL}/take-over", json={"unit_id": city.id, "year": 2026})
    assert (made.status_code, len(made.json["items"])) == (200, 39)
    after = administrator.call("GET", f"{url}?year=2026").json
    assert (after["known_until"], after["working_days"], after["warning"]) == ("2026-12-31", 248, None)
    assert {one["unit"] for one in after["days"]} == {"云州市"}
    unknown = administrator.call("POST", f"{URL}/take-over", json={"unit_id": city.id, "year": 2003})
    assert unknown.status_code == 422
    assert unknown.json["errors"][0]["field"] == "year"


def test_who_manages_no_directory_reads_only(make_app, session: Session, city: Unit) -> None:
    officer = Caller(make_app().test_client(), session, city, "officer")
    assert officer.call("GET", URL).status_code == 200
    assert officer.call("GET", f"/units/{city.id}/working-days?year=2026").status_code == 200
    assert upload(officer, b"x", unit_id=city.id).status_code == 403
    assert officer.call("POST", f"{URL}/take-over", json={"unit_id": city.id, "year": 2026}).status_code == 403
