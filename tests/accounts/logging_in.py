"""A log-in as the API does it, in one session."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sms_service.accounts import passwords
from sms_service.accounts.actors import load_actor
from sms_service.accounts.tokens import Caller


def log_in(session: Session, login: str, password: str) -> Caller:
    """Who logs in with this login and password. Raises as `passwords.check_login` does."""
    account_id = passwords.check_login(passwords.find_login(session, login), password)
    return Caller(load_actor(session, account_id), None)
