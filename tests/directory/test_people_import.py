"""People from files: every row is taken or refused, and the same file twice changes nothing."""

from collections import Counter
from pathlib import Path

import pytest
from factories import make_actor, make_person, make_unit
from sqlalchemy import func, select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Suppression
from sms_service.audit.models import TrailEntry
from sms_service.directory.import_models import Import, ImportProblem
from sms_service.directory.importing import find_same_file, group_problems, problems_like, problems_of
from sms_service.directory.models import Contact, Person, Unit
from sms_service.directory.people import change_person
from sms_service.errors import Forbidden, Invalid
from sms_service.said import from_json
from tests.bringing import bring

DATA = Path(__file__).parents[1] / "data"
CITY = Path(__file__).parents[2] / "sms_service" / "ops" / "demonstration_data"
HEADER = "编号,姓名,性别,手机号,组织编码,职务,入党日期,标签"


@pytest.fixture
def city(session):
    return make_unit(session, code="01", name="云州市")


@pytest.fixture
def branch(session, city):
    district = make_unit(session, code="0101", name="城东区", parent=city)
    street = make_unit(session, code="0101001", name="李店街道", parent=district)
    return make_unit(session, code="01010010001", name="第一党支部", parent=street)


def load(session, *rows, header=HEADER, actor=SYSTEM, unit_id=None):
    return bring(session, "people", "\n".join([header, *rows]), "people.csv", actor, unit_id=unit_id)


def outcome(record):
    return (record.created, record.changed + record.moved, record.unchanged, record.refused)


def problems(session, record):
    found = session.scalars(problems_of(record).order_by(ImportProblem.row, ImportProblem.id))
    return [(problem.row, problem.column, problem.value, problem.refused) for problem in found]


def person(session, number):
    return session.scalars(select(Person).where(Person.number == number)).one()


def roles(session, number):
    statement = select(Contact.role).join(Person, Person.id == Contact.person_id).where(Person.number == number)
    return sorted(session.scalars(statement))


def test_a_row_becomes_a_person_with_attributes_tags_and_roles(session, branch):
    row = "M1, 艾力·买合木提 ,男,１３９７５８４０２４６,01010010001,书记、组织委员,1985/3/1,退休、志愿者，青年"
    record = load(session, f"{row},云州", header=HEADER + ",籍贯")
    assert outcome(record) == (1, 0, 0, 0)
    found = person(session, "M1")
    assert (found.name, found.phone, found.unit_id, found.kind) == (
        "艾力·买合木提",
        "+8613975840246",
        branch.id,
        "member",
    )
    assert found.tags == ["退休", "志愿者", "青年"]
    assert found.attributes == {"gender": "男", "joined_on": "1985-03-01", "籍贯": "云州"}
    assert roles(session, "M1") == ["书记", "组织委员"]
    assert problems(session, record) == []


def test_the_basis_of_use_is_one_of_the_law_and_has_a_source(session, branch):
    header = HEADER + ",同意依据,信息来源"
    rows = (
        "M1,王伟,男,13975840246,01010010001,党员,,,本人同意,2026年登记表",
        "M2,李四,女,13975840247,01010010001,党员,,,随便,",
    )
    record = load(session, *rows, header=header)
    wanted = {"gender": "男", "consent_basis": "consent", "consent_source": "2026年登记表"}
    assert person(session, "M1").attributes == wanted
    assert person(session, "M2").attributes == {"gender": "女"}
    assert problems(session, record) == [(3, "同意依据", "随便", False)]
    found = person(session, "M1")
    with pytest.raises(Invalid, match="must be one of consent, contract, duty"):
        change_person(session, SYSTEM, found.id, attributes={"consent_basis": "随便"})
    change_person(session, SYSTEM, found.id, attributes={"consent_basis": "duty"})
    assert found.attributes == {"consent_basis": "duty"}


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (f"{'1' * 51},王伟,男,13975840246,01010010001,党员,,", "编号", "1" * 51),
        ("M1,,男,13975840246,01010010001,党员,,", "姓名", None),
        ("M1,#REF!,男,13975840246,01010010001,党员,,", "姓名", "#REF!"),
        (f"M1,{'王' * 101},男,13975840246,01010010001,党员,,", "姓名", "王" * 101),
        ("M1,王伟,男,13975840246,,党员,,", "组织编码", None),
        ("M1,王伟,男,13975840246,9999,党员,,", "组织编码", "9999"),
        ("M1,王伟", "组织编码", None),
        ("M1,王伟,男,13975840246,01010010001,党员,,,多出来的一列", "I", "多出来的一列"),
    ],
)
def test_a_row_that_makes_no_person_is_refused_with_row_column_value(session, branch, row, column, value):
    record = load(session, row, "M2,李四,女,13975840247,01010010001,党员,,")
    assert outcome(record) == (1, 0, 0, 1)
    assert problems(session, record) == [(2, column, value, True)]


def test_an_empty_name_and_a_broken_one_are_told_apart(session, branch):
    record = load(session, "M1,,男,13975840246,01010010001,,,", "M2,#N/A,男,13975840246,01010010001,,,")
    said = [(one.row, str(one.said)) for one in session.scalars(problems_of(record).order_by(ImportProblem.row))]
    assert said == [(2, "the name is empty; fill it in"), (3, "is an error of the spreadsheet, not a value")]


def test_an_empty_row_is_refused_and_empty_rows_at_the_end_are_none(session, branch):
    record = load(session, ",,,,,,,", "M2,李四,女,13975840247,01010010001,党员,,", "", ",,,,,,,")
    assert outcome(record) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    ("phone", "problem"),
    [("", None), ("无", None), ("1.34982E+10", "scientific"), ("0571-80927662", "landline"), ("1778781709O", "'O'")],
)
def test_without_a_usable_phone_the_person_is_there_and_it_is_listed(session, branch, phone, problem):
    record = load(session, f"M1,王伟,男,{phone},01010010001,党员,,")
    assert outcome(record) == (1, 0, 0, 0)
    found = person(session, "M1")
    assert found.phone is None
    assert (problem is None and found.phone_problem is None) or problem in found.phone_problem
    assert problem is None or from_json(**found.phone_problem_message) == found.phone_problem
    assert problems(session, record) == [(2, "手机号", phone or None, False)]


@pytest.mark.parametrize("unit", ["01010010001", "0101001"])
def test_an_unusable_phone_leaves_the_usable_one_of_the_register(session, branch, unit):
    load(session, "M1,王伟,男,13975840246,01010010001,党员,,", "M2,李四,女,139,01010010001,党员,,")
    record = load(session, f"M1,王伟,男,1397584024,{unit},党员,,", f"M2,李四,女,1397584024,{unit},党员,,")
    assert outcome(record) == (0, 2 if unit == "0101001" else 1, 0 if unit == "0101001" else 1, 0)
    kept, other = person(session, "M1"), person(session, "M2")
    assert (kept.phone, kept.phone_problem, kept.phone_problem_message) == ("+8613975840246", None, None)
    assert (other.phone, other.phone_problem) == (None, "has 10 digits; a mobile number has 11")
    said = [str(one.said) for one in session.scalars(problems_of(record).order_by(ImportProblem.row))]
    assert said == [
        "the phone of the file is not usable (has 10 digits; a mobile number has 11); the phone on record is kept",
        "has 10 digits; a mobile number has 11",
    ]


def test_an_empty_phone_cell_still_takes_the_phone_away(session, branch):
    load(session, "M1,王伟,男,13975840246,01010010001,党员,,")
    assert outcome(load(session, "M1,王伟,男,,01010010001,党员,,")) == (0, 1, 0, 0)
    assert person(session, "M1").phone is None


def test_a_finding_is_kept_as_message_and_values_too(session, branch):
    record = load(session, "M1,王伟,男,1876607113,0101001,党员,,", "M1,王伟,男,1876607113,0101001,党员,,")
    found = session.scalars(problems_of(record).order_by(ImportProblem.id)).all()
    assert [(problem.message, problem.values) for problem in found] == [
        ("has {number} digits; a mobile number has 11", {"number": 10}),
        ("has {number} digits; a mobile number has 11", {"number": 10}),
        ("repeats row {row}", {"row": 2}),
    ]
    assert [str(problem.said) for problem in found][-1] == "repeats row 2"
    found[0].message = found[0].values = None  # as findings are from before these were kept
    assert (found[0].said, found[0].said.values) == ("has 10 digits; a mobile number has 11", {})


def test_findings_that_say_the_same_are_one_group_and_the_same_file_is_known(session, city, branch):
    rows = "编号,姓名,手机号,组织编码\n1,林一,1390000111,01\n2,林二,139000011,01\n3,林三,13900000003,99\n".replace(
        ",01", f",{branch.code}"
    )
    first = bring(session, "people", rows, "a.csv", unit_id=city.id)
    groups = group_problems(session, first)
    assert [(group.first.refused, group.findings) for group in groups] == [(True, 1), (False, 2)]
    alike = session.scalars(problems_like(groups[1].first).order_by(ImportProblem.id)).all()
    assert [found.row for found in alike] == [2, 3]
    assert find_same_file(session, first) is None
    second = bring(session, "people", rows, "b.csv", unit_id=city.id)
    assert find_same_file(session, second) is first


def test_a_lost_leading_zero_is_named_as_the_likely_cause(session, branch):
    record = load(session, "M1,王伟,男,13975840246,1010010001,党员,,")
    problem = session.scalars(problems_of(record)).one()
    assert "0 in front" in problem.said


def test_the_likely_cause_does_not_name_a_unit_out_of_scope(session, city, branch):
    other = make_unit(session, parent=city)
    record = load(session, "M1,王伟,男,13975840246,1010010001,党员,,", unit_id=other.id)
    assert session.scalars(problems_of(record)).one().said == "there is no unit with this code"


def test_names_are_kept_as_written_but_for_blanks(session, branch):
    names = ["=1+1", "+cmd", "-张三", "<b>李四</b>", "张轩𠮷", "李𫖯", "Anna 李", "　彭 林　伟 ", "张\u200b三"]
    load(session, *(f"M{i},{name},男,,01010010001,党员,," for i, name in enumerate(names)))
    found = session.scalars(select(Person.name).order_by(Person.number)).all()
    assert found == [*names[:7], "彭林伟", "张三"]


def test_an_odd_date_is_kept_and_listed(session, branch):
    record = load(
        session,
        "M1,王伟,男,13975840246,01010010001,党员,一九八五年,",
        "M2,王伟,男,13975840247,01010010001,党员,31.12.1999,",
        "M3,王伟,男,13975840248,01010010001,党员,2023-02-30,",
    )
    dates = {number: person(session, number).attributes["joined_on"] for number in ("M1", "M2", "M3")}
    assert dates == {"M1": "一九八五年", "M2": "1999-12-31", "M3": "2023-02-30"}
    assert [(row, column) for row, column, _, _ in problems(session, record)] == [(2, "入党日期"), (4, "入党日期")]


def test_every_column_that_holds_dates_has_them_in_one_form(session, branch):
    days = ["1999年2月1日", "1990-5-3", "1987.02", "36192", "不详"]
    rows = [f"M{i},王伟,男,,01010010001,党员,,,{day},1990/5/3" for i, day in enumerate(days)]
    record = load(session, *rows, header=HEADER + ",转正时间,备注")
    read = [person(session, f"M{i}").attributes for i in range(len(days))]
    assert [each["转正时间"] for each in read] == ["1999-02-01", "1990-05-03", "1987-02-01", "1999-02-01", "不详"]
    assert {each["备注"] for each in read} == {"1990-05-03"}
    listed = [(row, value) for row, column, value, refused in problems(session, record) if column == "转正时间"]
    assert listed == [(4, "1987.02"), (5, "36192"), (6, "不详")]


def test_repeated_rows(session, branch):
    good = "M1,王伟,男,13975840246,01010010001,党员,,"
    record = load(
        session,
        good,
        good,
        "M1,王芳,女,13975840247,01010010001,党员,,",
        "M2,李四,男,13975840248,9999,党员,,",
        "M2,李四,男,13975840248,9999,党员,,",
        "M2,李四,男,13975840248,01010010001,党员,,",
    )
    # The second M2 fails for itself; the third is the first that makes a person.
    assert outcome(record) == (2, 0, 1, 3)
    assert person(session, "M1").name == "王伟"


def test_a_shared_phone_is_noted(session, branch):
    record = load(session, "M1,王伟,男,13975840246,01010010001,党员,,", "M2,王芳,女,139 7584 0246,01010010001,党员,,")
    assert problems(session, record) == [(3, "手机号", "+8613975840246", False)]


def test_a_unit_name_that_contradicts_the_code_is_noted_and_the_code_counts(session, branch):
    header = "编号,姓名,手机号,组织编码,所在组织"
    record = load(
        session,
        "M1,王伟,13975840246,01010010001,云州市/城东区/李店街道/第一党支部",
        "M2,王伟,13975840247,01010010001,第一党支部",
        "M3,王伟,13975840248,01010010001,云州市/临江区/别的支部",
        header=header,
    )
    assert outcome(record) == (3, 0, 0, 0)
    assert [row for row, *_ in problems(session, record)] == [4]


def test_the_same_file_twice_changes_nothing_and_a_changed_row_one_person(session, branch):
    rows = [
        "M1,王伟,男,13975840246,01010010001,书记,1985-03-01,退休",
        "M2,李四,女,1778781709O,01010010001,党员,,",
    ]
    assert outcome(load(session, *rows)) == (2, 0, 0, 0)
    before = session.scalars(select(Person.updated_at).order_by(Person.id)).all()
    contacts = session.scalars(select(Contact.id)).all()
    session.commit()
    assert outcome(load(session, *rows)) == (0, 0, 2, 0)
    assert session.scalars(select(Person.updated_at).order_by(Person.id)).all() == before
    assert session.scalars(select(Contact.id)).all() == contacts

    rows[0] = rows[0].replace("书记", "组织委员")
    assert outcome(load(session, *rows)) == (0, 1, 1, 0)
    assert roles(session, "M1") == ["组织委员"]
    rows[1] = "M2,李四,女,13975840247,01010010001,党员,,"
    assert outcome(load(session, *rows)) == (0, 1, 1, 0)
    assert person(session, "M2").phone_problem is person(session, "M2").phone_problem_message is None


def test_columns_the_file_lacks_leave_what_is_there(session, branch):
    load(session, "M1,王伟,男,13975840246,01010010001,书记,1985-03-01,退休")
    record = load(session, "M1,王伟,13975840246,01010010001", header="编号,姓名,手机号,组织编码")
    assert outcome(record) == (0, 0, 1, 0)
    found = person(session, "M1")
    assert found.tags == ["退休"]
    assert found.attributes == {"gender": "男", "joined_on": "1985-03-01"}
    assert roles(session, "M1") == ["书记"]
    record = load(session, "M1,王伟,,13975840246,01010010001,,,")
    assert outcome(record) == (0, 1, 0, 0)
    found = person(session, "M1")
    assert (found.tags, found.attributes, roles(session, "M1")) == ([], {}, [])


def test_who_moves_takes_no_role_along_and_roles_elsewhere_stay(session, city, branch):
    other = make_unit(session, code="0102", parent=city, level="district")
    load(session, "M1,王伟,男,13975840246,01010010001,书记,,")
    session.add(Contact(person_id=person(session, "M1").id, unit_id=city.id, role="顾问"))
    session.flush()
    assert outcome(load(session, "M1,王伟,男,13975840246,0102,组织委员,,")) == (0, 1, 0, 0)
    held = session.execute(select(Contact.unit_id, Contact.role).order_by(Contact.unit_id)).all()
    assert held == [(city.id, "顾问"), (other.id, "组织委员")]


def test_people_not_in_the_file_and_marks_made_by_people_stay(session, branch):
    kept = make_person(session, branch)
    gone = make_person(session, branch, number="M1", lost_contact=True, left_at=func.now())
    record = load(session, "M1,王伟,男,13975840246,01010010001,党员,,")
    session.expire_all()
    assert (gone.name, gone.lost_contact) == ("王伟", True)
    assert gone.left_at is not None
    assert [(row, column) for row, column, *_ in problems(session, record)] == [(2, "编号")]
    assert session.get(Person, kept.id) is not None


def test_an_import_touches_only_its_scope(session, city, branch):
    other = make_unit(session, code="0102", parent=city, level="district")
    make_person(session, other, number="X1", name="外人")
    administrator = make_actor(session, session.get(Unit, branch.parent_id), roles=("administrator",))
    record = load(
        session,
        "M1,王伟,男,13975840246,01010010001,党员,,",
        "M2,李四,男,13975840247,0102,党员,,",
        "X1,外人,男,13975840248,01010010001,党员,,",
        actor=administrator,
    )
    assert outcome(record) == (1, 0, 0, 2)
    assert problems(session, record) == [(3, "组织编码", "0102", True), (4, "编号", "X1", True)]
    assert person(session, "X1").unit_id == other.id
    assert record.unit_id == branch.parent_id
    with pytest.raises(Forbidden):
        load(session, actor=administrator, unit_id=other.id)
    with pytest.raises(Forbidden):
        load(session, actor=make_actor(session, city, roles=("approver", "auditor")))


def test_who_manages_several_units_names_the_one(session, city, branch):
    other = make_unit(session, code="0102", parent=city, level="district")
    actor = make_actor(session, other, roles=("administrator",))
    both = type(actor)(
        actor.account_id, actor.login, (*actor.grants, type(actor.grants[0])("administrator", branch.id, branch.path))
    )
    with pytest.raises(Invalid) as caught:
        load(session, actor=both)
    assert caught.value.field == "unit"


def test_an_import_leaves_a_trail_without_personal_data(session, city, branch):
    record = load(session, "M1,王伟,男,13975840246,01010010001,党员,,")
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "people.import")).one()
    assert (entry.target_id, entry.unit_path) == (str(record.id), city.path)
    assert entry.details == {
        "rows": 1,
        "created": 1,
        "changed": 0,
        "moved": 0,
        "unchanged": 0,
        "refused": 0,
    }


def test_the_tag_for_no_texts_suppresses_the_phone_in_the_same_transaction(session, branch):
    data = "\n".join(
        [
            HEADER,
            "M1,王伟,男,13975840246,01010010001,党员,,退休、不接收短信",
            "M2,李四,男,13975840247,01010010001,党员,,退休",
            "M3,王芳,男,无,01010010001,党员,,不接收短信",
            "M4,赵六,男,13975840248,9999,党员,,不接收短信",
        ]
    ).encode()
    done = bring(session, "people", data)
    assert done.suppressed == 1
    found = session.execute(select(Suppression.phone, Suppression.reason, Suppression.source)).all()
    assert found == [("+8613975840246", "opted_out", "import")]
    assert bring(session, "people", data).suppressed == 0


def test_a_crash_in_the_middle_leaves_nothing(database, monkeypatch):
    with database.session() as session:
        make_unit(session, code="01")
    monkeypatch.setattr("sms_service.directory.applying.trail.record_act", _crash)
    with pytest.raises(RuntimeError), database.session() as session:
        load(session, "M1,王伟,男,13975840246,01,党员,,")
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(Person)) == 0
        assert session.scalar(select(func.count()).select_from(Import)) == 0


def _crash(*_args, **_details):
    raise RuntimeError("the plug was pulled")


def test_the_offices_small_pair_in_gb18030(session):
    units = bring(session, "units", (DATA / "units_small.csv").read_bytes())
    assert outcome(units) == (80, 0, 0, 0)
    data = (DATA / "members_small_gb18030.csv").read_bytes()
    record = bring(session, "people", data)
    assert outcome(record) == (594, 0, 0, 6)
    refused = session.execute(select(ImportProblem.row, ImportProblem.column).where(ImportProblem.refused)).all()
    assert sorted(map(tuple, refused)) == [
        (76, "组织编码"),
        (91, "组织编码"),
        (218, "姓名"),
        (272, "组织编码"),
        (355, "姓名"),
        (396, ""),
    ]
    assert outcome(bring(session, "people", data)) == (0, 0, 594, 6)


def test_the_district_of_eleven_thousand(session):
    units = bring(session, "units", (CITY / "units.csv").read_bytes())
    assert outcome(units) == (570, 0, 0, 0)
    data = (CITY / "members_district.xlsx").read_bytes()
    record = bring(session, "people", data, "members_district.xlsx")
    assert record.rows == 11_000
    assert session.scalar(select(func.count()).select_from(Person)) == record.created
    refusals = session.scalars(problems_of(record, refused=True)).all()
    assert len({problem.row for problem in refusals}) == record.refused
    # Empty rows; a column too many; no name, an endless one, or a formula that nobody has computed; a unit code that
    # nobody has. Where the code is missing, the path in 所在组织 says the unit.
    assert Counter(problem.column for problem in refusals) == {"": 7, "J": 10, "姓名": 14, "组织编码": 15}
    assert record.rows == record.created + record.changed + record.moved + record.unchanged + record.refused
    # The 6 rows that stand there twice are unchanged, not lost.
    assert (record.changed, record.unchanged) == (0, 6)
    assert session.scalar(select(func.count()).where(Person.phone_problem.is_not(None))) == 39
    tagged = select(Person.phone).distinct().where(Person.tags.contains(["不接收短信"]), Person.phone.is_not(None))
    assert record.suppressed == len(session.scalars(tagged).all()) > 900
    names = set(session.scalars(select(Person.name).where(Person.name.op("~")("^[=+<-]"))))
    assert names == {"+cmd", "-张三", "<b>李四</b>"}

    again = bring(session, "people", data, "again.xlsx")
    assert outcome(again) == (0, 0, record.created + 6, record.refused)
    assert again.suppressed == 0
