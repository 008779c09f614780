"""Whom the rows of a list without 编号 and 组织编码 mean: by name and phone or birthday within the unit they name."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.directory import drafts
from sms_service.directory.import_models import ImportOutcome, ImportProblem
from sms_service.directory.importing import problems_of
from sms_service.directory.models import Person
from sms_service.errors import Invalid
from tests.bringing import bring, check_file, work
from tests.factories import make_actor, make_person, make_unit

HEADER = "序号,所在党支部,姓名,联系电话,出生年月\n"
PHONE, OTHER = "13975840246", "13975840247"


@pytest.fixture
def city(session):
    return make_unit(session, code="01", name="云州市")


@pytest.fixture
def branch(session, city):
    street = make_unit(session, code="0101001", name="李店街道", parent=city, level="street")
    return make_unit(session, code="01010010001", name="第一党支部", parent=street)


def check(session, text, unit_id=None):
    """The import after its check."""
    return check_file(session, "people", HEADER + text, "花名册.csv", unit_id=unit_id)


def outcomes(session, record):
    statement = select(ImportOutcome).where(ImportOutcome.import_id == record.id).order_by(ImportOutcome.row)
    found = session.scalars(statement.execution_options(populate_existing=True))
    return [(one.outcome, one.why, one.person_id, one.candidates) for one in found]


def messages(session, record):
    found = session.scalars(problems_of(record).order_by(ImportProblem.row, ImportProblem.id))
    return [(one.row, one.said.message) for one in found]


def test_a_list_of_a_branch_comes_in_and_twice_changes_nothing(session, branch):
    rows = f"1,第一党支部,王伟,{PHONE},1985-03-01\n2,李店街道/第一党支部,李四,,1990年5月3日\n"
    rows += "3,云州市李店街道第一党支部,赵六,,\n"
    first = bring(session, "people", HEADER + rows)
    assert (first.state, first.created, first.refused) == ("applied", 3, 0)
    people = session.scalars(select(Person).order_by(Person.id)).all()
    assert [(one.name, one.number, one.attributes) for one in people] == [
        ("王伟", None, {"born_on": "1985-03-01"}),
        ("李四", None, {"born_on": "1990-05-03"}),
        ("赵六", None, {}),
    ]
    again = bring(session, "people", HEADER + rows)
    assert (again.unchanged, again.refused) == (3, 0)


@pytest.mark.parametrize(
    ("known", "row", "outcome"),
    [
        ({"phone": "+86" + PHONE}, f"{PHONE},", "unchanged"),
        ({"phone": "+86" + PHONE}, f"{PHONE},1985-03-01", "changed"),
        ({"phone": "+86" + OTHER, "attributes": {"born_on": "1985-03-01"}}, f"{PHONE},1985-03-01", "changed"),
        ({"phone": "+86" + OTHER, "attributes": {"born_on": "1985-03-01"}}, f"{OTHER},1985.3", "unchanged"),
        ({"phone": "+86" + OTHER, "attributes": {"born_on": "1985-03-01"}}, f"{PHONE},1990-01-01", "created"),
    ],
)
def test_the_same_name_with_phone_or_birthday_is_the_same_person(session, branch, known, row, outcome):
    person = make_person(session, branch, name="王伟", **known)
    found = outcomes(session, check(session, f"1,第一党支部,王伟,{row}\n"))
    assert found == [(outcome, None, None if outcome == "created" else person.id, None)]


def test_a_birthday_known_to_the_day_is_kept(session, branch):
    make_person(session, branch, name="王伟", phone="+86" + OTHER, attributes={"born_on": "1985-03-12"})
    bring(session, "people", HEADER + f"1,第一党支部,王伟,{PHONE},1985.3\n")
    session.expire_all()
    person = session.scalars(select(Person)).one()
    assert (person.phone, person.attributes) == ("+86" + PHONE, {"born_on": "1985-03-12"})


def test_who_is_not_sure_is_asked_about_and_can_be_said(session, city, branch):
    one = make_person(session, branch, name="王伟", phone="+86" + OTHER)
    two = make_person(session, branch, name="王伟", phone=None)
    elsewhere = make_person(session, city, name="李四", phone="+86" + PHONE)
    record = check(session, f"1,第一党支部,王伟,13975840249,\n2,第一党支部,李四,{PHONE},\n3,第一党支部,赵六,,\n")
    asked = ("refused", "asked", None)
    assert outcomes(session, record) == [
        (*asked, [one.id, two.id]),
        (*asked, [elsewhere.id]),
        ("created", None, None, None),
    ]
    assert (record.asked, record.refused, record.created) == (2, 2, 1)
    for wrong in ({2: elsewhere.id}, {4: None}, {99: None}):
        with pytest.raises(Invalid):
            drafts.answer_rows(session, SYSTEM, record, wrong)
    drafts.answer_rows(session, SYSTEM, record, {2: one.id, 3: None})
    work(session, record)
    assert outcomes(session, record) == [
        ("changed", None, one.id, None),
        ("created", None, None, None),
        ("created", None, None, None),
    ]


def test_a_namesake_whom_another_row_means_is_not_asked_about(session, branch):
    one = make_person(session, branch, name="王伟", phone="+86" + PHONE)
    record = check(session, f"1,第一党支部,王伟,{PHONE},\n2,第一党支部,王伟,{OTHER},\n")
    assert outcomes(session, record) == [("unchanged", None, one.id, None), ("created", None, None, None)]


def test_a_unit_that_is_not_clear_is_named(session, city, branch):
    other = make_unit(session, name="张店街道", parent=city, level="street")
    make_unit(session, name="第一党支部", parent=other)
    record = check(session, "1,第一党支部,王伟,,\n2,张店街道/第一党支部,王伟,,\n3,第二党支部,王伟,,\n4,,王伟,,\n")
    assert [outcome for outcome, *_ in outcomes(session, record)] == ["refused", "created", "refused", "refused"]
    said = {row: message for row, message in messages(session, record) if row != 3}
    assert said == {
        2: "is the name of {number} units, such as {places}; write the path or the code",
        4: "no unit of this name lies within the scope of this import",
        5: "the unit is empty; fill in its name",
    }
    inside = check(session, "1,第一党支部,王伟,,\n", unit_id=branch.parent_id)
    assert [outcome for outcome, *_ in outcomes(session, inside)] == ["created"]


def test_a_secretary_brings_in_the_own_branch_without_naming_it(session, city, branch):
    secretary = make_actor(session, branch, roles=("officer",))
    record = bring(session, "people", f"姓名,手机号\n王伟,{PHONE}\n", actor=secretary)
    assert (record.state, record.created) == ("applied", 1)
    assert session.scalars(select(Person.unit_id)).one() == branch.id


def test_rows_of_the_same_person_and_phones_of_others_are_named(session, branch):
    make_person(session, branch, name="钱七", phone="+86" + OTHER)
    record = check(
        session,
        f"1,第一党支部,王伟,{PHONE},\n2,第一党支部,王伟,{PHONE},\n3,第一党支部,王芳,{PHONE},\n4,第一党支部,赵六,{OTHER},\n",
    )
    assert [outcome for outcome, *_ in outcomes(session, record)] == ["created", "unchanged", "created", "created"]
    assert messages(session, record) == [
        (3, "repeats row {row}"),
        (4, "row {row} has the same phone, which gets one text a campaign"),
        (5, "{name} in {unit} has the same phone, which gets one text a campaign"),
    ]


def test_a_phone_of_somebody_out_of_scope_is_not_named(session, city, branch):
    make_person(session, city, name="钱七", phone="+86" + OTHER)
    assert messages(session, check(session, f"1,第一党支部,赵六,{OTHER},\n", unit_id=branch.id)) == []


def test_a_number_finds_who_came_in_without_one(session, branch):
    bring(session, "people", HEADER + f"1,第一党支部,王伟,{PHONE},\n")
    record = bring(session, "people", f"编号,姓名,手机号,组织编码\nM1,王伟,{PHONE},{branch.code}\n")
    assert (record.changed, record.created) == (1, 0)
    assert session.scalars(select(Person.number)).all() == ["M1"]
