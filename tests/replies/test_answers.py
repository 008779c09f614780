"""A launched run opens its question, and replies answer it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.services import change_campaign, copy_campaign
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.errors import Invalid
from sms_service.gateways.base import Reply
from sms_service.gateways.extensions import write_extension
from sms_service.ledger.models import Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.console.campaigning import write_draft
from tests.dispatch.city import City, ScriptedAdapter, ScriptedGateways, drain, make_city, make_run, messages
from tests.factories import fictional_phone, make_unit
from tests.replies.asking import ask

PHONE = fictional_phone(5)


@pytest.fixture
def branch(session: Session) -> Unit:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    return make_unit(session)


def said(database: Database, words: str, at: str = "1 second", **kw: Any) -> None:
    with ahead_by(database.url, at) as ahead:
        store_replies(ahead, "main", [Reply(PHONE, words, "{}", **kw)])
        matching.match_waiting(ahead)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def city(database: Database) -> City:
    made = make_city(database, 1, more=[{"phone": PHONE}])
    drain(database, made.gateways)
    return made


def test_each_answer_is_kept_with_its_reply(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id)
    [message] = [row for row in messages(database, city.run_id) if row.phone == PHONE]
    for second, words in enumerate(("1", "请假", "2人", "再说吧"), start=1):
        said(database, words, f"{second} seconds")
    found = rows(database, "SELECT question_id, message_id, person_id, said, people FROM answers ORDER BY at")
    same = (question_id, message.id, message.person_id)
    assert found == [(*same, *one) for one in (("yes", None), ("no", None), ("yes", 2), ("free_text", None))]
    readings = rows(database, "SELECT meaning, rule, question_id, inbox_status FROM replies ORDER BY id")
    assert readings[2:] == [
        ("yes", "people_count", question_id, None),
        ("free_text", "not_understood", question_id, "unread"),
    ]


def test_a_long_answer_in_pieces_is_read_once_it_is_whole(database: Database, city: City) -> None:
    ask(database, city.run_id)
    said(database, "参", part=1, parts=2, series="9")
    assert rows(database, "SELECT meaning FROM replies") == [(None,)]
    said(database, "加", part=2, parts=2, series="9")
    assert rows(database, "SELECT meaning, text FROM replies WHERE joined_to IS NULL") == [("yes", "参加")]
    assert rows(database, "SELECT said FROM answers") == [("yes",)]


def test_of_two_campaigns_that_fit_neither_is_guessed(database: Database, city: City) -> None:
    ask(database, city.run_id)
    with database.session() as session:
        second = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, second)
    drain(database, city.gateways)
    ask(database, second, {"kind": "survey", "options": ["好", "不好"], "hours": 72})
    said(database, "1")
    said(database, "不好", "2 seconds")
    found = rows(database, "SELECT meaning, rule, inbox_status FROM replies ORDER BY id")
    assert found == [("ambiguous", "several_questions", "unread"), ("choice", "label", None)]
    assert rows(database, "SELECT said, choices FROM answers") == [("choice", "2")]


def test_what_is_asked_is_approved_and_copied(session: Session, branch: Unit) -> None:
    campaign = write_draft(session, branch)
    before = content_of(session, campaign).digest()
    change_campaign(session, SYSTEM, campaign.id, {"asks": {"kind": "survey", "options": ["甲", "乙"], "hours": 5}})
    content = content_of(session, campaign)
    assert content.digest() != before, "what is asked is part of what is approved"
    copy = copy_campaign(session, SYSTEM, campaign.id)
    assert copy.asks == campaign.asks == {"kind": "survey", "options": ["甲", "乙"], "hours": 5}


@pytest.mark.parametrize(
    ("asks", "field"),
    [
        ({"kind": "exam"}, "asks.kind"),
        ({"kind": "rsvp", "hours": 0}, "asks.hours"),
        ({"kind": "rsvp", "hours": "3"}, "asks.hours"),
        ({"kind": "survey"}, "asks.options"),
        ({"kind": "survey", "options": ["好"]}, "asks.options"),
        ({"kind": "survey", "options": ["好"] * 2}, "asks.options"),
        ({"kind": "survey", "options": ["好", "退订"]}, "asks.options.1"),
    ],
)
def test_what_cannot_be_asked_is_named(session: Session, branch: Unit, asks: dict[str, Any], field: str) -> None:
    campaign = write_draft(session, branch)
    with pytest.raises(Invalid) as refused:
        change_campaign(session, SYSTEM, campaign.id, {"asks": asks})
    assert refused.value.field == field


def test_a_launch_that_is_repeated_finds_its_question(database: Database, city: City) -> None:
    first = ask(database, city.run_id)
    with database.session() as session:
        session.get_one(Run, city.run_id).question_id = None
    assert ask(database, city.run_id) == first
    with database.session() as session:
        assert len(session.scalars(select(QuestionRow)).all()) == 1


def send_another(database: Database, city: City, **kw: Any) -> int:
    """Another run to the same people, handed over."""
    with database.session() as session:
        run_id = make_run(session, city.unit, **kw).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, city.gateways)
    return run_id


def send_next(database: Database, city: City) -> int:
    """The next text of the campaign of the city's first run."""
    with database.session() as session:
        campaign_id = session.get_one(Run, city.run_id).campaign_id
    return send_another(database, city, campaign_id=campaign_id, firing=2)


READINGS = "SELECT meaning, question_id FROM replies ORDER BY id"


def test_of_one_campaign_that_question_is_answered_which_was_asked_last_before_it_was_said(
    database: Database, city: City
) -> None:
    """Both are open. A reply of before the second text may come in after it: its provider's clock decides."""
    yesterday = ask(database, city.run_id)
    with database.transaction() as connection:
        connection.execute(text("UPDATE attempts SET started_at = started_at - interval '1 day'"))
        connection.execute(text("UPDATE runs SET launched_at = launched_at - interval '1 day'"))
        [before] = connection.execute(text("SELECT now() - interval '1 hour'")).scalars()
    today = ask(database, send_next(database, city))
    said(database, "1", occurred_at=before)
    said(database, "0", "2 seconds")
    assert rows(database, READINGS) == [("yes", yesterday), ("no", today)]


def test_an_answer_to_a_reminder_answers_the_question(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id)
    assert ask(database, send_another(database, city), {"same_as": question_id}) == question_id
    said(database, "1")
    assert rows(database, READINGS) == [("yes", question_id)]


def test_an_extension_number_names_an_earlier_question_of_the_campaign(database: Database, city: City) -> None:
    earlier = ask(database, city.run_id)
    ask(database, send_next(database, city))
    said(database, "1", extension=write_extension(earlier, 3))
    assert rows(database, READINGS) == [("yes", earlier)]


def test_thanks_for_a_text_that_asks_nothing_do_not_fill_an_inbox(database: Database, city: City) -> None:
    question_id = ask(database, city.run_id)
    said(database, "收到")
    send_another(database, city)
    said(database, "收到，谢谢！", "2 seconds")
    said(database, "收到", "3 seconds", extension=write_extension(question_id, 3))
    said(database, "几点？", "4 seconds")
    found = rows(database, "SELECT meaning, rule, question_id, inbox_status FROM replies ORDER BY id")
    not_understood = ("free_text", "not_understood", question_id, "unread")
    assert found == [not_understood, ("acknowledged", "thanks", None, None), not_understood, not_understood]
    assert rows(database, "SELECT count(*) FROM answers WHERE said = 'free_text'") == [(3,)]


def test_an_extension_number_names_the_question(database: Database, city: City) -> None:
    first = ask(database, city.run_id)
    second = send_another(database, city)
    ask(database, second)
    said(database, "1", extension=write_extension(first, 3))
    said(database, "0", "2 seconds", extension="999")
    found = rows(database, "SELECT meaning, question_id FROM replies ORDER BY id")
    assert found == [("yes", first), ("ambiguous", None)]
