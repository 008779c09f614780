"""Units, people and imports over HTTP: what one can do, and that nobody reaches another district."""

from __future__ import annotations

import io
import json

import pytest
from directory_client import Caller
from factories import fictional_phone, make_person, make_unit
from sqlalchemy import select

from sms_service.audience.import_work import work_on_import
from sms_service.audience.models import Suppression
from sms_service.audit.models import TrailEntry
from sms_service.directory.import_models import Import, ImportProblem
from sms_service.directory.models import Person

HEADER = "编号,姓名,手机号,组织编码,职务,标签"


@pytest.fixture
def tree(session):
    city = make_unit(session, code="01", name="云州市")
    one = make_unit(session, code="0101", name="城东区", parent=city)
    other = make_unit(session, code="0102", name="临江区", parent=city)
    branch = make_unit(session, code="0101001", name="第一党支部", parent=one, level="branch")
    session.commit()
    return {"city": city, "one": one, "other": other, "branch": branch}


@pytest.fixture
def administrator(client, session, tree):
    return Caller(client, session, tree["one"], "administrator")


@pytest.fixture
def officer(client, session, tree):
    return Caller(client, session, tree["one"], "officer")


@pytest.fixture
def auditor(client, session, tree):
    return Caller(client, session, tree["one"], "auditor")


def upload(caller, text, kind="people", headers=None, **form):
    data = {"kind": kind, "file": (io.BytesIO(text.encode()), "党员.csv"), **form}
    return caller.post("/imports", data=data, content_type="multipart/form-data", headers=headers or {})


def work(database, caller, answer):
    """The import after a worker's turn."""
    work_on_import(database.session, answer.json["id"])
    return caller.get(f"/imports/{answer.json['id']}").json


def bring_in(database, caller, text, **form):
    """The import after all three steps."""
    checked = work(database, caller, upload(caller, text, **form))
    done = caller.post(f"/imports/{checked['id']}/apply", json={"version": checked["version"]})
    assert done.status_code == 202, done.json
    return work(database, caller, done)


def test_units_are_listed_in_pages_within_the_named_scope(officer, tree):
    first = officer.get("/units", limit=1).json
    assert first["scope"] == [{"id": tree["one"].id, "code": "0101", "name": "城东区"}]
    assert [unit["code"] for unit in first["items"]] == ["0101"]
    second = officer.get("/units", limit=1, cursor=first["next"]).json
    assert ([unit["code"] for unit in second["items"]], second["next"]) == (["0101001"], None)
    assert [unit["code"] for unit in officer.get("/units", level="branch").json["items"]] == ["0101001"]


def test_a_unit_is_created_shown_and_changed(administrator, tree):
    body = {"code": "0101002", "name": "第二党支部", "level": "branch", "parent_id": tree["one"].id}
    made = administrator.post("/units", json=body)
    assert made.status_code == 201
    assert (made.json["window_opens"], made.json["window_closes"]) == ("08:00", "20:00")
    path = f"/units/{made.json['id']}"
    changed = administrator.patch(path, name="第三党支部", window_closes="24:00")
    assert (changed.status_code, changed.json["name"], changed.json["window_closes"]) == (200, "第三党支部", "24:00")
    assert administrator.get(path).json == changed.json
    assert administrator.post("/units", json=body).status_code == 409
    wrong = administrator.patch(path, window_opens="8 Uhr")
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (422, "window_opens")
    assert administrator.patch(path, colour="red").json["errors"][0]["field"] == "colour"


def test_a_person_is_added_shown_and_changed(administrator, session, tree):
    phone = fictional_phone()
    body = {
        "unit_id": tree["branch"].id,
        "name": " 王 伟 ",
        "number": "M1",
        "phone": phone,
        "tags": ["退休"],
        "attributes": {"gender": "男", "备用电话": phone},
        "roles": [{"unit_id": tree["branch"].id, "role": "书记"}],
    }
    made = administrator.post("/people", json=body)
    assert made.status_code == 201
    person = made.json
    assert (person["name"], person["roles"]) == ("王伟", [{"unit_id": tree["branch"].id, "role": "书记"}])
    assert phone not in json.dumps(person)
    assert person["phone"].endswith(phone[-4:])
    path = f"/people/{person['id']}"
    assert administrator.get(path, phones="whole").json["errors"][0]["field"] == "why"
    whole = administrator.get(path, phones="whole", why="核对").json
    assert (whole["phone"], whole["attributes"]["备用电话"]) == (phone, phone)
    looked = session.scalars(select(TrailEntry).where(TrailEntry.act == "people.see_phones")).one()
    assert (looked.account_id, looked.target_id) == (administrator.account_id, str(person["id"]))
    assert looked.details == {"people": [person["id"]], "why": "核对"}

    changed = administrator.patch(path, phone=None, roles=[], lost_contact=True, left=True)
    assert (changed.json["phone"], changed.json["roles"], changed.json["lost_contact"]) == (None, [], True)
    assert changed.json["left_at"] is not None
    assert administrator.get("/people").json["items"] == []
    assert administrator.patch(path, phone="0571-80927662").json["errors"][0]["field"] == "phone"
    assert administrator.post("/people", json=body).status_code == 409


def test_people_are_listed_by_name_in_pages(officer, session, tree):
    for name in ("丙", "甲", "乙"):
        make_person(session, tree["branch"], name=name)
    make_person(session, tree["other"], name="丁")
    session.commit()
    found, cursor = [], None
    while True:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        answer = officer.get("/people", **query).json
        found += [person["name"] for person in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert sorted(found) == sorted(["甲", "乙", "丙"])
    assert [p["name"] for p in officer.get("/people", name="甲").json["items"]] == ["甲"]


def test_an_auditor_sees_masked_numbers_only(auditor, officer, session, tree):
    person = make_person(session, tree["branch"])
    session.commit()
    listed = auditor.get("/people")
    assert person.phone not in listed.text
    assert auditor.get("/people", phones="whole").status_code == 403
    assert auditor.get(f"/people/{person.id}", phones="whole").status_code == 403
    assert officer.get("/people", phones="whole").status_code == 422
    assert officer.get("/people", phones="whole", why="核对").json["items"][0]["phone"] == person.phone


def test_a_file_comes_in_and_every_row_is_accounted_for(administrator, auditor, database, session, tree):
    text = "\n".join(
        [
            HEADER,
            "M1,王伟,13975840246,0101001,书记,不接收短信",
            "M2,李四,1876607113,0101001,党员,",
            "M3,赵六,13975840248,0102,党员,",
            ",,,,,",
            "M4,钱七,13975840249,0101001,党员,",
        ]
    )
    uploaded = upload(administrator, text)
    assert (uploaded.status_code, uploaded.json["state"]) == (202, "uploaded")
    path = f"/imports/{uploaded.json['id']}"
    assert administrator.post(f"{path}/apply", json={}).status_code == 409
    checked = work(database, administrator, uploaded)
    assert (checked["state"], checked["layout"]["meanings"][:2]) == ("checked", ["number", "name"])
    assert session.scalars(select(Person)).all() == [], "nothing is written before the apply"
    assert administrator.post(f"{path}/apply", json={"version": checked["version"] - 1}).status_code == 409
    applying = administrator.post(f"{path}/apply", json={"version": checked["version"]})
    assert (applying.status_code, applying.json["state"]) == (202, "applying")
    done = work(database, administrator, applying)
    counts = {key: done[key] for key in ("rows", "created", "changed", "moved", "unchanged", "refused", "suppressed")}
    assert counts == {
        "rows": 5,
        "created": 3,
        "changed": 0,
        "moved": 0,
        "unchanged": 0,
        "refused": 2,
        "suppressed": 1,
    }
    assert {key: checked[key] for key in counts if key != "suppressed"}.items() <= counts.items()
    rows = auditor.get(f"{path}/rows", outcome="created", limit=2).json
    assert [row["row"] for row in rows["items"]] == [2, 3]
    assert rows["items"][0]["cells"][2] == "139****0246"
    assert [
        row["row"] for row in auditor.get(f"{path}/rows", outcome="created", cursor=rows["next"]).json["items"]
    ] == [6]
    assert auditor.get(path).json["file_name"] == "党员.csv"
    problems = auditor.get(f"{path}/problems").json
    assert problems["scope"][0]["code"] == "0101"
    assert [(p["row"], p["column"], p["refused"]) for p in problems["items"]] == [
        (3, "手机号", False),
        (4, "组织编码", True),
        (5, "", True),
    ]
    assert [(p["message"], p["values"]) for p in problems["items"]] == [
        ("has {number} digits; a mobile number has 11", {"number": 10}),
        ("is a unit outside the scope of this import", {}),
        ("is empty", {}),
    ]
    assert "1876607113" not in auditor.get(f"{path}/problems").text
    assert auditor.get(f"{path}/problems", phones="whole").status_code == 403
    assert administrator.get(f"{path}/problems", phones="whole").status_code == 422
    assert "1876607113" in administrator.get(f"{path}/problems", phones="whole", why="改错").text
    assert len(auditor.get(f"{path}/problems", refused="true").json["items"]) == 2
    assert [item["id"] for item in auditor.get("/imports", kind="people").json["items"]] == [done["id"]]
    assert auditor.get("/imports", state="failed").json["items"] == []
    assert auditor.get("/imports", kind="units").json["items"] == []
    assert bring_in(database, administrator, text)["unchanged"] == 3


def test_the_same_upload_with_the_same_key_is_one_import(administrator, session, tree):
    text = f"{HEADER}\nM1,王伟,13975840246,0101001,,"
    key = {"Idempotency-Key": "one-upload"}
    first, second = upload(administrator, text, headers=key), upload(administrator, text, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json == second.json
    assert len(session.scalars(select(Import)).all()) == 1
    other = upload(administrator, text.replace("王伟", "李四"), headers=key)
    assert other.status_code == 422


def test_the_tree_comes_in_by_file_too(administrator, officer, database, tree):
    text = "组织编码,名称,层级,上级编码\n0101002,第二党支部,支部,0101\n0103,青山县,县,01"
    done = bring_in(database, administrator, text, kind="units")
    assert (done["created"], done["refused"], done["suppressed"]) == (1, 1, 0)
    assert upload(officer, text, kind="units").status_code == 403


def test_the_columns_can_be_told_and_are_remembered(officer, administrator, database, session, tree):
    text = "序号,称呼,电话,所在党支部\n1,王伟,13975840246,第一党支部"
    failed = work(database, officer, upload(officer, text))
    assert failed["state"] == "failed"
    assert failed["message"] == "lacks the columns {missing}; those found in row {row} are: {columns}"
    assert failed["values"]["missing"] == ["姓名"]
    assert failed["layout"]["meanings"] == ["nothing", "attribute", "phone", "unit_name"]
    path = f"/imports/{failed['id']}"
    for wrong in (["name"], ["name", "name", "phone", "unit_name"], ["nothing", "age", "phone", "unit_name"]):
        assert officer.patch(path, meanings=wrong).status_code == 422
    told = officer.patch(path, meanings=["nothing", "name", "phone", "unit_name"])
    assert (told.status_code, told.json["state"]) == (202, "uploaded")
    checked = work(database, officer, told)
    assert (checked["state"], checked["created"]) == ("checked", 1)
    again = work(database, administrator, upload(administrator, text))
    assert again["layout"]["meanings"] == ["nothing", "name", "phone", "unit_name"]


@pytest.mark.parametrize(
    ("text", "form", "field"),
    [
        ("", {}, "file"),
        (f"{HEADER}\n", {"kind": "animals"}, "kind"),
        (f"{HEADER}\n", {"unit_id": "one"}, "unit_id"),
        (f"{HEADER}\n", {"colour": "red"}, "colour"),
    ],
)
def test_an_upload_that_cannot_be_read_names_the_field(administrator, session, text, form, field):
    answer = upload(administrator, text, **form)
    assert answer.status_code == 422
    assert field in answer.json["errors"][0]["field"]
    assert session.scalars(select(Import)).all() == []


def test_a_form_without_a_file_or_json_instead(administrator):
    missing = administrator.post("/imports", data={"kind": "people"}, content_type="multipart/form-data")
    assert (missing.status_code, missing.json["errors"][0]["field"]) == (422, "file")
    assert administrator.post("/imports", json={"kind": "people"}).status_code == 422


def test_nobody_of_one_district_reaches_another(administrator, officer, session, tree):
    stranger = make_person(session, tree["other"])
    theirs = Import(
        unit_id=tree["other"].id,
        kind="people",
        file_name="x",
        digest=b"",
        rows=1,
        created=0,
        changed=0,
        unchanged=0,
        refused=1,
    )
    session.add(theirs)
    session.flush()
    session.add(ImportProblem(import_id=theirs.id, row=2, column="姓名", reason="x", refused=True))
    session.commit()
    other = tree["other"].id
    for caller in (administrator, officer):
        for path in (
            f"/units?unit={other}",
            f"/units?unit={tree['city'].id}",
            f"/units/{other}",
            f"/people?unit={other}",
            f"/people/{stranger.id}",
            f"/imports?unit={other}",
            f"/imports/{theirs.id}",
            f"/imports/{theirs.id}/problems",
            f"/imports/{theirs.id}/rows",
            f"/imports/{theirs.id}/refused",
        ):
            assert caller.get(path).status_code == 403, path
        for path in ("/units/999", "/people/999", "/imports/999", "/imports/999/refused", "/people?unit=999"):
            assert caller.get(path).status_code == 404, path
    for answer in (
        administrator.patch(f"/units/{other}", name="x"),
        administrator.post("/units", json={"code": "x", "name": "x", "level": "branch", "parent_id": other}),
        administrator.patch(f"/people/{stranger.id}", name="x"),
        administrator.post("/people", json={"unit_id": other, "name": "x"}),
        upload(administrator, HEADER, unit_id=str(other)),
        administrator.patch(f"/imports/{theirs.id}", meanings=[]),
        administrator.post(f"/imports/{theirs.id}/apply", json={}),
    ):
        assert answer.status_code == 403
    assert session.scalars(select(Person.name).where(Person.id == stranger.id)).one() == stranger.name


def test_branches_without_a_contact_can_be_listed(officer, session, tree):
    lacking = make_unit(session, parent=tree["one"], level="branch")
    session.commit()
    found = officer.get("/units?has_contact=false&level=branch").json["items"]
    assert lacking.id in [unit["id"] for unit in found]
    assert officer.get("/units?has_contact=true&level=branch").json["items"] == []


def test_officers_and_auditors_change_nothing_in_the_directory(officer, auditor, session, tree):
    person = make_person(session, tree["branch"])
    session.commit()
    for caller in (officer, auditor):
        for answer in (
            caller.patch(f"/units/{tree['one'].id}", name="x"),
            caller.post("/units", json={"code": "x", "name": "x", "level": "branch", "parent_id": tree["one"].id}),
            caller.patch(f"/people/{person.id}", name="x"),
            caller.post("/people", json={"unit_id": tree["one"].id, "name": "x"}),
            upload(caller, f"{HEADER}\nM1,王伟,,0101001,,", kind="units" if caller is officer else "people"),
        ):
            assert answer.status_code == 403
    assert session.scalars(select(Import)).all() == []
    assert session.scalars(select(Suppression)).all() == []
