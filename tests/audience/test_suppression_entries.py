"""Entries of the opt-out list: for every text or for a unit's, several for one phone, lifted and kept."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Suppression
from sms_service.audience.reachable import REACHABLE, find_reached
from sms_service.audience.suppression import (
    find_active,
    lift_suppression,
    may_lift_entry,
    strip_suppressions,
    suppress_by_itself,
    suppress_phone,
    suppress_phones,
    suppressed_among,
)
from sms_service.audience.suppression_list import find_suppressions, get_suppression, list_history
from sms_service.audit.models import TrailEntry
from sms_service.controls.mergers import close_unit
from sms_service.directory.models import Person, Unit
from sms_service.errors import Forbidden, Invalid, NotFound
from tests.factories import fictional_phone, make_actor, make_person, make_unit


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session, name="云州市")


@pytest.fixture
def district(session: Session, city: Unit) -> Unit:
    return make_unit(session, name="东城区", parent=city)


@pytest.fixture
def person(session: Session, district: Unit) -> Person:
    return make_person(session, make_unit(session, name="第一支部", level="branch", parent=district))


def entries(session: Session, person: Person) -> list[tuple[int | None, str, bool]]:
    rows = session.scalars(select(Suppression).where(Suppression.phone == person.phone).order_by(Suppression.id))
    return [(one.unit_id, one.reason, one.lifted_at is None) for one in rows]


def test_a_phone_has_one_active_entry_for_each_scope_and_any_number_of_lifted_ones(
    session: Session, district: Unit, person: Person
) -> None:
    for _ in range(2):
        for unit_id in (None, district.id):
            suppress_phone(session, SYSTEM, person.phone or "", "opted_out", unit_id=unit_id)
    assert entries(session, person) == [(None, "opted_out", True), (district.id, "opted_out", True)]
    for why in ("本人来电", "再次来电"):
        lift_suppression(session, SYSTEM, person.phone or "", why, district.id)
        suppress_phone(session, SYSTEM, person.phone or "", "complaint", unit_id=district.id)
    assert entries(session, person) == [
        (None, "opted_out", True),
        (district.id, "opted_out", False),
        (district.id, "complaint", False),
        (district.id, "complaint", True),
    ]
    rows = list_history(session, SYSTEM, person.phone or "")
    assert [(row.Suppression.lift_why, row.unit) for row in rows] == [
        (None, "东城区"),
        ("再次来电", "东城区"),
        ("本人来电", "东城区"),
        (None, None),
    ]
    lifts = select(TrailEntry.details).where(TrailEntry.act == "suppression.lift").order_by(TrailEntry.id)
    assert session.scalars(lifts).first() == {"reason": "opted_out", "why": "本人来电", "unit_id": district.id}
    lift_suppression(session, SYSTEM, person.phone or "", "x", district.id)
    with pytest.raises(NotFound):
        lift_suppression(session, SYSTEM, person.phone or "", "x", district.id)
    assert find_active(session, person.phone or "") is not None


def test_who_may_add_and_lift_an_entry_for_a_unit(session: Session, city: Unit, district: Unit, person: Person) -> None:
    phone, elsewhere = person.phone or "", make_unit(session, name="西城区", parent=city)
    stranger = make_actor(session, elsewhere)
    with pytest.raises(Forbidden):
        suppress_phone(session, stranger, phone, "opted_out", unit_id=district.id)
    suppress_phone(session, stranger, phone, "opted_out", unit_id=elsewhere.id)  # none of the own texts
    suppress_phone(session, make_actor(session, district), phone, "opted_out", unit_id=elsewhere.id)
    suppress_phone(session, make_actor(session, district), phone, "opted_out", unit_id=city.id)
    assert entries(session, person) == [(elsewhere.id, "opted_out", True), (city.id, "opted_out", True)]
    administrator = make_actor(session, district, roles=("administrator",))
    of_city = find_active(session, phone, city.id)
    assert of_city is not None
    assert may_lift_entry(session, administrator, of_city), "everybody who has the phone is theirs"
    own = make_actor(session, elsewhere, roles=("administrator",))
    assert not may_lift_entry(session, own, of_city)
    with pytest.raises(Forbidden):
        lift_suppression(session, own, phone, "x")
    lift_suppression(session, own, phone, "不再需要", elsewhere.id)
    assert entries(session, person)[0] == (elsewhere.id, "opted_out", False)


def test_what_an_officer_decided_for_a_unit_an_officer_of_it_lifts(
    session: Session, city: Unit, district: Unit, person: Person
) -> None:
    phone, officer = person.phone or "", make_actor(session, district)
    suppress_phone(session, officer, phone, "manual", unit_id=district.id, note="本人来电")
    with pytest.raises(Forbidden):
        lift_suppression(session, make_actor(session, make_unit(session, parent=city)), phone, "x", district.id)
    lift_suppression(session, officer, phone, "登记有误", district.id)
    suppress_phone(session, officer, phone, "opted_out", unit_id=district.id)
    with pytest.raises(Forbidden):
        lift_suppression(session, officer, phone, "x", district.id)  # a person's own wish


def test_what_cannot_be_added(session: Session, district: Unit, person: Person) -> None:
    phone = person.phone or ""
    with pytest.raises(Invalid, match="note"):
        suppress_phone(session, SYSTEM, phone, "manual")
    with pytest.raises(Invalid, match="note"):
        suppress_phone(session, SYSTEM, phone, "opted_out", note="x" * 201)
    with pytest.raises(NotFound):
        suppress_phone(session, SYSTEM, phone, "opted_out", unit_id=10**9)
    closed = make_unit(session, parent=district)
    close_unit(session, SYSTEM, closed.id, "撤销")
    with pytest.raises(Invalid, match="closed"):
        suppress_phone(session, SYSTEM, phone, "opted_out", unit_id=closed.id)
    assert suppress_phone(session, SYSTEM, phone, "manual", note="正在住院").note == "正在住院"


def test_the_list_has_an_entry_once_and_only_within_the_scope(
    session: Session, city: Unit, district: Unit, person: Person
) -> None:
    other = make_person(
        session, make_unit(session, name="第二支部", level="branch", parent=district), phone=person.phone
    )
    elsewhere, nobodys = make_unit(session, name="西城区", parent=city), fictional_phone()
    suppress_phones(session, [person.phone or "", nobodys], "opted_out", "reply", None)
    suppress_phone(session, SYSTEM, nobodys, "manual", unit_id=elsewhere.id, note="重复号码")

    def listed(*paths: str, **filters: object) -> list[tuple[str, int | None, int]]:
        rows = session.execute(find_suppressions(paths, **filters).order_by(Suppression.id))  # type: ignore[arg-type]
        return [(row.Suppression.reason, row.person_id, row.holders) for row in rows]

    assert listed(district.path) == [("opted_out", person.id, 2)]
    second = session.get_one(Unit, other.unit_id).path
    assert listed(second) == [("opted_out", other.id, 1)]
    assert listed(elsewhere.path) == [("manual", None, 0)]
    everything = [("opted_out", person.id, 2), ("opted_out", None, 0), ("manual", None, 0)]
    assert sorted(listed("/", everything=True), key=str) == sorted(everything, key=str)
    assert listed("/", scope="unit") == [("manual", None, 0)]
    assert listed("/", state="lifted") == []
    assert listed("/", reason="manual", state="all") == [("manual", None, 0)]
    nobodys_entry = session.scalars(select(Suppression).where(Suppression.phone == nobodys)).all()
    auditor = make_actor(session, district, roles=("auditor",))
    for entry in nobodys_entry:
        with pytest.raises(Forbidden):
            get_suppression(session, auditor, entry.id)
    assert list_history(session, auditor, nobodys) == []
    assert len(list_history(session, make_actor(session, city, roles=("auditor",)), nobodys)) == 2


def test_a_unit_that_is_merged_hands_its_entries_on(
    session: Session, city: Unit, district: Unit, person: Person
) -> None:
    into = make_unit(session, name="新区", parent=city)
    shared = make_person(session, into)
    for one in (person, shared):
        suppress_phone(session, SYSTEM, one.phone or "", "complaint", unit_id=district.id, note="来信")
    suppress_phone(session, SYSTEM, shared.phone or "", "opted_out", unit_id=into.id)
    close_unit(session, SYSTEM, district.id, "区划调整", into.id)
    assert entries(session, person) == [(district.id, "complaint", True), (into.id, "complaint", True)]
    assert entries(session, shared) == [(district.id, "complaint", True), (into.id, "opted_out", True)]
    copied = find_active(session, person.phone or "", into.id)
    assert copied is not None
    assert (copied.note, copied.source) == ("来信", "api")


def test_a_list_of_people_says_what_holds_for_their_own_units_texts(
    session: Session, city: Unit, district: Unit, person: Person
) -> None:
    both = make_person(session, district)
    suppress_phone(session, SYSTEM, person.phone or "", "opted_out", unit_id=district.id)
    suppress_phone(session, SYSTEM, both.phone or "", "complaint", unit_id=district.id)
    suppress_phone(session, SYSTEM, both.phone or "", "complaint", unit_id=city.id)
    suppress_phone(session, SYSTEM, both.phone or "", "wrong_person")

    def reached(reach: str | None) -> list[tuple[int, str | None]]:
        return [(row.Person.id, row.reason) for row in session.execute(find_reached([city.path], reach=reach))]

    assert sorted(reached(None)) == sorted([(person.id, "opted_out"), (both.id, "wrong_person")])
    assert reached("opted_out") == [(person.id, "opted_out")]
    assert reached("wrong_person") == [(both.id, "wrong_person")]
    assert reached("complaint") == reached(REACHABLE) == []
    assert suppressed_among(session, [person.phone or "", both.phone or ""]) == {both.phone}


def test_the_proof_is_kept_until_the_person_is_erased(session: Session, district: Unit, person: Person) -> None:
    phone = person.phone or ""
    assert suppress_by_itself(session, phone, "opted_out", "reply", 17)
    assert not suppress_by_itself(session, phone, "opted_out", "reply", 18)
    act = session.scalars(select(TrailEntry).where(TrailEntry.act == "suppression.add")).one()
    assert act.details == {"reason": "opted_out", "source": "reply", "reply": 17}
    suppress_phone(session, SYSTEM, phone, "manual", unit_id=district.id, note="王伟家属来电")
    lift_suppression(session, SYSTEM, phone, "王伟本人要求", district.id)
    kept = suppress_phone(session, SYSTEM, phone, "manual", unit_id=district.id, note="王伟家属来电")
    found = find_active(session, phone)
    assert found is not None
    assert (found.proof_id, kept.note) == (17, "王伟家属来电")
    strip_suppressions(session, [phone])
    session.expire_all()
    rows = session.scalars(select(Suppression).where(Suppression.phone == phone)).all()
    assert [(one.proof_id, one.note, one.lift_why) for one in rows] == [(None, None, None)] * 2
    assert all(one.lifted_at is None for one in rows)
