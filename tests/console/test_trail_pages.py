"""The trail as sentences, in both languages, with names beside ids."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import event, select

from sms_service.accounts.actors import SYSTEM
from sms_service.audit import chain, trail
from sms_service.audit.chain import find_chain_state
from sms_service.audit.models import TrailEntry
from sms_service.audit.origin import come_from, name_origin
from sms_service.catalogues import get_catalogue
from sms_service.console.trail_sentences import SENTENCES, tell_act
from sms_service.controls import stops
from sms_service.directory import people, units
from sms_service.personal.erasure import erase_person
from sms_service.reports.acts import name_targets
from sms_service.said import translate
from sms_service.web.words import WORDS
from tests.factories import make_account, make_person, make_unit


def test_every_act_has_a_sentence_and_no_sentence_is_left_over():
    assert {act.partition("/")[0] for act in SENTENCES} == set(WORDS["act"])


@pytest.mark.parametrize("act", sorted(WORDS["act"]))
def test_a_sentence_can_be_told_of_an_entry_without_details(act):
    entry = TrailEntry(act=act, account_id=7, target_kind="person", target_id="12", details={})
    told = tell_act(entry, {("account", "7"): "林书记"})
    assert "林书记" in told
    assert "{" not in translate(told, get_catalogue("zh"))


def test_names_stand_beside_ids_in_one_statement(session, database, city):
    district = make_unit(session, name="城东区", parent=city)
    lin = make_account(session, city, "lin", name="林书记")
    person = make_person(session, district, "王一")
    stop_id, _ = stops.stop_unit(session, SYSTEM, district.id, "错字")
    for act, kind, target, details in (
        ("person.change", "person", person.id, {}),
        ("stop.begin", "stop", stop_id, {}),
        ("role.grant", "account", lin.id, {"role": "officer", "unit_id": district.id}),
        ("gateway.paused", "gateway_account", 5, {"name": "main"}),
        ("cap.set", "cap", "study", {"per_day": 2}),
        ("people.see_phones", "person", person.id, {}),
        ("people.see_phones", "list", 0, {}),
        ("suppression.add", "person", person.id, {"reason": "opted_out"}),
        ("campaign.approve", "campaign", 99999, {}),
    ):
        trail.record_act(session, lin.id, act, kind, target, city.path, **details)
    entries = session.query(TrailEntry).filter(TrailEntry.account_id == lin.id).order_by(TrailEntry.id).all()
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    names = name_targets(session, SYSTEM, entries)
    assert len(asked) == 1
    assert [str(tell_act(entry, names)) for entry in entries] == [
        "林书记 changed the person 王一",
        "林书记 stopped all sending of 城东区",
        "林书记 gave 林书记 the role Officer on 城东区",
        "林书记 paused the gateway account main",
        "林书记 set the daily cap of the class Study to 2",
        "林书记 looked at the whole phone number of 王一",
        "林书记 looked at whole phone numbers",
        "林书记 put the phone of 王一 on the opt-out list: Wants no texts",
        "林书记 approved the campaign no. 99999",
    ]


def test_whom_somebody_may_no_longer_read_is_not_named(log_in, session, city):
    here, there = (make_unit(session, parent=city) for _ in range(2))
    person = make_person(session, here, "王一")
    people.change_person(session, SYSTEM, person.id, name="王二")
    session.commit()
    visitor = log_in(here, "auditor")
    assert "changed the person 王二" in visitor.get("/trail").text
    people.change_person(session, SYSTEM, person.id, unit_id=there.id)
    session.commit()
    page = visitor.get("/trail").text
    assert "王二" not in page
    assert f"the person no. {person.id}" in page


def test_filters_by_act_unit_account_and_day(log_in, session, city, database_url):
    district = make_unit(session, name="城东区", parent=city)
    units.change_unit(session, SYSTEM, district.id, name="新城区")
    lin = make_account(session, city, "lin", name="林书记")
    trail.record_act(session, lin.id, "unit.create", "unit", city.id, city.path)
    session.add(
        TrailEntry(
            account_id=lin.id,
            act="stop.release",
            target_kind="stop",
            target_id="1",
            unit_path=city.path,
            details={"why": "打 13900000001"},
        )
    )
    session.commit()
    with psycopg.connect(database_url) as administrator:  # the service cannot choose the time
        administrator.execute("UPDATE trail SET at = '2026-01-02 16:30 UTC' WHERE act = 'stop.release'")
    visitor = log_in(city, "auditor")

    def acts(query):
        page = visitor.get(f"/trail?{query}").text
        words = ("changed the unit 新城区", "created the unit 云州市", "released the stop")
        return [word.split()[0] for word in words if word in page]

    assert acts("") == ["changed", "created", "released"]
    assert acts("act=unit.create") == ["created"]
    assert acts(f"unit={district.id}") == ["changed"]
    assert acts(f"account={lin.id}") == ["created", "released"]
    assert "Only what 林书记 did." in visitor.get(f"/trail?account={lin.id}").text
    assert acts("since=2026-01-03&until=2026-01-03") == ["released"]  # half past midnight in the city
    assert acts("until=2026-01-02") == []
    page = visitor.get("/trail?until=2026-01-03").text
    assert "13900000001" not in page
    assert "Reason: 打" in page
    assert "Nothing of this was done in 云州市." in visitor.get("/trail?act=cap.set").text
    assert visitor.get("/trail?act=nonsense").status_code == 422


def test_before_after_and_where_from_are_told(log_in, session, database, city):
    district = make_unit(session, name="城东区", parent=city)
    person = make_person(session, city, "王一", phone="+8613900000001")
    roles = [{"unit_id": district.id, "role": "书记"}]
    changes = {
        "name": "王二",
        "phone": "+8613900000002",
        "tags": ["退休", "教师"],
        "roles": roles,
        "lost_contact": True,
    }
    with come_from("shell"):
        people.change_person(session, SYSTEM, person.id, unit_id=district.id, attributes={"gender": "女"}, **changes)
    units.change_unit(session, SYSTEM, district.id, name="新城区", window_opens="09:00")
    session.commit()
    page = log_in(city, "auditor").get("/trail").text
    for told in (
        "from the shell",
        "Name: 王一 → 王二",
        "Phone number: +86139****0001 → +86139****0002",
        "Tags: nothing → 退休, 教师",
        "Roles: nothing → 书记 of 新城区",
        "Known to be out of reach: no → yes",
        "Unit: 云州市 → 新城区",
        "Gender: nothing → 女",
        "Name: 城东区 → 新城区",
        "Texts leave from: 08:00 → 09:00",
    ):
        assert told in page, told
    assert "139000000" not in page
    with database.session() as later:
        erase_person(later, SYSTEM, person.id, "asked")
    page = log_in(city, "auditor").get("/trail").text
    assert "王一" not in page
    assert "Name: 城东区 → 新城区" in page


def test_an_act_on_a_page_comes_from_the_callers_address(log_in, session, city):
    visitor = log_in(city, "officer")
    visitor.post("/stops", data={"unit_id": city.id, "why": "错字"})
    assert session.scalars(select(TrailEntry.origin).where(TrailEntry.act == "stop.begin")).all() == ["127.0.0.1"]
    assert "from 127.0.0.1" in visitor.get("/trail").text
    assert name_origin() == "service", "the next act of this thread comes from elsewhere"


def test_the_head_stands_below_and_acts_that_wait_too_long_are_told(log_in, session, database, city, database_url):
    visitor = log_in(city, "auditor")
    units.change_unit(session, SYSTEM, city.id, name="新市")
    session.commit()
    assert "Head of the chain" not in visitor.get("/trail").text
    with psycopg.connect(database_url) as administrator:
        administrator.execute("UPDATE trail SET at = at - interval '2 minutes'")
    assert "acts have had no link in the chain since" in visitor.get("/trail").text
    chain.link_entries(database)
    page = visitor.get("/trail").text
    head = find_chain_state(session).head
    assert head is not None
    assert str(head) in page
    assert "no link in the chain" not in page


def test_pages_go_on_and_links_are_for_who_may_open_them(log_in, session, city):
    for _ in range(3):
        stops.release_stop(session, SYSTEM, stops.stop_unit(session, SYSTEM, city.id, "x")[0], "y")
    session.commit()
    auditor = log_in(city, "auditor")
    page = auditor.get("/trail?limit=2&act=stop.begin").text
    assert 'rel="next"' in page
    assert 'href="/stops/' not in page
    assert 'href="/stops/' in log_in(city, "officer").get("/trail").text


def test_chinese(log_in, session, city):
    person = make_person(session, city, "王一")
    people.change_person(session, SYSTEM, person.id, name="王二")
    session.commit()
    assert "修改了人员“王二”" in log_in(city, "auditor", language="zh").get("/trail").text


def test_logging_in_is_listed_only_where_it_is_asked_for(log_in, session, city):
    lin = make_account(session, city, "lin", name="林书记")
    for act in ("session.begin", "person.change", "session.end"):
        trail.record_act(session, lin.id, act, "account", lin.id, city.path)
    session.commit()
    visitor = log_in(city, "auditor")
    page = visitor.get("/trail").text
    assert "林书记 changed" in page
    assert "林书记 logged in" not in page
    for address in ("/trail?logins=true", "/trail?act=session.begin"):
        assert "林书记 logged in" in visitor.get(address).text


@pytest.mark.parametrize("days", ["until=9999-12-31", "since=0001-01-01", "since=9999-12-31"])
def test_days_at_the_ends_of_the_calendar_can_be_asked_for(log_in, city, days):
    assert log_in(city, "auditor").get(f"/trail?{days}").status_code == 200


def test_days_in_the_wrong_order_are_refused(log_in, city):
    answer = log_in(city, "auditor").get("/trail?since=2026-02-01&until=2026-01-01")
    assert answer.status_code == 422
    assert "To day</strong> <code>2026-01-01</code> must not be before" in answer.text
