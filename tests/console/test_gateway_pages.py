"""Gateways, caps and unknown outcomes: what an operator sees and does."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import text

from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import Cap, GatewayAccount
from tests.api.samples import PREPARATIONS, make_samples
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
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


def test_all_caps_are_saved_by_one_button_with_a_reason(place, log_in, session):
    unit, _ = place
    visitor = log_in(unit, "operator")

    def post(**data):
        return visitor.post("/caps", form="/gateways", data=data)

    assert visitor.get("/gateways").text.count('action="/caps"') == 1
    assert post(study="2", notice="3", why="试行").status_code == 303
    assert "The new caps hold: Notice, Study." in visitor.get("/gateways").text
    kept = post(study="0", notice="3", why="试行")
    assert (kept.status_code, 'value="0"' in kept.text) == (422, True)
    assert post(study="2").status_code == 422
    assert post(study="2", why="取消").status_code == 303
    session.expire_all()
    assert [(cap.class_, cap.per_day) for cap in session.query(Cap)] == [("study", 2)]
    assert post(study="2", why="再试").status_code == 303
    assert "The caps are what they were." in visitor.get("/gateways").text
    acts = session.execute(text("SELECT act, target_id, details->>'why' FROM trail WHERE act LIKE 'cap.%' ORDER BY id"))
    assert acts.all() == [
        ("cap.set", "notice", "试行"),
        ("cap.set", "study", "试行"),
        ("cap.remove", "notice", "取消"),
    ]


def test_an_account_says_how_it_is_and_what_would_follow(place, log_in, session):
    unit, _ = place
    session.execute(text("UPDATE gateway_accounts SET state_since = '2026-03-04 05:06Z'"))
    session.commit()
    visitor = log_in(unit, "operator")
    page = visitor.get("/gateways/main").text
    assert "4 Mar" in page
    assert "Its texts are counted since" in page
    assert "without this one its texts wait" in page
    gateways = ScriptedGateways({"main": ScriptedAdapter(), "second": ScriptedAdapter()})
    synchronise_gateways(session, gateways)
    session.execute(
        text(
            "UPDATE gateway_accounts SET trips = 3, paused_by = 'breaker', state = 'paused', reason = 'x'"
            " WHERE name = 'main'"
        )
    )
    session.commit()
    page = visitor.get("/gateways/main").text
    assert "If this account takes nothing, these do: second." in page
    assert "Runs under way on these routes: 1, with 0 texts" in page
    assert "Paused since too many texts failed" in page
    assert "It was paused 3 times in a row" in page


def test_refused_callbacks_are_paged(place, log_in, session):
    unit, _ = place
    session.execute(
        text(
            "INSERT INTO refused_callbacks SELECT 1, date '2026-01-01' + d, r, d + 1, '2026-01-01Z'"
            " FROM generate_series(0, 39) d, unnest(ARRAY['forged', 'malformed']) r"
        )
    )
    session.commit()
    visitor = log_in(unit, "operator")
    assert 'href="/gateways/main/callbacks"' in visitor.get("/gateways/main").text
    here, days = "/gateways/main/callbacks", []
    for _ in range(2):
        page = visitor.get(here).text
        days += re.findall(r'data-label="Day">([^<]+)<', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        here = following.group(1).replace("&amp;", "&") if following else None
    assert (len(days), days[0], days[-1], here) == (80, "9 Feb", "1 Jan", None)
    assert visitor.get("/gateways/nobody/callbacks").status_code == 404


def test_a_code_that_no_table_has_leads_to_its_texts(place, log_in, session):
    unit, ids = place
    session.execute(text("UPDATE attempts SET status = 'refused', error = 'unclassified', raw_code = 'E 7&7'"))
    session.execute(
        text("UPDATE messages SET status = 'refused', account_id = 1 WHERE id = :id"), {"id": ids["message_id"]}
    )
    session.commit()
    visitor = log_in(unit, "operator", "auditor")
    link = re.search(r'href="(/rows\?[^"]*unclassified[^"]*)"', visitor.get("/gateways/main").text)
    page = visitor.get(link.group(1).replace("&amp;", "&")).text
    assert f'/messages/{ids["message_id"]}"' in page
    assert "main answered or reported with the code “E 7&amp;7”" in page
    assert "No text matches" in visitor.get("/rows?account=main&unclassified=E8").text


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
