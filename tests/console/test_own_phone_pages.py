"""One's own phone on one's own page, and the buttons that send a text to oneself."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select, text

from sms_service.accounts.models import Account
from sms_service.campaigns.models import Campaign
from sms_service.content.models import TemplateVersion
from sms_service.directory.models import Person
from sms_service.ledger.models import Message, Run
from sms_service.own_texts.phones import find_own_phone
from tests.console.conftest import SAME_ORIGIN
from tests.dispatch.city import make_city
from tests.factories import make_template
from tests.own_texts.own_phones import give_own_phone, let_code_wait

PHONE = "13912345678"


@pytest.fixture
def unit(database, session):
    city = make_city(database, 2, body="{{ name }}同志，请参加学习。")
    unit = session.merge(city.unit)
    version = make_template(session, unit, "{{ name }}同志，请参加学习。", "invitation", variables=("name",))
    session.scalars(select(Campaign)).one().template_version_id = version.id
    session.execute(text("UPDATE campaigns SET status = 'draft'"))
    session.execute(text("UPDATE runs SET campaign_id = NULL, kind = 'notice'"))
    session.commit()
    return unit


@pytest.fixture
def officer(unit, log_in):
    return log_in(unit, "officer", login="lin")


def confirm(session, visitor):
    give_own_phone(session, session.get_one(Account, visitor.account_id), f"+86{PHONE}")
    session.commit()


def sent(session):
    session.expire_all()
    rows = session.scalars(select(Message).join(Run, Run.id == Message.run_id).where(Run.kind == "test"))
    return [(row.phone, row.text) for row in rows.all()]


def test_a_phone_is_said_confirmed_and_ended(session, officer):
    page = officer.get("/me").get_data(as_text=True)
    assert 'name="phone"' in page
    assert 'name="code"' not in page
    assert officer.post("/me/phone", data={"phone": "123"}).status_code == 422
    answer = officer.post("/me/phone", data={"phone": PHONE})
    assert (answer.status_code, answer.location) == (303, "/me#phone")
    page = officer.get("/me").get_data(as_text=True)
    assert "A code went to" in page
    assert PHONE not in page
    let_code_wait(session, session.get_one(Account, officer.account_id), "123456")
    session.commit()
    wrong = officer.post("/me/phone/confirm", data={"code": "654321"})
    assert wrong.status_code == 422
    assert "4 more" in wrong.get_data(as_text=True)
    assert officer.post("/me/phone/confirm", data={"code": "123456"}).status_code == 303
    page = officer.get("/me").get_data(as_text=True)
    assert "confirmed" in page
    assert 'name="way"' in page
    assert officer.post("/me/phone/end").status_code == 303
    assert find_own_phone(session, officer.account_id) is None


def test_two_presses_send_one_code(session, officer):
    fields = {**officer.fields("/me"), "phone": PHONE}
    fields = {name: value for name, value in fields.items() if name.startswith("_") or name == "phone"}
    for _ in range(2):
        assert officer.client.post("/me/phone", data=fields, headers=SAME_ORIGIN).status_code == 303
    assert len(sent(session)) == 1


def test_pushes_are_chosen(session, officer, log_in, unit):
    confirm(session, officer)
    assert "held_run" in officer.get("/me").get_data(as_text=True)
    assert officer.post("/me/pushes", data={"way": "text"}).status_code == 422
    assert officer.post("/me/pushes", data={"way": "text", "kinds": ["held_run", "unknown"]}).status_code == 303
    page = officer.get("/me").get_data(as_text=True)
    assert re.search(r'value="held_run" checked', page)
    assert not re.search(r'value="lost_check" checked', page)
    auditor = log_in(unit, "auditor")
    assert 'id="pushes"' not in auditor.get("/me").get_data(as_text=True)


def test_the_check_sends_what_it_shows(session, unit, officer):
    campaign = session.scalars(select(Campaign)).one()
    path = f"/campaigns/{campaign.id}/check"
    page = officer.get(path).get_data(as_text=True)
    assert "Send one to myself" in page
    people = re.findall(r'name="person_id" value="(\d+)"', page)
    refused = officer.post(f"/campaigns/{campaign.id}/try", path, {"person_id": people[0]})
    assert refused.status_code == 409
    assert "confirm your own phone" in refused.get_data(as_text=True).lower()
    confirm(session, officer)
    answer = officer.post(f"/campaigns/{campaign.id}/try", path, {"person_id": people[-1]})
    assert answer.status_code == 303
    name = session.get_one(Person, int(people[-1])).name
    ((phone, words),) = sent(session)
    assert (phone, words.startswith(f"【云州先锋】{name}同志，请参加学习。")) == (f"+86{PHONE}", True)
    shown = officer.get(answer.location).get_data(as_text=True)
    assert "Test text" in shown
    assert name in shown
    assert "@lin" in shown


def test_the_run_and_the_lists_show_it(session, unit, officer):
    confirm(session, officer)
    campaign = session.scalars(select(Campaign)).one()
    officer.post(f"/campaigns/{campaign.id}/try", f"/campaigns/{campaign.id}/check")
    run = session.scalars(select(Run).where(Run.kind == "test")).one()
    for path in (
        f"/runs/{run.id}",
        f"/runs/{run.id}/pause",
        "/runs",
        "/runs?kind=test",
        f"/rows?run={run.id}",
        "/rows?of_campaign=false",
        f"/counts?run={run.id}",
        "/counts?kind=test&by=campaign",
        "/trail",
        "/",
    ):
        page = officer.get(path)
        assert (path, page.status_code) == (path, 200)
    assert "Test text" in officer.get(f"/runs/{run.id}").get_data(as_text=True)
    assert "Test text" in officer.get("/runs").get_data(as_text=True)
    assert "Test text: 1, counted apart" in officer.get("/counts").get_data(as_text=True)
    person = session.scalars(select(Message.person_id).where(Message.run_id == run.id)).one()
    assert "Test text" in officer.get(f"/people/{person}").get_data(as_text=True)


def test_a_template_being_written_keeps_what_was_typed(session, unit, officer):
    form = {
        "unit_id": str(unit.id),
        "class": "notice",
        "name": "提醒",
        "body": "{{ 时间 }}开会。",
        "signature": "云州先锋",
    }
    fault = officer.post("/templates/new/try", "/templates/new", form)
    assert fault.status_code == 200
    assert "confirm your own phone" in fault.get_data(as_text=True)
    assert "{{ 时间 }}开会。" in fault.get_data(as_text=True)
    confirm(session, officer)
    form["values.时间"] = "周六9时"
    done = officer.post("/templates/new/try", "/templates/new", form)
    page = done.get_data(as_text=True)
    assert (done.status_code, "on its way to your phone" in page) == (200, True)
    assert "{{ 时间 }}开会。" in page
    assert [words for _, words in sent(session)] == ["【云州先锋】周六9时开会。"]
    keys = re.findall(r'name="_once" value="([^"]+)"', page)
    kept = officer.post("/templates/new/keep", "/templates/new", {**form, "_once": keys[-1]})
    assert kept.status_code == 303
    assert session.scalars(select(TemplateVersion).where(TemplateVersion.body == "{{ 时间 }}开会。")).one()
    wrong = officer.post("/templates/new/try", "/templates/new", {**form, "body": "{{ 时间"})
    assert wrong.status_code == 422
    assert len(sent(session)) == 1


def test_a_new_wording_is_tried(session, unit, officer):
    confirm(session, officer)
    version = session.scalars(select(TemplateVersion).order_by(TemplateVersion.id.desc())).first()
    path = f"/templates/{version.template_id}/new-version"
    body = {"body": "新的说法，{{ name }}。", "signature": "云州先锋"}
    answer = officer.post(f"{path}/try", path, body)
    assert answer.status_code == 200
    assert len(sent(session)) == 1
    assert "新的说法" in sent(session)[0][1]


def test_an_invitation_is_tried_before_it_is_kept(session, unit, officer):
    confirm(session, officer)
    page = officer.get("/invite").get_data(as_text=True)
    address = re.search(r'formaction="([^"]+)"', page)[1].replace("&amp;", "&")
    people = re.findall(r'name="people" value="(\d+)"', page)
    answer = officer.post(address, "/invite", {"signature": "云州先锋", "people": people[1:]})
    assert answer.status_code == 200
    assert "on its way to your phone" in answer.get_data(as_text=True)
    name = session.get_one(Person, int(people[1])).name
    ((phone, words),) = sent(session)
    assert (phone, name in words) == (f"+86{PHONE}", True)
    assert len(session.scalars(select(Campaign)).all()) == 1


def test_enter_presses_no_button_that_sends_to_oneself(officer):
    """The first button of a form is what Enter presses."""
    for path in ("/invite", "/templates/new"):
        page = officer.get(path).get_data(as_text=True)
        form = page[page.index("data-once") :]
        first = re.search(r"<button(?! type=\"button\")[^>]*>", form)[0]
        assert "try" not in first, path


def test_who_may_not_sees_no_button(session, unit, log_in):
    campaign = session.scalars(select(Campaign)).one()
    auditor = log_in(unit, "auditor")
    assert "Send one to myself" not in auditor.get(f"/campaigns/{campaign.id}/check").get_data(as_text=True)
    assert auditor.post(f"/campaigns/{campaign.id}/try").status_code == 403
