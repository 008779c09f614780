"""A person's own data: all that an erasure would empty is in it, and the look is in the trail."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.suppression import lift_suppression, suppress_phone
from sms_service.audit.models import TrailEntry
from sms_service.cli import main
from sms_service.db.engine import Database
from sms_service.errors import Forbidden, Invalid
from sms_service.gateways.base import Reply
from sms_service.personal.own_data import SECTIONS, collect_own_data
from sms_service.replies.matching import match_waiting
from sms_service.replies.storing import store_replies
from tests.factories import make_actor, make_unit
from tests.personal.test_erasure import NAME, NUMBER, OWN, PHONE, make_full_city


def test_everything_about_a_person_is_in_it(database: Database) -> None:
    city, person_id = make_full_city(database)
    store_replies(database, "main", [Reply(PHONE, "收到", "{}")])
    match_waiting(database)
    with database.session() as session:
        suppress_phone(session, SYSTEM, PHONE, "manual", unit_id=city.unit.id, note="正在住院")
        lift_suppression(session, SYSTEM, PHONE, "已出院", city.unit.id)
        suppress_phone(session, SYSTEM, PHONE, "complaint")
        officer = make_actor(session, city.unit)
        found = collect_own_data(session, officer, person_id, "本人要求")
    assert tuple(found) == SECTIONS
    assert json.loads(json.dumps(found)) == found
    person = found["person"]
    assert (person["name"], person["phone"], person["number"], person["unit"]) == (NAME, PHONE, NUMBER, city.unit.name)
    assert (person["tags"], person["attributes"]) == ([OWN], {"备注": OWN})
    (text,) = found["texts"]
    assert (text["phone"], NAME in text["text"], text["status"]) == (PHONE, True, "delivered")
    (attempt,) = text["attempts"]
    assert [receipt["status"] for receipt in attempt["receipts"]] == ["delivered"]
    assert [reply["text"] for reply in found["replies"]] == ["收到"]
    assert {one["value"] for one in found["import_findings"]} == {NAME, "x", "１３９-0000 1234"}
    shown = ("phone", "reason", "unit", "note", "lift_why")
    assert [tuple(one[name] for name in shown) for one in found["suppressions"]] == [
        (PHONE, "manual", city.unit.name, "正在住院", "已出院"),
        (PHONE, "complaint", None, None, None),
    ]
    assert [one["lifted_at"] is not None for one in found["suppressions"]] == [True, False]
    assert "suppression.add" in {act["act"] for act in found["acts"]}
    with database.session() as session:
        entry = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
    assert (entry.act, entry.target_id, entry.details["why"]) == ("person.export", str(person_id), "本人要求")


def test_who_may_see_it(database: Database) -> None:
    city, person_id = make_full_city(database)
    with database.session() as session:
        stranger = make_actor(session, make_unit(session))
        for actor in (stranger, make_actor(session, city.unit, ("auditor",))):
            with pytest.raises(Forbidden):
                collect_own_data(session, actor, person_id, "本人要求")
        with pytest.raises(Invalid, match="why"):
            collect_own_data(session, SYSTEM, person_id, "")


def test_the_shell_prints_it_and_erases(
    database: Database, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, person_id = make_full_city(database)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)

    def run(*words: str) -> str:
        return CliRunner().invoke(main, ["person", *words, str(person_id), "--why", "本人要求"]).output

    assert json.loads(run("export"))["person"]["name"] == NAME
    assert run("erase").startswith("it would empty 1 texts; 0 of them wait")
    assert run("erase", "--yes") == f"person {person_id} is erased: 1 texts and 0 replies emptied, 0 texts not sent\n"
    assert run("export") == f"Error: there is no person {person_id}\n"
