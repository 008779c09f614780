"""A run's page: the sentence, the numbers that lead to their rows, what refreshes itself, and every act on it."""

from __future__ import annotations

import re

import psycopg
import pytest
from sqlalchemy import func, select, text

from sms_service.audit.models import TrailEntry
from sms_service.console import live, rows
from sms_service.dispatch import freeze
from sms_service.ledger.models import Message, Run
from tests.api.samples import PREPARATIONS, make_samples
from tests.dispatch.city import make_run
from tests.factories import make_person, make_unit


@pytest.fixture
def place(database, session):
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    session.execute(text("UPDATE stops SET released_at = now(), release_why = 'x'"))
    session.commit()
    live._looks.clear()
    return unit, ids


def run_of(session, ids):
    session.expire_all()
    return session.get_one(Run, ids["run_id"])


def test_the_page_leads_from_each_number_to_its_rows(place, log_in, session):
    unit, ids = place
    visitor = log_in(unit)
    page = visitor.get(f"/runs/{ids['run_id']}").text
    assert "1 recipients, each in exactly one line" in page
    rows = re.search(r'href="(/rows\?run=\d+&amp;status=pending)"', page).group(1).replace("&amp;", "&")
    listed = visitor.get(rows).text
    assert listed.count("<tr>") == 2
    message = re.search(r'href="(/messages/\d+)"', listed).group(1)
    assert "it was written down for" in visitor.get(message).text


def test_what_refreshes_itself_answers_only_what_changed(place, log_in, session):
    unit, ids = place
    visitor = log_in(unit)
    page = visitor.get(f"/runs/{ids['run_id']}").text
    again = re.search(r'hx-get="([^"]+)"', page).group(1)
    assert visitor.get(again).status_code == 204
    session.execute(text("UPDATE messages SET status = 'cancelled'"))
    session.commit()
    live._looks.clear()
    changed = visitor.get(again)
    assert changed.status_code == 200
    assert len(changed.data) < 4096
    assert "<html" not in changed.text


def test_a_run_that_is_over_does_not_refresh_itself(place, log_in, session):
    unit, ids = place
    session.execute(text("UPDATE messages SET status = 'cancelled'"))
    session.execute(text("UPDATE runs SET status = 'cancelled', reason = 'x'"))
    session.commit()
    page = log_in(unit).get(f"/runs/{ids['run_id']}").text
    assert "hx-get" not in page


def test_what_is_shared_within_a_second_is_for_those_who_may_read_it(place, log_in, session):
    unit, ids = place
    other = make_unit(session)
    session.commit()
    path = f"/runs/{ids['run_id']}/live"
    assert log_in(unit).get(path).status_code == 200
    assert log_in(other).get(path).status_code == 403


def test_pause_go_on_and_cancel_each_ask_why_and_act_once(place, log_in, session):
    unit, ids = place
    visitor, path = log_in(unit), f"/runs/{ids['run_id']}"
    for act, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        asked = visitor.get(f"{path}/{act}").text
        assert "Why?" in asked
        refused = visitor.post(f"{path}/{act}", form=f"{path}/{act}")
        assert refused.status_code == 422
        assert 'href="#f-why"' in refused.text
        done = visitor.post(f"{path}/{act}", form=f"{path}/{act}", data={"why": "测试"})
        assert (done.status_code, done.location) == (303, path)
        assert run_of(session, ids).status == status
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.target_kind == "run")).all()
    assert [act for act in acts if act in ("run.paused", "run.running", "run.cancelled")] == [
        "run.paused", "run.running", "run.cancelled",
    ]  # fmt: skip


def test_an_act_that_came_too_late_says_what_the_run_is(place, log_in, session):
    unit, ids = place
    visitor, path = log_in(unit), f"/runs/{ids['run_id']}"
    fields = visitor.fields(f"{path}/pause")
    session.execute(text("UPDATE runs SET status = 'cancelled', reason = 'x'"))
    session.commit()
    late = visitor.client.post(f"{path}/pause", data={**fields, "why": "x"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert late.status_code == 409
    assert "cancelled" in late.text


def test_unknown_texts_are_settled_or_sent_again(place, log_in, session):
    unit, ids = place
    PREPARATIONS["POST /messages/<int:message_id>/settle"](session, ids)
    session.commit()
    visitor = log_in(unit)
    page = visitor.get(f"/messages/{ids['message_id']}").text
    assert "What do the provider" in page
    path = f"/messages/{ids['message_id']}"
    refused = visitor.post(f"{path}/settle", form=path, data={"why": "x"})
    assert refused.status_code == 422
    assert visitor.post(f"{path}/settle", form=path, data={"why": "x", "verdict": "accepted"}).status_code == 303
    session.expire_all()
    assert session.scalars(select(Message.status)).one() == "accepted"


def test_several_unknown_texts_are_ticked_and_settled(place, log_in, session, database):
    unit, ids = place
    for _ in range(2):
        make_person(session, unit)
    run = make_run(session, unit)
    session.commit()
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run.id)
    PREPARATIONS["POST /messages/settle"](session, ids)
    session.commit()
    session.execute(text("UPDATE messages SET account_id = 1 WHERE id = :id"), {"id": ids["message_id"]})
    others = session.scalars(select(Message.id).where(Message.run_id == run.id).order_by(Message.id)).all()
    for message_id in others[:2]:
        PREPARATIONS["POST /messages/settle"](session, {"message_id": message_id})
    session.execute(text("UPDATE attempts SET looked_up_at = '2026-01-02 03:04Z'"))
    session.commit()
    visitor = log_in(unit)
    path = "/rows?status=unknown"
    page = visitor.get(path).text
    assert page.count('type="checkbox"') == 3
    assert "cannot be asked" in page
    said = {"verdict": "accepted", "why": "见对账单"}
    kept = visitor.post(path, form=path, data={**said, "messages": [str(others[0])], "why": ""})
    assert (kept.status_code, kept.text.count(" checked>")) == (422, 2)
    assert visitor.post(path, form=path, data=said).status_code == 422  # nothing is ticked
    done = visitor.post(path, form=path, data={**said, "messages": [str(others[0]), str(ids["message_id"])]})
    assert (done.status_code, done.location) == (303, path)
    assert "2 texts are settled." in visitor.get(path).text
    session.expire_all()
    status_of = dict(session.execute(select(Message.id, Message.status)).all())
    assert [status_of[id_] for id_ in (others[0], ids["message_id"], others[1])] == ["accepted", "accepted", "unknown"]
    late = visitor.post(path, form=path, data={**said, "messages": [str(others[0]), str(others[1])]})
    assert (late.status_code, f"message {others[0]} is accepted" in late.text) == (409, True)
    assert 'type="checkbox"' not in log_in(unit, "auditor").get(path).text
    session.execute(text("UPDATE messages SET status = 'no_receipt' WHERE id = :id"), {"id": others[1]})
    session.commit()
    gone = visitor.post(path, form="/rows", data={**said, "messages": [str(others[1])]})
    assert (gone.status_code, f"message {others[1]} is without a receipt" in gone.text) == (409, True)


def test_who_may_only_read_sees_no_buttons(place, log_in):
    unit, ids = place
    visitor = log_in(unit, "auditor")
    page = visitor.get(f"/runs/{ids['run_id']}").text
    assert "What you can do" not in page
    assert visitor.get(f"/runs/{ids['run_id']}/pause").status_code == 403


def test_counts_lead_down_to_rows(place, log_in):
    unit, _ = place
    visitor = log_in(unit, "auditor")
    page = visitor.get("/counts?by=status").text
    rows = re.search(r'href="(/rows\?[^"]*status=pending[^"]*)"', page).group(1).replace("&amp;", "&")
    assert visitor.get(rows).status_code == 200
    for by in ("unit", "status", "reason", "campaign", "day", "account", "class"):
        for link in set(re.findall(r'href="(/(?:counts|rows)\?[^"]*)"', visitor.get(f"/counts?by={by}").text)):
            assert visitor.get(link.replace("&amp;", "&")).status_code == 200, link
    assert visitor.get("/counts?since=2030-01-01").text.count("Nothing was counted") == 1
    assert visitor.get("/counts?since=2030-02-01&until=2030-01-01").status_code == 422


def test_rows_say_how_many_there_are_and_lead_to_their_counts(place, log_in, session, monkeypatch):
    unit, ids = place
    visitor, page = log_in(unit, "auditor"), f"/rows?run={ids['run_id']}"
    number = session.scalar(select(func.count()).select_from(Message).where(Message.run_id == ids["run_id"]))
    assert number == 1
    found = visitor.get(page).text
    assert "<strong>1 text</strong>" in found
    assert f'href="/counts?run={ids["run_id"]}"' in found
    monkeypatch.setattr(rows, "MOST_COUNTED", 0)
    assert "More than 0 texts" in visitor.get(page).text
    assert "</strong> ·" not in visitor.get(f"{page}&status=expired").text


def test_a_run_under_way_leads_to_a_stop(place, log_in, session):
    unit, ids = place
    address = f'href="/stops?unit={unit.id}"'
    run_of(session, ids).status = "running"
    session.commit()
    assert address in log_in(unit).get(f"/runs/{ids['run_id']}").text
    assert address not in log_in(unit, "auditor").get(f"/runs/{ids['run_id']}").text


def test_rows_of_no_days_are_those_that_the_database_has(place, log_in, database_url):
    unit, ids = place
    with psycopg.connect(database_url) as owner:
        owner.execute(
            "INSERT INTO archived_months (month, state, partitions, days, folder, digest, rows)"
            " VALUES ('2020-01-01', 'dropped', '{}', '{}', '/archive', sha256(''), 3)"
        )
    visitor = log_in(unit, "auditor")
    answer = visitor.get("/rows?status=pending")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/rows?status=pending&since=2020-02-01")
    assert f"/messages/{ids['message_id']}" in visitor.get(answer.headers["Location"]).text
    assert visitor.get(f"/rows?run={ids['run_id']}").status_code == 200
