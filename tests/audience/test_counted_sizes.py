"""How many several rules reach, asked at once: the same as each rule's own reach."""

from __future__ import annotations

from sqlalchemy import event

from sms_service.audience.covering import EVERY_TEXT
from sms_service.audience.measuring import measure_reach
from sms_service.audience.models import Suppression
from sms_service.audience.sizes import count_reached
from tests.factories import make_person, make_unit

RULES = (
    {"everyone": True},
    {"unit": {"code": "U1"}},
    {"all": [{"unit": {"code": "U1"}}, {"tag": "青年"}]},
)


def test_each_rule_is_counted_as_alone_and_all_in_one_statement(session, database):
    city = make_unit(session, code="U0")
    branch = make_unit(session, code="U1", parent=city, level="branch")
    for number in range(4):
        make_person(session, branch, tags=["青年"] if number else [])
    shared = make_person(session, city)
    make_person(session, branch, phone=shared.phone)
    make_person(session, branch, phone=None)
    session.add(Suppression(phone=make_person(session, city).phone, source="api"))
    session.flush()
    rules = [(unit.path, rule, EVERY_TEXT) for unit in (city, branch) for rule in RULES]
    alone = [measure_reach(session, rule, path, [], []).phones for path, rule, _ in rules]
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert count_reached(session, rules) == alone
    assert len(asked) == 1 + 4, "and one for each rule that names a unit"
    assert count_reached(session, [(city.path, {"everyone": True}, EVERY_TEXT)]) == [5]


def test_a_rule_that_cannot_be_used_any_more_has_no_number(session):
    branch = make_unit(session, code="U1", level="branch")
    elsewhere = make_unit(session, code="U2")
    rules = [
        (branch.path, {"unit": {"code": "gone"}}, EVERY_TEXT),
        (branch.path, {"unit": {"code": elsewhere.code}}, EVERY_TEXT),
        (branch.path, {"nonsense": 1}, EVERY_TEXT),
    ]
    assert count_reached(session, rules) == [None, None, None]
    assert count_reached(session, []) == []


def test_a_long_list_asks_for_few_of_the_rules_that_name_units(session, database):
    city = make_unit(session, code="U0")
    make_person(session, city)
    branches = [make_unit(session, code=f"U{number}", parent=city) for number in range(1, 9)]
    session.flush()
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    rules = [(city.path, {"unit": {"code": branch.code}}, EVERY_TEXT) for branch in branches]
    assert count_reached(session, [*rules, (city.path, {"everyone": True}, EVERY_TEXT)]) == [0] * 5 + [None] * 3 + [1]
    assert len(asked) == 6
