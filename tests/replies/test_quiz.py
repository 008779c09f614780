"""A quiz: drawn at freeze, graded, answered within quota, counted exactly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.outlook import foresee_run, lint_campaign
from sms_service.campaigns.services import change_campaign, copy_campaign
from sms_service.content.quiz_bank import keep_quiz_question, retire_quiz_question
from sms_service.content.quiz_choices import WrittenQuestion
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.ledger.models import Run
from sms_service.replies.asked_questions import remind_silent
from sms_service.replies.grading import grade_reply, write_result
from sms_service.replies.quiz_counting import (
    QuizCounts,
    QuizReadings,
    count_quiz,
    count_quiz_by_category,
    count_quiz_by_unit,
    find_quiz_people,
    find_quiz_scores,
    list_missed_questions,
    open_quiz,
)
from tests.console.campaigning import approve_draft
from tests.factories import make_actor, make_person, make_template, make_unit
from tests.replies.quizzing import Quizzed, asked_of, make_quizzed, reply, rows, send_quiz, write_quiz

OPTIONS = ("甲", "乙", "丙", "丁")


@pytest.fixture
def quizzed(database: Database) -> Quizzed:
    with database.session() as session:
        return make_quizzed(session)


def send(database: Database, quizzed: Quizzed, **asks: Any) -> tuple[int, int]:
    """A quiz of the category, unless asked otherwise, sent; its campaign and its run."""
    asks = asks if "question" in asks else {"category": quizzed.category_id, **asks}
    with database.session() as session:
        campaign_id = write_quiz(session, quizzed, **asks).id
    return campaign_id, send_quiz(database, quizzed, campaign_id)


def counts_of(database: Database, campaign_id: int) -> QuizCounts:
    with database.session() as session:
        return count_quiz(session, open_quiz(session, SYSTEM, campaign_id))


@given(st.text(max_size=40))
def test_what_is_graded_names_options_that_are_there(said: str) -> None:
    graded = grade_reply(said, OPTIONS, "AC")
    assert graded is None or (set(graded.choices) <= set("ABCD") and graded.correct == (graded.choices == "AC"))


@given(
    st.permutations("ACD"), st.sampled_from(["{}", "选{}", "答案是{}", "{}。", " {}"]), st.sampled_from(["", "、", " "])
)
def test_several_letters_are_right_in_any_order(letters: list[str], around: str, between: str) -> None:
    assert grade_reply(around.format(between.join(letters)), OPTIONS, "ACD") == ("ACD", True)
    assert grade_reply(around.format(between.join(letters[:2])), OPTIONS, "ACD") == (
        "".join(sorted(letters[:2])),
        False,
    )


def test_the_result_tells_the_right_answer_when_no_try_is_left() -> None:
    assert write_result(OPTIONS, "AC", "因为", correct=True, tries_left=2) == "回答正确。解析：因为"
    assert write_result(OPTIONS, "AC", None, correct=False, tries_left=0) == "回答不正确。正确答案：A. 甲；C. 丙。"
    assert write_result(OPTIONS, "AC", "因为", correct=False, tries_left=1) == "回答不正确，还可以再答1次。"


def test_each_person_is_asked_a_question_of_the_category(database: Database, quizzed: Quizzed) -> None:
    _, run_id = send(database, quizzed)
    asked = asked_of(database, run_id)
    assert len(asked) == 6
    for message, question in asked:
        assert message.text == f"【云州先锋】即学即考：{question.written}\n请回复选项字母。拒收请回复R"
        draw = f"SELECT hashint8extended({message.person_id}, {run_id}) & 9223372036854775807"
        [(number,)] = rows(database, draw)
        assert question.id == quizzed.questions[number % 4].id


def test_one_question_goes_to_all_in_its_newest_words(database: Database, quizzed: Quizzed) -> None:
    old = quizzed.questions[0]
    with database.session() as session:
        written = WrittenQuestion(old.text, OPTIONS, "D")
        new = keep_quiz_question(session, SYSTEM, quizzed.category_id, old.id, written).id
    _, run_id = send(database, quizzed, question=old.id)
    assert {question.id for _, question in asked_of(database, run_id)} == {new}


def test_a_reminder_repeats_to_each_what_they_were_asked(database: Database, quizzed: Quizzed) -> None:
    """Also if another question has replaced it since."""
    campaign_id, first = send(database, quizzed)
    asked = {message.person_id: (message.phone, question.id) for message, question in asked_of(database, first)}
    answered = min(asked)
    reply(database, {str(asked[answered][0]): "A"})
    with database.session() as session:
        for old in quizzed.questions:
            keep_quiz_question(
                session, SYSTEM, quizzed.category_id, old.id, WrittenQuestion(old.text, OPTIONS, "D", "改")
            )
        question_id = session.get_one(Run, first).question_id or 0
        reminder = remind_silent(session, SYSTEM, question_id)
        assert not [one for one in lint_campaign(session, SYSTEM, reminder.id) if one.severity == "refused"]
        reminder_id = reminder.id
    second = send_quiz(database, quizzed, reminder_id)
    again = {message.person_id: (message.phone, question.id) for message, question in asked_of(database, second)}
    assert again == {person: one for person, one in asked.items() if person != answered}
    assert len({question for _, question in again.values()}) > 1
    person, (phone, _) = again.popitem()
    reply(database, {str(phone): "A"}, "2 seconds")
    [(message, bank)] = [pair for pair in asked_of(database, second) if pair[0].person_id == person]
    given = rows(database, f"SELECT question_id, message_id, correct FROM answers WHERE person_id = {person}")
    assert given == [(question_id, message.id, bank.right_choices == "A")]
    assert counts_of(database, campaign_id)[:2] == (6, 2)


def test_a_bank_that_is_changed_asks_for_approval_again(session: Session) -> None:
    quizzed = make_quizzed(session)
    first, second = quizzed.questions[:2]
    drawn = write_quiz(session, quizzed, category=quizzed.category_id)
    same = write_quiz(session, quizzed, question=first.id)
    digests = [content_of(session, one).digest() for one in (drawn, same)]
    keep_quiz_question(session, SYSTEM, quizzed.category_id, None, WrittenQuestion("新题？", OPTIONS, "A"))
    now = [content_of(session, one).digest() for one in (drawn, same)]
    assert (now[0] != digests[0], now[1] == digests[1]) == (True, True)
    keep_quiz_question(session, SYSTEM, quizzed.category_id, first.id, WrittenQuestion(first.text, OPTIONS, "B"))
    assert content_of(session, same).digest() != now[1]
    keep_quiz_question(session, SYSTEM, quizzed.category_id, second.id, WrittenQuestion("改了？", OPTIONS, "B"))
    assert content_of(session, same).values["question"].startswith("第0题？")
    assert copy_campaign(session, SYSTEM, same.id).asks == same.asks


def test_what_was_approved_is_what_is_drawn_from(database: Database, quizzed: Quizzed) -> None:
    """The bank changes between the launch and the freeze."""
    with database.session() as session:
        campaign = write_quiz(session, quizzed, category=quizzed.category_id)
        approve_draft(session, campaign)
        run_id = launch_campaign(session, SYSTEM, campaign.id)[0].id
        for one in quizzed.questions[1:]:
            retire_quiz_question(session, SYSTEM, one.id)
        for place in range(9):
            written = WrittenQuestion(f"新{place}？", OPTIONS, "A")
            keep_quiz_question(session, SYSTEM, quizzed.category_id, None, written)
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    assert {question.id for _, question in asked_of(database, run_id)} <= {one.id for one in quizzed.questions}


def test_what_a_quiz_lacks_is_refused(session: Session) -> None:
    quizzed = make_quizzed(session)
    elsewhere = make_quizzed(session)
    for asks, field in (
        ({}, "asks.question"),
        ({"question": quizzed.questions[0].id, "category": quizzed.category_id}, "asks.question"),
        ({"category": elsewhere.category_id}, "asks.category"),
        ({"question": "1"}, "asks.question"),
        ({"category": quizzed.category_id, "tries": 0}, "asks.tries"),
        ({"category": quizzed.category_id, "send_result": 1}, "asks.send_result"),
    ):
        with pytest.raises(Invalid) as refused:
            write_quiz(session, quizzed, **asks)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        write_quiz(session, quizzed, category=999)
    campaign = write_quiz(session, quizzed, category=quizzed.category_id)
    plain = make_template(session, quizzed.city, "学习。")
    undone = session.begin_nested()
    with pytest.raises(Invalid) as refused:
        change_campaign(session, SYSTEM, campaign.id, {"template_version_id": plain.id, "asks": campaign.asks})
    undone.rollback()
    assert refused.value.field == "asks.kind"

    def kinds() -> set[str]:
        return {str(one.kind) for one in lint_campaign(session, SYSTEM, campaign.id)}

    assert "no_question" not in kinds()
    for one in quizzed.questions:
        retire_quiz_question(session, SYSTEM, one.id)
    assert "no_question" in kinds()
    change_campaign(session, SYSTEM, campaign.id, {"asks": None})
    assert "no_question" in kinds()


def test_the_check_shows_real_questions(session: Session) -> None:
    quizzed = make_quizzed(session)
    long = WrittenQuestion("很长的题目" * 40 + "？", OPTIONS, "A")
    keep_quiz_question(session, SYSTEM, quizzed.category_id, None, long)
    drawn = write_quiz(session, quizzed, category=quizzed.category_id)
    outlook = foresee_run(session, SYSTEM, drawn.id, {"main": 100.0}, {})
    assert [one.parts for one in outlook.texts] == [1, 1, 4]
    assert "很长的题目" in outlook.texts[-1].text
    same = write_quiz(session, quizzed, question=quizzed.questions[0].id)
    outlook = foresee_run(session, SYSTEM, same.id, {"main": 100.0}, {})
    assert ["第0题？\nA. 甲" in one.text for one in outlook.texts] == [True]
    assert outlook.exact


def test_replies_are_graded_and_the_result_is_sent_back(database: Database, quizzed: Quizzed) -> None:
    campaign_id, run_id = send(database, quizzed)
    (right, first), (wrong, second), *_ = asked_of(database, run_id)
    other = "A" if second.right_choices != "A" else "B"
    reply(database, {right.phone or "": f"选{first.right_choices.lower()}", wrong.phone or "": f"答案是{other}"})
    found = rows(database, "SELECT person_id, choices, correct FROM answers ORDER BY person_id")
    assert found == [(right.person_id, first.right_choices, True), (wrong.person_id, other, False)]
    told = rows(
        database, "SELECT m.text FROM messages m JOIN runs r ON r.id = m.run_id WHERE r.kind = 'answer' ORDER BY m.id"
    )
    letter = second.right_choices
    assert {one for (one,) in told} == {
        f"【云州先锋】回答正确。解析：{first.explanation}",
        f"【云州先锋】回答不正确。正确答案：{letter}. {OPTIONS['ABCD'.index(letter)]}。解析：{second.explanation}",
    }
    reply(database, {right.phone or "": other, wrong.phone or "": letter}, "2 minutes")
    assert counts_of(database, campaign_id) == QuizCounts(6, 2, 1, 4, 0)
    assert rows(database, "SELECT count(*) FROM runs WHERE kind = 'answer'") == [(2,)]


def test_several_tries_count_where_the_quiz_allows_them(database: Database, quizzed: Quizzed) -> None:
    campaign_id, run_id = send(database, quizzed, question=quizzed.questions[0].id, tries=2)
    phones = [message.phone or "" for message, _ in asked_of(database, run_id)]
    reply(database, dict.fromkeys(phones[:3], "B"))
    reply(database, {phones[0]: "A", phones[1]: "C", phones[3]: "不知道"}, "2 minutes")
    reply(database, {phones[1]: "A"}, "4 minutes")
    assert counts_of(database, campaign_id) == QuizCounts(6, 3, 1, 3, 0)
    told = rows(database, "SELECT count(*) FROM runs WHERE kind = 'answer'")
    assert told == [(5,)]
    assert rows(database, "SELECT meaning, inbox_status FROM replies WHERE text = '不知道'") == [
        ("free_text", "unread")
    ]


def test_what_is_said_later_counts_by_when_it_was_said(database: Database, quizzed: Quizzed) -> None:
    """The second try comes in before the first; and an answer after the end does not count."""
    campaign_id, run_id = send(database, quizzed, question=quizzed.questions[0].id, hours=1, send_result=False)
    phones = [message.phone or "" for message, _ in asked_of(database, run_id)]
    reply(database, {phones[0]: "A"}, "20 minutes")
    reply(database, {phones[0]: "B"}, "1 minute")
    reply(database, {phones[1]: "A"}, "2 hours")
    assert counts_of(database, campaign_id) == QuizCounts(6, 1, 0, 5, 0)
    assert rows(database, "SELECT count(*) FROM runs WHERE kind = 'answer'") == [(0,)]


def test_stop_words_stop_and_do_not_answer(database: Database, quizzed: Quizzed) -> None:
    campaign_id, run_id = send(database, quizzed)
    phones = [message.phone or "" for message, _ in asked_of(database, run_id)]
    reply(database, dict(zip(phones, ("T", "td", "R", "退订", "0000"), strict=False)))
    assert rows(database, "SELECT count(*) FROM answers WHERE said = 'choice'") == [(0,)]
    assert counts_of(database, campaign_id).answered == 0


def people_of(session: Session, quiz: QuizReadings, **kw: Any) -> list[Any]:
    return list(session.execute(find_quiz_people(quiz, **kw)).all())


def test_every_number_can_be_listed_and_they_add_up(database: Database) -> None:
    """A few hundred people, some of whom are skipped, refused, or share a phone."""
    with database.session() as session:
        quizzed = make_quizzed(session, people=60, branches=4, questions=8)
        for unit in quizzed.branches:
            make_person(session, unit, phone=None)
            make_person(session, unit, phone="+8613900000000")
    campaign_id, run_id = send(database, quizzed, send_result=False)
    asked = asked_of(database, run_id)
    with database.transaction() as connection:
        ids = [message.id for message, _ in asked if message.status == "accepted"]
        update_ = "UPDATE messages SET status = %(to)s, reason = 'bad_number' WHERE id = ANY (%(ids)s)"
        connection.exec_driver_sql(update_, {"to": "undelivered", "ids": ids[:20]})
    said = {}
    for place, (message, question) in enumerate(asked):
        if message.status == "accepted" and place % 3:
            wrong = "ABCD"[("ABCD".index(question.right_choices) + 1) % 4]
            said[message.phone or ""] = question.right_choices if place % 2 else wrong
    reply(database, said)
    with database.session() as session:
        quiz = open_quiz(session, SYSTEM, campaign_id)
        total = count_quiz(session, quiz)
        assert total.asked == 4 * 62 == total.answered + total.silent + total.unreachable
        assert (total.answered, 0 < total.right < total.answered, total.unreachable > 4) == (len(said), True, True)
        for state, number in (
            ("answered", total.answered),
            ("right", total.right),
            ("wrong", total.answered - total.right),
            ("silent", total.silent),
            ("unreachable", total.unreachable),
            (None, total.asked),
        ):
            assert len(people_of(session, quiz, state=state)) == number, state
        for lines in (
            count_quiz_by_unit(session, quiz),
            count_quiz_by_category(session, quiz),
            list_missed_questions(session, quiz),
        ):
            sums = QuizCounts(*map(sum, zip(*(one.counts for one in lines), strict=True)))
            assert sums == total
            for one in lines:
                assert one.counts.asked == one.counts.answered + one.counts.silent + one.counts.unreachable
        by_unit = count_quiz_by_unit(session, quiz)
        assert [one.id for one in by_unit] == [unit.id for unit in quizzed.branches]
        for one in by_unit:
            own = open_quiz(session, SYSTEM, campaign_id, one.id)
            assert count_quiz(session, own) == one.counts
            assert len(people_of(session, own, state="right")) == one.counts.right
        missed = list_missed_questions(session, quiz)
        wrong_of = [one.counts.answered - one.counts.right for one in missed]
        assert wrong_of == sorted(wrong_of, reverse=True)
        assert len(people_of(session, quiz, quiz_question_id=missed[0].id)) == missed[0].counts.asked
        scores = session.execute(find_quiz_scores(quiz)[0]).all()
        assert Counter(row.right for row in scores) == {1: total.right, 0: total.asked - total.right}


def test_results_are_read_within_ones_scope(database: Database, quizzed: Quizzed) -> None:
    campaign_id, _ = send(database, quizzed)
    with database.session() as session:
        mine, other = quizzed.branches
        secretary = make_actor(session, mine)
        quiz = open_quiz(session, secretary, campaign_id)
        assert count_quiz(session, quiz).asked == 3
        assert {row.unit_id for row in people_of(session, quiz)} == {mine.id}
        with pytest.raises(Forbidden):
            open_quiz(session, secretary, campaign_id, other.id)
        with pytest.raises(Forbidden):
            open_quiz(session, make_actor(session, make_unit(session)), campaign_id)
        plain = write_quiz(session, quizzed, category=quizzed.category_id)
        assert count_quiz(session, open_quiz(session, SYSTEM, plain.id)) == QuizCounts(0, 0, 0, 0, 0)
        with pytest.raises(NotFound):
            open_quiz(session, SYSTEM, plain.id, question_id=1)
