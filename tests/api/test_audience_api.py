"""Segments and suppressions over HTTP."""

from __future__ import annotations

import pytest
from directory_client import Caller
from factories import fictional_phone, make_person, make_segment, make_unit
from sqlalchemy import select

from sms_service.audience.models import Suppression


@pytest.fixture
def tree(session):
    city = make_unit(session, code="01")
    one, other = make_unit(session, code="0101", parent=city), make_unit(session, code="0102", parent=city)
    session.commit()
    return {"city": city, "one": one, "other": other}


@pytest.fixture
def officer(client, session, tree):
    return Caller(client, session, tree["one"], "officer")


@pytest.fixture
def administrator(client, session, tree):
    return Caller(client, session, tree["one"], "administrator")


@pytest.fixture
def auditor(client, session, tree):
    return Caller(client, session, tree["one"], "auditor")


def test_a_segment_is_saved_changed_previewed_and_listed(officer, auditor, session, tree):
    retired = make_person(session, tree["one"], name="王伟", tags=["退休"])
    make_person(session, tree["one"], tags=["青年"])
    make_person(session, tree["other"], tags=["退休"])
    session.commit()
    body = {"unit_id": tree["one"].id, "name": "退休", "rule": {"tag": "退休"}}
    made = officer.post("/segments", json=body)
    assert made.status_code == 201
    path = f"/segments/{made.json['id']}"
    found = auditor.get(f"{path}/preview", sample=5).json
    assert found["sentence"].endswith(" who has the tag 退休")
    assert {
        key: value for key, value in found.items() if key not in ("sample", "sentence", "said", "units", "warnings")
    } == {
        "count": 1,
        "textable": 1,
        "phones": 1,
        "opted_out": 0,
        "no_phone": 0,
        "bad_number": 0,
        "lost_contact": 0,
        "skipped": {},
    }
    (shown,) = found["sample"]
    assert (shown["person_id"], shown["name"], shown["unit_id"]) == (retired.id, "王伟", tree["one"].id)
    assert shown["phone"] != retired.phone
    assert shown["phone"].endswith(retired.phone[-4:])
    everyone = {"unit_id": tree["one"].id, "rule": {"everyone": True}, "sample": 0}
    unsaved = officer.post("/segments/preview", json=everyone)
    assert (unsaved.status_code, unsaved.json["count"], unsaved.json["sample"]) == (200, 2, [])
    assert officer.patch(path, rule={"everyone": True}).json["rule"] == {"everyone": True}
    shown = officer.get(path).json
    assert shown.pop("rule") == {"everyone": True}
    assert shown.pop("warnings") == []
    assert shown.pop("sentence") == shown.pop("said")["values"]["unit"].join(("everybody in ", " and below"))
    assert officer.get("/segments", name="退").json["items"] == [shown]
    assert officer.post("/segments", json=body).status_code == 409


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"all": [{"tag": "a"}, {"tga": "b"}]}, "rule.all[1].tga"),
        ({"unit": {"code": "0102"}}, "rule.unit.code"),
        ({"tag": "\x00"}, "rule.tag"),
        ("everyone", "rule"),
        (None, "rule"),
    ],
)
def test_a_bad_rule_is_refused_with_its_place(officer, tree, rule, field):
    for path in ("/segments", "/segments/preview"):
        body = {"unit_id": tree["one"].id, "rule": rule} | ({"name": "x"} if path == "/segments" else {})
        answer = officer.post(path, json=body)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_nobody_of_one_district_reaches_another(officer, auditor, session, tree):
    theirs = make_segment(session, tree["other"], {"everyone": True})
    own = make_segment(session, tree["one"], {"everyone": True})
    stranger = make_person(session, tree["other"])
    session.commit()
    rule = {"everyone": True}
    other = tree["other"].id
    for answer in (
        officer.get(f"/segments?unit={other}"),
        officer.get(f"/segments/{theirs.id}"),
        officer.get(f"/segments/{theirs.id}/preview"),
        officer.patch(f"/segments/{theirs.id}", name="x"),
        officer.post("/segments", json={"unit_id": other, "name": "x", "rule": rule}),
        officer.post("/segments/preview", json={"unit_id": other, "rule": rule}),
        officer.get(f"/suppressions?unit={other}"),
        officer.post("/suppressions", json={"person_id": stranger.id}),
        officer.post("/suppressions", json={"phone": stranger.phone}),
        auditor.post("/segments", json={"unit_id": tree["one"].id, "name": "x", "rule": rule}),
        auditor.patch(f"/segments/{own.id}", name="x"),
        auditor.post("/suppressions", json={"phone": stranger.phone}),
    ):
        assert answer.status_code == 403
    assert officer.get("/segments/999").status_code == 404
    assert session.scalars(select(Suppression)).all() == []


def test_a_number_is_suppressed_listed_masked_and_lifted(officer, administrator, auditor, session, tree):
    people = [make_person(session, tree["one"], name=name) for name in ("甲", "乙", "丙")]
    session.commit()
    first = officer.post("/suppressions", json={"phone": people[0].phone, "reason": "complaint"})
    assert (first.status_code, first.json["reason"], first.json["source"]) == (201, "complaint", "api")
    assert people[0].phone not in first.text
    for person in people[1:]:
        assert officer.post("/suppressions", json={"person_id": person.id}).status_code == 201
    names, cursor = [], None
    while True:
        answer = auditor.get("/suppressions", **({"limit": 2} | ({"cursor": cursor} if cursor else {})))
        assert not any(person.phone in answer.text for person in people)
        names += [item["name"] for item in answer.json["items"]]
        cursor = answer.json["next"]
        if cursor is None:
            break
    assert names == ["丙", "乙", "甲"]
    assert [item["name"] for item in auditor.get("/suppressions", reason="complaint").json["items"]] == ["甲"]
    assert auditor.get("/suppressions", reason="no_phone").status_code == 422
    assert officer.get(f"/people/{people[0].id}").json["opted_out"] is True

    lift = {"person_id": people[0].id, "why": "本人到支部要求"}
    assert officer.post("/suppressions/lift", json=lift).status_code == 403
    assert administrator.post("/suppressions/lift", json=lift).status_code == 204
    assert administrator.post("/suppressions/lift", json=lift).status_code == 404
    assert officer.get(f"/people/{people[0].id}").json["opted_out"] is False


def test_an_entry_for_a_unit_is_added_listed_shown_and_lifted(client, officer, administrator, auditor, session, tree):
    person = make_person(session, tree["one"], name="甲")
    session.commit()
    one, other = tree["one"].id, tree["other"].id
    body = {"person_id": person.id, "reason": "manual", "unit_id": one}
    refused = officer.post("/suppressions", json=body)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "note")
    made = officer.post("/suppressions", json={**body, "note": "家属13912345678来电"})
    assert made.status_code == 201
    assert (made.json["unit_id"], made.json["note"], made.json["lifted_at"]) == (one, "家属139****5678来电", None)
    assert officer.get(f"/people/{person.id}").json["opted_out"] is False, "other units may text them"
    (listed,) = auditor.get("/suppressions", scope="unit").json["items"]
    assert (listed["name"], listed["unit"], listed["holders"]) == ("甲", tree["one"].name, 1)
    assert auditor.get("/suppressions", scope="everywhere").json["items"] == []
    assert auditor.get("/suppressions", state="lifted").json["items"] == []
    path = f"/suppressions/{made.json['id']}"
    assert auditor.get(path).json == made.json
    assert auditor.post(f"{path}/lift", json={"why": "x"}).status_code == 403
    assert administrator.post(f"{path}/lift", json={}).status_code == 422
    assert administrator.post(f"{path}/lift", json={"why": "本人来电"}).status_code == 204
    assert administrator.post(f"{path}/lift", json={"why": "本人来电"}).status_code == 404
    lifted = auditor.get(path).json
    assert (lifted["lift_why"], lifted["lifted_at"] is None) == ("本人来电", False)
    assert auditor.get("/suppressions").json["items"] == []
    assert [item["id"] for item in auditor.get("/suppressions", state="lifted").json["items"]] == [made.json["id"]]
    history = auditor.post("/suppressions/history", json={"phone": person.phone})
    assert [item["reason"] for item in history.json["items"]] == ["manual"]
    assert person.phone not in history.text
    stranger = Caller(client, session, tree["other"], "administrator")
    for answer in (
        stranger.get(path),
        stranger.post(f"{path}/lift", json={"why": "x"}),
        stranger.post("/suppressions/history", json={"person_id": person.id}),
        stranger.post("/suppressions", json={"phone": person.phone, "unit_id": one}),
        stranger.get(f"/suppressions?unit={one}"),
    ):
        assert answer.status_code == 403
    assert stranger.post("/suppressions/history", json={"phone": person.phone}).json == {"items": []}
    assert stranger.post("/suppressions", json={"phone": person.phone, "unit_id": other}).status_code == 201
    assert officer.get("/suppressions/999999").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "phone"),
        ({"phone": "12345"}, "phone"),
        ({"phone": "+8613975840246", "person_id": 1}, "phone"),
        ({"phone": "+8613975840246", "reason": "because"}, "reason"),
    ],
)
def test_what_cannot_be_suppressed_names_the_field(officer, body, field):
    answer = officer.post("/suppressions", json=body)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_a_person_without_a_number_cannot_be_suppressed(officer, session, tree):
    person = make_person(session, tree["one"], phone=None)
    session.commit()
    answer = officer.post("/suppressions", json={"person_id": person.id})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "person_id")


def test_a_number_of_the_own_district_that_no_one_suppressed(administrator, session, tree):
    phone = fictional_phone()
    make_person(session, tree["one"], phone=phone)
    session.commit()
    answer = administrator.post("/suppressions/lift", json={"phone": phone, "why": "x"})
    assert answer.status_code == 404
    assert phone not in answer.text


def test_a_segment_of_above_is_used_below(client, officer, session, tree):
    city = Caller(client, session, tree["city"], "officer")
    make_person(session, tree["one"], tags=["退休"])
    make_person(session, tree["other"], tags=["退休"])
    session.commit()
    base = city.post("/segments", json={"unit_id": tree["city"].id, "name": "老同志", "rule": {"tag": "退休"}}).json
    names = [segment["name"] for segment in officer.get("/segments").json["items"]]
    assert names == ["老同志"]
    path = f"/segments/{base['id']}"
    assert officer.get(path).json["rule"] == {"tag": "退休"}
    assert officer.get(f"{path}/preview").status_code == 403, "whom it finds elsewhere"
    assert officer.get(f"{path}/preview", unit=tree["one"].id).json["count"] == 1
    assert officer.patch(path, name="x").status_code == 403
    body = {"unit_id": tree["one"].id, "name": "本区", "rule": {"not": {"segment": base["id"]}}}
    own = officer.post("/segments", json=body).json
    assert own["sentence"].endswith(" who is not in the segment 老同志 (has the tag 退休)")
    assert city.get(f"{path}/uses").json == {
        "segments": [{"id": own["id"], "unit_id": tree["one"].id, "name": "本区"}],
        "hidden": 0,
        "campaigns": [],
    }
    circle = city.patch(path, rule={"any": [{"tag": "退休"}, {"segment": own["id"]}]})
    assert circle.status_code == 422
    assert circle.json["errors"][0]["field"] == "rule.any[1].segment.not.segment"
    elsewhere = Caller(client, session, make_unit(session), "officer")
    session.commit()
    for address in (path, f"{path}/uses", f"{path}/preview"):
        assert elsewhere.get(address).status_code == 403


def test_what_nobody_has_is_a_warning_that_names_what_there_is(officer, session, tree):
    for attributes in ({"gender": "女", "积分": "80"}, {"gender": "男", "积分": "八十"}, {"生日": "不详"}):
        make_person(session, tree["one"], attributes=attributes, tags=["退休"])
    far = make_person(session, tree["other"])
    session.commit()

    def warnings(rule):
        body = {"unit_id": tree["one"].id, "rule": rule}
        return [warning["sentence"] for warning in officer.post("/segments/preview", json=body).json["warnings"]]

    def of(name, **comparison):
        return {"attribute": {"name": name, **comparison}}

    assert warnings({"any": [of("gender", **{"is": "女"}), {"tag": "退休"}, of("积分", exists=True)]}) == []
    assert warnings(of("性别", **{"is": "女"})) == ["nobody has the attribute 性别; there are: gender, 积分, 生日"]
    assert warnings({"not": of("gender", **{"in": ["女", "female"]})}) == [
        "nobody has female as gender; there are: 女, 男"
    ]
    assert warnings(of("积分", less=90)) == [
        "1 people have a 积分 that is no number, such as 八十; this rule passes over them"
    ]
    assert warnings(of("生日", anniversary="today"))[0].startswith("1 people have a 生日 that is no date, such as 不详")
    assert warnings({"all": [{"tag": "离休"}, {"role": "书记"}]}) == [
        "nobody has the tag 离休; there are: 退休",
        "nobody holds the role 书记; there are: ",
    ]
    assert warnings({"people": [far.id, 10**9]}) == [
        "2 of 2 chosen people have left, or belong to units elsewhere",
    ]
    saved = officer.post("/segments", json={"unit_id": tree["one"].id, "name": "x", "rule": of("性别", exists=True)})
    assert saved.json["warnings"][0]["said"]["values"]["name"] == "性别"


def test_a_number_is_kept_from_one_class_or_signature(officer, administrator, auditor, session, tree):
    person = make_person(session, tree["one"])
    session.commit()
    kind = {"person_id": person.id, "class": "study", "signature": "云州先锋"}
    made = officer.post("/suppressions", json=kind)
    assert (made.status_code, made.json["class"], made.json["signature"]) == (201, "study", "云州先锋")
    assert officer.post("/suppressions", json=kind).json["id"] == made.json["id"]
    assert officer.post("/suppressions", json={"person_id": person.id}).json["class"] is None
    for query, number in (({"scope": "kind"}, 1), ({"class": "study"}, 1), ({"class": "notice"}, 0)):
        assert len(auditor.get("/suppressions", **query).json["items"]) == number, query
    assert len(auditor.get("/suppressions", scope="everywhere").json["items"]) == 1
    assert len(auditor.get("/suppressions", signature="云州先锋").json["items"]) == 1
    assert officer.post("/suppressions", json={**kind, "class": "spam"}).status_code == 422
    assert officer.post("/suppressions", json={**kind, "signature": "x" * 17}).status_code == 422
    assert administrator.post("/suppressions/lift", json={**kind, "why": "本人来电"}).status_code == 204
    [left] = auditor.get("/suppressions").json["items"]
    assert (left["class"], left["signature"]) == (None, None)
