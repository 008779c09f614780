"""Answers counted up a tree, against a naive count of people in whatever order their answers came in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.errors import Forbidden, Invalid
from sms_service.replies.answers import (
    AnswerLine,
    count_answers,
    find_respondents,
    name_of_respondent,
    open_respondents,
)
from sms_service.replies.respondents import get_respondent, note_answer
from sms_service.vocabulary import AnswerGroup
from tests.audience.naive import ready
from tests.examples import count_examples
from tests.factories import make_actor, make_unit
from tests.replies.asked_tree import ask_tree, asked_people, count_naively
from tests.replies.asking import RSVP

NUMBERS = ("asked", "reached", "yes", "coming", "no", "free_text", "silent", "unreached", "late")


@pytest.fixture
def city(database: Database) -> Database:
    ready(database)
    return database


def numbers(line: AnswerLine) -> Counter[str]:
    return Counter({name: getattr(line, name) for name in NUMBERS})


@settings(max_examples=count_examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=asked_people, data=st.data())
def test_counts_are_the_truth_up_the_whole_tree(city: Database, people: list[Any], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(sum(len(one[3]) for one in people))))
    with Session(city.engine) as session:
        tree = ask_tree(session, people, order, RSVP)
        truth = count_naively(people, order)
        for place, unit in enumerate(tree.units):
            own, below = count_answers(session, SYSTEM, tree.question_id, unit.id)
            assert own is not None
            assert own.holds
            assert numbers(own) == Counter({name: truth[place][name] for name in NUMBERS}), place
            assert sum((numbers(line) for line in below), Counter()) == +numbers(own), "the lines add up"
            for line in below:
                if line.unit_id != unit.id:
                    at = next(n for n, one in enumerate(tree.units) if one.id == line.unit_id)
                    assert numbers(line) == Counter({name: truth[at][name] for name in NUMBERS})
        everybody = open_respondents(session, SYSTEM, tree.question_id)
        for group in AnswerGroup:
            found = session.execute(find_respondents(everybody, group)).all()
            name = "asked" if group == AnswerGroup.all else group.value
            assert len(found) == len({row.person_id for row in found}) == truth[0][name], group


def test_a_secretary_sees_the_own_branch_of_a_question_from_above(city: Database) -> None:
    people = [(2, "delivered", None, []), (3, "accepted", None, [("yes", None, 1, "reply")])]
    with Session(city.engine) as session:
        tree = ask_tree(session, people, [0], RSVP)
        secretary = make_actor(session, tree.units[3])
        own, _ = count_answers(session, secretary, tree.question_id)
        assert own is not None
        assert (own.unit_id, own.asked, own.yes) == (tree.units[3].id, 1, 1)
        two = make_actor(session, tree.units[2])
        with pytest.raises(Forbidden):
            count_answers(session, two, tree.question_id, tree.units[3].id)
        with pytest.raises(Forbidden):
            count_answers(session, make_actor(session, make_unit(session)), tree.question_id)
        elsewhere = make_unit(session)
        with pytest.raises(Invalid, match="must be the unit of the question"):
            count_answers(session, SYSTEM, tree.question_id, elsewhere.id)
        respondents = open_respondents(session, secretary, tree.question_id)
        rows = session.execute(find_respondents(respondents).order_by(name_of_respondent())).all()
        assert [row.name for row in rows] == ["党员01"]


def test_a_survey_is_counted_by_option(city: Database, session: Session) -> None:
    people = [(2, "delivered", None, []), (3, "accepted", None, []), (5, "accepted", None, [])]
    tree = ask_tree(session, people, [], {"kind": "survey", "options": ["好", "不好"], "hours": 1})
    for person, options in zip(tree.people, ((1, 2), (2,), ()), strict=True):
        for option in options:
            note_answer(session, SYSTEM, tree.question_id, person, "choice", option=option)
    own, _ = count_answers(session, SYSTEM, tree.question_id, tree.units[0].id)
    assert own is not None
    assert (own.asked, own.choice, own.options, own.silent, own.holds) == (3, 2, (0, 2), 1, True)
    respondents = open_respondents(session, SYSTEM, tree.question_id)
    assert len(session.execute(find_respondents(respondents, option=2)).all()) == 2
    history = get_respondent(session, SYSTEM, tree.question_id, tree.people[0]).answers
    assert [(one.choices, one.standing) for one in history] == [("2", "counts"), ("1", "replaced")]
