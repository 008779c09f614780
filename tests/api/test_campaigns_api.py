"""Campaigns, runs, messages and counts over HTTP, from draft to the rows behind a number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from redis import Redis
from rq import Queue
from sqlalchemy import select

from sms_service import wake
from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Segment
from sms_service.campaigns import approval, services
from sms_service.campaigns.launch import launch_campaign
from sms_service.db.engine import Database
from sms_service.gateways.base import Outcome, OutcomeKind
from sms_service.ledger.models import Run
from tests.api.campaign_client import SIGNATURE, Place, make_place
from tests.factories import make_segment


def follow(caller: Any, address: str) -> list[dict[str, Any]]:
    """All rows of the list at the address, page by page."""
    url = urlsplit(address)
    assert url.path == "/api/v1/messages"
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        query = {**dict(parse_qsl(url.query, keep_blank_values=True)), "limit": "2", **cursor}
        answer = caller.get("/messages", **query)
        assert answer.status_code == 200, answer.json
        rows += answer.json["items"]
        if answer.json["next"] is None:
            return rows
        cursor = {"cursor": answer.json["next"]}


def test_from_draft_to_the_rows_behind_a_number(place: Place) -> None:
    made = place.create()
    assert (made["status"], made["class"], made["route"], made["version"]) == ("draft", "study", "default", 1)
    assert (made["decision"], made["run_id"], made["missing_values"]) == (None, None, [])
    path = f"/campaigns/{made['id']}"

    assert place.officer.post(f"{path}/launch").status_code == 409
    assert place.officer.post(f"{path}/submit").json["status"] == "submitted"
    assert place.officer.patch(path, name="别的").status_code == 409
    approved = place.approver.post(f"{path}/approve", json={"comment": "同意", "digest": made["digest"]}).json
    assert approved["status"] == "approved"
    decision = approved["decision"]
    assert (decision["verdict"], decision["comment"], decision["holds"]) == ("approved", "同意", True)
    assert decision["account_id"] == place.approver.account_id

    launched = place.officer.post(f"{path}/launch")
    assert (launched.status_code, launched.json["status"]) == (201, "planned")
    again = place.officer.post(f"{path}/launch")
    assert (again.status_code, again.json["id"]) == (200, launched.json["id"])
    shown = place.auditor.get(path).json
    assert (shown["status"], shown["run_id"], shown["run_status"]) == ("active", launched.json["id"], "planned")

    place.begin()
    place.hand_over()
    run = place.auditor.get(f"/runs/{launched.json['id']}").json
    assert (run["audience"], run["identity"], run["statuses"]) == (5, True, {"accepted": 4, "skipped": 1})
    assert (run["people"], run["messages"], run["parts"]) == (5, 5, 4)

    counts = place.auditor.get("/counts", by="unit,status").json
    assert [unit["id"] for unit in counts["scope"]] == [place.one.id]
    first, second = (branch.id for branch in place.branches)
    found = {(line["by"]["unit"]["id"], line["by"]["status"]): line["messages"] for line in counts["items"]}
    assert found == {(first, "accepted"): 3, (second, "accepted"): 1, (second, "skipped"): 1}
    for line in [*counts["items"], counts["total"]]:
        rows = follow(place.auditor, line["rows"])
        assert len(rows) == line["messages"]
        assert len({row["person_id"] for row in rows}) == line["people"]
        assert sum(row["parts_taken"] for row in rows) == line["parts"]


def test_messages_are_listed_with_masked_phones_and_their_attempts(place: Place) -> None:
    place.adapter.answer = lambda text: Outcome(text.reference, OutcomeKind.refused, raw_code="21211")
    run_id = place.launched()
    place.hand_over()
    rows = place.auditor.get(f"/runs/{run_id}/messages").json["items"]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert len(rows) == 5
    skipped = [row for row in rows if row["status"] == "skipped"]
    assert [(row["reason"], row["phone"], row["attempts"]) for row in skipped] == [("no_phone", None, 0)]
    sent = next(row for row in rows if row["attempts"])
    assert sent["phone"].startswith("+86139")
    assert "****" in sent["phone"]
    assert sent["text"].startswith(f"【{SIGNATURE}】")
    assert "九点学习" in sent["text"]
    assert sent["raw_code"] == "21211"
    one = place.auditor.get(f"/messages/{sent['id']}").json
    assert one["message"] == sent
    assert [(attempt["number"], attempt["account"], attempt["raw_code"]) for attempt in one["attempts"]] == [
        (1, "main", "21211")
    ]
    some = place.auditor.get(f"/runs/{run_id}/messages", unit=place.branches[1].id, status="skipped").json
    assert [row["id"] for row in some["items"]] == [skipped[0]["id"]]
    assert [unit["id"] for unit in some["scope"]] == [place.branches[1].id]


def test_a_run_is_paused_resumed_and_cancelled_with_a_reason(place: Place) -> None:
    run_id = place.launched()
    paused = place.officer.post(f"/runs/{run_id}/pause", json={"why": "写错了"}).json
    assert (paused["status"], paused["reason"]) == ("paused", "写错了")
    place.hand_over()
    assert place.adapter.handed == []
    assert place.officer.post(f"/runs/{run_id}/pause", json={"why": "再来"}).status_code == 409
    assert place.officer.post(f"/runs/{run_id}/resume", json={"why": "没错"}).json["status"] == "running"
    place.hand_over()
    assert len(place.adapter.handed) == 4
    assert place.officer.post(f"/runs/{run_id}/cancel", json={}).status_code == 422
    cancelled = place.officer.post(f"/runs/{run_id}/cancel", json={"why": "停"}).json
    assert (cancelled["status"], cancelled["left"]) == ("cancelled", 4)
    trail = place.auditor.get("/trail", target_kind="run", target_id=str(run_id)).json["items"]
    assert {entry["target"] for entry in trail} == {place.auditor.get(f"/runs/{run_id}").json["campaign"]}
    assert {entry["unit"] for entry in trail} == {place.one.name}
    assert {entry["login"] is None for entry in trail} == {entry["account_id"] is None for entry in trail}
    assert [(entry["act"], entry["details"]["why"]) for entry in trail] == [
        ("run.cancelled", "停"),
        ("run.running", "没错"),
        ("run.paused", "写错了"),
    ]


def test_a_launch_for_later_waits_and_bad_times_are_named(place: Place) -> None:
    path = f"/campaigns/{place.approved()}/launch"
    now = datetime.now(UTC)
    for at in ("tomorrow", "2026-12-01T09:00:00", (now - timedelta(days=1)).isoformat()):
        answer = place.officer.post(path, json={"at": at})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "at")
    answer = place.officer.post(path, json={"at": (now + timedelta(hours=1)).isoformat()})
    assert answer.status_code == 201
    place.begin()
    run = place.officer.get(f"/runs/{answer.json['id']}").json
    assert (run["status"], run["identity"], run["statuses"], run["messages"]) == ("planned", None, {}, 0)


def test_an_approval_is_for_the_content_that_was_read(place: Place) -> None:
    campaign = place.create()
    path = f"/campaigns/{campaign['id']}"
    place.officer.post(f"{path}/submit")
    with place.database.session() as session:
        session.get_one(Segment, place.segment_id).rule = {"unit": place.branches[0].id}
    unread = place.approver.post(f"{path}/approve", json={"digest": campaign["digest"]})
    assert unread.status_code == 409
    assert place.approver.get(path).json["status"] == "submitted"
    assert place.approver.post(f"{path}/approve").status_code == 200
    with place.database.session() as session:
        session.get_one(Segment, place.segment_id).rule = {"everyone": True}
    assert place.officer.post(f"{path}/launch").status_code == 409
    assert place.officer.get(path).json["decision"]["holds"] is False
    assert place.officer.post(f"{path}/submit").status_code == 200


def test_a_rejection_needs_a_reason_and_leads_back_to_a_draft(place: Place) -> None:
    path = f"/campaigns/{place.create()['id']}"
    place.officer.post(f"{path}/submit")
    assert place.approver.post(f"{path}/reject", json={}).status_code == 422
    assert place.approver.post(f"{path}/reject", json={"comment": "时间不对"}).json["status"] == "rejected"
    changed = place.officer.patch(path, values={"时间": "十点"}, validity_s=600).json
    assert (changed["status"], changed["values"], changed["validity_s"]) == ("draft", {"时间": "十点"}, 600)
    assert changed["decision"]["comment"] == "时间不对"
    assert place.officer.post(f"{path}/withdraw").json["status"] == "withdrawn"
    assert place.officer.post(f"{path}/submit").status_code == 409


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("signature", {"signature": "城"}),
        ("values.name", {"values": {"name": "王"}}),
        ("validity_s", {"validity_s": 1}),
        ("route", {"route": "nowhere"}),
        ("name", {"name": ""}),
        ("nonsense", {"nonsense": 1}),
    ],
)
def test_what_is_wrong_is_named(place: Place, field: str, change: dict[str, Any]) -> None:
    campaign = place.create()
    answer = place.officer.patch(f"/campaigns/{campaign['id']}", **change)
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (422, [field])
    assert place.officer.get(f"/campaigns/{campaign['id']}").json == campaign


def test_every_route_refuses_another_district(place: Place) -> None:
    run_id = place.launched()
    campaign_id = place.officer.get(f"/runs/{run_id}").json["campaign_id"]
    message_id = place.officer.get(f"/runs/{run_id}/messages").json["items"][0]["id"]
    why = {"json": {"why": "x"}}
    body = {"name": "x", "template_version_id": place.version_id, "segment_id": place.segment_id}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/campaigns?unit={place.one.id}", {}),
        ("POST", "/campaigns", {"json": {**body, "unit_id": place.one.id, "signature": SIGNATURE}}),
        # A segment of another district cannot be used either.
        ("POST", "/campaigns", {"json": {**body, "unit_id": place.other.id, "signature": SIGNATURE}}),
        ("GET", f"/campaigns/{campaign_id}", {}),
        ("PATCH", f"/campaigns/{campaign_id}", {"json": {"name": "x"}}),
        ("POST", f"/campaigns/{campaign_id}/submit", {}),
        ("POST", f"/campaigns/{campaign_id}/approve", {}),
        ("POST", f"/campaigns/{campaign_id}/reject", {"json": {"comment": "x"}}),
        ("POST", f"/campaigns/{campaign_id}/withdraw", {}),
        ("POST", f"/campaigns/{campaign_id}/launch", {}),
        ("GET", f"/runs?unit={place.one.id}", {}),
        ("GET", f"/runs?campaign={campaign_id}", {}),
        ("GET", f"/runs/{run_id}", {}),
        ("POST", f"/runs/{run_id}/pause", why),
        ("POST", f"/runs/{run_id}/resume", why),
        ("POST", f"/runs/{run_id}/cancel", why),
        ("GET", f"/runs/{run_id}/messages", {}),
        ("GET", f"/messages/{message_id}", {}),
        *(
            ("GET", f"/{kind}?{name}={number}", {})
            for kind in ("messages", "counts")
            for name, number in (("unit", place.one.id), ("campaign", campaign_id), ("run", run_id))
        ),
    ]
    answers = {f"{method} {path}": place.stranger.call(method, path, **kw).status_code for method, path, kw in calls}
    assert answers == dict.fromkeys(answers, 403)
    for path in ("/campaigns/999", "/runs/999", "/messages/999", "/counts?run=999", "/messages?account=nobody"):
        assert place.stranger.get(path.split("?")[0], **dict(parse_qsl(urlsplit(path).query))).status_code == 404


def test_an_auditor_reads_and_changes_nothing(place: Place) -> None:
    run_id = place.launched()
    draft = place.create()
    body = {"name": "x", "template_version_id": place.version_id, "segment_id": place.segment_id}
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/campaigns", {**body, "unit_id": place.one.id, "signature": SIGNATURE}),
        ("PATCH", f"/campaigns/{draft['id']}", {"name": "x"}),
        *(("POST", f"/campaigns/{draft['id']}/{act}", {}) for act in ("submit", "approve", "withdraw", "launch")),
        ("POST", f"/campaigns/{draft['id']}/reject", {"comment": "x"}),
        *(("POST", f"/runs/{run_id}/{act}", {"why": "x"}) for act in ("pause", "resume", "cancel")),
    ]
    before = place.auditor.get("/campaigns").json, place.auditor.get("/runs").json
    answers = {f"{method} {path}": place.auditor.call(method, path, json=body) for method, path, body in calls}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 403)
    assert (place.auditor.get("/campaigns").json, place.auditor.get("/runs").json) == before
    for path in ("/campaigns", "/runs", "/messages", "/counts", "/gateway-accounts", "/routes"):
        assert place.auditor.get(path).status_code == 200


def test_lists_filter_and_page(place: Place) -> None:
    drafts = [place.create(name=f"第{number}")["id"] for number in range(3)]
    run_id = place.launched()
    answer = place.officer.get("/campaigns", status="draft", limit=2).json
    assert [item["id"] for item in answer["items"]] == drafts[:0:-1]
    rest = place.officer.get("/campaigns", status="draft", limit=2, cursor=answer["next"]).json
    assert ([item["id"] for item in rest["items"]], rest["next"]) == (drafts[:1], None)
    campaign_id = place.officer.get(f"/runs/{run_id}").json["campaign_id"]
    (listed,) = place.officer.get("/runs", campaign=campaign_id).json["items"]
    shown = place.officer.get(f"/runs/{run_id}").json
    named = place.officer.get(f"/campaigns/{campaign_id}").json["name"]
    assert (listed["id"], listed["campaign"], listed["unit"]) == (run_id, named, shown["unit"])
    assert (shown["campaign"], shown["unit"]) == (named, place.one.name)
    assert place.officer.get("/runs", campaign=drafts[0]).json["items"] == []
    assert place.officer.get("/runs", status="running", unit=place.one.id).json["items"][0]["id"] == run_id
    assert place.officer.get("/runs", status="held").json["items"] == []


def test_a_repeated_create_with_one_key_is_one_campaign(place: Place) -> None:
    fields = {
        "unit_id": place.one.id,
        "name": "一",
        "template_version_id": place.version_id,
        "segment_id": place.segment_id,
        "signature": SIGNATURE,
    }
    answers = [place.officer.post("/campaigns", json=fields, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert answers[0].json == answers[1].json
    assert answers[0].json["missing_values"] == ["时间"]
    assert len(place.officer.get("/campaigns").json["items"]) == 1


def test_counts_name_what_is_wrong_with_the_question(place: Place) -> None:
    for field, query in (
        ("by[0]", {"by": "colour"}),
        ("status", {"status": "lost"}),
        ("since", {"since": "yesterday"}),
        ("until", {"since": "2026-12-02", "until": "2026-12-01"}),
    ):
        answer = place.auditor.get("/counts", **query)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)
    empty = place.auditor.get("/counts", by="unit,day").json
    assert (empty["items"], empty["total"]["messages"]) == ([], 0)


def test_accounts_and_routes_can_be_read(place: Place) -> None:
    account = {"name": "main", "adapter": "scripted", "state": "open", "simulated": True}
    account |= {"needs_templates": False, "shared": False}
    # Without a rate: no gateways.toml lies in this folder.
    account |= dict.fromkeys(("reason", "reason_message", "paused_by", "reopens_at", "rate", "price_fen"))
    shown = place.auditor.get("/gateway-accounts").json
    policy = shown["items"][0].pop("policy")
    assert not any(policy.values()), "its provider lets everything through"
    assert shown == {"items": [account], "next": None}
    members = [{"name": "main", "priority": 1, "weight": 1}]
    route = {"name": "default", "accounts": ["main"], "members": members}
    assert place.auditor.get("/routes").json == {"items": [route], "next": None}


def test_a_launch_leaves_one_run_in_the_database(place: Place) -> None:
    path = f"/campaigns/{place.approved()}/launch"
    assert [place.officer.post(path).status_code for _ in range(3)] == [201, 200, 200]
    with place.database.session() as session:
        assert len(session.scalars(select(Run)).all()) == 1


def test_a_launch_for_now_wakes_a_worker(
    database: Database, tmp_path: Path, redis_client: Redis, redis_url: str
) -> None:
    place = make_place(database, tmp_path, redis_url)
    queue = Queue(wake.QUEUE, connection=redis_client)
    later = {"at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    place.officer.post(f"/campaigns/{place.approved()}/launch", json=later)
    assert queue.jobs == []
    assert place.officer.post(f"/campaigns/{place.approved()}/launch").status_code == 201
    assert [(job.func_name, job.args) for job in queue.jobs] == [(wake.FREEZE, ())]


def test_a_district_sees_its_own_rows_of_a_city_wide_run_and_no_others(place: Place) -> None:
    with place.database.session() as session:
        segment_id = make_segment(session, place.city, {"everyone": True}).id
        fields = {"template_version_id": place.version_id, "segment_id": segment_id, "values": {"时间": "九点"}}
        campaign = services.create_campaign(
            session, SYSTEM, unit_id=place.city.id, name="全市", signature=SIGNATURE, **fields
        )
        services.submit_campaign(session, SYSTEM, campaign.id)
        approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
        run_id = launch_campaign(session, SYSTEM, campaign.id)[0].id
    place.begin()
    for caller, unit, rows in ((place.auditor, place.one, 5), (place.stranger, place.other, 1)):
        answer = caller.get("/counts", run=run_id).json
        assert ([found["id"] for found in answer["scope"]], answer["total"]["messages"]) == ([unit.id], rows)
        assert len(follow(caller, answer["total"]["rows"])) == rows
        assert caller.get(f"/runs/{run_id}").status_code == 403
        assert caller.get("/counts", run=run_id, unit=place.city.id).status_code == 403


def test_a_launch_for_another_time_than_the_runs_is_a_conflict(place: Place) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    path = f"/campaigns/{place.approved()}/launch"
    run = place.officer.post(path, json={"at": at.isoformat()}).json
    for again in ({}, {"at": at.isoformat()}, {"at": (at + timedelta(hours=1)).isoformat()}):
        other = place.officer.post(path, json=again)
        assert (other.status_code, f"its run {run['id']} begins at" in other.json["detail"]) == (409, True)
    place.officer.post(f"/runs/{run['id']}/cancel", json={"why": "停"})
    other = place.officer.post(path, json={"at": (at + timedelta(hours=1)).isoformat()})
    assert (other.status_code, "which is cancelled; a campaign is launched once" in other.json["detail"]) == (409, True)
    again = place.officer.post(path)
    assert (again.status_code, "which is cancelled" in again.json["detail"]) == (409, True)


def test_a_time_just_past_means_now_however_often_it_is_said(place: Place) -> None:
    at = {"at": (datetime.now(UTC) - timedelta(seconds=20)).isoformat()}
    path = f"/campaigns/{place.approved()}/launch"
    first, again = place.officer.post(path, json=at), place.officer.post(path, json=at)
    assert (first.status_code, again.status_code, again.json["id"]) == (201, 200, first.json["id"])


def test_values_are_bounded_and_lists_carry_neither_them_nor_texts_nor_rules(place):
    for values in ({f"值{n}": "x" for n in range(51)}, {"时间": "九" * 501}, {"名" * 101: "x"}):
        fields = {"unit_id": place.one.id, "name": "每日一学", "signature": "城东街道", "values": values}
        fields |= {"template_version_id": place.version_id, "segment_id": place.segment_id}
        assert place.officer.post("/campaigns", json=fields).json["errors"][0]["field"].startswith("values")
    made = place.create(values={"时间": "九" * 500})
    assert {"body", "segment_rule", "values", "picks"} <= made.keys()
    [listed] = place.officer.get("/campaigns").json["items"]
    assert made.keys() - listed.keys() == {"body", "segment_rule", "values", "picks", "acts"}
    assert "rule" not in place.officer.get("/segments").json["items"][0]
    [template] = place.officer.get("/templates").json["items"]
    assert "body" not in template["version"]
    [version] = place.officer.get(f"/templates/{template['id']}/versions").json["items"]
    assert version["body"], "there is no other place to read an older one"


def test_a_campaign_that_is_changed_to_what_it_is_stays_approved(place):
    campaign_id = place.approved()
    before = place.officer.get(f"/campaigns/{campaign_id}").json
    for same in ({}, {"name": before["name"], "values": before["values"], "validity_s": before["validity_s"]}):
        answer = place.officer.call("PATCH", f"/campaigns/{campaign_id}", json=same)
        assert (answer.status_code, answer.json) == (200, before)
    assert place.officer.patch(f"/campaigns/{campaign_id}", name="改名").json["status"] == "draft"
