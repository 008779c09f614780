"""Who vanished from a file that is said to be complete: found with care, taken out by nobody but a person."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.directory import drafts, vanished
from sms_service.directory.completeness import declare_complete
from sms_service.directory.erasing import drop_drafts_about
from sms_service.directory.import_models import Import, ImportOutcome, ImportState, ImportVanished
from sms_service.directory.models import Contact, Person
from sms_service.directory.people import change_person
from sms_service.errors import Conflict, Forbidden, Invalid
from tests.bringing import bring, check_file, work
from tests.examples import count_examples
from tests.factories import fictional_phone, make_actor, make_person, make_unit

HEADER = "编号,姓名,手机号,组织编码\n"


@pytest.fixture
def city(session):
    return make_unit(session, code="01", name="云州市")


@pytest.fixture
def street(session, city):
    return make_unit(session, code="0101", name="李店街道", parent=city, level="street")


@pytest.fixture
def branch(session, street):
    return make_unit(session, code="0101001", name="第一党支部", parent=street)


def check(session, rows, unit, **given):
    """The import of a file that is complete for the unit, after its check."""
    return check_file(session, "people", HEADER + rows, "花名册.csv", complete_for=unit.id, **given)


def apply(session, record):
    drafts.request_apply(session, SYSTEM, record)
    assert work(session, record).state == ImportState.applied
    return record


def names(session, record, *, proposed=True):
    found = vanished.find_vanished_people(session, record, proposed=proposed).order_by(Person.id)
    return [row.Person.name for row in session.execute(found.execution_options(populate_existing=True))]


def counts(record):
    return tuple(record.vanishing[name] for name in ("members", "present", "unclear", "unclear_rows", "vanished"))


def test_who_vanished_is_listed_and_stays_until_a_person_says_that_they_left(session, city, street, branch):
    people = {name: make_person(session, branch, name, number=number) for number, name in enumerate("甲乙丙", 1)}
    make_person(session, street, "丁", number="4")
    make_person(session, city, "戊", number="5")  # not of the street
    make_person(session, branch, "己", number="6", kind="contact")
    make_person(session, branch, "庚", number="7", left_at=func.now())
    session.add(Contact(person_id=people["乙"].id, unit_id=branch.id, role="书记"))
    record = check(session, f"1,甲,{people['甲'].phone[3:]},0101001\n8,辛,,0101001\n", street)
    assert counts(record) == (4, 1, 0, 0, 3)
    assert names(session, record) == ["乙", "丙", "丁"]
    with pytest.raises(Conflict, match="is checked"):
        vanished.mark_vanished_left(session, SYSTEM, record, "迁出")
    apply(session, record)
    assert session.scalars(select(Person.name).where(Person.left_at.is_not(None))).all() == ["庚"]
    by_unit = [(count.name, count.proposed) for count in vanished.count_vanished(session, record)]
    assert by_unit == [("第一党支部", 2), ("李店街道", 1)]

    done = vanished.mark_vanished_left(session, SYSTEM, record, "迁出", person_ids=[people["乙"].id])
    assert (done.left, done.others) == (1, 0)
    assert names(session, record) == ["丙", "丁"]
    assert names(session, record, proposed=False) == ["乙"]
    entries = session.scalars(select(TrailEntry).where(TrailEntry.details["why"].astext == "迁出")).all()
    assert [(entry.act, entry.target_id) for entry in entries] == [
        ("person.change", str(people["乙"].id)),
        ("people.leave", str(record.id)),
    ]
    assert entries[0].details == {"fields": ["left"], "import_id": record.id, "why": "迁出"}
    assert [entry.unit_path for entry in entries] == [branch.path, street.path]
    assert session.scalar(select(func.count()).select_from(Contact)) == 1, "as when one person is marked as gone"

    again = check(session, f"1,甲,{people['甲'].phone[3:]},0101001\n8,辛,,0101001\n", street)
    assert names(session, again) == ["丙", "丁"]
    assert counts(again) == (4, 2, 0, 0, 2)
    done = vanished.mark_vanished_left(session, SYSTEM, record, "核对", unit_id=branch.id)
    assert (done.left, names(session, record), record.vanishing["left"]) == (1, ["丁"], 2)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1,,,0101001", "its number, though the name is missing"),
        ("9,王伟,,9999", "its name, though there is no such unit"),
        (",,{phone},0101001", "its phone"),
        (",,13711112222或{phone},0101001", "the second phone in a cell"),
        ("9,王伟（女）,,9999", "its name beside a note"),
        ("9,9,9,0101001,王 伟", "its name in a row that is shifted"),
        (",王伟,13711112222,0101001", "it is asked about"),
    ],
)
def test_whom_a_refused_row_may_mean_is_left_alone(session, branch, row, why):
    person = make_person(session, branch, "王伟", number="1")
    make_person(session, branch, "李四", number="2")
    record = check(session, row.format(phone=person.phone[3:]) + "\n", branch)
    assert record.refused == 1, why
    assert counts(record) == (2, 0, 1, 1, 1)
    assert names(session, record) == ["李四"]


def test_who_an_answer_says_is_not_meant_has_vanished(session, branch):
    one, two = (make_person(session, branch, "王伟", number=None) for _ in range(2))
    record = check(session, ",王伟,13711112222,0101001\n", branch)
    assert (counts(record), names(session, record)) == ((2, 0, 2, 1, 0), [])
    drafts.answer_rows(session, SYSTEM, record, {2: one.id})
    assert counts(work(session, record)) == (2, 1, 0, 0, 1)
    found = session.execute(vanished.find_vanished_people(session, record)).all()
    assert [row.Person.id for row in found] == [two.id]


def test_each_is_looked_at_again(session, city, street, branch):
    kept = {name: make_person(session, branch, name) for name in "甲乙丙丁戊"}
    record = apply(session, check(session, "9,辛,,0101001\n", street))
    change_person(session, SYSTEM, kept["甲"].id, phone=fictional_phone())
    change_person(session, SYSTEM, kept["乙"].id, unit_id=city.id)
    change_person(session, SYSTEM, kept["丙"].id, kind="contact")
    change_person(session, SYSTEM, kept["丁"].id, left=True)
    session.execute(text("UPDATE people SET updated_at = now() + interval '1 second' WHERE name IN ('甲', '乙', '丙')"))
    found = session.execute(vanished.find_vanished_people(session, record, proposed=None).order_by(Person.id))
    assert [row.why for row in found] == ["changed", "elsewhere", "no_member", "left", None]
    officer = make_actor(session, street)
    done = vanished.mark_vanished_left(session, officer, record, "迁出", person_ids=[one.id for one in kept.values()])
    assert (done.left, done.others) == (1, 4)
    assert [row.Person.name for row in done.named] == ["甲", "丙", "丁"], "who is elsewhere may not be read"
    assert vanished.mark_vanished_left(session, officer, record, "迁出")[:2] == (0, 3)
    for wrong in ([999], [kept["甲"].id, 999]):
        with pytest.raises(Invalid):
            vanished.mark_vanished_left(session, officer, record, "迁出", person_ids=wrong)


def test_it_is_said_and_taken_back_until_the_apply(session, city, street, branch):
    make_person(session, branch, "王伟")
    officer, other = make_actor(session, street), make_actor(session, make_unit(session, code="0102", parent=city))
    record = drafts.upload_import(session, officer, "people", (HEADER + "9,辛,,0101001\n").encode(), "a.csv")
    assert work(session, record).vanishing is None
    with pytest.raises(Conflict, match="nobody has said"):
        vanished.find_vanished_people(session, record)
    with pytest.raises(Forbidden):
        declare_complete(session, other, record, street.id)
    with pytest.raises(Forbidden):
        declare_complete(session, officer, record, city.id)
    with pytest.raises(Invalid):
        declare_complete(session, SYSTEM, record, city.id)
    declare_complete(session, officer, record, branch.id)
    assert (record.state, record.completeness["vanished"]) == ("uploaded", None)
    assert (counts(work(session, record)), record.version) == ((1, 0, 0, 0, 1), 2)
    declare_complete(session, officer, record, None)
    assert (work(session, record).vanishing, record.completeness) == (None, None)
    declare_complete(session, officer, record, street.id)
    apply(session, work(session, record))
    with pytest.raises(Conflict):
        declare_complete(session, officer, record, None)
    assert not vanished.may_mark_left(session, other, record)
    with pytest.raises(Forbidden):
        vanished.mark_vanished_left(session, other, record, "迁出")
    assert vanished.may_mark_left(session, officer, record)
    with pytest.raises(Invalid):
        vanished.mark_vanished_left(session, officer, record, " ")
    units = drafts.upload_import(session, SYSTEM, "units", b"x", "b.csv", unit_id=city.id)
    with pytest.raises(Invalid):
        declare_complete(session, SYSTEM, units, city.id)


def test_too_many_at_once_are_taken_unit_by_unit(session, street, branch, monkeypatch):
    monkeypatch.setattr(vanished, "MOST_AT_ONCE", 2)
    for unit in (street, branch, branch):
        make_person(session, unit)
    record = apply(session, check(session, "9,辛,,0101001\n", street))
    with pytest.raises(Conflict, match="more than 2"):
        vanished.mark_vanished_left(session, SYSTEM, record, "迁出")
    assert vanished.mark_vanished_left(session, SYSTEM, record, "迁出", unit_id=branch.id).left == 2
    assert vanished.mark_vanished_left(session, SYSTEM, record, "迁出").left == 1


def test_the_list_goes_with_the_draft_and_with_the_person(session, branch):
    gone, stays = make_person(session, branch, "王伟"), make_person(session, branch, "李四")
    record = apply(session, check(session, "9,辛,,0101001\n", branch))
    drop_drafts_about(session, gone.id, {gone.name, gone.number}, {gone.phone})
    assert session.scalars(select(ImportVanished.person_id)).all() == [stays.id]
    session.execute(text("UPDATE imports SET expires_at = sms_now() - interval '1 second'"))
    assert drafts.forget_drafts(session) == 1
    session.refresh(record)
    assert session.scalars(select(ImportVanished)).all() == []
    assert counts(record) == (2, 0, 0, 0, 2)
    with pytest.raises(Conflict, match="are deleted"):
        vanished.mark_vanished_left(session, SYSTEM, record, "迁出")


_NAMES, _NUMBERS = ("王伟", "李四", "赵六"), ("1", "2", "3")
_PHONES = tuple(fictional_phone(number) for number in range(3))
_CODES = ("01", "0101", "0101001")
register = st.lists(
    st.tuples(
        st.sampled_from(_NAMES),
        st.sampled_from((None, *_PHONES)),
        st.sampled_from(_CODES),
        st.sampled_from(("member", "member", "member", "contact")),
        st.booleans(),
    ),
    max_size=8,
)
rows_of_file = st.lists(
    st.tuples(
        st.sampled_from(("", *_NUMBERS)),
        st.sampled_from(("", *_NAMES)),
        st.sampled_from(("", *(phone[3:] for phone in _PHONES))),
        st.sampled_from(("99", *_CODES)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=count_examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=register, rows=rows_of_file)
def test_proposed_are_the_members_whom_no_row_means(session, city, street, branch, people, rows):
    units = {unit.code: unit for unit in (city, street, branch)}
    within = {street.id, branch.id}
    undo = session.begin_nested()
    try:
        numbers = iter(_NUMBERS)
        for name, phone, code, kind, has_number in people:
            number = next(numbers, None) if has_number else None
            make_person(session, units[code], name, phone, number=number, kind=kind)
        content = "".join(",".join(row) + "\n" for row in rows)
        before = {person.id: _row(person) for person in session.scalars(select(Person))}
        record = check(session, content, street)
        outcomes = session.scalars(select(ImportOutcome).where(ImportOutcome.import_id == record.id)).all()
        present = {one.person_id for one in outcomes if one.outcome != "refused"}
        perhaps = {one.person_id for one in outcomes if one.outcome == "refused"}
        perhaps |= {person_id for one in outcomes for person_id in one.candidates or ()}
        words = {word for one in outcomes if one.outcome == "refused" for word in rows[one.row - 2] if word}
        members = {id_: row for id_, row in before.items() if row[3] in within and row[4] == "member"}
        unclear = {
            id_
            for id_, (name, number, phone, *_) in members.items()
            if id_ not in present and (id_ in perhaps or words & {name, number, (phone or "")[3:]})
        }
        proposed = set(members) - present - unclear
        assert _proposed(session, record) == proposed
        assert counts(record)[:3] == (len(members), len(present & set(members)), len(unclear))
        assert sum(counts(record)[1:3]) + counts(record)[4] == len(members)
        if record.refused < record.rows:
            apply(session, record)
            after = {person.id: _row(person) for person in session.scalars(select(Person))}
            assert {id_: after[id_] for id_ in proposed | unclear} == {id_: before[id_] for id_ in proposed | unclear}
            assert set(before) <= set(after)
            assert _proposed(session, check(session, content, street)) == proposed
    finally:
        undo.rollback()


def _row(person):
    return (person.name, person.number, person.phone, person.unit_id, person.kind, person.left_at)


def _proposed(session, record):
    found = session.execute(vanished.find_vanished_people(session, record))
    return {row.Person.id for row in found}


def test_a_file_of_before_that_shows_the_same_as_before_is_no_other(session, branch):
    """Without a word of completeness nothing is listed, and nothing is asked for."""
    make_person(session, branch, "王伟")
    record = bring(session, "people", HEADER + "9,辛,,0101001\n")
    assert (record.state, record.vanishing, session.get_one(Import, record.id).completeness) == ("applied", None, None)
    assert session.scalars(select(ImportVanished)).all() == []
