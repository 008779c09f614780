"""A person reads a reply again: what a rule read wrongly, or could not tell. Both readings are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, tuple_, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.models import Campaign
from sms_service.content.quiz_models import QuizQuestion
from sms_service.directory.models import Person, Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import list_ancestors, require_everywhere, top_paths
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.ledger.models import Message, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.ledger.questions import require_question
from sms_service.replies.answering import answer_replies
from sms_service.replies.checks import heed_check
from sms_service.replies.given_by_hand import READABLE, check_given
from sms_service.replies.inbox import lock_reply
from sms_service.replies.keywords import Understood
from sms_service.replies.matching import MATCH_REPLIES
from sms_service.replies.models import AnswerRow, ReadingRow, ReplyRow
from sms_service.replies.reading import read_asked, read_question
from sms_service.replies.stops import STOPPING, heed_stops, withdraw_stop
from sms_service.said import say
from sms_service.vocabulary import InboxStatus, Meaning, QuestionKind, ReadingRule

WITHOUT_QUESTION = (Meaning.free_text, *STOPPING, Meaning.acknowledged, Meaning.empty, Meaning.automatic)


@dataclass(frozen=True, slots=True)
class CandidateQuestion:
    """A question that a reply may answer: of which campaign, and the row of the text that asked its phone."""

    question: QuestionRow
    campaign: str
    message: Message


def require_reply(session: Session, actor: Actor, permission: Permission, reply_id: int) -> ReplyRow:
    """The reply, for whoever has the permission over its unit; what is nobody's, over everything. Raises NotFound or
    Forbidden.
    """
    reply = session.scalar(select(ReplyRow).where(ReplyRow.id == reply_id, ReplyRow.joined_to.is_(None)))
    if reply is None:
        raise NotFound("reply", str(reply_id))
    if reply.unit_path is None:
        require_everywhere(session, actor, permission)
    else:
        actor.require(permission, reply.unit_path)
    return reply


def list_readings(session: Session, reply: ReplyRow) -> list[ReadingRow]:
    """What the reply was read as before, the first reading first."""
    own = select(ReadingRow).where(ReadingRow.reply_id == reply.id).order_by(ReadingRow.id)
    return list(session.scalars(own))


def list_candidates(
    session: Session, actor: Actor, reply: ReplyRow, person_id: int | None = None
) -> list[CandidateQuestion]:
    """The last question of each campaign that was asked of the reply's phone, or of the person, before it came, the
    last first; those of people whom the actor may not read are left out.
    """
    if person_id is None:
        [found] = MATCH_REPLIES(session.connection(), in_month=reply.in_month, ids=[reply.id]).all()
        keys = [(one.month, one.message_id) for one in read_asked(found.asked)]
        which: ColumnElement[bool] = tuple_(Message.month, Message.id).in_(keys)
    else:
        path = session.scalar(select(Unit.path).join(Person, Person.unit_id == Unit.id).where(Person.id == person_id))
        line = [] if path is None else [*list_ancestors(path), path]
        which = and_(Message.person_id == person_id, Message.attempts > 0, Run.unit_path.in_(line))
    rows = session.execute(
        select(QuestionRow, Campaign.name, Message)
        .join(Run, Run.question_id == QuestionRow.id)
        .join(Campaign, Campaign.id == Run.campaign_id)
        .join(Message, and_(Message.run_id == Run.id, Message.month == Run.month))
        .where(which, Run.launched_at <= reply.received_at)
        .order_by(Run.launched_at.desc(), Run.id.desc())
    )
    found_of: dict[int, CandidateQuestion] = {}
    for question, campaign, message in rows:
        if actor.can(Permission.read, message.unit_path):
            found_of.setdefault(question.id, CandidateQuestion(question, campaign, message))
    return list(found_of.values())


def reread_reply(
    session: Session,
    actor: Actor,
    reply_id: int,
    meaning: Meaning,
    *,
    question_id: int | None = None,
    person_id: int | None = None,
    choices: str | None = None,
    people: int | None = None,
    why: str | None = None,
    instead_of: str | None = None,
) -> ReplyRow:
    """Read a reply as this. With a `question_id` it answers that question, as asked of its phone, or of `person_id`:
    `choices` are the letters or the number chosen, `people` is how many come. Without one it answers nothing.

    The reading before is kept with who replaced it and `why`; its answer counts no more. A reply that waited in the
    inbox is done with. A stop, and a word that lets texts come again, count as if a rule had read them; what was no
    stop counts no more.
    `instead_of`: what the actor saw that it was read as. Raises NotFound, Forbidden, Invalid naming the field, and
    Conflict while parts of the reply are missing, or where somebody has read it otherwise meanwhile.
    """
    reply = require_reply(session, actor, Permission.edit_campaigns, reply_id)
    lock_reply(session, reply)
    if not reply.is_complete or reply.matched_at is None:
        raise Conflict(say("reply {reply} is not read yet, or parts of it are missing", reply=reply_id))
    if instead_of is not None and (reply.meaning or "") != instead_of:
        raise Conflict(say("reply {reply} was read otherwise meanwhile; look at it again", reply=reply_id))
    why = None if why is None else required_line("why", why, LONGEST_WHY)
    chosen, understood = _understand(session, actor, reply, meaning, question_id, person_id, choices, people)
    _keep_reading(session, actor, reply, why)
    before = reply.meaning
    reply.meaning, reply.rule, reply.read_by = meaning.value, ReadingRule.person.value, actor.account_id
    reply.question_id = chosen.question.id if chosen else None
    if chosen is not None:
        text = chosen.message
        reply.month, reply.message_id = text.month, text.id
        reply.person_id, reply.unit_path = text.person_id, text.unit_path
    if reply.inbox_status in (InboxStatus.unread, InboxStatus.assigned):
        reply.inbox_status = InboxStatus.closed.value
    session.flush()
    if chosen is not None and understood is not None:
        session.add(_describe_answer(reply, chosen, understood))
        session.flush()
        if chosen.question.kind == QuestionKind.check:
            heed_check(session, meaning, chosen.message.person_id, chosen.message.phone, reply.id)
    if meaning in STOPPING:
        answer_replies(session, heed_stops(session, reply.in_month, [reply.id]))
    elif before in STOPPING:
        withdraw_stop(session, reply)
    path = reply.unit_path or top_paths(session)[0]
    details = {"meaning": meaning.value} | ({"question": question_id} if question_id is not None else {})
    trail.record_act(session, actor.account_id, "reply.read", "reply", reply_id, path, **details)
    return reply


def read_candidate(session: Session, candidate: CandidateQuestion, text: str) -> Understood | None:
    """What a whole text would answer to that question; None: nothing."""
    quiz = None
    if candidate.message.quiz_question_id is not None:
        asked = session.get_one(QuizQuestion, candidate.message.quiz_question_id)
        quiz = asked.options, asked.right_choices
    return read_question(candidate.question, quiz, text)


def _understand(
    session: Session,
    actor: Actor,
    reply: ReplyRow,
    meaning: Meaning,
    question_id: int | None,
    person_id: int | None,
    choices: str | None,
    people: int | None,
) -> tuple[CandidateQuestion | None, Understood | None]:
    """The question that it answers and what it says to it. Raises as `reread_reply` does."""
    if question_id is None:
        if meaning not in WITHOUT_QUESTION:
            reason = say("must be one of {known}, or name the question that is answered", known=WITHOUT_QUESTION)
            raise Invalid("meaning", meaning.value, reason)
        return None, None
    candidates = list_candidates(session, actor, reply, person_id)
    chosen = next((one for one in candidates if one.question.id == question_id), None)
    if chosen is None:
        require_question(session, actor, Permission.read, question_id)
        raise Invalid("question_id", question_id, "was not asked of them before this reply")
    actor.require(Permission.edit_campaigns, chosen.message.unit_path)
    check_given("meaning", chosen.question.kind, READABLE[chosen.question.kind], meaning, people)
    if meaning != Meaning.choice:
        return chosen, Understood(meaning, ReadingRule.person, people=people)
    understood = read_candidate(session, chosen, choices or "")
    if understood is None or understood.said != Meaning.choice:
        raise Invalid("choices", choices, "is none of the answers")
    return chosen, understood


def _keep_reading(session: Session, actor: Actor, reply: ReplyRow, why: str | None) -> None:
    now: datetime = session.scalars(select(func.sms_now())).one()
    session.add(
        ReadingRow(
            reply_in_month=reply.in_month,
            reply_id=reply.id,
            meaning=reply.meaning,
            rule=reply.rule,
            question_id=reply.question_id,
            month=reply.month,
            message_id=reply.message_id,
            read_by=reply.read_by,
            replaced_at=now,
            replaced_by=actor.account_id,
            why=why,
        )
    )
    own = (AnswerRow.reply_id == reply.id, AnswerRow.voided_at.is_(None))
    session.execute(update(AnswerRow).where(*own).values(voided_at=now))


def _describe_answer(reply: ReplyRow, chosen: CandidateQuestion, said: Understood) -> AnswerRow:
    text = chosen.message
    return AnswerRow(
        question_id=chosen.question.id,
        month=text.month,
        message_id=text.id,
        person_id=text.person_id,
        unit_path=text.unit_path,
        said=said.said.value,
        choices=said.choices,
        people=said.people,
        correct=said.correct,
        at=reply.said_at,
        reply_in_month=reply.in_month,
        reply_id=reply.id,
    )
