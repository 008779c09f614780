"""What follows from an answer to the question whether a phone is still the person's. Silence changes nothing."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sms_service.delivery.said_by_phone import confirm_persons_phone, deny_persons_phone
from sms_service.vocabulary import Meaning


def heed_check(session: Session, meaning: str, person_id: int, phone: str | None, reply_id: int | None) -> None:
    """Act on what somebody at this phone (E.164) said to it: yes, or that it is not the person. `reply_id`: by which
    reply; None: a person noted it.
    """
    if meaning == Meaning.yes:
        confirm_persons_phone(session, person_id, phone)
    elif meaning == Meaning.wrong_person:
        deny_persons_phone(session, person_id, phone, reply_id)
