"""失联核查: one tap for each answer, on a phone, by the secretary; who and when; counts for those above."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from sms_service.delivery.models import LostCheck
from tests.console.conftest import SAME_ORIGIN
from tests.factories import fictional_phone, make_person, make_unit

EVIL = '"><svg onload=alert(1)>'


@pytest.fixture
def branch(session, city):
    branch = make_unit(session, name="第一支部", level="branch", parent=city)
    for name, columns in (("张三", {}), (f"李四{EVIL}", {}), ("无号", {"phone": None})):
        person = make_person(session, branch, name, **columns)
        now = session.scalar(select(func.now()))
        session.add(LostCheck(person_id=person.id, cause="not_reached", campaigns=3, opened_at=now))
        session.flush()
    session.commit()
    return branch


def checks(session):
    session.expire_all()
    return session.scalars(select(LostCheck).order_by(LostCheck.id)).all()


def test_one_tap_answers_and_twice_is_once(log_in, session, branch):
    secretary = log_in(branch, "officer")
    assert 'href="/lost-checks"' in secretary.get("/").text
    page = secretary.get("/lost-checks").text
    assert page.count(">Nobody knows<") == 3
    assert page.count(">Found, the number is right<") == 2, "who has no number cannot be right with it"
    assert "<svg onload" not in page
    assert "3 campaigns" in page
    first = checks(session)[0]
    path = f"/lost-checks/{first.id}/answer"
    fields = {name: value for name, value in secretary.fields("/lost-checks").items() if name.startswith("_")}
    data = {**fields, "answer": "found", "unit": str(branch.id)}
    answers = [secretary.client.post(path, data=data, headers=SAME_ORIGIN) for _ in range(2)]
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, f"/lost-checks?unit={branch.id}")}
    assert [check.answer for check in checks(session)] == ["found", None, None]
    assert "Noted: Found, the number is right." in secretary.get("/lost-checks").text
    other = secretary.post(path, form="/lost-checks", data={"answer": "lost"})
    assert other.status_code == 409
    done = secretary.get("/lost-checks?answered=true").text
    assert "张三" in done
    assert f"账号{secretary.login}" in done


def test_a_new_number_and_one_that_is_none(log_in, session, branch):
    secretary, last = log_in(branch, "officer"), checks(session)[2]
    path = f"/lost-checks/{last.id}/answer"
    wrong = secretary.post(path, form="/lost-checks", data={"answer": "new_number", "phone": "123"})
    assert wrong.status_code == 422
    assert "无号" in wrong.text
    assert "张三" not in wrong.text
    phone = fictional_phone()
    assert secretary.post(path, form="/lost-checks", data={"answer": "new_number", "phone": phone}).status_code == 303
    assert checks(session)[2].answer == "new_number"
    assert phone not in secretary.get("/lost-checks?answered=true").text


def test_who_sees_and_who_answers(log_in, session, city, branch):
    check = checks(session)[0]
    auditor = log_in(city, "auditor")
    page = auditor.get("/lost-checks").text
    assert "张三" in page
    assert "Nobody knows</button>" not in page
    assert 'href="/lost-checks?unit=' in page, "counts by unit lead to their people"
    assert auditor.post(f"/lost-checks/{check.id}/answer", data={"answer": "lost"}).status_code == 403
    neighbour = log_in(make_unit(session, name="第二支部", level="branch", parent=city), "officer")
    assert "There is nobody now." in neighbour.get("/lost-checks").text
    assert neighbour.get(f"/lost-checks/{check.id}").status_code == 403
    assert neighbour.get(f"/lost-checks?unit={branch.id}").status_code == 403
    answer = neighbour.post(f"/lost-checks/{check.id}/answer", data={"answer": "lost"})
    assert answer.status_code == 403
    assert "To be looked for" in log_in(city, "administrator").get("/lost-checks").text
    assert [check.answer for check in checks(session)] == [None] * 3


def test_pages_go_on_by_the_cursor(log_in, branch):
    visitor = log_in(branch, "auditor")
    first = visitor.get("/lost-checks?limit=2").text
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "无号" not in first
    assert "无号" in visitor.get(following).text
