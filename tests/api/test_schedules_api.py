"""`/campaigns/{id}/schedule`, `/recurrence`, `/items` and what a schedule does, within the scope and by the right."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sms_service.accounts.actors import SYSTEM
from sms_service.controls.quiet_days import NamedDay, set_quiet_days
from tests.api.directory_client import Caller
from tests.factories import make_unit
from tests.schedules.recurrence import approve_campaign, make_branch, write_campaign

FIRST = date.today() + timedelta(days=3)
RULE = {"rrule": "FREQ=DAILY", "first": FIRST.isoformat(), "at": "8:30"}


@pytest.fixture
def branch(session):
    return make_branch(session)


@pytest.fixture
def caller(make_app, session, branch):
    return Caller(make_app().test_client(), session, branch.unit, "officer")


@pytest.fixture
def draft(session, branch):
    campaign = write_campaign(session, branch)
    session.commit()
    return campaign


def approve(session, branch, campaign):
    session.expire_all()
    approve_campaign(session, branch, campaign)
    session.commit()


def test_from_the_rule_to_the_end(caller, session, branch, draft):
    at = f"/campaigns/{draft.id}"
    set_quiet_days(session, SYSTEM, branch.unit.id, [NamedDay(FIRST, "清明节")])
    session.commit()
    made = caller.call("PUT", f"{at}/recurrence", json=RULE).json
    assert (made["kind"], made["words"]) == ("recurring", "Every day at 08:30")
    assert made["rule"] == {"rrule": "FREQ=DAILY", "first": FIRST.isoformat(), "at": "08:30"}
    assert (len(made["next_times"]), list(made["quiet_days"].values())) == (10, ["清明节"])
    (item,) = made["items"]
    assert (item["number"], item["runs"], item["approved"], item["waits"]) == (1, [], False, False)
    assert caller.post(f"{at}/start").status_code == 409
    assert caller.post(f"{at}/suspend", json={"why": "放假"}).status_code == 409
    approve(session, branch, draft)
    assert caller.post(f"{at}/launch").status_code == 409
    assert caller.post(f"{at}/start").json["status"] == "active"
    assert caller.post(f"{at}/start").json["status"] == "active"
    assert caller.call("DELETE", f"{at}/schedule").status_code == 409
    assert caller.post(f"{at}/suspend", json={"why": " "}).status_code == 422
    assert caller.post(f"{at}/suspend", json={"why": "放假"}).json["status"] == "suspended"
    assert caller.post(f"{at}/continue", json={"why": "收假"}).json["status"] == "active"
    assert caller.post(f"{at}/continue", json={"why": "收假"}).status_code == 409
    assert caller.post(f"{at}/end", json={"why": "学完了"}).status_code == 200
    assert caller.get(f"{at}/schedule").json["next_times"] == []


def test_a_corrected_item_waits_alone_and_its_campaign_is_undecided(caller, session, branch, draft):
    at = f"/campaigns/{draft.id}"
    caller.call("PUT", f"{at}/recurrence", json=RULE)
    approve(session, branch, draft)
    caller.post(f"{at}/start")
    changed = caller.call("PATCH", f"{at}/items/1", json={"values": {"内容": "新课"}}).json
    assert [(one["approved"], one["waits"]) for one in changed["items"]] == [(False, True)]
    assert caller.get(at).json["undecided"]
    assert caller.call("PATCH", f"{at}/items/1", json={"values": {}}).json["items"][0]["approved"]
    assert not caller.get(at).json["undecided"]
    assert caller.call("PATCH", f"{at}/items/9", json={"values": {}}).status_code == 404
    assert caller.call("PATCH", f"{at}/items/1", json={"position": 2}).status_code == 422


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rrule": "FREQ=HOURLY"}, "schedule.rrule"),
        ({"first": "2020-01-01"}, "schedule.first"),
        ({"at": "24:00"}, "schedule.at"),
        ({"until": "2020-01-01"}, "schedule.until"),
        ({"until": "2999-01-01", "count": 3}, "schedule.count"),
        ({"count": 0}, "schedule.count"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_at_its_field(caller, draft, change, field):
    answer = caller.call("PUT", f"/campaigns/{draft.id}/recurrence", json=RULE | change)
    assert (answer.status_code, [one["field"] for one in answer.json["errors"]]) == (422, [field])
    assert caller.get(f"/campaigns/{draft.id}/schedule").json["kind"] == "plain"


def test_a_draft_is_sent_once_again(caller, draft):
    at = f"/campaigns/{draft.id}"
    caller.call("PUT", f"{at}/recurrence", json=RULE)
    assert caller.call("DELETE", f"{at}/schedule").json["kind"] == "plain"
    assert caller.get(f"{at}/schedule").json["items"] == []


def test_nobody_from_elsewhere_sees_or_does_it(make_app, session, branch, draft, caller):
    at = f"/campaigns/{draft.id}"
    caller.call("PUT", f"{at}/recurrence", json=RULE)
    stranger = Caller(make_app().test_client(), session, make_unit(session), "officer")
    reader = Caller(make_app().test_client(), session, branch.unit, "auditor")
    assert stranger.get(f"{at}/schedule").status_code == 403
    assert reader.get(f"{at}/schedule").status_code == 200
    for one in (stranger, reader):
        assert one.call("PUT", f"{at}/recurrence", json=RULE).status_code == 403
        assert one.call("DELETE", f"{at}/schedule").status_code == 403
        assert one.call("PATCH", f"{at}/items/1", json={"skipped": True}).status_code == 403
        for act in ("suspend", "continue", "end"):
            assert one.post(f"{at}/{act}", json={"why": "x"}).status_code == 403
