"""The page of one number's history: asked for with a reason by a form, so that no number stands in an address."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from sms_service.audit.models import TrailEntry
from tests.dispatch.city import make_run
from tests.factories import make_person
from tests.reports.ledger_rows import add_message, make_tree

PHONE = "+8613500000011"


@pytest.fixture
def tree(session):
    units = make_tree(session, [date(2026, 11, 5)])
    person = make_person(session, units[3], name="王小明", phone=PHONE)
    for status in ("delivered", "skipped"):
        run = make_run(session, units[0])
        run.day, run.month = date(2026, 11, 5), date(2026, 11, 1)
        run.launched_at = run.created_at
        session.flush()
        add_message(session, run, units[3], status, person=person)
    other = make_person(session, units[2], phone=PHONE)
    add_message(session, run, units[2], "skipped", person=other)
    session.commit()
    return units, person


def ask(visitor, path="/counts/number", **form):
    return visitor.client.post(path, data={**visitor.fields(path), **form}, headers={"Sec-Fetch-Site": "same-origin"})


def test_an_auditor_asks_for_a_number(session, log_in, tree):
    (_, first, *_), person = tree
    visitor = log_in(first, "auditor", language="zh")
    assert ask(visitor, phone="13500000011").status_code == 422  # no reason
    assert session.scalar(select(TrailEntry.id).where(TrailEntry.act == "number.history")) is None
    answer = ask(visitor, phone="135 0000 0011", why="投诉单 17")
    assert answer.status_code == 200
    for said in ("王小明", "另有 1 条在您的权限范围之外", "已送达", "+86135****0011", "投诉单 17"):
        assert said in answer.text, said
    assert PHONE not in answer.text
    session.rollback()
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "number.history")).one()
    assert (entry.target_id, entry.details) == (str(person.id), {"why": "投诉单 17"})
    assert "查阅了发给“王小明”手机的全部短信" in visitor.get("/trail").text


def test_from_a_persons_page_without_typing_the_number(log_in, tree):
    (_, first, *_), person = tree
    visitor = log_in(first, "auditor")
    path = f"/counts/number?person={person.id}"
    assert path in visitor.get(f"/people/{person.id}").text
    answer = ask(visitor, path, why="a complaint")
    assert answer.status_code == 200
    assert "王小明" in answer.text


def test_what_is_no_number_is_refused_and_nothing_is_found_elsewhere(log_in, tree):
    (_, _, _, _, two), person = tree
    visitor = log_in(two, "auditor")
    assert ask(visitor, phone="12", why="x").status_code == 422
    elsewhere = ask(visitor, phone=PHONE, why="x")
    assert elsewhere.status_code == 200
    assert "3 more outside your scope" in elsewhere.text
    assert "王小明" not in elsewhere.text
    assert visitor.get(f"/counts/number?person={person.id}").status_code == 403
