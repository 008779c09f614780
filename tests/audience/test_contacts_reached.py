"""Contacts as an audience, from the rule to the text, and the branches that nobody can be reached through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.contacts import count_unreached, find_unreached_branches, list_holders
from sms_service.audience.models import Suppression
from sms_service.campaigns import approval, services
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.outlook import foresee_run
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory import contacts, people
from sms_service.directory.models import Person, Unit
from sms_service.dispatch import freeze
from sms_service.ledger.models import Message
from sms_service.vocabulary import MessageReason
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, drain
from tests.factories import make_person, make_segment, make_template, make_unit


def secretary(session: Session, unit: Unit, person: Person, role: str = "书记") -> Person:
    contacts.give_contact_role(session, SYSTEM, person.id, unit.id, role)
    return person


def unreached(session: Session, *paths: str, role: str | None = None) -> dict[str, int]:
    return {row.Unit.name: row.members for row in session.execute(find_unreached_branches(paths, role=role))}


def test_one_text_to_each_branchs_secretary(database: Database, session: Session) -> None:
    """One is secretary of two branches, two share a phone, one has no number, and one lives in another branch."""
    adapter = ScriptedAdapter()
    gateways = ScriptedGateways({"main": adapter})
    synchronise_gateways(session, gateways)
    city = make_unit(session, name="云州市", **ALL_DAY)
    one, two, three, four, five = (
        make_unit(session, name=f"第{number}支部", parent=city, level="branch", **ALL_DAY) for number in "一二三四五"
    )
    zhang = secretary(session, two, secretary(session, one, make_person(session, one, "张三")))
    secretary(session, three, make_person(session, three, "李四", phone=zhang.phone))
    secretary(session, four, make_person(session, four, "王五", phone=None))
    secretary(session, five, make_person(session, one, "赵六"))
    secretary(session, five, make_person(session, five, "钱七"), role="组织委员")
    make_person(session, one, "孙八")
    segment = make_segment(session, city, {"role": "书记"})
    version = make_template(session, city, "{{ name }}同志：请{{ unit }}准备主题党日。", variables=("name", "unit"))
    campaign = services.create_campaign(
        session, SYSTEM, unit_id=city.id, name="通知各支部书记", template_version_id=version.id,
        segment_id=segment.id, signature="云州先锋",
    )  # fmt: skip
    seen = foresee_run(session, SYSTEM, campaign.id, rates={"main": 10.0}, prices={})
    skipped = {MessageReason.duplicate_phone: 2, MessageReason.no_phone: 1}
    assert (seen.people, seen.phones, seen.skipped) == (5, 2, skipped)
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    run, _ = launch_campaign(session, SYSTEM, campaign.id)
    session.commit()
    for run_id in freeze.begin_due_runs(database):
        freeze.freeze_run(database, run_id)
    drain(database, gateways)
    assert sorted(text.body for text in adapter.handed) == [
        "【云州先锋】张三同志：请第一支部准备主题党日。拒收请回复R",
        "【云州先锋】赵六同志：请第五支部准备主题党日。拒收请回复R",
    ]
    session.expire_all()
    rows = {
        (row.person_id, row.unit_id): row for row in session.scalars(select(Message).where(Message.run_id == run.id))
    }
    sent = rows[zhang.id, one.id]
    second = rows[zhang.id, two.id]
    assert (second.status, second.reason, second.duplicate_of) == ("skipped", "duplicate_phone", sent.id)
    assert {row.unit_id for row in rows.values()} == {one.id, two.id, three.id, four.id, five.id}
    assert {row.reason for row in rows.values() if row.unit_id == four.id} == {"no_phone"}


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session, name="云州市")


def test_branches_without_a_reachable_contact_with_their_members(session: Session, city: Unit) -> None:
    district = make_unit(session, name="城东区", parent=city)

    def branch(name: str, **columns: object) -> Unit:
        unit = make_unit(session, name=name, parent=district, level="branch")
        secretary(session, unit, make_person(session, unit, f"{name}书记", **columns))  # type: ignore[arg-type]
        return unit

    fine = branch("好")
    branch("无号", phone=None)
    branch("空号", phone=None, phone_problem="has 10 digits")
    branch("失联", lost_contact=True)
    branch("疑似", suspect_since=datetime.now(UTC))
    left = branch("离开")
    opted = branch("退订")
    holder = session.scalars(select(Person).where(Person.name == "退订书记")).one()
    session.add(Suppression(phone=holder.phone, reason=MessageReason.opted_out, source="reply"))
    people.change_person(
        session, SYSTEM, session.scalars(select(Person).filter_by(name="离开书记")).one().id, left=True
    )
    nobody = make_unit(session, name="无人", parent=district, level="branch")
    for _ in range(3):
        make_person(session, nobody)
    make_person(session, nobody, kind="contact")
    people.change_person(session, SYSTEM, make_person(session, nobody).id, left=True)
    expected = {"无号": 1, "空号": 1, "失联": 1, "疑似": 1, "离开": 0, "退订": 1, "无人": 3}
    assert unreached(session, city.path) == unreached(session, district.path) == expected
    assert unreached(session, nobody.path) == {"无人": 3}
    assert unreached(session) == {}
    assert count_unreached(session, [city, district, fine, left]) == {
        city.id: 7, district.id: 7, fine.id: 0, left.id: 1,
    }  # fmt: skip
    assert count_unreached(session, []) == {}

    units = session.scalars(select(Unit).where(Unit.level == "branch")).all()
    why = {
        holder.name: holder.why for found in list_holders(session, [u.id for u in units]).values() for holder in found
    }
    assert why == {
        "好书记": None, "无号书记": "no_phone", "空号书记": "bad_number", "失联书记": "lost_contact",
        "疑似书记": "suspect", "离开书记": "left", "退订书记": "opted_out",
    }  # fmt: skip
    # Somebody else who can be reached is enough, unless one role is asked for.
    secretary(session, opted, make_person(session, fine), role="组织委员")
    assert "退订" not in unreached(session, city.path)
    assert "退订" in unreached(session, city.path, role="书记")
    assert "好" in unreached(session, city.path, role="组织委员")
