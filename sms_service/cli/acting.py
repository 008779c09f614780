"""Finds the account that a command acts as, and the units that it covers."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor, unit_path
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.directory.models import Person, Unit
from sms_service.errors import NotFound


def acting(session: Session, login: str | None) -> Actor:
    """The account with this login, with its roles; without a login the service itself.

    Raises NotFound, or Forbidden if the account is disabled.
    """
    if login is None:
        return SYSTEM
    account_id = session.scalar(select(Account.id).where(Account.login == login))
    if account_id is None:
        raise NotFound("account with the login", login)
    return load_actor(session, account_id)


def find_unit_id(session: Session, code: str) -> int:
    """The id of the unit with this code. Raises NotFound."""
    unit_id = session.scalar(select(Unit.id).where(Unit.code == code))
    if unit_id is None:
        raise NotFound("unit with the code", code)
    return unit_id


def find_person_id(session: Session, number: str) -> int:
    """The id of the person with this number of the office's. Raises NotFound."""
    person_id = session.scalar(select(Person.id).where(Person.number == number))
    if person_id is None:
        raise NotFound("person with the number", number)
    return person_id


def scope_of(session: Session, actor: Actor, code: str | None) -> tuple[str, ...]:
    """The paths a list covers: the subtree of the unit with this code, or all that the actor may read.

    Raises NotFound or Forbidden.
    """
    if code is None:
        actor.require_somewhere(Permission.read)
        return actor.scope(Permission.read)
    path = unit_path(session, find_unit_id(session, code))
    actor.require(Permission.read, path)
    return (path,)
