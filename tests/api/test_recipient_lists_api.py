"""Lists for one campaign over HTTP and by the shell: uploaded, checked, made, looked at and let go."""

from __future__ import annotations

import io

import pytest
from click.testing import CliRunner

from sms_service.audience.import_work import work_on_import
from sms_service.cli import main
from sms_service.controls.accounts import synchronise_gateways
from tests.api.directory_client import Caller
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.factories import make_person, make_template, make_unit

ROWS = "编号,姓名,手机号,座位\nP1,,,1排\n,来宾,13975840241,2排，电话13975840249\n,无号,,3排\n"


@pytest.fixture
def unit(session):
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, code="01", name="云州市")
    make_person(session, unit, number="P1", name="王伟")
    session.commit()
    return unit


def bring(caller, database, unit, rows=ROWS):
    files = {"file": (io.BytesIO(rows.encode()), "座谈会.csv")}
    data = {"kind": "recipients", "unit_id": str(unit.id), **files}
    made = caller.post("/imports", data=data, content_type="multipart/form-data")
    assert made.status_code == 202, made.json
    path = f"/imports/{made.json['id']}"
    work_on_import(database.session, made.json["id"])
    checked = caller.get(path).json
    applied = caller.post(f"{path}/apply", json={"version": checked["version"]})
    assert applied.status_code == 202, applied.json
    work_on_import(database.session, made.json["id"])
    return caller.get(path).json


def test_a_file_becomes_a_list_that_a_campaign_uses(make_app, database, session, unit):
    administrator = Caller(make_app().test_client(), session, unit, "administrator")
    done = bring(administrator, database, unit)
    assert (done["kind"], done["state"], done["rows"]) == ("recipients", "applied", 3)
    assert (done["unchanged"], done["created"], done["refused"]) == (1, 1, 1)
    (found,) = administrator.get("/recipient-lists", import_id=done["id"]).json["items"]
    assert (found["name"], found["variables"], found["people"], found["guests"]) == ("座谈会", ["row.座位"], 2, 1)
    assert administrator.get(f"/recipient-lists/{found['id']}").json == found
    rows = administrator.get(f"/recipient-lists/{found['id']}/rows").json["items"]
    assert [(row["row"], row["name"], row["guest"]) for row in rows] == [(2, "王伟", False), (3, "来宾", True)]
    assert rows[1]["phone"] == "+86139****0241"
    assert "13975840249" not in str(rows)
    version = make_template(session, unit, "座位：{{ row.座位 }}。", variables=("row.座位",), class_="notice")
    session.commit()
    body = {"name": "座谈会", "signature": "云州先锋", "unit_id": unit.id, "template_version_id": version.id}
    made = administrator.post("/campaigns", json={**body, "segment_id": found["segment_id"]})
    assert made.status_code == 201, made.json
    uses = administrator.get(f"/recipient-lists/{found['id']}/uses").json["campaigns"]
    assert uses == [{"id": made.json["id"], "name": "座谈会", "status": "draft", "run_id": None}]
    everybody = administrator.post("/segments", json={"name": "全体", "unit_id": unit.id, "rule": {"everyone": True}})
    refused = administrator.post("/campaigns", json={**body, "segment_id": everybody.json["id"]})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "segment_id")
    assert "row.座位 comes from a list" in refused.json["errors"][0]["reason"]
    gone = administrator.post(f"/recipient-lists/{found['id']}/let-go")
    assert (gone.status_code, gone.json["let_go_at"] is not None) == (202, True)


def test_an_officer_brings_no_guests_and_others_see_nothing(make_app, database, session, unit):
    client = make_app().test_client()
    officer = Caller(client, session, unit, "officer")
    done = bring(officer, database, unit)
    assert (done["unchanged"], done["created"], done["refused"]) == (1, 0, 2)
    reasons = [one["reason"] for one in officer.get(f"/imports/{done['id']}/problems", refused="true").json["items"]]
    assert len([one for one in reasons if "you may not text people outside the register" in one]) == 2
    (found,) = officer.get("/recipient-lists").json["items"]
    elsewhere = Caller(client, session, make_unit(session), "administrator")
    assert elsewhere.get("/recipient-lists").json["items"] == []
    for path in ("", "/rows", "/uses"):
        assert elsewhere.get(f"/recipient-lists/{found['id']}{path}").status_code == 403
    assert elsewhere.post(f"/recipient-lists/{found['id']}/let-go").status_code == 403
    auditor = Caller(client, session, unit, "auditor")
    assert auditor.get(f"/recipient-lists/{found['id']}/rows").status_code == 200
    assert auditor.post(f"/recipient-lists/{found['id']}/let-go").status_code == 403
    data = {"kind": "recipients", "unit_id": str(unit.id), "file": (io.BytesIO(b"x"), "x.csv")}
    assert auditor.post("/imports", data=data, content_type="multipart/form-data").status_code == 403


def test_the_shell_makes_shows_and_lets_go(database_url, redis_url, monkeypatch, session, unit, tmp_path):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    file = tmp_path / "座谈会.csv"
    file.write_text(ROWS, encoding="utf-8")

    def run(*words):
        return CliRunner().invoke(main, list(words)).output

    said = run("import", "recipients", str(file), "--unit", "01")
    assert said.splitlines()[-1].endswith("3 rows = 1 people + 1 guests + 1 refused; list 1 座谈会, segment 1")
    shown = run("list", "show", "1")
    assert shown.startswith("list 1 座谈会: 2 people, 1 of them guests\nsegment 1, digest ")
    assert "{{ row.座位 }}" in shown
    assert run("list", "rows", "1").splitlines()[0] == "row 2 王伟: 座位=1排"
    assert run("list", "let-go", "1") == "list 1 is let go; its rows are deleted within a minute\n"
