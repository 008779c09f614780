"""What is foreseen and what waits for people, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis import Redis
from rq import Queue

from sms_service import wake
from sms_service.db.engine import Database
from tests.api.campaign_client import Place, make_place

GATEWAYS = """
[accounts.main]
adapter = "null"
rate = 2
price_per_part = 4.5

[routes]
default = ["main"]
"""


def test_an_outlook_says_who_what_when_and_how_much(place: Place, tmp_path: Path) -> None:
    (tmp_path / "gateways.toml").write_text(GATEWAYS, encoding="utf-8")
    campaign = place.create()
    answer = place.officer.get(f"/campaigns/{campaign['id']}/outlook", at="2026-01-01T09:00:00+08:00")
    assert answer.status_code == 200
    found = answer.json
    assert (found["people"], found["phones"], found["parts"], found["cost_fen"]) == (5, 4, 4, 18)
    (skipped,) = found["skipped"]
    assert (skipped["reason"], skipped["count"], len(skipped["people"])) == ("no_phone", 1, 1)
    assert [text["parts"] for text in found["texts"]] == [1, 1, 1]
    assert found["price_fen"] == 4.5
    assert all(text["text"].endswith("同志：九点学习。拒收请回复R") for text in found["texts"])
    assert found["begins"] == found["at"] < found["through"]
    assert (found["exact"], found["tried"], found["similar"], found["warnings"]) == (True, 4, [], [])


def test_without_a_readable_gateways_file_the_people_are_known_all_the_same(place: Place) -> None:
    found = place.auditor.get(f"/campaigns/{place.create()['id']}/outlook").json
    assert (found["phones"], found["parts"], found["cost_fen"], found["through"]) == (4, 4, None, None)
    (warning,) = found["warnings"]
    assert warning["caution"] == "no_account"
    assert warning["said"] == {"message": warning["text"], "values": {}}


def test_a_similar_run_is_named(place: Place) -> None:
    place.launched(name="昨天")
    found = place.officer.get(f"/campaigns/{place.create()['id']}/outlook").json
    assert [(run["campaign"], run["same_template"]) for run in found["similar"]] == [("昨天", True)]
    assert found["warnings"][-1]["said"]["values"]["campaign"] == "昨天"


def test_a_time_needs_its_offset(place: Place) -> None:
    answer = place.officer.get(f"/campaigns/{place.create()['id']}/outlook", at="2026-01-01T09:00:00")
    assert answer.status_code == 422


def test_a_segment_is_told_in_words_and_counted_by_unit(place: Place) -> None:
    path = f"/segments/{place.segment_id}"
    shown = place.officer.get(path).json
    assert shown["sentence"] == f"everybody in {place.one.name} and below"
    assert shown["said"] == {"message": "everybody in {unit} and below", "values": {"unit": place.one.name}}
    previewed = place.officer.get(f"{path}/preview", by_unit="true").json
    assert sorted(unit["people"] for unit in previewed["units"]) == [2, 3]
    assert previewed["sentence"] == shown["sentence"]
    assert place.officer.get(f"{path}/preview").json["units"] is None
    branch = place.branches[0].id
    rule = {"unit_id": place.one.id, "rule": {"kind": "member"}, "by_unit": True, "below": branch}
    asked = place.officer.post("/segments/preview", json=rule).json
    assert [(unit["id"], unit["people"]) for unit in asked["units"]] == [(branch, 3)]
    rule["below"] = place.other.id
    assert place.officer.post("/segments/preview", json=rule).status_code == 422


def test_what_a_rule_may_ask_for_is_listed(place: Place) -> None:
    found = place.officer.get(f"/units/{place.one.id}/rule-values").json
    assert sorted(unit["people"] for unit in found["units"]) == [2, 3]
    assert found["kinds"] == [{"name": "member", "people": 5}]
    assert place.stranger.get(f"/units/{place.one.id}/rule-values").status_code == 403


def test_a_review_says_who_wrote_who_may_decide_and_what_is_different(place: Place) -> None:
    first = place.approved()
    copy = place.officer.post(f"/campaigns/{first}/copy").json["id"]
    assert place.officer.patch(f"/campaigns/{copy}", signature="城西街道").status_code == 200
    found = place.approver.get(f"/campaigns/{copy}/review").json
    assert [one["act"] for one in found["authored"]] == ["campaign.create", "campaign.change"]
    assert (len(found["approvers"]), found["why_not"]) == (1, None)
    assert (found["approved_before"]["campaign_id"], found["approved_before"]["changes"]) == (first, ["signature"])
    assert "had a hand in" in place.officer.get(f"/campaigns/{copy}/review").json["why_not"]
    assert place.approver.get(f"/campaigns/{first}/review").json["approved_before"]["changes"] == []
    assert place.stranger.get(f"/campaigns/{copy}/review").status_code == 403


def test_an_approval_launches_and_wakes_a_worker(
    database: Database, tmp_path: Path, redis_url: str, redis_client: Redis
) -> None:
    place = make_place(database, tmp_path, redis_url)
    made = place.create(launch_on_approval=True)
    assert (made["launch_on_approval"], made["planned_at"], made["unlaunched"]) == (True, None, None)
    path = f"/campaigns/{made['id']}"
    assert place.officer.post(f"{path}/submit").status_code == 200
    shown = place.approver.post(f"{path}/approve", json={"digest": made["digest"]}).json
    assert (shown["status"], shown["run_status"]) == ("active", "planned")
    assert Queue(wake.QUEUE, connection=redis_client).count == 1
    assert place.approver.post(f"{path}/approve").status_code == 409
    assert len(place.officer.get("/runs", campaign=made["id"]).json["items"]) == 1


def test_a_planned_time_is_kept_and_foreseen(place: Place) -> None:
    made = place.create()
    later = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    changed = place.officer.patch(f"/campaigns/{made['id']}", planned_at=later.isoformat()).json
    assert datetime.fromisoformat(changed["planned_at"]) == later
    found = place.officer.get(f"/campaigns/{made['id']}/outlook").json
    assert datetime.fromisoformat(found["at"]) == later
    answer = place.officer.patch(f"/campaigns/{made['id']}", planned_at="2020-01-01T09:00:00+08:00")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "planned_at"


def test_where_a_segment_or_template_is_used_is_listed(place: Place) -> None:
    made = place.create()
    for query in ({"segment": place.segment_id}, {"template": made["template_id"]}):
        (used,) = place.officer.get("/campaigns", **query).json["items"]
        assert (used["id"], used["name"]) == (made["id"], "每日一学")
        assert place.officer.get("/campaigns", status="approved", **query).json["items"] == []
    assert place.stranger.get("/campaigns", segment=place.segment_id).status_code == 403
    assert place.officer.get("/campaigns", template=2**40).status_code == 404
