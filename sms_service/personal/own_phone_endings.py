"""Phones that are no account's own any more: their numbers are erased as people are on request."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update

from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.errors import Conflict
from sms_service.own_texts.models import OwnPhone
from sms_service.personal.erasure import erase_person

_AGAIN = timedelta(hours=1)  # where a text to it is on its way
_WHY = "the phone is no account's own any more"


def erase_ended_phone(database: Database) -> bool:
    """Erase the number that is due first; whether one was. It is put off while what is on its way needs the number."""
    with database.session() as session:
        due = select(OwnPhone.person_id).where(OwnPhone.look_at <= func.sms_now()).order_by(OwnPhone.look_at).limit(1)
        person_id = session.scalar(due)
    if person_id is None:
        return False
    try:
        with database.session() as session:
            erase_person(session, SYSTEM, person_id, _WHY)
    except Conflict:
        with database.session() as session:
            later = update(OwnPhone).where(OwnPhone.person_id == person_id).values(look_at=func.sms_now() + _AGAIN)
            session.execute(later)
        return False
    return True
