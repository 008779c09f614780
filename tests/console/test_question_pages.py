"""报名与调查: who answered what, by name and by unit; an answer is noted with one press, the silent are reminded."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from sms_service.campaigns.models import Campaign
from sms_service.directory.models import Unit
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Run
from sms_service.replies import matching
from sms_service.replies.models import AnswerRow
from sms_service.replies.storing import store_replies
from tests.dispatch.city import drain, make_city
from tests.factories import fictional_phone, make_unit
from tests.replies.asking import ask


@pytest.fixture
def asked(database, session):
    """A question to three: one comes with another, one writes what nobody understands, one says nothing."""
    phones = [fictional_phone() for _ in range(3)]
    city = make_city(database, 0, more=[{"name": f"党员{n}", "phone": phone} for n, phone in enumerate(phones)])
    drain(database, city.gateways)
    question_id = ask(database, city.run_id)
    for phone, text in zip(phones, ["2人", "几点<b>"], strict=False):
        store_replies(database, "main", [Reply(phone, text, "{}")])
    matching.match_waiting(database)
    return f"/questions/{question_id}", session.get_one(Unit, city.unit.id), city


def test_the_page_says_it_in_a_sentence_and_each_number_leads_to_its_people(log_in, session, asked):
    page, unit, city = asked
    officer = log_in(unit)
    shown = officer.get(page).text
    assert "1 of 3 people say that they come, 2 with those whom they bring; 0 do not come." in shown
    assert "1 have said nothing." in shown
    for said, name in (("yes", "党员0"), ("free_text", "党员1"), ("silent", "党员2")):
        assert f'href="{page}?said={said}#people"' in shown
        listed = officer.get(f"{page}?said={said}").text
        assert re.findall(r'/people/\d+">([^<]+)</a>', listed) == [name]
    assert "几点&lt;b&gt;" in officer.get(f"{page}?said=free_text").text
    campaign_id = session.scalars(select(Run.campaign_id).where(Run.id == city.run_id)).one()
    for address in ("/questions", f"/campaigns/{campaign_id}", f"/runs/{city.run_id}"):
        assert f'href="{page}"' in officer.get(address).text, address
    assert log_in(make_unit(session)).get(page).status_code == 403


def test_an_answer_given_by_phone_is_noted_with_one_press(log_in, session, asked):
    page, unit, _ = asked
    officer = log_in(unit)
    silent = re.search(r'/people/(\d+)">党员2', officer.get(f"{page}?said=silent").text)[1]
    answer = officer.post(f"{page}/people/{silent}/note", page, {"said": "no", "group": "silent"})
    assert (answer.status_code, answer.location) == (303, f"{page}?said=silent")
    assert "1 do not come" in officer.get(page).text
    person = officer.get(f"{page}/people/{silent}").text
    assert "It counts" in person
    wrong = officer.post(f"{page}/people/{silent}/note", f"{page}/people/{silent}", {"said": "no", "people": "2"})
    assert wrong.status_code == 422
    assert session.scalars(select(AnswerRow).where(AnswerRow.noted_by.is_not(None))).one().said == "no"
    auditor = log_in(unit, "auditor")
    assert "/note" not in auditor.get(page).text


def test_the_silent_are_reminded_by_a_draft_and_a_question_is_closed(log_in, session, asked):
    page, unit, _ = asked
    officer = log_in(unit)
    assert "Remind those who said nothing (1)" in officer.get(page).text
    answer = officer.post(f"{page}/remind", page)
    draft = session.scalars(select(Campaign).order_by(Campaign.id.desc()).limit(1)).one()
    assert (answer.status_code, answer.location) == (303, f"/campaigns/{draft.id}/check")
    assert officer.get(answer.location).status_code == 200
    closing = officer.post(f"{page}/close", f"{page}/close", {"at": ""})
    assert closing.status_code == 303
    shown = officer.get(page).text
    assert "closed since" in shown
    assert "Remind those" not in shown
    assert page not in officer.get("/questions").text
    assert page in officer.get("/questions?closed=true").text
