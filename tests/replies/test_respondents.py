"""Answers noted by hand, questions that close and open again, and reminders to those who are silent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.rules import audience_select
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.models import Campaign
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Run
from sms_service.replies import matching
from sms_service.replies.answers import count_answers
from sms_service.replies.asked_questions import close_question, find_questions, get_question, remind_silent
from sms_service.replies.respondents import get_respondent, note_answer
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.dispatch.city import drain, make_city, messages
from tests.factories import fictional_phone, make_actor, make_unit
from tests.replies.asking import ask

FIRST, SECOND, THIRD = (fictional_phone(300 + n) for n in range(3))


class Asked(NamedTuple):
    """A question to three people of a unit, two of whom share a phone with nobody; the third shares with the second."""

    database: Database
    unit: Unit
    run_id: int
    question_id: int
    people: tuple[int, ...]


@pytest.fixture
def asked(database: Database) -> Asked:
    more = [{"name": f"党员{n}", "phone": phone} for n, phone in enumerate((FIRST, SECOND, SECOND, THIRD))]
    city = make_city(database, 0, more=more)
    drain(database, city.gateways)
    question_id = ask(database, city.run_id)
    people = tuple(sorted(row.person_id for row in messages(database, city.run_id)))
    return Asked(database, city.unit, city.run_id, question_id, people)


def said(asked: Asked, phone: str, words: str, at: str) -> None:
    with ahead_by(asked.database.url, at) as ahead:
        store_replies(ahead, "main", [Reply(phone, words, "{}")])
        matching.match_waiting(ahead)


def standings(session: Session, asked: Asked, place: int) -> list[tuple[str, str]]:
    one = get_respondent(session, SYSTEM, asked.question_id, asked.people[place])
    return [(answer.said, answer.standing.value) for answer in one.answers]


def test_a_text_that_is_not_understood_leaves_the_yes_and_stands_beside_it(asked: Asked, session: Session) -> None:
    said(asked, FIRST, "1", "1 minute")
    said(asked, FIRST, "几点？", "2 minutes")
    assert standings(session, asked, 0) == [("free_text", "beside"), ("yes", "counts")]
    one = get_respondent(session, SYSTEM, asked.question_id, asked.people[0])
    assert (one.said, one.coming, [answer.text for answer in one.beside]) == ("yes", 1, ["几点？"])


def test_minds_change_until_it_closes(asked: Asked, session: Session) -> None:
    for minute, words in enumerate(("1", "请假", "2人"), start=1):
        said(asked, FIRST, words, f"{minute} minutes")
    said(asked, FIRST, "0", "80 hours")
    assert standings(session, asked, 0) == [
        ("no", "late"),
        ("yes", "counts"),
        ("no", "replaced"),
        ("yes", "replaced"),
    ]
    own, _ = count_answers(session, SYSTEM, asked.question_id)
    assert own is not None
    assert (own.yes, own.coming, own.no, own.late, own.silent, own.holds) == (1, 2, 0, 1, 3, True)


def test_a_reply_counts_for_all_who_share_the_phone_and_a_note_for_one(asked: Asked, session: Session) -> None:
    said(asked, SECOND, "3人", "1 minute")
    own, _ = count_answers(session, SYSTEM, asked.question_id)
    assert own is not None
    assert (own.yes, own.coming) == (2, 3), "three come, not six"
    with ahead_by(asked.database.url, "2 minutes") as ahead, ahead.session() as later:
        note_answer(later, SYSTEM, asked.question_id, asked.people[1], "no", note="电话")
    own, _ = count_answers(session, SYSTEM, asked.question_id)
    assert own is not None
    assert (own.yes, own.no) == (1, 1)
    assert standings(session, asked, 2) == [("yes", "counts")]


def test_who_noted_it_is_kept_and_two_who_note_at_once_are_both_kept(asked: Asked, session: Session) -> None:
    officer = make_actor(session, asked.unit)
    other = make_actor(session, asked.unit)
    session.commit()
    with asked.database.session() as first, asked.database.session() as second:
        note_answer(first, officer, asked.question_id, asked.people[0], "yes", people=2)
        note_answer(second, other, asked.question_id, asked.people[0], "no", note="家里有事")
    one = get_respondent(session, SYSTEM, asked.question_id, asked.people[0])
    assert sorted((answer.said, answer.noted_by is not None) for answer in one.answers) == [("no", True), ("yes", True)]
    assert [answer.standing for answer in one.answers] == ["counts", "replaced"]
    assert one.said == one.answers[0].said
    acts = session.scalars(select(TrailEntry).where(TrailEntry.act == "question.note")).all()
    assert {entry.account_id for entry in acts} == {officer.account_id, other.account_id}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"said": "choice", "option": 1}, "said"),
        ({"said": "free_text"}, "said"),
        ({"said": "yes", "option": 1}, "option"),
        ({"said": "no", "people": 2}, "people"),
        ({"said": "yes", "people": 0}, "people"),
        ({"said": "yes", "note": "长" * 201}, "note"),
    ],
)
def test_what_cannot_be_noted_is_named(asked: Asked, session: Session, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        note_answer(session, SYSTEM, asked.question_id, asked.people[0], **given)
    assert refused.value.field == field


def test_only_who_may_write_campaigns_of_the_unit_notes(asked: Asked, session: Session) -> None:
    auditor = make_actor(session, asked.unit, ("auditor",))
    stranger = make_actor(session, make_unit(session))
    for actor in (auditor, stranger):
        with pytest.raises(Forbidden):
            note_answer(session, actor, asked.question_id, asked.people[0], "yes")
        with pytest.raises(Forbidden):
            remind_silent(session, actor, asked.question_id)
        with pytest.raises(Forbidden):
            close_question(session, actor, asked.question_id)
    with pytest.raises(NotFound):
        note_answer(session, SYSTEM, asked.question_id, 10**9, "yes")


def test_a_question_is_closed_early_and_opened_again(asked: Asked, session: Session) -> None:
    officer = make_actor(session, asked.unit)
    close_question(session, officer, asked.question_id)
    session.commit()
    said(asked, FIRST, "参加", "1 minute")
    assert standings(session, asked, 0) == [("yes", "late")]
    with ahead_by(asked.database.url, "2 minutes") as ahead, ahead.session() as later:
        assert later.execute(find_questions(["/"], is_open=True)).all() == []
        with pytest.raises(Conflict, match="is closed"):
            note_answer(later, officer, asked.question_id, asked.people[0], "no")
        with pytest.raises(Conflict, match="is closed"):
            remind_silent(later, officer, asked.question_id)
        with pytest.raises(Conflict, match="is closed"):
            close_question(later, officer, asked.question_id)
        now = later.scalars(select(func.sms_now())).one()
        for wrong in (now - timedelta(minutes=1), now + timedelta(days=366)):
            with pytest.raises(Invalid, match="365 days"):
                close_question(later, officer, asked.question_id, wrong)
        close_question(later, officer, asked.question_id, now + timedelta(hours=1))
    session.expire_all()
    assert standings(session, asked, 0) == [("yes", "counts")]
    assert get_question(session, officer, asked.question_id).is_open
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.act == "question.close")).all()
    assert len(acts) == 2


def test_a_reminder_goes_to_those_who_are_silent_when_it_is_sent(asked: Asked, session: Session) -> None:
    said(asked, FIRST, "1", "1 minute")
    officer = make_actor(session, asked.unit)
    old = session.get_one(Campaign, session.get_one(Run, asked.run_id).campaign_id)
    reminder = remind_silent(session, officer, asked.question_id)
    session.commit()
    assert reminder.asks == {"same_as": asked.question_id}
    assert reminder.template_version_id == old.template_version_id
    assert (reminder.status, reminder.name) == ("draft", "学习（催复）")

    def audience() -> set[int]:
        rule = content_of(session, reminder, held=False).segment_rule
        return {row.person_id for row in session.execute(audience_select(session, rule, asked.unit.path))}

    assert audience() == set(asked.people[1:])
    said(asked, SECOND, "不知道", "2 minutes")
    assert audience() == {asked.people[3]}, "who answered meanwhile, and who shares the phone, is left out"
    note_answer(session, officer, asked.question_id, asked.people[3], "no")
    assert audience() == set()
