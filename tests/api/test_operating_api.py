"""Stops, retry, send again, settle, gateway accounts, caps and a campaign's flags over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.controls import link_state
from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import Database
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.ledger.models import Run
from tests.api.campaign_client import Place
from tests.api.directory_client import Caller
from tests.applications import lend_app


@pytest.fixture
def administrator(place: Place, database: Database, tmp_path: Path) -> Caller:
    client = lend_app({}, tmp_path, database).test_client()
    with Session(database.engine) as session:
        return Caller(client, session, place.city, "administrator")


def refuse(text: Any) -> Outcome:
    return Outcome(text.reference, OutcomeKind.refused, error=ErrorClass.balance, raw_code="B1")


def test_stop_what_stands_list_and_release(place: Place, administrator: Caller) -> None:
    run_id = place.launched()
    made = place.officer.post("/stops", json={"unit_id": place.one.id, "why": "错字"})
    assert (made.status_code, made.json["unit_id"], made.json["why"]) == (201, place.one.id, "错字")
    assert made.json["stopped_by"] == place.officer.account_id
    again = administrator.post("/stops", json={"unit_id": place.one.id, "why": "再停"})
    assert (again.status_code, again.json) == (200, made.json)
    through = administrator.post("/stops", json={"gateway_account": "main", "why": "密钥外泄"}).json

    listed = place.auditor.get("/stops").json
    assert [stop["id"] for stop in listed["items"]] == [through["id"], made.json["id"]]
    assert [stop["id"] for stop in place.stranger.get("/stops").json["items"]] == [through["id"]]
    shown = place.auditor.get(f"/runs/{run_id}").json
    assert {stop["id"] for stop in shown["stops"]} == {through["id"], made.json["id"]}
    assert place.auditor.get(f"/campaigns/{shown['campaign_id']}").json["stopped"] is True
    place.hand_over()
    assert place.adapter.handed == []

    path = f"/stops/{made.json['id']}"
    assert place.stranger.post(f"{path}/release", json={"why": "好了"}).status_code == 403
    assert place.officer.post(f"/stops/{through['id']}/release", json={"why": "好了"}).status_code == 403
    released = place.officer.post(f"{path}/release", json={"why": "已改"}).json
    assert (released["release_why"], released["released_by"]) == ("已改", place.officer.account_id)
    assert place.officer.post(f"{path}/release", json={"why": "再放"}).status_code == 409
    assert place.auditor.get(path).json == released
    assert [stop["id"] for stop in place.auditor.get("/stops").json["items"]] == [through["id"]]
    assert len(place.auditor.get("/stops", released="true").json["items"]) == 2


@pytest.mark.parametrize("body", [{"why": "停"}, {"why": "停", "unit_id": 1, "gateway_account": "main"}])
def test_a_stop_names_exactly_one_thing(place: Place, body: dict[str, Any]) -> None:
    answer = place.officer.post("/stops", json=body)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "unit_id")
    assert place.officer.post("/stops", json={"unit_id": place.city.id, "why": "停"}).status_code == 403


def test_what_was_refused_is_retried_and_leaves(place: Place) -> None:
    run_id = place.launched()
    place.adapter.answer = refuse
    place.hand_over()
    place.adapter.answer = lambda text: Outcome(text.reference, OutcomeKind.accepted, provider_id=text.reference)
    for classes, field in ((["content"], "classes.0"), ([], "classes")):
        answer = place.officer.post(f"/runs/{run_id}/retry", json={"why": "再试", "classes": classes})
        assert (answer.status_code, answer.json["errors"][0]["field"].startswith("classes")) == (422, True), field
    none = place.officer.post(f"/runs/{run_id}/retry", json={"why": "再试", "classes": ["rate"]}).json
    refused = none["statuses"]["refused"]
    assert (none["again"], none["untouched"]) == (0, {"balance": refused})
    done = place.officer.post(f"/runs/{run_id}/retry", json={"why": "已充值"}).json
    assert (done["again"], done["untouched"], done["statuses"]["pending"]) == (refused, {}, refused)
    place.hand_over()


def test_unknown_messages_are_sent_again_or_settled(place: Place) -> None:
    run_id = place.launched()
    place.adapter.answer = lambda text: None
    place.hand_over()
    ids = [row["id"] for row in place.officer.get(f"/runs/{run_id}/messages", status="unknown").json["items"]]
    assert ids
    path = f"/runs/{run_id}/send-again"
    for wrong in ({}, {"all": True, "messages": ids}, {"all": False}, {"messages": []}):
        assert place.officer.post(path, json={"why": "再发", **wrong}).status_code == 422, wrong
    settled = place.officer.post(f"/messages/{ids[0]}/settle", json={"as": "accepted", "why": "服务商有记录"})
    assert settled.json["message"]["status"] == "accepted"
    assert settled.json["attempts"][0]["settled_by"] == place.officer.account_id
    assert place.officer.post(f"/messages/{ids[0]}/settle", json={"as": "refused", "why": "没有"}).status_code == 409
    done = place.officer.post(path, json={"why": "没收到", "messages": ids}).json
    assert (done["again"], done["untouched"]) == (len(ids) - 1, {"accepted": 1})
    (entry,) = place.auditor.get("/trail", act="run.send_again").json["items"]
    assert entry["details"]["messages"] == ids[1:]


def test_several_unknown_messages_are_settled_at_once(place: Place) -> None:
    run_id = place.launched()
    place.adapter.answer = lambda text: None
    place.hand_over()
    ids = [row["id"] for row in place.officer.get("/messages", status="unknown", account="main").json["items"]]
    assert len(ids) > 1
    said = {"as": "refused", "why": "服务商没有记录"}
    for wrong in ([], ["x"], list(range(1, 102))):
        assert place.officer.post("/messages/settle", json={**said, "messages": wrong}).status_code == 422, wrong
    assert place.stranger.post("/messages/settle", json={**said, "messages": ids}).status_code == 403
    assert place.officer.post("/messages/settle", json={**said, "messages": ids[1:]}).json == {"settled": len(ids) - 1}
    assert place.officer.get(f"/runs/{run_id}").json["statuses"]["refused"] == len(ids) - 1
    again = place.officer.post("/messages/settle", json={**said, "messages": ids})
    assert (again.status_code, f"message {ids[1]} is refused" in again.json["detail"]) == (409, True)
    assert [row["id"] for row in place.officer.get("/messages", status="unknown").json["items"]] == ids[:1]


def test_a_held_run_says_why_and_is_released_for_it(place: Place, database: Database) -> None:
    run_id = place.launched()
    with database.session() as session:
        said = {"message": "另一台{what}", "values": {"what": "服务器"}}
        held = {"status": "held", "held_for": "cluster", "reason": "另一台服务器", "reason_message": said}
        session.execute(update(Run).values(**held, canary=[1]))
    shown = place.auditor.get(f"/runs/{run_id}").json
    assert (shown["held_for"], shown["canary"], shown["reason_message"]) == ("cluster", True, said)
    (listed,) = place.auditor.get("/runs").json["items"]
    assert (listed["held_for"], listed["canary"], listed["lane"]) == ("cluster", True, shown["lane"])
    assert listed["reason_message"] == said
    with database.session() as session:  # as a process of an older release holds it
        session.execute(update(Run).values(reason="its time was missed"))
    stale = place.auditor.get(f"/runs/{run_id}").json["reason_message"]
    assert stale == {"message": "its time was missed", "values": {}}
    resume = f"/runs/{run_id}/resume"
    missing = place.officer.post(resume, json={"why": "已核对"})
    assert (missing.status_code, missing.json["errors"][0]["field"]) == (422, "verdict")
    done = place.officer.post(resume, json={"why": "已核对", "verdict": "nothing_lost"}).json
    assert (done["status"], done["held_for"], done["canary"]) == ("running", None, True)


def test_gateway_accounts_are_paused_and_opened_by_administrators_only(place: Place, administrator: Caller) -> None:
    path = "/gateway-accounts/main"
    for caller in (place.officer, place.stranger, place.auditor):
        assert caller.post(f"{path}/pause", json={"why": "停"}).status_code == 403
    paused = administrator.post(f"{path}/pause", json={"why": "换密钥"}).json
    assert (paused["state"], paused["reason"], paused["paused_by"]) == ("paused", "换密钥", "person")
    assert (paused["reopens_at"], paused["reason_message"]) == (None, None)
    assert administrator.post(f"{path}/open", json={"why": "已换"}).json["state"] == "open"
    assert administrator.post(f"{path}/open", json={"why": "再开"}).status_code == 409
    assert administrator.post("/gateway-accounts/nobody/pause", json={"why": "停"}).status_code == 404


def test_a_gateway_account_says_why_in_any_language_without_phones(place: Place, database: Database) -> None:
    with database.session() as session:
        account_id = session.scalars(select(GatewayAccount.id).where(GatewayAccount.name == "main")).one()
    with database.transaction() as connection:
        link_state.pause_link(connection, account_id, "ask 13800138000")
    (shown,) = [found for found in place.auditor.get("/gateway-accounts").json["items"] if found["name"] == "main"]
    assert shown["reason"] == "the link is down: ask 138****8000"
    assert shown["reason_message"] == {"message": "the link is down: {why}", "values": {"why": "ask 138****8000"}}


def test_the_rate_is_that_of_the_file(place: Place, database: Database, tmp_path: Path) -> None:
    (tmp_path / "gateways.toml").write_text(
        '[accounts.main]\nadapter = "null"\nrate = 12.5\n[routes]\ndefault = ["main"]\n'
    )
    client = lend_app({}, tmp_path, database).test_client()
    with Session(database.engine) as session:
        reader = Caller(client, session, place.city, "auditor")
    (account,) = reader.get("/gateway-accounts").json["items"]
    assert (account["name"], account["rate"]) == ("main", 12.5)


def test_caps(place: Place, administrator: Caller) -> None:
    def put(class_: str, per_day: object, caller: Caller = administrator) -> Any:
        return caller.call("PUT", f"/caps/{class_}", json={"per_day": per_day, "why": "试行"})

    assert place.auditor.get("/caps").json == {"items": []}
    assert put("study", 2, place.officer).status_code == 403
    assert put("study", 2).json == {"class": "study", "per_day": 2}
    assert place.auditor.get("/caps").json == {"items": [{"class": "study", "per_day": 2}]}
    for number in (0, 101, 1.5, "x"):
        assert put("study", number).status_code == 422
    assert administrator.call("PUT", "/caps/study", json={"per_day": 2}).status_code == 422
    assert put("spam", 2).status_code == 404
    assert put("study", None).json == {"class": "study", "per_day": None}
    assert put("study", None).status_code == 200
    assert place.auditor.get("/caps").json == {"items": []}
    (removed, made) = administrator.get("/trail").json["items"][:2]
    assert (removed["act"], made["act"]) == ("cap.remove", "cap.set")
    assert made["details"] == {"per_day": 2, "why": "试行", "changes": {"per_day": [None, 2]}}
    assert (removed["changes"], made["changes"]) == ({"per_day": [2, None]}, {"per_day": [None, 2]})


def test_a_campaigns_flags_are_written_changed_and_shown(place: Place) -> None:
    made = place.create(urgent=True)
    assert (made["urgent"], made["canary_receipts"]) == (True, False)
    changed = place.officer.patch(f"/campaigns/{made['id']}", urgent=False, canary_receipts=True).json
    assert (changed["urgent"], changed["canary_receipts"]) == (False, True)
    assert changed["digest"] != made["digest"]
    assert place.officer.patch(f"/campaigns/{made['id']}", urgent="perhaps").status_code == 422
    run_id = place.launched(urgent=True)
    assert place.auditor.get(f"/runs/{run_id}").json["lane"] == "urgent"
