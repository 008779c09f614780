"""A list for one campaign: whom its rows mean, what it keeps, and who is refused with which reason."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import ProgrammingError

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.import_work import work_on_import
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.audience.models import Segment
from sms_service.audience.recipient_lists import find_list_rows, get_list
from sms_service.audience.rules import audience_select, sample_audience
from sms_service.audience.segments import create_segment
from sms_service.audience.wording import describe_rule
from sms_service.directory import drafts
from sms_service.directory.import_models import Import, ImportOutcome, ImportProblem
from sms_service.directory.importing import problems_of
from sms_service.directory.models import Person
from sms_service.directory.people import change_person, find_people
from sms_service.errors import Conflict, Forbidden, Invalid
from tests.audience.listing import bring_list, check_list
from tests.bringing import bring, work
from tests.examples import count_examples
from tests.factories import make_actor, make_person, make_unit

PHONE, OTHER = "13975840246", "13975840247"


@pytest.fixture
def city(session):
    return make_unit(session, code="01", name="云州市")


@pytest.fixture
def street(session, city):
    return make_unit(session, code="0101001", name="李店街道", parent=city, level="street")


@pytest.fixture
def branch(session, street):
    return make_unit(session, code="01010010001", name="第一党支部", parent=street)


def outcomes(session, record):
    statement = select(ImportOutcome).where(ImportOutcome.import_id == record.id).order_by(ImportOutcome.row)
    found = session.scalars(statement.execution_options(populate_existing=True))
    return [(one.outcome, one.why, one.person_id) for one in found]


def refusals(session, record):
    found = session.scalars(problems_of(record, refused=True).order_by(ImportProblem.row, ImportProblem.id))
    return {one.row: one.said.message for one in found}


def test_a_list_keeps_rows_values_and_a_digest_and_changes_nobody(session, street, branch):
    one = make_person(session, branch, name="王伟", number="0017", phone="+86" + PHONE, attributes={"座位": "旧"})
    two = make_person(session, branch, name="李四", phone="+86" + OTHER)
    before = session.execute(text("SELECT md5(string_agg(people::text, ',' ORDER BY id)) FROM people")).scalar()
    found = bring_list(
        session,
        street,
        f"编号,姓名,手机号,*座位（排/号）,场次 时间\n0017,,,3排5号,上午\n,李四,{OTHER},,下午\n",
        name="座谈会.csv",
    )
    assert (found.name, found.columns, found.people, found.guests) == ("座谈会", ["座位", "场次时间"], 2, 0)
    rows = session.execute(find_list_rows(session, SYSTEM, found).order_by(RecipientRow.row)).all()
    kept = [(row.RecipientRow.row, row.Person.id, row.RecipientRow.values) for row in rows]
    assert kept == [(2, one.id, {"座位": "3排5号", "场次时间": "上午"}), (3, two.id, {"场次时间": "下午"})]
    written = session.scalar(
        text("SELECT string_agg(concat_ws(' ', row, person_id, values), E'\\n' ORDER BY row) FROM recipient_rows")
    )
    assert found.digest == hashlib.sha256(written.encode()).digest()
    assert session.execute(text("SELECT md5(string_agg(people::text, ',' ORDER BY id)) FROM people")).scalar() == before
    segment = session.get_one(Segment, found.segment_id)
    assert (segment.name, segment.rule, segment.unit_id) == ("座谈会", {"list": found.id}, street.id)
    again = bring_list(session, street, f"姓名,手机号\n李四,{OTHER}\n", name="座谈会.csv")
    assert again.name == "座谈会（2）"


def test_no_program_can_change_a_row_or_what_a_list_is(database):
    with database.session() as session:
        unit = make_unit(session)
        make_person(session, unit, number="1")
        found = bring_list(session, unit, "编号,座位\n1,1排\n")
    for change in (update(RecipientRow).values(values={"座位": "2排"}), update(RecipientList).values(columns=[])):
        with pytest.raises(ProgrammingError, match="permission denied"), database.session() as session:
            session.execute(change)
    with database.session() as session:
        assert session.scalars(select(RecipientRow.values)).one() == {"座位": "1排"}
        assert session.get_one(RecipientList, found.id).columns == ["座位"]


@pytest.mark.parametrize(
    ("header", "row", "why"),
    [
        ("编号", "0017", None),
        ("编号,姓名", "0017,王伟", None),
        ("编号,姓名", "0017,王为", "other_name"),
        ("编号", "9999", "nobody"),
        ("姓名,手机号", f"王伟,{PHONE}", None),
        ("手机号", PHONE, None),
        ("姓名,手机号", f"王为,{PHONE}", "asked"),
        ("姓名,手机号", f"王伟,{OTHER}", "asked"),
        ("姓名,手机号", f"张三,{OTHER}", "nobody"),
        ("姓名", "王伟", "asked"),
        ("姓名,所在支部", "王伟,第一党支部", None),
        ("姓名,所在支部", "王伟,第二党支部", "nobody"),
        ("姓名,所在支部,手机号", f"王伟,第二党支部,{PHONE}", "asked"),
        ("姓名,所在支部,出生年月", "王伟,第一党支部,1985-03-12", None),
        ("姓名,所在支部,出生年月", "王伟,第一党支部,1985.3", None),
        ("姓名,所在支部,出生年月", "王伟,第一党支部,1986-03-12", "nobody"),
        ("姓名,出生年月", "王伟,1985-03-12", "asked"),
        ("编号,姓名,手机号", f"9999,王伟,{PHONE}", "nobody"),  # his number is another
    ],
)
def test_whom_a_row_means(session, street, branch, header, row, why):
    make_unit(session, code="01010010002", name="第二党支部", parent=street)
    person = make_person(
        session, branch, name="王伟", number="0017", phone="+86" + PHONE, attributes={"born_on": "1985-03-12"}
    )
    officer = make_actor(session, street)
    record = check_list(session, street, f"{header},座位\n{row},3排\n", officer)
    expected = ("unchanged", None, person.id) if why is None else ("refused", why)
    assert outcomes(session, record)[0][: len(expected)] == expected
    assert record.rows == record.unchanged + record.refused == 1


def test_who_may_be_meant_is_asked_and_can_be_said(session, street, branch):
    one = make_person(session, branch, name="王伟", phone="+86" + OTHER)
    two = make_person(session, branch, name="王伟", phone=None)
    officer = make_actor(session, street)
    record = check_list(session, street, "姓名,座位\n王伟,1排\n王伟,2排\n王伟,3排\n", officer)
    assert (record.asked, record.refused) == (3, 3)
    drafts.answer_rows(session, officer, record, {2: two.id, 3: one.id, 4: None})
    work(session, record)
    assert outcomes(session, record) == [
        ("unchanged", None, two.id),
        ("unchanged", None, one.id),
        ("refused", "nobody", None),
    ]


def test_a_person_twice_is_refused_with_both_rows_and_others_stay_out(session, city, street, branch):
    left = make_person(session, branch, number="L", name="赵六")
    left.left_at = func.now()
    make_person(session, city, number="X", name="外人")
    one = make_person(session, branch, number="1", name="王伟", phone="+86" + PHONE)
    rows = ("1,王为,,0排", "1,,,1排", f",王伟,{PHONE},2排", "L,,,", "X,,,", ",,,5排")
    rows += (f"1,王伟,,{'长' * 501}", "1,,,请{{ x }}", "1,,,#NAME?")
    record = check_list(session, street, "编号,姓名,手机号,座位\n" + "\n".join(rows))
    assert [why for _, why, _ in outcomes(session, record)] == [
        *("other_name", None, "twice", "left", "outside"),
        *(None, None, None, None),
    ]
    assert outcomes(session, record)[1] == ("unchanged", None, one.id)
    twice = session.scalars(problems_of(record, refused=True).where(ImportProblem.row == 4)).one()
    assert str(twice.said) == "is the person of row 3, which was taken: each person gets one text"
    said = refusals(session, record)
    assert said[7] == "names nobody: write the number, the name or the phone"
    assert said[8] == "has {number} characters; at most {most} are allowed"
    assert said[9] == "holds {mark}, which would be sent as it stands; write what is meant"
    assert said[10] == "is an error of the spreadsheet, not a value"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("姓名,座位,座位(排)", "has two columns '座位' in row 1; say which of them counts"),
        ("座位,场次", "lacks the columns 编号/姓名/手机号; those found in row 1 are: 座位, 场次"),
        ("姓名,★", "has a column '★', which no text can name; give it a header of letters"),
        ("姓名," + ",".join(f"栏{n}" for n in range(51)), "has 51 columns of values; at most 50 are allowed"),
    ],
)
def test_columns_that_no_list_can_have(session, branch, header, message):
    record = check_list(session, branch, f"{header}\n王伟,1\n")
    assert (record.state, str(record.said_notice)) == ("failed", message)


def test_only_who_may_text_guests_brings_them_and_only_the_list_finds_them(session, city, street, branch):
    make_person(session, branch, name="王伟", number="0017")
    rows = f"编号,姓名,手机号,座位\n0017,,,1排\n,来宾,{PHONE},2排\n,来宾,{PHONE},3排\n,无号,,4排\n,,{OTHER},5排\n"
    officer, administrator = make_actor(session, street), make_actor(session, street, ("administrator",))
    refused = check_list(session, street, rows, officer)
    assert (refused.unchanged, refused.created, refused.refused) == (1, 0, 4)
    assert [why for _, why, _ in outcomes(session, refused)] == [None, *["nobody"] * 4]
    checked = check_list(session, street, rows, administrator)
    assert [why for _, why, _ in outcomes(session, checked)] == [None, None, "twice", "half_guest", "half_guest"]
    found = bring_list(session, street, rows, administrator)
    guest = session.scalars(select(Person).where(Person.kind == "guest")).one()
    assert (found.people, found.guests, guest.unit_id, guest.number) == (2, 1, street.id, None)

    def people(rule):
        return [one.person.name for one in sample_audience(session, rule, city.path, 10)]

    assert people({"list": found.id}) == ["王伟", "来宾"]
    other = bring_list(session, street, "编号\n0017\n", administrator)
    for rule in (
        *({"everyone": True}, {"not": {"tag": "x"}}, {"not": {"list": other.id}}, {"people": [guest.id]}),
        *({"kind": "contact"}, {"any": [{"not": {"list": found.id}}, {"list": other.id}]}),
    ):
        assert "来宾" not in people(rule), rule
    assert people({"any": [{"list": found.id}, {"tag": "x"}]}) == ["王伟", "来宾"]
    for left in (None, True, False):
        assert guest not in session.scalars(find_people((city.path,), left=left)).all()
    with pytest.raises(Conflict, match="nobody of the register"):
        change_person(session, SYSTEM, guest.id, left=False)
    done = bring(session, "people", f"姓名,手机号,组织编码\n来宾,{PHONE},0101001\n")
    assert (done.created, done.asked) == (1, 0)


def test_the_guests_right_is_asked_again_when_the_list_is_taken(session, street):
    administrator, officer = make_actor(session, street, ("administrator",)), make_actor(session, street)
    record = check_list(session, street, f"姓名,手机号\n来宾,{PHONE}\n", administrator)
    drafts.request_apply(session, officer, record)
    work(session, record)
    assert (record.state, "text_guests" in str(record.said_notice)) == ("failed", True)


def test_a_register_that_changed_is_checked_anew(database):
    with database.session() as session:
        branch = make_unit(session)
        person_id = make_person(session, branch, number="1", name="王伟").id
        record = check_list(session, branch, "编号,座位\n1,1排\n")
        drafts.request_apply(session, SYSTEM, record)
    with database.session() as session:
        session.get_one(Person, person_id).left_at = func.now()
    work_on_import(database.session, record.id)
    work_on_import(database.session, record.id)
    with database.session() as session:
        record = session.get_one(Import, record.id)
        assert (record.state, record.refused, record.version) == ("checked", 1, 2)
        assert session.scalar(select(func.count()).select_from(RecipientList)) == 0


def test_a_list_is_used_in_its_line_of_units_only(session, city, street, branch):
    person = make_person(session, branch, number="1", name="王伟")
    other = make_unit(session, parent=city)
    found = bring_list(session, street, "编号,座位\n1,1排\n")
    for unit in (city, street, branch):
        rows = session.execute(audience_select(session, {"list": found.id}, unit.path)).all()
        assert [row.person_id for row in rows] == [person.id]
    for rule, place in (
        ({"list": found.id}, "rule.list"),
        ({"all": [{"not": {"list": 10**9}}]}, "rule.all[0].not.list"),
    ):
        with pytest.raises(Invalid) as error:
            create_segment(session, SYSTEM, other.id, "x", rule)
        assert error.value.field == place
    with pytest.raises(Forbidden):
        get_list(session, make_actor(session, other), found.id)
    with pytest.raises(Forbidden):
        find_list_rows(session, make_actor(session, branch), found)
    words = str(describe_rule(session, SYSTEM, street.id, {"not": {"list": found.id}}))
    assert words == "everybody in 李店街道 and below who is not on the list 名单"


names = st.sampled_from(["王伟", "李四", "王为", ""])
phones = st.sampled_from([PHONE, OTHER, "139", ""])
numbers = st.sampled_from(["1", "2", "L", "X", "9", ""])
units = st.sampled_from(["第一党支部", "李店街道", "没有的", ""])


@settings(max_examples=count_examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(numbers, names, phones, units, st.sampled_from(["", "1排", "{{ x }}"])), max_size=8),
    guests=st.booleans(),
)
def test_every_row_becomes_one_recipient_or_is_refused(database, rows, guests):
    with database.session() as session:
        top = make_unit(session)
        street = make_unit(session, name="李店街道", parent=top, level="street")
        branch = make_unit(session, name="第一党支部", parent=street)
        prefix = str(street.id)
        for number, name, phone, place in (
            ("1", "王伟", PHONE, branch),
            ("2", "李四", OTHER, street),
            ("X", "王伟", PHONE, top),
        ):
            make_person(session, place, number=prefix + number, name=name, phone="+86" + phone)
        make_person(session, branch, number=prefix + "L", name="王为").left_at = func.now()
        session.flush()
        actor = SYSTEM if guests else make_actor(session, street)
        lines = [f"{number and prefix + number},{','.join(rest)}" for number, *rest in rows]
        content = "\n".join(["编号,姓名,手机号,所在支部,座位", *lines, f"{prefix}1,,,,9排", ""])
        record = check_list(session, street, content, actor)
        assert record.rows == record.unchanged + record.created + record.refused
        refused = select(func.count(func.distinct(ImportProblem.row))).where(
            ImportProblem.import_id == record.id, ImportProblem.refused
        )
        assert session.scalar(refused) == record.refused
        drafts.request_apply(session, actor, record)
        work(session, record)
        found = session.scalars(select(RecipientList).where(RecipientList.import_id == record.id)).one()
        kept = session.scalar(select(func.count()).where(RecipientRow.list_id == found.id))
        assert kept == found.people == record.unchanged + record.created
        session.rollback()
