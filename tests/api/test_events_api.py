"""`/events` and what a campaign's event answers: planned, listed, moved, called off, ticked off; within the scope."""

from __future__ import annotations

import pytest

from sms_service.campaigns.services import create_campaign
from sms_service.content.language import compile_template
from tests.api.directory_client import Caller
from tests.factories import make_segment, make_template, make_unit
from tests.schedules.eventful import INVITATION, approve_event, make_town


@pytest.fixture
def town(database):
    return make_town(database)


@pytest.fixture
def caller(make_app, session, town):
    return Caller(make_app().test_client(), session, session.merge(town.unit), "officer")


@pytest.fixture
def draft(session, town):
    """A draft of an invitation, as an office system writes it."""
    unit, variables = session.merge(town.unit), compile_template(INVITATION).variables
    campaign = create_campaign(
        session,
        town.officer,
        unit_id=unit.id,
        name="重温入党誓词",
        template_version_id=make_template(session, unit, INVITATION, "invitation", variables=variables).id,
        segment_id=make_segment(session, unit, {"everyone": True}).id,
        signature="云州先锋",
        values={"地点": "党群服务中心"},
        launch_on_approval=True,
    )
    session.commit()
    town.campaign_id = campaign.id
    return campaign.id


def test_from_the_draft_to_the_end(caller, draft, town, session):
    at = f"/campaigns/{draft}"
    body = {"begins": town.at(5).isoformat(), "ends": town.at(5, "11:00").isoformat(), "thanks_days": None}
    made = caller.call("PUT", f"{at}/event", json=body).json
    assert (made["subject"], made["place"], made["moved"], made["cancelled"]) == (
        "重温入党誓词",
        "党群服务中心",
        0,
        False,
    )
    assert [(one["number"], one["class"], one["next_at"] is None) for one in made["items"]] == [
        (1, "invitation", False),
        (2, "invitation", False),
        (3, "invitation", True),
        (4, "notice", True),
        (5, "notice", True),
    ]
    assert caller.post(f"{at}/move", json={"begins": town.at(7).isoformat(), "why": "x"}).status_code == 409
    approve_event(session, town)
    session.commit()
    moved = caller.post(f"{at}/move", json={"begins": town.at(7).isoformat(), "why": "场地另有安排"}).json
    assert (moved["told"], moved["undecided"], moved["invited"]) == (0, True, 0)
    listed = caller.get("/events").json["items"]
    assert [(one["campaign_id"], one["place"]) for one in listed] == [(draft, "党群服务中心")]
    assert caller.get("/events", since=town.at(8).isoformat()).json["items"] == []
    assert caller.call("PUT", f"{at}/attendance", json={"people": []}).status_code == 409
    assert caller.get(f"{at}/attendance").json == {"people": []}
    ended = caller.post(f"{at}/cancel-event", json={"why": "讲师生病"}).json
    assert (ended["told"], ended["cancelled"], ended["status"]) == (0, True, "ended")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("begins", {"begins": "2026-12-05T09:00:00"}),
        ("schedule.begins", {"begins": "2020-12-05T09:00:00+08:00"}),
        ("schedule.reminder_days", {"reminder_days": 99}),
        ("schedule.thanks_at", {"thanks_at": "9"}),
        ("texts", {"texts": {"1": 1}}),
    ],
)
def test_a_field_that_cannot_be_used_is_named(caller, draft, town, field, wrong):
    answer = caller.call("PUT", f"/campaigns/{draft}/event", json={"begins": town.at(5).isoformat(), **wrong})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json["errors"]] == [field]


def test_others_neither_see_nor_change_it(caller, draft, town, make_app, session):
    caller.call("PUT", f"/campaigns/{draft}/event", json={"begins": town.at(5).isoformat()})
    stranger = Caller(make_app().test_client(), session, make_unit(session), "officer")
    assert stranger.get("/events").json["items"] == []
    at = f"/campaigns/{draft}"
    for answer in (
        stranger.get(f"{at}/event"),
        stranger.call("PUT", f"{at}/event", json={"begins": town.at(5).isoformat()}),
        stranger.post(f"{at}/move", json={"begins": town.at(6).isoformat(), "why": "x"}),
        stranger.post(f"{at}/cancel-event", json={"why": "x"}),
        stranger.get(f"{at}/attendance"),
        stranger.call("PUT", f"{at}/attendance", json={"people": []}),
    ):
        assert answer.status_code == 403
