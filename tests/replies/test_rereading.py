"""A person reads a reply again: both readings are kept, and the answer follows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.replies.erasing import erase_replies
from sms_service.replies.rereading import list_candidates, list_readings, reread_reply
from sms_service.replies.respondents import note_answer
from sms_service.vocabulary import Meaning
from tests.clocks import ahead_by
from tests.dispatch.city import City, drain, make_city, messages
from tests.factories import fictional_phone, make_actor, make_unit
from tests.replies.asking import ask
from tests.replies.replying import find_reply, write_in

PHONE, OTHER = fictional_phone(5), fictional_phone(90_000_060)


@pytest.fixture
def city(database: Database) -> City:
    made = make_city(database, 1, more=[{"phone": PHONE}])
    drain(database, made.gateways)
    return made


def answers(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        query = "SELECT said, choices, people, voided_at IS NULL FROM answers ORDER BY id"
        return [tuple(row) for row in connection.execute(text(query))]


def write(database: Database, words: str, phone: str = PHONE) -> int:
    with ahead_by(database.url, "1 second") as later:
        [reply_id] = write_in(later, phone, words)
    return reply_id


def test_what_was_not_understood_is_read_by_a_person(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id)
    reply_id = write(database, "到时一定带上我家那位")
    with database.session() as session:
        officer = make_actor(session, session.get_one(Unit, city.unit.id))
        [candidate] = list_candidates(session, officer, find_reply(session, reply_id))
        assert candidate.question.id == question_id
        reread_reply(session, officer, reply_id, Meaning.yes, question_id=question_id, people=2, why="电话问过")
    with database.session() as session:
        reply = find_reply(session, reply_id)
        assert (reply.meaning, reply.rule, reply.read_by) == ("yes", "person", officer.account_id)
        assert reply.inbox_status == "closed"
        [before] = list_readings(session, reply)
        assert (before.meaning, before.rule, before.why) == ("free_text", "not_understood", "电话问过")
    assert answers(database) == [("free_text", None, None, False), ("yes", None, 2, True)]


def test_a_stranger_is_assigned_to_the_person_who_was_asked(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id)
    reply_id = write(database, "参加", phone=OTHER)
    [asked] = [row for row in messages(database, city.run_id) if row.phone == PHONE]
    with database.session() as session:
        assert list_candidates(session, SYSTEM, find_reply(session, reply_id)) == []
        with pytest.raises(Invalid) as refused:
            reread_reply(session, SYSTEM, reply_id, Meaning.yes, question_id=question_id)
        assert refused.value.field == "question_id"
        reply = reread_reply(session, SYSTEM, reply_id, Meaning.yes, question_id=question_id, person_id=asked.person_id)
        assert (reply.person_id, reply.message_id, reply.unit_path) == (asked.person_id, asked.id, city.unit.path)
    assert answers(database) == [("yes", None, None, True)]


@pytest.mark.parametrize(
    ("meaning", "given", "field"),
    [
        (Meaning.choice, {"choices": "1"}, "meaning"),
        (Meaning.yes, {"people": 0}, "people"),
        (Meaning.no, {"people": 2}, "people"),
        (Meaning.stop, {}, "meaning"),
    ],
)
def test_what_does_not_fit_the_question_is_named(
    database: Database, city: City, meaning: Meaning, given: dict[str, Any], field: str
) -> None:
    question_id = ask(database, city.run_id)
    reply_id = write(database, "看情况")
    with database.session() as session, pytest.raises(Invalid) as refused:
        reread_reply(session, SYSTEM, reply_id, meaning, question_id=question_id, **given)
    assert refused.value.field == field
    assert answers(database) == [("free_text", None, None, True)]


def test_how_many_come_is_said_to_an_invitation_alone(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id, {"kind": "check", "hours": 24})
    reply_id = write(database, "看情况")
    with database.session() as session, pytest.raises(Invalid) as refused:
        reread_reply(session, SYSTEM, reply_id, Meaning.yes, question_id=question_id, people=2)
    assert refused.value.field == "people"


def test_an_answer_of_a_survey_is_one_of_its_options(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id, {"kind": "survey", "options": ["好", "不好"], "hours": 24})
    reply_id = write(database, "还行吧")
    with database.session() as session:
        with pytest.raises(Invalid) as refused:
            reread_reply(session, SYSTEM, reply_id, Meaning.choice, question_id=question_id, choices="3")
        assert refused.value.field == "choices"
        reread_reply(session, SYSTEM, reply_id, Meaning.choice, question_id=question_id, choices="1")
    assert answers(database)[-1] == ("choice", "1", None, True)


def test_a_person_may_read_it_as_a_stop(database: Database, city: City) -> None:
    reply_id = write(database, "请你们别再发了")
    with database.session() as session:
        reread_reply(session, SYSTEM, reply_id, Meaning.stop)
    with database.transaction() as connection:
        assert connection.execute(text("SELECT phone, reason FROM suppressions")).all() == [(PHONE, "opted_out")]


def test_only_who_may_write_for_the_unit_reads_again(database: Database, session: Session, city: City) -> None:
    reply_id, strange = write(database, "看情况"), write(database, "谁", phone=OTHER)
    auditor = make_actor(session, session.get_one(Unit, city.unit.id), ("auditor",))
    elsewhere = make_actor(session, make_unit(session))
    for actor in (auditor, elsewhere):
        for one in (reply_id, strange):
            with pytest.raises(Forbidden):
                reread_reply(session, actor, one, Meaning.empty)
    with pytest.raises(NotFound):
        reread_reply(session, SYSTEM, 10**9, Meaning.empty)


def test_of_two_who_read_at_once_the_second_is_told(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id)
    reply_id = write(database, "看情况")
    barrier = threading.Barrier(2)

    def act(meaning: Meaning) -> str:
        with database.session() as session:
            barrier.wait(timeout=10)
            try:
                reread_reply(session, SYSTEM, reply_id, meaning, question_id=question_id, instead_of="free_text")
            except Conflict:
                return "refused"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, (Meaning.yes, Meaning.no))) == ["done", "refused"]
    assert [answer[3] for answer in answers(database)] == [False, True]


def test_an_erasure_empties_what_was_written_beside_it_and_counts_stay(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id)
    reply_id = write(database, "看情况")
    [asked] = [row for row in messages(database, city.run_id) if row.phone == PHONE]
    with database.session() as session:
        reread_reply(session, SYSTEM, reply_id, Meaning.no, question_id=question_id, why="他爱人住院")
        note_answer(session, SYSTEM, question_id, asked.person_id, "yes", note="爱人出院了")
    with database.transaction() as connection:
        assert erase_replies(connection, asked.person_id, [asked.id], [PHONE]) == 1
        assert connection.execute(text("SELECT count(*) FROM answers WHERE note IS NOT NULL")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM reply_readings WHERE why IS NOT NULL")).scalar() == 0
    assert [answer[0] for answer in answers(database)] == ["free_text", "no", "yes"]
