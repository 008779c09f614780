"""What each person answered to a question, what of it counts and why, and what was noted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.directory.text import required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.ledger.models import Message, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.answers import find_respondents, list_survey_options, open_respondents
from sms_service.replies.checks import heed_check
from sms_service.replies.given_by_hand import check_given, list_notable
from sms_service.replies.models import AnswerRow, ReplyRow
from sms_service.said import say
from sms_service.vocabulary import Meaning, QuestionKind, Words

LONGEST_NOTE = 200


class AnswerStanding(Words):
    """Whether an answer counts, and if not, why."""

    counts = "counts"
    replaced = "replaced"  # a later one counts
    beside = "beside"  # a person reads it; what else was said counts
    late = "late"  # it came after the question had closed
    void = "void"  # its reply was read again


class GivenAnswer(NamedTuple):
    """One answer of a person. `text`: of its reply, None once that is redacted, or of a note. `noted_by`: who noted it.
    `shared`: it came from the phone that the person shares with the one to whom the text went.
    """

    id: int
    at: datetime
    said: str
    choices: str | None
    people: int | None
    text: str | None
    noted_by: str | None
    shared: bool
    standing: AnswerStanding


class Respondent(NamedTuple):
    """Somebody who was asked. `said`: what counts, None: nothing was said in time. `answers`: all that they said, the
    last first. Phones are whole: whoever shows them masks them.
    """

    person_id: int
    name: str | None
    phone: str | None
    unit_id: int
    unit: str
    path: str
    reached: bool
    said: str | None
    choices: str | None
    coming: int | None
    is_late: bool
    answers: Sequence[GivenAnswer]

    @property
    def counting(self) -> GivenAnswer | None:
        """The answer that counts."""
        return next((one for one in self.answers if one.standing == AnswerStanding.counts), None)

    @property
    def beside(self) -> Sequence[GivenAnswer]:
        """What a person should read or know of beside it: texts that were not understood, and late answers."""
        listed = AnswerStanding.beside, AnswerStanding.late
        return [one for one in self.answers if one.standing in listed]


def describe_respondents(session: Session, question: QuestionRow, rows: Sequence[Any]) -> list[Respondent]:
    """The rows of `find_respondents` as people read them."""
    given = _load_given(session, question, {id_ for row in rows for id_ in (row.person_id, row.shares_with) if id_})
    found = []
    for row in rows:
        own = given.get(row.person_id, [])
        shared = [one for one in given.get(row.shares_with, []) if one[0].reply_id is not None]
        both = sorted([(*one, False) for one in own] + [(*one, True) for one in shared], key=_when, reverse=True)
        answers = [
            GivenAnswer(
                answer.id,
                answer.at,
                answer.said,
                answer.choices,
                answer.people,
                answer.note if reply is None else reply.shown_text,
                login,
                is_shared,
                _standing(question, answer, row.answer_id),
            )
            for answer, login, reply, is_shared in both
        ]
        found.append(
            Respondent(
                row.person_id,
                row.name,
                row.phone,
                row.unit_id,
                row.unit,
                row.path,
                row.reached,
                row.said,
                row.choices,
                row.coming,
                row.is_late,
                answers,
            )
        )
    return found


def get_respondent(session: Session, actor: Actor, question_id: int, person_id: int) -> Respondent:
    """One person with all that they answered. Raises NotFound, also for somebody who was not asked or who is outside of
    what the actor may read, or Forbidden.
    """
    respondents = open_respondents(session, actor, question_id)
    statement = find_respondents(respondents).where(respondents.people.c.person_id == person_id)
    row = session.execute(statement).one_or_none()
    if row is None:
        raise NotFound("person among those who were asked", person_id)
    return describe_respondents(session, respondents.question, [row])[0]


def note_answer(
    session: Session,
    actor: Actor,
    question_id: int,
    person_id: int,
    said: str,
    *,
    option: int | None = None,
    people: int | None = None,
    note: str = "",
) -> Respondent:
    """Note what somebody said by phone or otherwise; it counts like a reply of this moment, for this person alone.
    `option`: the number of a survey's answer; `people`: how many come by a yes; `note`: how it was said.

    Raises NotFound, Forbidden without edit_campaigns over the person's unit, Conflict once the question is closed, and
    Invalid (`said`, `option`, `people`, `note`).
    """
    one = get_respondent(session, actor, question_id, person_id)
    actor.require(Permission.edit_campaigns, one.path)
    question = session.get(QuestionRow, question_id, with_for_update={"read": True}, populate_existing=True)
    assert question is not None
    now: datetime = session.scalars(select(func.sms_now())).one()
    if question.closes_at < now:
        raise Conflict(say("question {question} is closed; extend it to note an answer", question=question_id))
    check_given("said", question.kind, list_notable(question.kind), said, people)
    _check_option(question, said, option)
    note = note and required_line("note", note, LONGEST_NOTE)
    row = _find_row(session, question_id, person_id)
    session.add(
        AnswerRow(
            question_id=question_id,
            month=row.month,
            message_id=row.id,
            person_id=person_id,
            unit_path=row.unit_path,
            said=said,
            choices=None if option is None else str(option),
            people=people,
            at=now,
            noted_by=actor.account_id,
            note=note or None,
        )
    )
    session.flush()
    if question.kind == QuestionKind.check:
        heed_check(session, said, person_id, row.phone, None)
    trail.record_act(
        session, actor.account_id, "question.note", "person", person_id, one.path, question=question_id, said=said
    )
    return get_respondent(session, actor, question_id, person_id)


def _check_option(question: QuestionRow, said: str, option: int | None) -> None:
    options = list_survey_options(question)
    if (option is None) == (said == Meaning.choice):
        raise Invalid("option", option, "is needed with a choice, and with nothing else")
    if option is not None and not 1 <= option <= len(options):
        raise Invalid("option", option, say("must be a number from 1 to {most}", most=len(options)))


def _find_row(session: Session, question_id: int, person_id: int) -> Message:
    """The person's row of the first run that asked them."""
    runs = session.execute(
        select(Run.id, Run.month).where(Run.question_id == question_id, Run.frozen_at.is_not(None)).order_by(Run.id)
    )
    for run_id, month in runs:
        own = select(Message).where(Message.month == month, Message.run_id == run_id, Message.person_id == person_id)
        found = session.scalars(own.order_by(Message.id).limit(1)).first()
        if found is not None:
            return found
    raise NotFound("person among those who were asked", person_id)


_Given = tuple[AnswerRow, str | None, ReplyRow | None]


def _load_given(session: Session, question: QuestionRow, person_ids: set[int]) -> dict[int, list[_Given]]:
    """All answers of these people, with who noted it and the reply that gave it."""
    if not person_ids:
        return {}
    rows = session.execute(
        select(AnswerRow, Account.name)
        .outerjoin(Account, Account.id == AnswerRow.noted_by)
        .where(AnswerRow.question_id == question.id, AnswerRow.person_id.in_(person_ids))
    ).all()
    keys = {(row[0].reply_in_month, row[0].reply_id) for row in rows if row[0].reply_id is not None}
    replies: dict[int, ReplyRow] = {}
    if keys:
        named = ReplyRow.in_month.in_({month for month, _ in keys}), tuple_(ReplyRow.in_month, ReplyRow.id).in_(keys)
        replies = {reply.id: reply for reply in session.scalars(select(ReplyRow).where(*named))}
    found: dict[int, list[_Given]] = {}
    for answer, name in rows:
        found.setdefault(answer.person_id, []).append((answer, name, replies.get(answer.reply_id or 0)))
    return found


def _when(one: tuple[AnswerRow, str | None, ReplyRow | None, bool]) -> tuple[datetime, int]:
    return one[0].at, one[0].id


def _standing(question: QuestionRow, answer: AnswerRow, counting_id: int | None) -> AnswerStanding:
    if answer.voided_at is not None:
        return AnswerStanding.void
    if answer.at > question.closes_at:
        return AnswerStanding.late
    if answer.id == counting_id:
        return AnswerStanding.counts
    return AnswerStanding.beside if answer.said == Meaning.free_text else AnswerStanding.replaced
