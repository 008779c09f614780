"""What whoever has the phone says of whose it is: an answer to the question whether it is still theirs."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import unit_path
from sms_service.audience.suppression import suppress_by_itself
from sms_service.audit import trail
from sms_service.delivery.models import CheckAnswer, CheckCause, LostCheck, MissedText
from sms_service.directory.models import Person
from sms_service.vocabulary import MessageReason


def confirm_persons_phone(session: Session, person_id: int, phone: str | None) -> bool:
    """Somebody at this phone (E.164) says that they are the person: the suspicion against the number ends, and so does
    an open check. Returns False where the person has another phone by now, or nothing was open.
    """
    person = _lock_person(session, person_id, phone)
    if person is None:
        return False
    open_one = (LostCheck.person_id == person_id, LostCheck.answer.is_(None))
    ended = {"answer": CheckAnswer.reached, "answered_at": func.sms_now()}
    closed = session.scalar(update(LostCheck).where(*open_one).values(ended).returning(LostCheck.id))
    session.execute(delete(MissedText).where(MissedText.person_id == person_id))
    if closed is None and person.suspect_since is None:
        return False
    person.suspect_since = None
    session.flush()
    path = unit_path(session, person.unit_id)
    trail.record_act(session, None, "check.answer", "person", person_id, path, answer=CheckAnswer.reached.value)
    return True


def deny_persons_phone(session: Session, person_id: int, phone: str | None, reply_id: int | None) -> bool:
    """Somebody at this phone (E.164) says that they are not the person: it gets no texts from now on, and the branch is
    asked for the right one. `reply_id`: the reply that says so. Returns False where the person has another phone now.
    """
    person = _lock_person(session, person_id, phone)
    if person is None or person.phone is None:
        return False
    suppress_by_itself(session, person.phone, MessageReason.wrong_person, "reply", reply_id)
    asked = {"person_id": person_id, "cause": CheckCause.other_person, "campaigns": 1, "opened_at": func.sms_now()}
    opened = insert(LostCheck).values(asked)
    cause = {"cause": CheckCause.other_person.value}
    session.execute(
        opened.on_conflict_do_update(
            index_elements=[LostCheck.person_id], index_where=LostCheck.answer.is_(None), set_=cause
        )
    )
    return True


def _lock_person(session: Session, person_id: int, phone: str | None) -> Person | None:
    """The person, if they have this phone now."""
    found = select(Person).where(Person.id == person_id, Person.phone == phone, Person.left_at.is_(None))
    return session.scalar(found.with_for_update(key_share=True).execution_options(populate_existing=True))
