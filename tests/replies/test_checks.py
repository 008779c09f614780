"""Still the same person? A yes ends the suspicion, a wrong number is suppressed at once, silence changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text, update

from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.delivery.lost_checks import answer_check
from sms_service.directory.models import Person
from sms_service.replies.rereading import reread_reply
from sms_service.replies.respondents import note_answer
from sms_service.vocabulary import Meaning
from tests.clocks import ahead_by
from tests.dispatch.city import City, drain, make_city, messages
from tests.factories import fictional_phone
from tests.replies.asking import ask
from tests.replies.replying import write_in

PHONE, SILENT, NEW = (fictional_phone(number) for number in (5, 41, 42))
CHECK = {"kind": "check", "hours": 168}


@pytest.fixture
def city(database: Database) -> City:
    """Two people whose numbers seem dead, with an open check each; both are asked."""
    made = make_city(database, 0, more=[{"phone": PHONE}, {"phone": SILENT}])
    drain(database, made.gateways)
    with database.session() as session:
        session.execute(update(Person).values(suspect_since=text("sms_now()")))
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO lost_checks (person_id, cause, campaigns, opened_at)"
                " SELECT id, 'dead_number', 2, sms_now() FROM people"
            )
        )
    return made


def state(database: Database, phone: str) -> tuple[Any, ...]:
    """Whether the number is suspected, the cause and answer of the last check, why it is suppressed."""
    query = """
        SELECT p.suspect_since IS NOT NULL, c.cause, c.answer, s.reason
        FROM people p JOIN lost_checks c ON c.person_id = p.id
        LEFT JOIN suppressions s ON s.phone = :phone AND s.lifted_at IS NULL
        WHERE p.phone = :phone ORDER BY c.id DESC LIMIT 1
    """
    with database.transaction() as connection:
        return tuple(connection.execute(text(query), {"phone": phone}).one())


def write(database: Database, words: str) -> int:
    with ahead_by(database.url, "1 second") as later:
        [reply_id] = write_in(later, PHONE, words)
    return reply_id


def test_a_yes_ends_the_suspicion_and_the_check(database: Database, city: City) -> None:
    ask(database, city.run_id, CHECK)
    write(database, "是我")
    assert state(database, PHONE) == (False, "dead_number", "reached", None)
    assert state(database, SILENT) == (True, "dead_number", None, None), "silence keeps it"
    with database.transaction() as connection:
        acts = connection.execute(text("SELECT count(*) FROM trail WHERE act = 'check.answer'")).scalar_one()
    write(database, "是")
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM trail WHERE act = 'check.answer'")).scalar_one() == acts


def test_a_wrong_number_is_suppressed_at_once_and_the_branch_is_asked(database: Database, city: City) -> None:
    ask(database, city.run_id, CHECK)
    write(database, "你打错了")
    assert state(database, PHONE) == (True, "other_person", None, "wrong_person")
    with database.session() as session:
        query = text("SELECT c.id FROM lost_checks c JOIN people p ON p.id = c.person_id WHERE p.phone = :phone")
        check_id = session.execute(query, {"phone": PHONE}).scalar_one()
        answer_check(session, SYSTEM, check_id, "new_number", NEW)
    assert state(database, NEW) == (False, "other_person", "new_number", None)


def test_who_has_another_phone_by_now_is_not_meant(database: Database, city: City) -> None:
    ask(database, city.run_id, CHECK)
    with database.session() as session:
        session.execute(update(Person).where(Person.phone == PHONE).values(phone=NEW))
    write(database, "不是本人")
    assert state(database, NEW) == (True, "dead_number", None, None)
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM suppressions")).scalar_one() == 0


def test_what_a_person_reads_or_notes_counts_too(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id, CHECK)
    reply_id = write(database, "你找谁呀")
    assert state(database, PHONE)[2] is None
    with database.session() as session:
        reread_reply(session, SYSTEM, reply_id, Meaning.wrong_person, question_id=question_id)
        [silent] = [row for row in messages(database, city.run_id) if row.phone == SILENT]
        note_answer(session, SYSTEM, question_id, silent.person_id, "yes", note="电话问过")
    assert state(database, PHONE) == (True, "other_person", None, "wrong_person")
    assert state(database, SILENT) == (False, "dead_number", "reached", None)
