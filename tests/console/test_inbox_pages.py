"""The inbox on a phone: what waits, one tap to close it, an answer, and what is said where somebody was faster."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select, update

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.suppression import suppress_phone
from sms_service.campaigns.models import Campaign
from sms_service.directory.models import Person, Unit
from sms_service.replies.models import ReplyRow
from tests.console.conftest import SAME_ORIGIN
from tests.dispatch.city import drain, make_city
from tests.factories import fictional_phone, make_unit
from tests.replies.asking import ask
from tests.replies.replying import find_reply, write_in

PHONE = fictional_phone(5)
EVIL = '"><svg onload=alert(1)>'


@pytest.fixture
def city(database):
    city = make_city(database, 0, more=[{"phone": PHONE, "name": f"张三{EVIL}"}])
    drain(database, city.gateways)
    return city


@pytest.fixture
def unit(session, city):
    return session.get_one(Unit, city.unit.id)


def status(session, reply_id):
    session.expire_all()
    return find_reply(session, reply_id).inbox_status


def act(visitor, reply_id, name, **data):
    """Send a form of the reply's page, with the state that the page shows."""
    page = f"/inbox/{reply_id}"
    seen = visitor.fields(page)["state"]
    return visitor.post(f"{page}/{name}", form=page, data={"state": seen, **data})


def test_the_first_page_leads_there_and_a_reply_is_closed_with_a_word(database, log_in, session, unit):
    [reply_id] = write_in(database, PHONE, f"几点开会{EVIL}")
    secretary = log_in(unit, "officer")
    home = secretary.get("/").text
    assert 'href="/inbox?waiting=true"' in home
    page = secretary.get("/inbox?waiting=true").text
    assert f'href="/inbox/{reply_id}"' in page
    assert "<svg onload" not in page
    assert PHONE not in page
    assert "<svg onload" not in secretary.get(f"/inbox/{reply_id}").text
    closed = act(secretary, reply_id, "close", why="已电话答复")
    assert (closed.status_code, closed.location) == (303, "/inbox")
    assert status(session, reply_id) == "closed"
    assert 'href="/inbox?waiting=true"' not in secretary.get("/").text
    after = secretary.get(f"/inbox/{reply_id}").text
    assert "已电话答复" in after
    assert "What you answer" not in after
    assert act(secretary, reply_id, "reopen").status_code == 303
    assert status(session, reply_id) == "unread"


def test_an_answer_leaves_once_and_its_outcome_stands_there(database, log_in, session, city, unit):
    [reply_id] = write_in(database, PHONE, "几点开会")
    secretary = log_in(unit, "officer")
    page = f"/inbox/{reply_id}"
    assert "【云州先锋】 is put in front" in secretary.get(page).text
    fields = {name: value for name, value in secretary.fields(page).items() if name.startswith("_")}
    data = {**fields, "state": "unread", "text": "九点。"}
    answers = [secretary.client.post(f"{page}/answer", data=data, headers=SAME_ORIGIN) for _ in range(2)]
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, page)}
    drain(database, city.gateways)
    after = secretary.get(page).text
    assert "【云州先锋】九点。" in after
    assert "Handed over" in after
    assert f"账号{secretary.login}" in after
    assert city.adapter.handed[-1].body == "【云州先锋】九点。"


def test_what_is_wrong_with_an_answer_is_said_and_the_words_stay(database, log_in, session, unit):
    [reply_id] = write_in(database, PHONE, "几点开会")
    secretary = log_in(unit, "officer")
    refused = act(secretary, reply_id, "answer", text="【别人】九点。")
    assert refused.status_code == 422
    assert "begins with another signature" in refused.text
    assert "【别人】九点。</textarea>" in refused.text
    assert status(session, reply_id) == "unread"
    suppress_phone(session, SYSTEM, PHONE, "opted_out")
    session.commit()
    page = secretary.get(f"/inbox/{reply_id}").text
    assert "No text can answer it: this person gets no text" in page
    assert "What you answer" not in page


def test_the_second_of_two_learns_who_was_faster(database, log_in, session, unit):
    [reply_id] = write_in(database, PHONE, "几点开会")
    first, second = log_in(unit, "officer"), log_in(unit, "officer")
    assert act(first, reply_id, "assign", assignee_id=str(second.account_id)).status_code == 303
    late = second.post(f"/inbox/{reply_id}/close", form=f"/inbox/{reply_id}", data={"state": "unread"})
    assert late.status_code == 409
    assert f"账号{first.login} changed this reply" in late.text
    mine = second.get("/inbox?status=assigned&mine=true").text
    assert f'href="/inbox/{reply_id}"' in mine
    assert 'href="/inbox?status=assigned&amp;mine=true"' in second.get("/").text


def test_a_search_is_a_post_and_its_words_stand_in_no_address(database, log_in, session, unit):
    [reply_id] = write_in(database, PHONE, "几点开会")
    visitor = log_in(unit, "auditor")
    for wanted, found in ((PHONE, True), ("张三", True), ("几点", True), ("李四", False)):
        answer = visitor.post("/inbox", form="/inbox", data={"wanted": wanted})
        assert answer.status_code == 200
        assert (f'href="/inbox/{reply_id}"' in answer.text) is found, wanted
        assert not re.search(rf'(?:href|action)="[^"]*{re.escape(wanted)}', answer.text)


def test_who_reads_and_who_acts(database, log_in, session, unit):
    [reply_id] = write_in(database, PHONE, "几点开会")
    [strangers_id] = write_in(database, fictional_phone(6), "你是谁")
    auditor = log_in(unit, "auditor")
    page = auditor.get(f"/inbox/{reply_id}").text
    assert "几点开会" in page
    assert "Close the reply" not in page
    assert auditor.post(f"/inbox/{reply_id}/close", data={"state": "unread"}).status_code == 403
    assert f'href="/inbox/{strangers_id}"' in auditor.get("/inbox").text
    neighbour = log_in(make_unit(session, parent=unit), "officer")
    assert "All of them are read." in neighbour.get("/inbox").text
    for id_ in (reply_id, strangers_id):
        assert neighbour.get(f"/inbox/{id_}").status_code == 403
        assert neighbour.post(f"/inbox/{id_}/close", data={"state": "unread"}).status_code == 403
    assert session.scalars(select(ReplyRow.inbox_status)).all() == ["unread", "unread"]


def test_filters_and_pages(database, log_in, session, unit):
    write_in(database, PHONE, "第一问", "第二问", "第三问")
    visitor = log_in(unit, "auditor")
    campaign_id = session.scalars(select(Campaign.id)).one()
    assert visitor.get(f"/inbox?campaign={campaign_id}").text.count("/inbox/") >= 3
    first = visitor.get("/inbox?limit=2").text
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "第三问" not in first
    assert "第三问" in visitor.get(following).text
    assert "There is none of" in visitor.get("/inbox?status=closed").text


def test_what_fits_several_questions_is_assigned_by_one_tap(database, log_in, session, city, unit):
    first = ask(database, city.run_id)
    [reply_id] = write_in(database, PHONE, "参加")
    session.execute(update(ReplyRow).values(meaning="ambiguous", inbox_status="unread", question_id=None))
    session.commit()
    secretary = log_in(unit, "officer")
    assert f'href="/inbox/{reply_id}/meaning"' in secretary.get(f"/inbox/{reply_id}").text
    page = f"/inbox/{reply_id}/meaning"
    assert "It answers this: Yes" in secretary.get(page).text
    data = {"seen": "ambiguous", "question_id": str(first), "meaning": "yes"}
    done = secretary.post(f"{page}/say", form=page, data=data)
    assert (done.status_code, done.location) == (303, "/inbox")
    assert status(session, reply_id) == "closed"
    assert find_reply(session, reply_id).question_id == first
    late = log_in(unit, "officer").post(f"{page}/say", form=page, data=data)
    assert late.status_code == 409


def test_whose_a_strangers_answer_is_can_be_said(database, log_in, session, city, unit):
    question_id = ask(database, city.run_id)
    [reply_id] = write_in(database, fictional_phone(6), "参加")
    secretary = log_in(unit, "officer")
    page = f"/inbox/{reply_id}/meaning"
    found = secretary.post(page, form=page, data={"wanted": "张"})
    person_id = session.scalars(select(Person.id)).one()
    assert f'href="{page}?person={person_id}"' in found.text
    assert "<svg onload" not in found.text
    assert "It answers this: Yes" in secretary.get(f"{page}?person={person_id}").text
    data = {"seen": "free_text", "question_id": str(question_id), "person_id": str(person_id), "meaning": "yes"}
    assert secretary.post(f"{page}/say", form=page, data=data).status_code == 303
    session.expire_all()
    assert find_reply(session, reply_id).person_id == person_id
    assert log_in(unit, "auditor").get(page).status_code == 403
