"""Gateways, caps and unknown outcomes: what an operator sees and does."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import text

from sms_service.controls.models import Cap, GatewayAccount
from tests.api.samples import PREPARATIONS, make_samples
from tests.factories import make_unit


@pytest.fixture
def place(database, session):
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    PREPARATIONS["POST /messages/<int:message_id>/settle"](session, ids)
    session.commit()
    return unit, ids


def state(session):
    session.expire_all()
    return session.query(GatewayAccount).one()


def test_an_account_is_paused_and_opened_with_a_reason(place, log_in, session):
    unit, _ = place
    visitor = log_in(unit, "operator")
    page = visitor.get("/gateways").text
    assert 'href="/gateways/main"' in page
    path = "/gateways/main"
    refused = visitor.post(f"{path}/pause", form=path)
    assert refused.status_code == 422
    assert visitor.post(f"{path}/pause", form=path, data={"why": "账单未付"}).status_code == 303
    assert (state(session).state, state(session).reason) == ("paused", "账单未付")
    shown = visitor.get(path).text
    assert "It was paused: 账单未付" in shown
    assert "Pause this account" not in shown
    assert visitor.post(f"{path}/open", form=path, data={"why": "已付"}).status_code == 303
    assert state(session).state == "open"


def test_what_a_breaker_said_is_said_in_chinese(place, log_in, session):
    unit, _ = place
    message = (
        '{"message": "{bad} of its last {texts} texts were unknown or refused", "values": {"bad": 20, "texts": 20}}'
    )
    session.execute(
        text(
            "UPDATE gateway_accounts SET state = 'paused', paused_by = 'breaker', reopens_at = now(),"
            " reason = '20 of its last 20 texts were unknown or refused', reason_message = CAST(:message AS jsonb)"
        ),
        {"message": json.dumps(message)},
    )
    session.commit()
    page = log_in(unit, "operator", language="zh").get("/gateways/main").text
    assert "20 of its last" not in page


def test_a_cap_is_set_and_taken_away(place, log_in, session):
    unit, _ = place
    visitor = log_in(unit, "operator")
    assert visitor.post("/caps", form="/gateways", data={"class": "study", "per_day": "2"}).status_code == 303
    session.expire_all()
    assert [(cap.class_, cap.per_day) for cap in session.query(Cap)] == [("study", 2)]
    assert visitor.post("/caps", form="/gateways", data={"class": "study", "per_day": "0"}).status_code == 422
    visitor.post("/caps", form="/gateways", data={"class": "study", "per_day": ""})
    session.expire_all()
    assert session.query(Cap).count() == 0


def test_an_empty_cap_of_a_class_without_one_changes_nothing(place, log_in, session):
    unit, _ = place
    visitor = log_in(unit, "operator")
    assert visitor.post("/caps", form="/gateways", data={"class": "study", "per_day": ""}).status_code == 303
    assert session.query(Cap).count() == 0


def test_a_phone_in_the_reason_of_a_pause_is_masked(place, log_in):
    unit, _ = place
    visitor, path = log_in(unit, "operator"), "/gateways/main"
    visitor.post(f"{path}/pause", form=path, data={"why": "asked 13800138000"})
    shown = visitor.get(path).text
    assert "It was paused: asked 138" in shown
    assert "13800138000" not in shown


def test_unknown_texts_lead_to_their_rows(place, log_in, session):
    unit, ids = place
    session.execute(text("UPDATE messages SET account_id = 1"))
    session.commit()
    visitor = log_in(unit)
    page = visitor.get("/unknowns").text
    rows = re.search(r'href="(/rows\?[^"]*status=unknown[^"]*)"', page).group(1).replace("&amp;", "&")
    assert f"/messages/{ids['message_id']}" in visitor.get(rows).text
    assert "None: of every text" in log_in(make_unit(session)).get("/unknowns").text


def test_only_who_operates_sees_them(place, log_in):
    unit, _ = place
    for role in ("officer", "approver", "auditor"):
        assert log_in(unit, role).get("/gateways").status_code == 403
    for role in ("approver", "auditor"):
        assert log_in(unit, role).get("/unknowns").status_code == 403
