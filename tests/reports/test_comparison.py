"""Units beside each other: what is said of each is what a naive count over the rows says, and what the pages that list
the people say; the lines add up, and the order is that which the page names.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Conflict
from sms_service.ledger.models import Message, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.answers import count_answers
from sms_service.replies.models import AnswerRow
from sms_service.replies.quiz_counting import count_quiz_by_unit, open_quiz
from sms_service.reports import compared_answers
from sms_service.reports.compared_answers import AnswerSums
from sms_service.reports.comparison import (
    ComparedUnit,
    ComparedUnits,
    Comparison,
    ComparisonOrder,
    compare_units,
    complete_lines,
    place_line,
)
from sms_service.reports.filters import Filter
from sms_service.reports.target_models import UnitTarget
from sms_service.schedules.attendance_models import Attendance
from tests.dispatch.city import make_run
from tests.factories import make_person, make_unit
from tests.replies.asking import RSVP, ask
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAYS = (date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 2))
QUIZ = {"kind": "quiz", "hours": 72, "tries": 2, "pool": [], "send_result": False}
STATUSES = ("delivered", "delivered", "undelivered", "refused", "skipped", "no_receipt", "accepted")
PERIOD = {"since": DAYS[0], "until": DAYS[-1], "kind": "campaign"}


@pytest.fixture
def tree(session: Session) -> list[Unit]:
    """City, two districts, two branches of the first; and a branch of nobody."""
    units = make_tree(session, DAYS)
    units.append(make_unit(session, parent=units[2], level="branch"))
    session.commit()
    return units


def launch(session: Session, unit: Unit, day: date, **kw: Any) -> Run:
    now = session.scalars(select(func.sms_now())).one()
    run = make_run(session, unit, day=day, month=day.replace(day=1), status="finished", audience=0, **kw)
    run.launched_at = run.frozen_at = run.finished_at = now
    session.flush()
    return run


def fill(database: Database, session: Session, tree: list[Unit], chance: Random) -> list[int]:
    """Runs that ask whether people come (with a reminder), a quiz, and nothing, with rows and answers by chance;
    returns the ids of the two questions.
    """
    people = [make_person(session, unit) for unit in tree[:5] for _ in range(4)]
    belongs = {person.id: next(unit for unit in tree if unit.id == person.unit_id) for person in people}
    asking, reminder = launch(session, tree[0], DAYS[0]), launch(session, tree[0], DAYS[1])
    quiz, plain = launch(session, tree[0], DAYS[1]), launch(session, tree[1], DAYS[2])
    session.commit()
    ids = [ask(database, asking.id, RSVP), ask(database, quiz.id, QUIZ)]
    reminder.question_id, reminder.asks = ids[0], {"same_as": ids[0]}
    for run in (asking, reminder, quiz, plain):
        first: Message | None = None
        for person in people:
            if chance.random() < 0.2 or (run is plain and belongs[person.id] in (tree[0], tree[2])):
                continue
            status = chance.choice(STATUSES)
            if first is not None and chance.random() < 0.2:  # the phone is another's, who gets the text
                row = add_message(session, run, belongs[person.id], "skipped", person=person)
                row.duplicate_of, row.reason = first.id, "duplicate_phone"
                continue
            row = add_message(session, run, belongs[person.id], status, person=person)
            first = row if status != "skipped" else first
            if chance.random() < 0.2:  # and once more, for another unit
                other = next(unit for unit in tree[3:5] if unit.id != person.unit_id)
                again = add_message(session, run, other, "skipped", person=person)
                again.duplicate_of, again.reason = row.id, "duplicate_phone"
        run.audience = session.scalar(select(func.count()).where(Message.run_id == run.id))
    for id_, run in zip(ids, (asking, quiz), strict=True):
        answer(session, session.get_one(QuestionRow, id_), run, chance)
    session.commit()
    return ids


def answer(session: Session, question: QuestionRow, run: Run, chance: Random) -> None:
    for row in session.scalars(select(Message).where(Message.run_id == run.id).order_by(Message.id)).all():
        for place in range(chance.choice((0, 0, 1, 1, 2, 3))):
            said = "choice" if question.kind == "quiz" else chance.choice(("yes", "no", "free_text", "wrong_person"))
            late = chance.random() < 0.1
            session.add(
                AnswerRow(
                    question_id=question.id,
                    month=row.month,
                    message_id=row.id,
                    person_id=row.person_id,
                    unit_path=row.unit_path,
                    said=said,
                    choices=chance.choice("AB") if said == "choice" else None,
                    correct=chance.random() < 0.5 if said == "choice" else None,
                    at=question.closes_at + timedelta(hours=1 if late else place - 10),
                    voided_at=question.closes_at if chance.random() < 0.1 else None,
                    reply_in_month=row.month,
                    reply_id=chance.randrange(10**12),
                )
            )


def compare(
    session: Session, unit: Unit, compared: str = "below", order: str = "attention", **asked: Any
) -> Comparison:
    rows = Filter((unit.path,), **PERIOD | asked)
    found = compare_units(session, unit, rows, ComparedUnits(compared), ComparisonOrder(order), 2026)
    complete_lines(session, found, found.lines)
    return found


def by_id(found: Comparison) -> dict[int, ComparedUnit]:
    return {line.unit_id: line for line in found.lines}


def numbers(line: ComparedUnit) -> tuple[Any, ...]:
    return line.messages, line.left, line.delivered, line.people, line.unreachable


def count_naively(rows: list[Message]) -> tuple[Any, ...]:
    left = [row for row in rows if row.status in ("delivered", "undelivered", "no_receipt", "accepted", "unknown")]
    delivered = [row for row in left if row.status == "delivered"]
    people, reached = {row.person_id for row in rows}, {row.person_id for row in delivered}
    return len(rows), len(left), len(delivered), len(people), len(people - reached)


@pytest.mark.parametrize(("seed", "rolled"), [(1, False), (2, True), (3, True)])
def test_numbers_are_those_of_the_rows_and_of_the_pages_that_list_them(
    database: Database, session: Session, tree: list[Unit], seed: int, rolled: bool
) -> None:
    rsvp, quiz = fill(database, session, tree, Random(seed))
    if rolled:
        settle_roll_ups(database)
    rows = session.scalars(select(Message)).all()
    for unit in tree:
        below = compare(session, unit)
        assert numbers(below.total) == count_naively([row for row in rows if f"/{unit.id}/" in row.unit_path])
        for line in below.lines:
            own = [row for row in rows if f"/{line.unit_id}/" in row.unit_path]
            own = [row for row in rows if row.unit_id == unit.id] if line.is_own else own
            assert numbers(line) == count_naively(own), line.unit
        each = compare(session, unit, "branches")
        for line in each.lines:
            assert numbers(line) == count_naively([row for row in rows if row.unit_id == line.unit_id])
        for found in (below, each):
            assert found.total.answers == sum((one.answers for one in found.lines if one.answers), AnswerSums())
            assert sum(line.messages for line in found.lines) == found.total.messages
        assert below.total.answers == each.total.answers
        assert numbers(below.total) == numbers(each.total)
    lines = by_id(compare(session, tree[0]))
    for child in tree[1:3]:
        assert lines[child.id].answers == compare(session, child).total.answers
    _, listed = count_answers(session, SYSTEM, rsvp, tree[0].id)
    quizzed = {
        one.id: one.counts
        for one in count_quiz_by_unit(session, open_quiz(session, SYSTEM, _campaign(session, quiz), tree[0].id))
    }
    for one in listed:
        sums, of_quiz = lines[one.unit_id].answers, quizzed[one.unit_id]
        assert sums is not None
        assert (sums.invited, sums.yes, sums.no, sums.invited_silent, sums.invited_unreached) == (
            *(one.asked, one.yes, one.no, one.silent, one.unreached),
        )
        assert (sums.quizzed, sums.quiz_answered, sums.quiz_right) == of_quiz[:3]
        answered = one.asked - one.silent - one.unreached + of_quiz.answered
        assert (sums.asked, sums.answered) == (one.asked + of_quiz.asked, answered)
        assert (sums.silent, sums.unreached) == (one.silent + of_quiz.silent, one.unreached + of_quiz.unreachable)
    assert {one.unit_id for one in listed} == {line.unit_id for line in lines.values() if line.answers.invited}  # type: ignore[union-attr]


def _campaign(session: Session, question_id: int) -> int:
    return session.get_one(QuestionRow, question_id).campaign_id


def test_filters_choose_what_was_sent_and_what_was_asked(
    database: Database, session: Session, tree: list[Unit]
) -> None:
    rsvp, quiz = fill(database, session, tree, Random(5))
    settle_roll_ups(database)
    whole = compare(session, tree[0]).total
    first, rest = compare(session, tree[0], until=DAYS[0]).total, compare(session, tree[0], since=DAYS[1]).total
    assert (first.messages + rest.messages, first.delivered + rest.delivered) == (whole.messages, whole.delivered)
    assert first.answers is not None
    assert rest.answers is not None
    assert first.answers + rest.answers == whole.answers
    assert (first.answers.quizzed, rest.answers.invited) == (0, 0), "a question is asked on the day of its first run"
    only = compare(session, tree[0], campaign_id=_campaign(session, quiz)).total
    assert only.answers is not None
    assert (only.answers.asked, only.answers.invited) == (whole.answers.quizzed, 0)  # type: ignore[union-attr]
    assert compare(session, tree[0], class_="study").total.answers == AnswerSums()
    assert rsvp != quiz


def test_who_came_counts_for_the_unit_for_which_they_were_invited(
    database: Database, session: Session, tree: list[Unit]
) -> None:
    invited = launch(session, tree[0], DAYS[0], class_="invitation")
    people = [make_person(session, unit) for unit in (tree[3], tree[3], tree[4])]
    for person, unit, came in zip(people, (tree[3], tree[3], tree[4]), (True, False, True), strict=True):
        add_message(session, invited, unit, "delivered", person=person)
        same = {"campaign_id": invited.campaign_id, "person_id": person.id, "recorded_at": invited.launched_at}
        session.add(Attendance(**same, unit_id=unit.id, came=came))
    session.commit()
    lines = by_id(compare(session, tree[1]))
    sums = {id_: line.answers for id_, line in lines.items()}
    assert (sums[tree[3].id].expected, sums[tree[3].id].came) == (2, 1)  # type: ignore[union-attr]
    assert sums[tree[4].id].came_rate == 1.0  # type: ignore[union-attr]
    assert compare(session, tree[1], since=DAYS[1]).total.answers == AnswerSums()


def test_too_many_answers_are_not_told_and_never_shown_as_none(
    database: Database, session: Session, tree: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, session, tree, Random(1))
    monkeypatch.setattr(compared_answers, "MOST_ASKED", 3)
    found = compare(session, tree[0])
    assert found.total.answers is None
    assert {line.answers for line in found.lines} == {None}
    assert found.total.messages > 0


@pytest.mark.parametrize("asks", [True, False])
def test_a_number_that_lacks_archived_rows_is_not_told(
    database: Database, session: Session, tree: list[Unit], asks: bool
) -> None:
    run = launch(session, tree[0], DAYS[0])
    run.audience = 1
    add_message(session, run, tree[3], "delivered")
    session.commit()
    if asks:
        ask(database, run.id)
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql(
            "INSERT INTO archived_months (month, state, partitions) VALUES ('2026-08-01', 'detaching', '{}')"
        )
        connection.exec_driver_sql("RESET ROLE")
    with pytest.raises(Conflict, match="the rows of 2026-08 are archived"):
        compare(session, tree[0])
    assert compare(session, tree[0], since=DAYS[1]).total.messages == 0


def test_a_branch_that_moved_takes_its_own_line_along_and_the_districts_keep_theirs(
    database: Database, session: Session, tree: list[Unit]
) -> None:
    run = launch(session, tree[0], DAYS[0])
    add_message(session, run, tree[3], "delivered")
    session.commit()
    tree[3].parent_id, tree[3].path = tree[2].id, f"{tree[2].path}{tree[3].id}/"
    session.commit()
    assert by_id(compare(session, tree[0]))[tree[1].id].messages == 1
    assert by_id(compare(session, tree[1]))[tree[3].id].messages == 1, "it stood there when the list was made"
    assert compare(session, tree[2]).total.messages == 0
    assert by_id(compare(session, tree[2], "branches"))[tree[3].id].messages == 1, "a branch by itself has all its rows"


def test_targets_stand_beside_what_was_done(database: Database, session: Session, tree: list[Unit]) -> None:
    assert compare(session, tree[0]).kinds == []
    session.add_all(UnitTarget(unit_id=unit.id, year=2026, kind="texts", target=10) for unit in (tree[1], tree[3]))
    session.commit()
    found = compare(session, tree[0], order="target")
    assert found.kinds == ["texts"]
    assert found.lines[0].unit_id == tree[1].id, "others have no target, and stand last"
    assert (found.lines[0].share_of(found.kinds[0]), found.lines[1].share_of(found.kinds[0])) == (0.0, None)
    assert [line.unit_id for line in compare(session, tree[0], "branches").lines if line.targets] == [tree[3].id]
    session.execute(delete(UnitTarget))


def line(name: str, messages: int, delivered: int, asked: int = 0, answered: int = 0, **kw: Any) -> ComparedUnit:
    sums = AnswerSums(asked=asked, answered=answered, **kw)
    return ComparedUnit(len(name), name, name, "/1/", False, messages, messages, delivered, 9, 9 - delivered, sums)


def test_the_unreachable_and_the_silent_stand_on_top_and_who_has_no_number_last() -> None:
    lines = [
        line("nothing", 0, 0),
        line("well", 9, 9, 9, 8, quiz_answered=4, quiz_right=4),
        line("unasked", 9, 6),
        line("silent", 9, 9, 9, 0),
        line("unreached", 9, 0, 9, 3),
        line("slow", 9, 9, 9, 2),
    ]

    def ordered(order: ComparisonOrder) -> list[str]:
        return [one.unit for one in sorted(lines, key=lambda one: place_line(one, order))]

    assert ordered(ComparisonOrder.attention) == ["unreached", "silent", "slow", "unasked", "well", "nothing"]
    assert ordered(ComparisonOrder.quiz)[0] == "well", "nobody else has a rate, and none is 0 %"
    assert ordered(ComparisonOrder.reply)[0] == "silent"
    assert ordered(ComparisonOrder.reply)[-2:] == ["unasked", "nothing"]
    assert ordered(ComparisonOrder.unreachable)[0] == "unreached"
    assert Counter(ordered(ComparisonOrder.name)) == Counter(one.unit for one in lines)
