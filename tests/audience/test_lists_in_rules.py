"""Rules with lists find whom a few lines of Python find; a guest is found by a list alone, and by no `not`."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func

from sms_service.audience import measuring
from sms_service.audience.grammar import parse_rule
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.audience.listed import find_row_list
from sms_service.audience.rules import audience_select
from tests.examples import count_examples
from tests.factories import make_person, make_unit

OWN = ("row.座位",)
leaf = st.sampled_from([{"list": 0}, {"list": 1}, {"tag": "退休"}, {"everyone": True}, {"kind": "member"}])
rules = st.recursive(
    leaf,
    lambda inner: st.one_of(
        inner.map(lambda rule: {"not": rule}),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"all": several}),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"any": several}),
    ),
    max_leaves=5,
)
# Of each person: on which lists with which seat, whether they have the tag, and what they are.
people = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from([0, 1]), st.sampled_from([None, "1排", "22排"])),
        st.booleans(),
        st.sampled_from(["member", "contact", "guest", "left"]),
    ),
    min_size=1,
    max_size=6,
)


def lists_in(rule: object) -> set[int]:
    [(key, value)] = rule.items()
    if key in ("all", "any"):
        return set().union(*(lists_in(one) for one in value))
    return lists_in(value) if key == "not" else {value} if key == "list" else set()


def holds(rule: object, on: dict[int, object], tagged: bool, kind: str) -> bool:
    [(key, value)] = rule.items()
    match key:
        case "all":
            return all(holds(one, on, tagged, kind) for one in value)
        case "any":
            return any(holds(one, on, tagged, kind) for one in value)
        case "not":
            return not holds(value, on, tagged, kind)
        case "list":
            return value in on
        case "tag":
            return tagged
        case "kind":
            return kind in ("member", "left")
    return True


def with_ids(rule: object, ids: list[int]) -> object:
    [(key, value)] = rule.items()
    if key in ("all", "any"):
        return {key: [with_ids(one, ids) for one in value]}
    return {key: with_ids(value, ids) if key == "not" else ids[value] if key == "list" else value}


def below_not(rule: object) -> bool:
    [(key, value)] = rule.items()
    if key in ("all", "any"):
        return any(below_not(one) for one in value)
    return key == "not" and bool(lists_in(value))


@settings(max_examples=count_examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=rules, crowd=people)
def test_a_rule_with_lists_finds_whom_its_words_say(database, rule, crowd):
    with database.session() as session:
        unit = make_unit(session)
        kept = [
            RecipientList(unit_id=unit.id, name="x", file_name="x", columns=["座位"], people=0, guests=0, digest=b"x")
            for _ in range(2)
        ]
        session.add_all(kept)
        session.flush()
        made = []
        for place, (on, tagged, kind) in enumerate(crowd):
            columns = {"kind": "member" if kind == "left" else kind, "tags": ["退休"] if tagged else []}
            person = make_person(session, unit, **columns)
            person.left_at = func.now() if kind in ("guest", "left") else None
            made.append(person)
            for number, seat in on.items():
                values = {} if seat is None else {"座位": seat}
                session.add(RecipientRow(list_id=kept[number].id, person_id=person.id, row=place, values=values))
        session.flush()
        expected = {
            person.id: on
            for person, (on, tagged, kind) in zip(made, crowd, strict=True)
            if holds(rule, on, tagged, kind) and kind != "left" and (kind != "guest" or bool(lists_in(rule) & set(on)))
        }
        written = with_ids(rule, [one.id for one in kept])
        found = session.execute(audience_select(session, written, unit.path)).all()
        assert sorted(row.person_id for row in found) == sorted(expected)
        source = find_row_list(parse_rule(written))
        named = lists_in(rule)
        assert source == (kept[min(named)].id if len(named) == 1 and not below_not(rule) else None)
        seats = {person_id: on.get(min(named)) if source is not None else None for person_id, on in expected.items()}
        small = measuring.measure_reach(session, written, unit.path, OWN, OWN)
        assert {one.person_id: one.values["row.座位"] for one in small.tried} == seats
        large = measuring.count_reach(
            session, audience_select(session, written, unit.path), unit.path, OWN, OWN, source
        )
        assert {one.person_id: one.values["row.座位"] for one in large.tried} == seats
        assert (
            small.lacking == large.lacking == ({"row.座位": lack} if (lack := list(seats.values()).count(None)) else {})
        )
        session.rollback()
