"""Rules to SQL, against the same rules read by a few lines of Python over a small population."""

import pytest
from factories import make_person, make_unit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select, true
from sqlalchemy.orm import Session

from sms_service.audience import rules
from sms_service.audience.grammar import MAX_DEPTH, MAX_NODES, MAX_PEOPLE, parse_rule
from sms_service.audience.rules import audience_select
from sms_service.directory.models import Contact
from sms_service.errors import Invalid
from tests.audience.counting import count_audience

TAGS, ROLES, KINDS, GENDERS = ["退休", "青年"], ["书记", "组织委员"], ["member", "contact"], ["男", "女"]
DATES = ["1985-03-01", "1990-01-01", "一九八五年", "20000101"]
UNITS = range(6)  # 0 the city; 1, 2 districts; 3, 4 branches of 1; 5 a branch of 2


def build(session, people):
    """The units and `people` = [(unit, tags, kind, attributes, left, [(unit, role)])]."""
    city = make_unit(session, code="U0")
    districts = [make_unit(session, code=f"U{n}", parent=city) for n in (1, 2)]
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


def oracle(rule, scope, units, people, made):
    """The pairs (person id, unit id) that the rule finds, by the words of its documentation."""

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
        stored = attributes.get(value["name"])
        if "exists" in value:
            return (stored is not None) == value["exists"]
        if "is" in value:
            return stored == value["is"]
        if "in" in value:
            return stored in value["in"]
        if stored is None or len(stored) != 10:
            return False
        return stored < value["before"] if "before" in value else stored > value["after"]

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
    {}, optional={"gender": st.sampled_from(GENDERS), "joined_on": st.sampled_from(DATES)}
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
                st.sampled_from(["all", "any", "not", "unit", "tag", "attribute", "name", "is", "x"]), inner
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
