"""What the live page of a run asks: its numbers, why it waits, what failed."""

from __future__ import annotations

from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from tests.api.campaign_client import Place


def test_a_run_as_it_goes_with_the_way_to_its_rows(place: Place) -> None:
    run_id = place.launched()
    place.hand_over()
    live = place.auditor.get(f"/runs/{run_id}/live").json
    assert {line["status"]: line["messages"] for line in live["statuses"]} == {"accepted": 4, "skipped": 1}
    for line in live["statuses"]:
        rows = place.auditor.get(line["rows"].removeprefix("/api/v1")).json["items"]
        assert len(rows) == line["messages"]
        assert {row["status"] for row in rows} == {line["status"]}
    assert (live["run"]["id"], live["campaign"], live["unit"]["id"]) == (run_id, "每日一学", place.one.id)
    assert (live["waiting"], live["handed_over"], live["identity"], live["through_at"]) == (0, 4, True, None)
    assert place.stranger.get(f"/runs/{run_id}/live").status_code == 403


def test_why_a_run_waits(place: Place) -> None:
    run_id = place.launched()
    assert place.officer.post(f"/runs/{run_id}/pause", json={"why": "先核对"}).status_code == 200
    waits = place.auditor.get(f"/runs/{run_id}/waits").json["items"]
    assert waits == [
        {
            "reason": "paused",
            "text": "a person paused it: 先核对",
            "message": "a person paused it: {why}",
            "values": {"why": "先核对"},
            "until": None,
        }
    ]
    assert place.officer.post(f"/runs/{run_id}/resume", json={"why": "核对完"}).status_code == 200
    # This application has no gateways.toml with the account.
    assert [wait["reason"] for wait in place.auditor.get(f"/runs/{run_id}/waits").json["items"]] == ["account_missing"]
    place.hand_over()
    assert place.auditor.get(f"/runs/{run_id}/waits").json == {"items": []}
    assert place.stranger.get(f"/runs/{run_id}/waits").status_code == 403


def test_what_failed_with_remedy_and_rows(place: Place) -> None:
    place.adapter.answer = lambda text: Outcome(
        text.reference, OutcomeKind.refused, error=ErrorClass.bad_number, raw_code="101"
    )
    run_id = place.launched()
    place.hand_over()
    lines = place.auditor.get(f"/runs/{run_id}/failures").json["items"]
    assert [(line["status"], line["reason"], line["code"], line["messages"]) for line in lines] == [
        ("refused", "bad_number", "101", 4),
        ("skipped", "no_phone", None, 1),
    ]
    assert lines[0]["remedy"]["meaning"] == "the number is malformed or not in use"
    assert (lines[0]["retryable"], lines[0]["meaning"]) == (False, None)
    for line in lines:
        rows = place.auditor.get(line["rows"].removeprefix("/api/v1")).json["items"]
        assert len(rows) == line["messages"]
    assert place.stranger.get(f"/runs/{run_id}/failures").status_code == 403


def test_what_happened_to_one_text_and_its_whole_phone(place: Place) -> None:
    run_id = place.launched()
    place.hand_over()
    rows = place.auditor.get(f"/runs/{run_id}/messages", status="accepted").json["items"]
    path = f"/messages/{rows[0]['id']}"
    found = place.auditor.get(f"{path}/timeline").json
    assert [event["kind"] for event in found["items"]] == ["frozen", "handed_over", "answered"]
    assert found["items"][-1]["message"] == "{account} took it"
    assert found["items"][-1]["values"] == {"account": "main"}
    assert found["message"]["phone"] == rows[0]["phone"]
    assert place.auditor.post(f"{path}/phone", json={"why": "核对"}).status_code == 403
    assert place.officer.post(f"{path}/phone", json={}).status_code == 422
    phone = place.officer.post(f"{path}/phone", json={"why": "核对"}).json["phone"]
    assert "****" in rows[0]["phone"]
    assert (phone[:6], phone[-4:]) == (rows[0]["phone"][:6], rows[0]["phone"][-4:])
    assert place.stranger.get(f"{path}/timeline").status_code == 403


def test_counts_with_names_the_identity_and_why_people_do_not_add_up(place: Place) -> None:
    first, second = place.launched(), place.launched(name="每日二学")
    found = place.auditor.get("/counts", by="campaign").json
    assert [line["names"] for line in found["items"]] == [{"campaign": "每日一学"}, {"campaign": "每日二学"}]
    assert found["identity"] == {"runs": 2, "audience": 10, "messages": 10, "holds": True}
    assert (found["total"]["people"], found["total"]["messages"]) == (5, 10)
    assert found["people"].startswith("The lines add up to 5 people more than the total")
    by_unit = place.auditor.get("/counts", by="unit", run=first).json
    assert (by_unit["people"], by_unit["identity"]["runs"]) == (None, 1)
    assert place.auditor.get("/counts", by="unit", status="pending").json["identity"] is None
    rows = place.auditor.get("/messages", run=second).json["items"]
    assert {row["campaign"] for row in rows} == {"每日二学"}
