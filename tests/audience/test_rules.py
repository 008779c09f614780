"""Rules to SQL, against the same rules read by a few lines of Python over a small population."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import pytest
from factories import make_person, make_unit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select, true
from sqlalchemy.orm import Session

from sms_service.audience import rules
from sms_service.audience.attributes import ANNIVERSARIES, NUMBERS
from sms_service.audience.grammar import MAX_DEPTH, MAX_NODES, MAX_PEOPLE, parse_rule
from sms_service.audience.rules import audience_select
from sms_service.directory.models import Contact
from sms_service.errors import Invalid
from tests.audience.counting import count_audience
from tests.clocks import ahead_by

TAGS, ROLES, KINDS, GENDERS = ["退休", "青年"], ["书记", "组织委员"], ["member", "contact"], ["男", "女"]
LEVELS = ["city", "district", "branch"]
CITY_TIME, FAR = "Asia/Shanghai", "Pacific/Auckland"  # the second district lives by another clock
TODAY = datetime.now(ZoneInfo(CITY_TIME)).date()


def years_ago(day, years):
    """The same day so many years before; the 28th of February where that year has no 29th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


NEAR = [years_ago(TODAY, years) + timedelta(days=days) for years in (0, 1, 18) for days in (-1, 0, 1, 40)]
DATES = ["1985-03-01", "1990-01-01", "一九八五年", "20000101", "2000-02-29", *(day.isoformat() for day in NEAR)]
BIRTHDAYS = ["02-28", "02-29", "03-01"]
POINTS = ["100", "99.5", "-3", "+100", "0100", "１００", "100分", "1e3", "", "100.0"]
UNITS = range(6)  # 0 the city; 1, 2 districts; 3, 4 branches of 1; 5 a branch of 2


def build(session, people):
    """The units and `people` = [(unit, tags, kind, attributes, left, [(unit, role)])]."""
    city = make_unit(session, code="U0")
    districts = [make_unit(session, code=f"U{n}", parent=city, timezone=zone) for n, zone in ((1, CITY_TIME), (2, FAR))]
    units = [city, *districts]
    units += [
        make_unit(session, code=f"U{n}", parent=districts[above], level="branch")
        for n, above in ((3, 0), (4, 0), (5, 1))
    ]
    made = []
    for unit, tags, kind, attributes, left, roles in people:
        person = make_person(session, units[unit], tags=tags, kind=kind, attributes=attributes)
        person.left_at = func.now() if left else None
        session.add_all(Contact(person_id=person.id, unit_id=units[u].id, role=role) for u, role in set(roles))
        made.append(person)
    session.flush()
    return units, made


def as_number(text):
    """The number that a text is, written with digits of ours, or None."""
    try:
        return Decimal(text) if text is not None and text.isascii() and "e" not in text else None
    except InvalidOperation:
        return None


def compares(left, comparison, right):
    return {"less": left < right, "more": left > right, "at_least": left >= right, "at_most": left <= right}[comparison]


def whole_years(since, today):
    """Whole years since a date; None for one that lies ahead."""
    if since > today:
        return None
    years = today.year - since.year
    return years if years_ago(today, years) >= since else years - 1


def falls_on(born, when, today):
    """Whether the day and month of a date are those, in the year of today or of tomorrow."""
    if when.endswith("month"):
        return born.month == (today.month if when == "this_month" else today.month % 12 + 1)
    day = today if when == "today" else today + timedelta(days=1)
    try:
        return born.replace(year=day.year) == day
    except ValueError:
        return (day.month, day.day) == (2, 28)


def far_from(today, distance):
    unit, number = next(iter(distance.items()))
    if unit == "years_ago":
        return years_ago(today, number)
    return today + timedelta(days=number if unit == "days_ahead" else -number)


def holds_of_attribute(value, stored, today):
    comparison, operand = next((key, operand) for key, operand in value.items() if key != "name")
    match comparison:
        case "exists":
            return (stored is not None) == operand
        case "is":
            return stored == operand
        case "in":
            return stored in operand
        case "less" | "more" | "at_least" | "at_most":
            number = as_number(stored)
            return number is not None and compares(number, comparison, operand)
    if stored is None or len(stored) != 10:
        return False
    day = date.fromisoformat(stored)
    match comparison:
        case "age":
            years, (how, most) = whole_years(day, today), next(iter(operand.items()))
            return years is not None and compares(years, how, most)
        case "anniversary":
            return falls_on(day, operand, today)
    bound = far_from(today, operand) if isinstance(operand, dict) else date.fromisoformat(operand)
    return day < bound if comparison == "before" else day > bound


def oracle(rule, scope, units, people, made):
    """The pairs (person id, unit id) that the rule finds, by the words of its documentation."""
    today = datetime.now(ZoneInfo(FAR if scope == 2 else CITY_TIME)).date()

    def below(unit, above):
        return units[unit].path.startswith(units[above].path)

    def roles_asked(rule):
        key, value = next(iter(rule.items()))
        if key in ("all", "any"):
            return set().union(*(roles_asked(inner) for inner in value))
        return roles_asked(value) if key == "not" else {value} if key == "role" else set()

    def holds(rule, person, unit):
        key, value = next(iter(rule.items()))
        _, tags, kind, attributes, _, roles = person
        match key:
            case "all":
                return all(holds(inner, person, unit) for inner in value)
            case "any":
                return any(holds(inner, person, unit) for inner in value)
            case "not":
                return not holds(value, person, unit)
            case "everyone":
                return True
            case "unit":
                return below(unit, int(value["code"][1:]))
            case "role":
                return (unit, value) in roles
            case "tag":
                return value in tags
            case "kind":
                return kind == value
            case "level":
                return units[unit].level == value
        return holds_of_attribute(value, attributes.get(value["name"]), today)

    asked = roles_asked(rule)
    found = []
    for person, row in zip(people, made, strict=True):
        candidates = {person[0]} | {unit for unit, role in person[5] if role in asked}
        found += [
            (row.id, units[unit].id)
            for unit in candidates
            if not person[4] and below(unit, scope) and holds(rule, person, unit)
        ]
    return sorted(found)


attributes = st.fixed_dictionaries(
    {},
    optional={
        "gender": st.sampled_from(GENDERS),
        "joined_on": st.sampled_from(DATES),
        "points": st.sampled_from(POINTS),
    },
)
population = st.lists(
    st.tuples(
        st.sampled_from(UNITS),
        st.lists(st.sampled_from(TAGS), unique=True),
        st.sampled_from(KINDS),
        attributes,
        st.booleans(),
        st.lists(st.tuples(st.sampled_from(UNITS), st.sampled_from(ROLES)), max_size=3),
    ),
    max_size=10,
)


def rules_within(scope):
    inside = {0: UNITS, 1: (1, 3, 4), 2: (2, 5)}[scope]
    leaf = st.one_of(
        st.just({"everyone": True}),
        st.sampled_from(inside).map(lambda n: {"unit": {"code": f"U{n}"}}),
        st.sampled_from(ROLES).map(lambda role: {"role": role}),
        st.sampled_from(TAGS).map(lambda tag: {"tag": tag}),
        st.sampled_from(KINDS).map(lambda kind: {"kind": kind}),
        st.sampled_from(LEVELS).map(lambda level: {"level": level}),
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from([100, 99.5, -3, 0])).map(
            lambda pair: {"attribute": {"name": "points", pair[0]: pair[1]}}
        ),
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from([0, 1, 17, 18])).map(
            lambda pair: {"attribute": {"name": "joined_on", "age": {pair[0]: pair[1]}}}
        ),
        st.tuples(
            st.sampled_from(["before", "after"]),
            st.sampled_from(
                [{"years_ago": 1}, {"years_ago": 18}, {"days_ago": 0}, {"days_ahead": 40}, {"days_ago": 1}]
            ),
        ).map(lambda pair: {"attribute": {"name": "joined_on", pair[0]: pair[1]}}),
        st.sampled_from(ANNIVERSARIES).map(lambda when: {"attribute": {"name": "joined_on", "anniversary": when}}),
        st.sampled_from(
            [
                {"name": "gender", "is": "男"},
                {"name": "gender", "in": ["女", "其他"]},
                {"name": "gender", "exists": False},
                {"name": "joined_on", "exists": True},
                {"name": "joined_on", "before": "1990-01-01"},
                {"name": "joined_on", "after": "1985-03-01"},
                {"name": "joined_on", "after": "1985-02-28"},
            ]
        ).map(lambda comparison: {"attribute": comparison}),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            inner.map(lambda rule: {"not": rule}),
            st.lists(inner, min_size=1, max_size=3).map(lambda found: {"all": found}),
            st.lists(inner, min_size=1, max_size=3).map(lambda found: {"any": found}),
        ),
        max_leaves=6,
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=population, found=st.sampled_from([0, 1, 2]).flatmap(lambda n: st.tuples(st.just(n), rules_within(n))))
def test_the_query_finds_what_the_words_say(database, people, found):
    scope, rule = found
    with Session(database.engine) as session:
        units, made = build(session, people)
        expected = oracle(rule, scope, units, people, made)
        statement = audience_select(session, rule, units[scope].path)
        assert sorted(map(tuple, session.execute(statement))) == expected
        assert count_audience(session, rule, units[scope].path) == len(expected)
        cte = statement.cte("audience")  # as a freeze embeds it
        assert session.scalar(select(func.count()).select_from(cte)) == len(expected)
        assert [
            (r.person.id, r.unit.id) for r in rules.sample_audience(session, rule, units[scope].path, 3)
        ] == expected[:3]
        if (below := rules.audience_select_below(rule, "scope.path")) is None:  # as a freeze embeds it for many runs
            assert "unit" in str(rule)
            return
        scope_of_run = select(literal(units[scope].path).label("path")).subquery("scope")
        of_many = below.lateral("found")
        joined = select(of_many).select_from(scope_of_run.join(of_many, true()))
        assert sorted(map(tuple, session.execute(joined))) == expected


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ([], "rule"),
        ({}, "rule"),
        ("all", "rule"),
        (None, "rule"),
        ({"tag": "a", "role": "b"}, "rule"),
        ({"tga": "a"}, "rule.tga"),
        ({"all": []}, "rule.all"),
        ({"all": {"tag": "a"}}, "rule.all"),
        ({"all": [{"tag": "a"}, {"tga": "b"}]}, "rule.all[1].tga"),
        ({"not": {"any": [{"tag": ""}]}}, "rule.not.any[0].tag"),
        ({"tag": 1}, "rule.tag"),
        ({"tag": "x" * 201}, "rule.tag"),
        ({"tag": "a\x00"}, "rule.tag"),
        ({"tag": "\ud800"}, "rule.tag"),
        ({"everyone": False}, "rule.everyone"),
        ({"everyone": 1}, "rule.everyone"),
        ({"kind": "robot"}, "rule.kind"),
        ({"kind": ["member"]}, "rule.kind"),
        ({"people": []}, "rule.people"),
        ({"people": 17}, "rule.people"),
        ({"people": [1] * (MAX_PEOPLE + 1)}, "rule.people"),
        ({"people": [1, "2"]}, "rule.people[1]"),
        ({"people": [True]}, "rule.people[0]"),
        ({"people": [2**63]}, "rule.people[0]"),
        ({"unit": "0101"}, "rule.unit"),
        ({"unit": True}, "rule.unit"),
        ({"unit": 2**63}, "rule.unit"),
        ({"unit": {"code": "0101", "x": 1}}, "rule.unit"),
        ({"unit": {"code": 101}}, "rule.unit.code"),
        ({"attribute": "gender"}, "rule.attribute"),
        ({"attribute": {"is": "a"}}, "rule.attribute"),
        ({"attribute": {"name": "a"}}, "rule.attribute"),
        ({"attribute": {"name": "a", "is": "b", "exists": True}}, "rule.attribute"),
        ({"attribute": {"name": "a", "like": "b"}}, "rule.attribute.like"),
        ({"attribute": {"name": "a", "is": 1}}, "rule.attribute.is"),
        ({"attribute": {"name": "a", "in": []}}, "rule.attribute.in"),
        ({"attribute": {"name": "a", "in": ["a", 1]}}, "rule.attribute.in[1]"),
        ({"attribute": {"name": "a", "exists": "yes"}}, "rule.attribute.exists"),
        ({"attribute": {"name": "a", "before": "31.12.1999"}}, "rule.attribute.before"),
        ({"attribute": {"name": "a", "after": "2023-02-30"}}, "rule.attribute.after"),
        ({"attribute": {"name": "a", "after": 5}}, "rule.attribute.after"),
        ({"attribute": {"name": "a", "after": {}}}, "rule.attribute.after"),
        ({"attribute": {"name": "a", "before": {"weeks_ago": 1}}}, "rule.attribute.before"),
        ({"attribute": {"name": "a", "before": {"years_ago": 1, "days_ago": 1}}}, "rule.attribute.before"),
        ({"attribute": {"name": "a", "before": {"years_ago": 151}}}, "rule.attribute.before.years_ago"),
        ({"attribute": {"name": "a", "before": {"days_ago": -1}}}, "rule.attribute.before.days_ago"),
        ({"attribute": {"name": "a", "less": "5"}}, "rule.attribute.less"),
        ({"attribute": {"name": "a", "less": True}}, "rule.attribute.less"),
        ({"attribute": {"name": "a", "less": float("nan")}}, "rule.attribute.less"),
        ({"attribute": {"name": "a", "more": float("inf")}}, "rule.attribute.more"),
        ({"attribute": {"name": "a", "at_least": 10**400}}, "rule.attribute.at_least"),
        ({"attribute": {"name": "a", "age": 60}}, "rule.attribute.age"),
        ({"attribute": {"name": "a", "age": {"is": 60}}}, "rule.attribute.age"),
        ({"attribute": {"name": "a", "age": {"less": 60.5}}}, "rule.attribute.age.less"),
        ({"attribute": {"name": "a", "anniversary": "yesterday"}}, "rule.attribute.anniversary"),
        ({"attribute": {"name": "a", "anniversary": ["today"]}}, "rule.attribute.anniversary"),
        ({"level": "village"}, "rule.level"),
        ({"level": ["city"]}, "rule.level"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(rule, where):
    with pytest.raises(Invalid) as caught:
        parse_rule(rule)
    assert caught.value.field == where


def nested(depth):
    return {"everyone": True} if depth == 1 else {"not": nested(depth - 1)}


def test_depth_and_size_are_bounded():
    parse_rule(nested(MAX_DEPTH))
    with pytest.raises(Invalid, match="deeper"):
        parse_rule(nested(MAX_DEPTH + 1))
    parse_rule({"any": [{"tag": "a"}] * (MAX_NODES - 1)})
    with pytest.raises(Invalid, match="more than"):
        parse_rule({"any": [{"tag": "a"}] * MAX_NODES})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "all",
                        "any",
                        "not",
                        "unit",
                        "level",
                        "tag",
                        "attribute",
                        "name",
                        "is",
                        "less",
                        "before",
                        "age",
                        "x",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_any_json_is_a_rule_or_refused_with_a_place(value):
    try:
        parse_rule(value)
    except Invalid as error:
        place = error.field
    else:
        place = "rule"
    assert place.startswith("rule")


@pytest.mark.parametrize("named", [{"code": "U2"}, {"code": "nowhere"}, {"code": "U0"}, 10**9])
def test_a_unit_outside_the_segments_unit_is_refused(session, named):
    units, _ = build(session, [])
    with pytest.raises(Invalid) as caught:
        audience_select(session, {"not": {"unit": named}}, units[1].path)
    assert caught.value.field.startswith("rule.not.unit")


@pytest.mark.parametrize("join", ["any", "all"])
def test_many_roles_and_tags_are_asked_for_in_one_pass(session, join):
    unit = make_unit(session)
    rule = {join: [{kind: f"词{n}"} for n in range(MAX_NODES // 2 - 1) for kind in ("role", "tag")]}
    statement = str(audience_select(session, rule, unit.path))
    assert statement.count("FROM contacts") == 1
    assert statement.count("SELECT") == 4, "own pairs, roles held, both gathered, and the people"


def test_a_rule_may_name_a_unit_by_id(session):
    units, made = build(session, [(3, [], "member", {}, False, []), (5, [], "member", {}, False, [])])
    rule = {"unit": units[1].id}
    assert [tuple(row) for row in session.execute(audience_select(session, rule, units[0].path))] == [
        (made[0].id, units[3].id)
    ]


def test_a_rule_may_name_people_who_are_found_within_the_unit_only(session):
    units, made = build(
        session, [(unit, [], "member", {}, left, []) for unit, left in ((3, 0), (4, 0), (4, 1), (5, 0))]
    )
    inside, other, gone, outside = (person.id for person in made)
    rule = {"people": [outside, inside, gone, inside, 10**9]}

    def found(rule, unit):
        return {row.person_id for row in session.execute(audience_select(session, rule, unit.path))}

    assert found(rule, units[1]) == {inside}
    assert found({"not": rule}, units[1]) == {other}
    assert found({"people": [*range(10**12, 10**12 + MAX_PEOPLE - 1), 2**63 - 1]}, units[0]) == set()


@pytest.mark.parametrize(
    ("clock", "found"),
    [
        ("2027-02-28T15:00:00Z", {"02-28", "02-29"}),  # 23:00 in the city: a year without the 29th
        ("2027-02-28T16:01:00Z", {"03-01"}),  # past its midnight
        ("2028-02-28T12:00:00Z", {"02-28"}),
        ("2028-02-29T12:00:00Z", {"02-29"}),
    ],
)
def test_a_birthday_of_a_leap_year_is_found_in_every_year(database_url, clock, found):
    offset = f"{(datetime.fromisoformat(clock) - datetime.now(UTC)).total_seconds():.0f} s"
    with ahead_by(database_url, offset) as then, Session(then.engine) as session:
        city = make_unit(session)
        days = {make_person(session, city, attributes={"生日": f"1984-{day}"}).id: day for day in BIRTHDAYS}
        rule = {"attribute": {"name": "生日", "anniversary": "today"}}
        assert {days[row.person_id] for row in session.execute(audience_select(session, rule, city.path))} == found
