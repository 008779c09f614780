"""Own phones as the room writes them, for tests that need one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sms_service.accounts.models import Account
from sms_service.own_texts import phones
from sms_service.own_texts.models import OwnPhone
from tests.factories import fictional_phone


def give_own_phone(session: Session, account: Account, phone: str | None = None) -> OwnPhone:
    """The account's phone, confirmed; the one that it has already if it has one."""
    own = session.scalar(phones._own(account.id))
    if own is None:
        phones._say_own(session, account, phone or fictional_phone())
        own = session.scalars(phones._own(account.id)).one()
    own.confirmed_at = session.scalar(select(func.sms_now()))
    session.flush()
    return own


def let_code_wait(session: Session, account: Account, code: str) -> None:
    """A phone that this code confirms."""
    own = give_own_phone(session, account)
    until = session.scalar(text("SELECT sms_now() + interval '10 minutes'"))
    own.confirmed_at, own.tries, own.code_digest, own.code_until = None, 0, phones._digest(own, code), until
    session.flush()


def numbered(code: int) -> Any:
    """What a process draws random bytes from, so that the next code is this one."""
    return lambda count: code.to_bytes(count)
