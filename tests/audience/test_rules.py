"""Rules to SQL, against the same rules read by a few lines of Python over a small population."""

from datetime import UTC, datetime

import pytest
from factories import make_person, make_unit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select, true
from sqlalchemy.orm import Session

from sms_service.audience import rules
from sms_service.audience.grammar import MAX_DEPTH, MAX_NODES, MAX_PEOPLE, parse_rule
from sms_service.audience.nesting import write_out_now
from sms_service.audience.rules import audience_select
from sms_service.directory.dates import read_date
from sms_service.errors import Invalid
from tests.audience.counting import count_audience
from tests.audience.naive import build, fates, name_segments, oracle, population, ready, rules_with_segments, save, send
from tests.clocks import ahead_by
from tests.examples import count_examples

ACCEPTED = {"campaign": {"id": 0, "outcome": "accepted"}}


@pytest.fixture
def city_of_before(database):
    ready(database)
    return database


@settings(max_examples=count_examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=population, found=rules_with_segments(), fates=fates)
@example(people=[], found=(0, [], {"all": [ACCEPTED, ACCEPTED]}), fates=[("shared", False)] * 10)
def test_the_query_finds_what_the_words_say(city_of_before, people, found, fates):
    scope, saved, rule = found
    with Session(city_of_before.engine) as session:
        units, made = build(session, people)
        campaign_id, fates = send(session, units, made, fates)
        expected = oracle(rule, scope, units, people, made, saved, fates)
        rule = name_segments(rule, save(session, units, saved, campaign_id), campaign_id)
        statement = audience_select(session, rule, units[scope].path)
        assert sorted(map(tuple, session.execute(statement))) == expected
        assert count_audience(session, rule, units[scope].path) == len(expected)
        cte = statement.cte("audience")  # as a freeze embeds it
        assert session.scalar(select(func.count()).select_from(cte)) == len(expected)
        assert [
            (r.person.id, r.unit.id) for r in rules.sample_audience(session, rule, units[scope].path, 3)
        ] == expected[:3]
        written = write_out_now(session, rule, units[scope].path).rule  # as a run carries it
        if (below := rules.audience_select_below(written, "scope.path")) is None:  # as a freeze embeds it for many runs
            assert "unit" in str(written) or "campaign" in str(written)
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
        ({"segment": "12"}, "rule.segment"),
        ({"segment": 0}, "rule.segment"),
        ({"campaign": 17}, "rule.campaign"),
        ({"campaign": {"id": 17}}, "rule.campaign"),
        ({"campaign": {"id": "17", "outcome": "texted"}}, "rule.campaign.id"),
        ({"campaign": {"id": 17, "outcome": "read"}}, "rule.campaign.outcome"),
        ({"campaign": {"id": 17, "outcome": []}}, "rule.campaign.outcome"),
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
        days = {
            make_person(session, city, attributes={"生日": f"1984-{day}"}).id: day
            for day in ("02-28", "02-29", "03-01")
        }
        rule = {"attribute": {"name": "生日", "anniversary": "today"}}
        assert {days[row.person_id] for row in session.execute(audience_select(session, rule, city.path))} == found


@pytest.mark.parametrize("written", ["1999年2月1日", "1990-5-3", "1987.02", "31107", "一九八五年三月一日"])
def test_rules_find_every_date_that_an_import_reads(session, written):
    city = make_unit(session)
    person = make_person(session, city, attributes={"出生日期": read_date(written).day})
    for comparison in (
        {"after": "1980-01-01"},
        {"before": "2000-01-01"},
        {"before": {"years_ago": 20}},
        {"age": {"at_least": 25}},
    ):
        rule = {"attribute": {"name": "出生日期", **comparison}}
        assert [row.person_id for row in session.execute(audience_select(session, rule, city.path))] == [person.id]
