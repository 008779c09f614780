"""Approval rules, self-service, two approvers and delegation over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.models import Account
from sms_service.ledger.models import Run
from tests.api.campaign_client import Place
from tests.api.directory_client import Caller


@pytest.fixture
def admin(place: Place, session: Session) -> Caller:
    caller = Caller(place.officer._client, session, place.city, "administrator")
    session.commit()
    return caller


def rule(place: Place, admin: Caller, **terms: object) -> dict[str, object]:
    answer = admin.post("/approval-rules", json={"unit_id": place.city.id, **terms})
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def test_a_rule_is_made_read_changed_tried_and_removed(place: Place, admin: Caller) -> None:
    made = rule(place, admin, level="district", up_to=60, approvals=0)
    assert made["words"] == "district · up to 60 people · self-service"
    assert (made["class"], made["approver_level"], made["growth_percent"]) == (None, None, 20)
    assert made["changed_by"] == admin.account_id
    again = admin.post(
        "/approval-rules", json={"unit_id": place.city.id, "level": "district", "up_to": 60, "approvals": 1}
    )
    assert again.status_code == 409
    path = f"/approval-rules/{made['id']}"
    assert place.auditor.get(path).json == made
    tried = {"unit": place.one.id, "class": "study"}
    found = place.auditor.get("/approval-rules/trial", **{**tried, "people": 60}).json
    assert (found["approvals"], found["rule_id"], found["by_self_up_to"]) == (0, made["id"], 60)
    found = place.auditor.get("/approval-rules/trial", **{**tried, "people": 61}).json
    assert (found["approvals"], found["rule_id"], found["words"]) == (1, None, "no rule covers it: one approval")
    changed = admin.patch(path, **{"up_to": 70, "class": "survey"}).json
    assert (changed["up_to"], changed["class"], changed["approvals"]) == (70, "survey", 0)
    listed = place.auditor.get("/approval-rules").json
    assert [one["id"] for one in listed["items"]] == [made["id"]]
    assert admin.call("DELETE", path).status_code == 204
    assert admin.get(path).status_code == 404
    assert place.auditor.get("/approval-rules").json["items"] == []


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"approvals": 0}, "up_to"),
        ({"approvals": 3}, "approvals"),
        ({"approvals": "two"}, "approvals"),
        ({"approvals": 1, "level": "planet"}, "level"),
        ({"approvals": 1, "up_to": -1}, "up_to"),
        ({"approvals": 1, "growth_percent": 1000}, "growth_percent"),
        ({}, "approvals"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_its_field(
    place: Place, admin: Caller, terms: dict[str, object], field: str
) -> None:
    answer = admin.post("/approval-rules", json={"unit_id": place.city.id, **terms})
    assert answer.status_code == 422
    assert field in {one["field"] for one in answer.json["errors"]}


def test_a_submission_that_self_service_covers_is_sent(place: Place, admin: Caller, session: Session) -> None:
    made = rule(place, admin, level="district", up_to=60, approvals=0)
    campaign = place.create(launch_on_approval=True)
    review = place.auditor.get(f"/campaigns/{campaign['id']}/review").json["approval"]
    assert (review["self_service"], review["self_service_up_to"], review["people"]) == (True, 60, 5)
    shown = place.officer.post(f"/campaigns/{campaign['id']}/submit").json
    assert (shown["status"], shown["run_status"]) == ("active", "planned")
    decision = shown["decision"]
    assert (decision["verdict"], decision["self_service"], decision["people"]) == ("approved", True, 5)
    assert (decision["rule_id"], decision["needed"], decision["account_id"]) == (
        made["id"],
        0,
        place.officer.account_id,
    )
    assert session.scalar(select(func.count()).select_from(Run)) == 1


def test_two_approvals_and_what_the_review_says(place: Place, admin: Caller, session: Session) -> None:
    made = rule(place, admin, approvals=2, approver_level="district")
    low = Caller(place.officer._client, session, place.branches[0], "approver")
    second = Caller(place.officer._client, session, place.city, "approver")
    session.commit()
    path = f"/campaigns/{place.create()['id']}"
    assert place.officer.post(f"{path}/submit").json["status"] == "submitted"
    assert place.approver.post(f"{path}/approve").json["status"] == "submitted"
    found = place.approver.get(f"{path}/review").json
    needs = found["approval"]
    assert (needs["needed"], needs["counted"], needs["rule_id"], needs["level"]) == (2, 1, made["id"], "district")
    assert [one["account_id"] for one in needs["given"]] == [place.approver.account_id]
    assert "has approved campaign" in found["why_not"]
    assert place.approver.post(f"{path}/approve").status_code == 403
    assert low.post(f"{path}/approve").status_code == 403
    assert second.get(f"{path}/review").json["why_not"] is None
    assert second.post(f"{path}/approve").json["status"] == "approved"


def test_the_right_is_lent_used_and_ended(place: Place, admin: Caller, session: Session) -> None:
    deputy = Caller(place.officer._client, session, place.branches[0])
    session.execute(update(Account).where(Account.id == deputy.account_id).values(login="deputy"))
    session.commit()
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    body = {"unit_id": place.one.id, "login": "deputy", "until": today.isoformat(), "why": "出差"}
    assert place.officer.post("/delegations", json=body).status_code == 403
    late = {**body, "until": (today + timedelta(days=61)).isoformat()}
    assert place.approver.post("/delegations", json=late).status_code == 422
    made = place.approver.post("/delegations", json=body).json
    assert (made["state"], made["lender_id"], made["account_id"]) == (
        "active",
        place.approver.account_id,
        deputy.account_id,
    )
    assert place.approver.post("/delegations", json=body).status_code == 409
    path = f"/campaigns/{place.create()['id']}"
    place.officer.post(f"{path}/submit")
    decision = deputy.post(f"{path}/approve").json["decision"]
    assert (decision["account_id"], decision["lender_id"]) == (deputy.account_id, place.approver.account_id)
    assert [one["id"] for one in place.auditor.get("/delegations").json["items"]] == [made["id"]]
    assert place.stranger.call("DELETE", f"/delegations/{made['id']}").status_code == 403
    assert deputy.call("DELETE", f"/delegations/{made['id']}").status_code == 204
    assert deputy.get(path).status_code == 403
    assert admin.post(f"/delegations/{made['id']}/end").status_code == 409
    (listed,) = place.auditor.get("/delegations").json["items"]
    assert (listed["state"], listed["ended_by"]) == ("ended", deputy.account_id)
