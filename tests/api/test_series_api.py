"""`/campaigns/{id}/series`: made of texts, lines or a file, changed while it runs, both wordings for who is late."""

from __future__ import annotations

import io

import pytest

from sms_service.campaigns import approval, services
from tests.api.directory_client import Caller
from tests.factories import make_unit
from tests.schedules.serial import make_study_town, write_series


@pytest.fixture
def town(database):
    return make_study_town(database)


@pytest.fixture
def caller(make_app, session, town):
    return Caller(make_app().test_client(), session, session.merge(town.unit), "officer")


@pytest.fixture
def first(town):
    return f"{town.today:%Y-%m-%d}"


@pytest.fixture
def draft(session, town):
    campaign = write_series(session, town, 1)
    session.commit()
    return campaign.id


@pytest.fixture
def running(session, town, draft):
    services.submit_campaign(session, town.officer, draft)
    approval.decide_approval(session, town.approver, draft, approve=True)
    session.commit()
    return draft


def test_it_is_made_of_texts(caller, draft, first):
    items = [{"text": "不忘初心。", "label": "第一课"}, {"values": {"内容": "牢记使命。"}}]
    made = caller.call("PUT", f"/campaigns/{draft}/series", json={"first": first, "items": items}).json
    assert made["rule"] == {"first": first, "at": "08:30", "days": "working", "late": "today"}
    assert made["words"] == f"one text each working day at 08:30 from {first}"
    assert [(one["number"], one["position"], one["label"], one["values"]) for one in made["items"]] == [
        (1, 1, "第一课", {"内容": "不忘初心。"}),
        (2, 2, "第2篇", {"内容": "牢记使命。"}),
    ]
    assert made["items"][0]["next_at"] == f"{first}T08:30:00+08:00"
    assert (made["went"], made["fixed"], made["undecided"]) == (0, 0, False)
    outlook = caller.get(f"/campaigns/{draft}/outlook").json
    assert [(one["number"], one["parts"], one["total"]) for one in outlook["items"]] == [(1, 1, 2), (2, 1, 2)]
    assert caller.get(f"/campaigns/{draft}/schedule").json["words"] == made["words"]


def test_it_is_made_of_lines_or_a_file_or_not_at_all(caller, draft, first):
    at = f"/campaigns/{draft}/series"
    read = caller.post(f"{at}/text", json={"first": first, "text": "不忘初心\n牢记使命", "dry_run": True}).json
    assert (read["is_set"], read["texts"], read["series"]) == (False, 2, None)
    read = caller.post(f"{at}/text", json={"first": first, "text": "不忘初心\n牢记使命"}).json
    assert (read["is_set"], len(read["series"]["items"])) == (True, 2)
    sheet = f"标题,内容\n一,{'长' * 501}\n二,坚持学习\n".encode("gb18030")
    read = caller.post(f"{at}/file", data={"first": first, "file": (io.BytesIO(sheet), "学习.csv")}).json
    assert (read["is_set"], read["texts"]) == (False, 2)
    ((refused),) = read["refused"]
    assert (refused["row"], refused["column"], refused["value"]) == (2, "内容", "长" * 50)
    assert "at most 500 characters" in refused["reason"]
    assert len(caller.get(at).json["items"]) == 2
    read = caller.post(
        f"{at}/file", data={"first": first, "file": (io.BytesIO("一\n二\n三".encode()), "学习.txt")}
    ).json
    assert (read["is_set"], len(read["series"]["items"])) == (True, 3)


def test_it_is_changed_while_it_runs(caller, running):
    at = f"/campaigns/{running}/series/items"
    put_in = caller.post(at, json={"after": 1, "text": "补充一课", "label": "补充"})
    assert put_in.status_code == 201
    assert [(one["number"], one["approved"]) for one in put_in.json["items"]] == [(1, True), (2, False)]
    assert put_in.json["undecided"]
    moved = caller.post(f"{at}/2/move", json={"position": 1}).json
    assert [one["number"] for one in moved["items"]] == [2, 1]
    skipped = caller.patch(f"{at}/2", skipped=True).json
    assert (skipped["items"][0]["skipped"], skipped["undecided"]) == (True, False)
    assert caller.patch(f"{at}/9", label="无").status_code == 404
    wrong = caller.post(f"{at}/1/move", json={"position": 3})
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (422, "position")


def test_who_is_overtaken_gets_both_wordings(caller, running):
    at = f"/campaigns/{running}/series"
    since = caller.get(at).json["updated_at"]
    assert caller.patch(f"{at}/items/1", text="甲的写法", unchanged_since=since).status_code == 200
    late = caller.patch(f"{at}/items/1", text="乙的写法", unchanged_since=since)
    assert (late.status_code, late.json["wanted"]) == (409, {"values": {"内容": "乙的写法"}})
    assert (late.json["standing"]["values"], late.json["standing"]["number"]) == ({"内容": "甲的写法"}, 1)
    late = caller.post(f"{at}/items", json={"after": 0, "text": "丙", "unchanged_since": since})
    assert (late.status_code, late.json["wanted"]["text"]) == (409, "丙")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("schedule.first", {"first": "明天"}),
        ("schedule.days", {"days": "每天"}),
        ("schedule.late", {"late": "never"}),
        ("items", {"items": []}),
        ("items[1].values.题目", {"items": [{"values": {"题目": "一"}}]}),
        ("items[0].label", {"items": [{"label": "长" * 101}]}),
    ],
)
def test_a_field_that_cannot_be_used_is_named(caller, draft, first, field, wrong):
    body = {"first": first, "items": [{"text": "学习"}], **wrong}
    answer = caller.call("PUT", f"/campaigns/{draft}/series", json=body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json["errors"]] == [field]


def test_others_neither_see_nor_change_it(draft, first, make_app, session):
    stranger = Caller(make_app().test_client(), session, make_unit(session), "officer")
    at = f"/campaigns/{draft}/series"
    for answer in (
        stranger.get(at),
        stranger.call("PUT", at, json={"first": first, "items": [{"text": "学习"}]}),
        stranger.post(f"{at}/text", json={"first": first, "text": "学习"}),
        stranger.post(f"{at}/file", data={"first": first, "file": (io.BytesIO(b"a"), "a.txt")}),
        stranger.post(f"{at}/items", json={"after": 0, "text": "学习"}),
        stranger.patch(f"{at}/items/1", text="学习"),
        stranger.post(f"{at}/items/1/move", json={"position": 1}),
    ):
        assert answer.status_code == 403
