"""Units and people one at a time: what is checked, what reaches down, and who may."""

import threading

import pytest
from factories import fictional_phone, make_actor, make_person, make_unit
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.directory import people, units
from sms_service.directory.models import Person
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.said import say, to_json


@pytest.fixture
def city(session):
    return make_unit(session, code="01", window_opens=540, demonstration=True)


@pytest.fixture
def district(session, city):
    return make_unit(session, code="0101", parent=city)


@pytest.fixture
def elsewhere(session, city):
    return make_unit(session, code="0102", parent=city)


def acts(session):
    return session.scalars(select(TrailEntry.act).order_by(TrailEntry.id)).all()


def test_a_new_unit_starts_as_its_parent_is(session, city):
    unit = units.create_unit(session, SYSTEM, code=" ０１０３ ", name="临江区", level="district", parent_id=city.id)
    assert (unit.code, unit.path) == ("0103", f"{city.path}{unit.id}/")
    assert (unit.window_opens, unit.window_closes, unit.timezone) == (540, 1200, "Asia/Shanghai")
    assert unit.demonstration
    assert acts(session) == ["unit.create"]


@pytest.mark.parametrize(
    ("given", "error", "part"),
    [
        ({"code": "  "}, Invalid, "code"),
        ({"name": "x" * 101}, Invalid, "name"),
        ({"level": "county"}, Invalid, "level"),
        ({"level": "city"}, Invalid, "lower"),
        ({"code": "01"}, Conflict, "another unit"),
        ({"parent_id": 999}, NotFound, "999"),
    ],
)
def test_units_that_cannot_be(session, city, given, error, part):
    values = {"code": "0103", "name": "临江区", "level": "district", "parent_id": city.id, **given}
    with pytest.raises(error, match=part):
        units.create_unit(session, SYSTEM, **values)


def test_only_the_service_itself_makes_the_top_of_a_tree(session, city):
    administrator = make_actor(session, city, roles=("administrator",))
    with pytest.raises(Forbidden):
        units.create_unit(session, administrator, code="02", name="别市", level="city", parent_id=None)
    assert units.create_unit(session, SYSTEM, code="02", name="别市", level="city", parent_id=None).parent_id is None


def test_zone_and_window_are_set_for_the_whole_subtree_and_the_name_for_the_unit(session, city, district, elsewhere):
    branch = make_unit(session, parent=district, level="branch")
    units.change_unit(
        session, SYSTEM, district.id, name="城东", timezone="Asia/Urumqi", window_opens="10:00", window_closes="24:00"
    )
    assert (branch.timezone, branch.window_opens, branch.window_closes) == ("Asia/Urumqi", 600, 1440)
    assert (district.name, branch.name) == ("城东", f"单位{branch.code}")
    assert (elsewhere.timezone, elsewhere.window_closes, city.window_closes) == ("Asia/Shanghai", 1200, 1200)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),  # Python knows it, PostgreSQL does not
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"window_opens": "8:00"}, "window_opens"),
        ({"window_opens": "25:00"}, "window_opens"),
        ({"window_closes": "24:01"}, "window_closes"),
        ({"window_closes": "08:60"}, "window_closes"),
        ({"window_opens": "20:00"}, "window_closes"),
        ({"window_closes": "09:00"}, "window_closes"),
        ({"name": ""}, "name"),
    ],
)
def test_changes_that_cannot_be_name_the_field(session, city, given, field):
    with pytest.raises(Invalid) as caught:
        units.change_unit(session, SYSTEM, city.id, **given)
    assert caught.value.field == field


def test_times_of_day_survive_the_way_there_and_back():
    for minutes in range(1441):
        assert units.parse_clock("x", units.format_clock(minutes)) == minutes


def test_a_person_with_everything(session, district):
    person = people.create_person(
        session,
        SYSTEM,
        district.id,
        " 王 伟 ",
        number="M1",
        phone="139 7584 0246",
        tags=["退休", "退休", "青年"],
        attributes={"gender": "男", "籍贯": ""},
        roles=[{"unit_id": district.id, "role": "书记"}],
        kind="contact",
    )
    assert (person.name, person.phone, person.kind) == ("王伟", "+8613975840246", "contact")
    assert (person.tags, person.attributes) == (["退休", "青年"], {"gender": "男"})
    assert [(c.unit_id, c.role) for c in people.roles_of(session, [person.id])[person.id]] == [(district.id, "书记")]
    assert acts(session) == ["person.create"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " \u200b "}, "name"),
        ({"phone": "0571-80927662"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"kind": "robot"}, "kind"),
        ({"tags": ["x" * 51]}, "tags"),
        ({"tags": [str(n) for n in range(51)]}, "tags"),
        ({"attributes": {"a": "x" * 501}}, "attributes.a"),
        ({"roles": [{"unit_id": 1, "role": " "}]}, "roles"),
    ],
)
def test_what_cannot_be_said_about_a_person_names_the_field(session, district, changes, field):
    person = make_person(session, district)
    with pytest.raises(Invalid) as caught:
        people.change_person(session, SYSTEM, person.id, **changes)
    assert caught.value.field == field


def test_a_new_phone_clears_what_was_wrong_with_the_old_one(session, district):
    person = make_person(session, district, phone=None, phone_problem="has 10 digits; a mobile number has 11")
    person.phone_problem_message = to_json(say("has {number} digits; a mobile number has 11", number=10))
    assert person.said_phone_problem.values == {"number": 10}
    phone = fictional_phone()
    people.change_person(session, SYSTEM, person.id, phone=phone)
    assert (person.phone, person.said_phone_problem, person.phone_problem_message) == (phone, None, None)


def test_who_left_can_come_back(session, district):
    person = make_person(session, district)
    people.change_person(session, SYSTEM, person.id, left=True)
    left_at = person.left_at
    assert left_at is not None
    people.change_person(session, SYSTEM, person.id, left=True)
    assert person.left_at == left_at
    assert session.scalars(people.find_people([district.path])).all() == []
    assert session.scalars(people.find_people([district.path], left=None)).all() == [person]
    people.change_person(session, SYSTEM, person.id, left=False)
    assert person.left_at is None


def test_an_administrator_of_one_district_cannot_reach_into_another(session, district, elsewhere):
    administrator = make_actor(session, district, roles=("administrator",))
    stranger, own = make_person(session, elsewhere), make_person(session, district)
    for act in (
        lambda: people.get_person(session, administrator, stranger.id),
        lambda: people.change_person(session, administrator, stranger.id, name="别人"),
        lambda: people.change_person(session, administrator, own.id, unit_id=elsewhere.id),
        lambda: people.change_person(session, administrator, stranger.id, unit_id=district.id),
        lambda: people.change_person(session, administrator, own.id, roles=[{"unit_id": elsewhere.id, "role": "书记"}]),
        lambda: people.create_person(session, administrator, elsewhere.id, "王伟"),
        lambda: units.get_unit(session, administrator, elsewhere.id),
        lambda: units.change_unit(session, administrator, elsewhere.id, name="别处"),
        lambda: units.create_unit(session, administrator, code="X", name="X", level="branch", parent_id=elsewhere.id),
    ):
        with pytest.raises(Forbidden):
            act()
    assert people.get_person(session, administrator, own.id) is own


def test_an_officer_and_an_auditor_change_nothing(session, district):
    person = make_person(session, district)
    actor = make_actor(session, district, roles=("officer", "auditor", "approver"))
    for act in (
        lambda: people.change_person(session, actor, person.id, name="别人"),
        lambda: people.create_person(session, actor, district.id, "王伟"),
        lambda: units.change_unit(session, actor, district.id, name="别处"),
    ):
        with pytest.raises(Forbidden):
            act()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["A1", "A2", "B1"]),
        ({"name": "王"}, ["A1", "B1"]),
        ({"name": "%"}, []),
        ({"tag": "退休"}, ["A2"]),
        ({"role": "书记"}, ["B1"]),
        ({"kind": "contact"}, ["B1"]),
        ({"number": "A1"}, ["A1"]),
        ({"lost_contact": True}, ["A2"]),
        ({"has_phone": False}, ["A1"]),
        ({"left": True}, ["C1"]),
    ],
)
def test_finding_people(session, district, elsewhere, wanted, found):
    make_person(session, district, number="A1", name="王伟", phone=None)
    make_person(session, district, number="A2", name="李四", tags=["退休"], lost_contact=True)
    contact = make_person(session, district, number="B1", name="王芳", kind="contact")
    people.change_person(session, SYSTEM, contact.id, roles=[{"unit_id": elsewhere.id, "role": "书记"}])
    gone = make_person(session, district, number="C1", name="王五")
    people.change_person(session, SYSTEM, gone.id, left=True)
    make_person(session, elsewhere, number="D1", name="王伟", tags=["退休"])
    statement = people.find_people([district.path], **wanted).order_by(Person.number)
    assert [person.number for person in session.scalars(statement)] == found


def test_a_whole_phone_is_shown_for_a_reason_to_whoever_may(session, district, elsewhere):
    person = make_person(session, district)
    officer = make_actor(session, district)
    assert people.reveal_phone(session, officer, person.id, "问路") == person.phone
    entry = session.scalars(select(TrailEntry)).one()
    assert (entry.act, entry.account_id, entry.details["why"]) == ("people.see_phones", officer.account_id, "问路")
    with pytest.raises(Invalid, match="why"):
        people.reveal_phone(session, officer, person.id, " ")
    for actor in (make_actor(session, elsewhere), make_actor(session, district, ("auditor",))):
        with pytest.raises(Forbidden):
            people.reveal_phone(session, actor, person.id, "问路")


def test_how_large_units_are(session, city, district, elsewhere):
    branch = make_unit(session, parent=district, level="branch")
    empty = make_unit(session, parent=district, level="branch")
    secretary = make_person(session, branch)
    make_person(session, district)
    people.change_person(session, SYSTEM, make_person(session, branch).id, left=True)
    people.change_person(session, SYSTEM, secretary.id, roles=[{"unit_id": branch.id, "role": "书记"}])
    sizes = units.measure_units(session, [city, district, elsewhere, empty])
    assert sizes == {city.id: (4, 2), district.id: (2, 2), elsewhere.id: (0, 0), empty.id: (0, 0)}
    found = session.scalars(units.find_units([city.path], level="branch", has_contact=False))
    assert [unit.id for unit in found] == [empty.id]


def test_how_many_units_a_window_reaches(session, city, district, elsewhere):
    assert units.count_windows(session, city) == (3, 2)
    assert units.count_windows(session, district) == (1, 0)


def test_finding_units(session, city, district, elsewhere):
    def found(*paths, **wanted):
        return {unit.code for unit in session.scalars(units.find_units(paths, **wanted))}

    assert found(city.path) == {"01", "0101", "0102"}
    assert found(district.path) == {"0101"}
    assert found() == set()
    assert found(city.path, level="district", code="0102") == {"0102"}
    assert found(city.path, parent_id=city.id) == {"0101", "0102"}
    assert found(city.path, name="0101") == {"0101"}
    assert found(city.path, name="_101") == set()


def test_two_who_create_the_same_number_at_once_get_one_person_and_one_clear_answer(database):
    with database.session() as session:
        unit_id = make_unit(session).id
    ready, outcomes = threading.Barrier(2), []

    def create():
        try:
            with database.session() as session:
                ready.wait()
                people.create_person(session, SYSTEM, unit_id, "王伟", number="M1")
            outcomes.append("created")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "created"]
