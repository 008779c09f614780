"""Plain functions that make rows, with harmless defaults; each flushes, none commits."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_actor
from sms_service.accounts.models import Account, RoleGrant
from sms_service.audience.models import Segment
from sms_service.audience.nesting import list_used
from sms_service.content.models import Template, TemplateVersion
from sms_service.directory.models import LEVELS, Person, Unit
from sms_service.errors import Invalid

_numbers = count(1)


def next_number() -> int:
    """A number that no other row of this test process has."""
    return next(_numbers)


def fictional_phone(number: int | None = None) -> str:
    """A mainland mobile number in E.164, the same for the same number below 10^8. Those without a number are none of
    the small ones that tests name.
    """
    return f"+86139{(10**7 + next_number() if number is None else number) % 10**8:08d}"


def make_unit(
    session: Session,
    code: str | None = None,
    name: str | None = None,
    level: str | None = None,
    parent: Unit | None = None,
    **kw: Any,
) -> Unit:
    """A unit with its path; by default one level below `parent`, or a city without one."""
    if level is None:
        level = LEVELS[min(LEVELS.index(parent.level) + 1, len(LEVELS) - 1)] if parent else LEVELS[0]
    unit_id = session.scalar(select(func.nextval(func.pg_get_serial_sequence("units", "id"))))
    code = code or f"U{unit_id:04d}"
    unit = Unit(
        id=unit_id,
        parent_id=parent.id if parent else None,
        code=code,
        name=name or f"单位{code}",
        level=level,
        path=f"{parent.path if parent else '/'}{unit_id}/",
        **kw,
    )
    session.add(unit)
    session.flush()
    return unit


def make_person(session: Session, unit: Unit, name: str | None = None, phone: str | None = "", **kw: Any) -> Person:
    """A member of `unit`; by default with a phone of their own, with `phone=None` without one."""
    number = next_number()
    person = Person(
        unit_id=unit.id,
        name=name or f"党员{number}",
        phone=fictional_phone() if phone == "" else phone,
        **{"number": f"P{number:07d}", **kw},
    )
    session.add(person)
    session.flush()
    return person


def make_account(
    session: Session, unit: Unit, login: str | None = None, roles: tuple[str, ...] = ("officer",), **kw: Any
) -> Account:
    """An account that holds `roles` on `unit`; it has no password unless `password_hash` is given."""
    login = login or f"account{next_number()}"
    account = Account(login=login, unit_id=unit.id, **{"name": f"账号{login}", **kw})
    session.add(account)
    session.flush()
    session.add_all(RoleGrant(account_id=account.id, role=role, unit_id=unit.id) for role in roles)
    session.flush()
    return account


def make_actor(session: Session, unit: Unit, roles: tuple[str, ...] = ("officer",), login: str | None = None) -> Actor:
    """A new account of `unit` with `roles` on it, as the actor that rooms ask for."""
    return load_actor(session, make_account(session, unit, login, roles).id)


def make_segment(session: Session, unit: Unit, rule: dict[str, Any], name: str | None = None) -> Segment:
    """A saved rule of `unit`, written down unchecked."""
    uses: list[int] = []
    with suppress(Invalid):
        uses = list_used(rule)
    segment = Segment(unit_id=unit.id, name=name or f"分组{next_number()}", rule=rule, uses=uses)
    session.add(segment)
    session.flush()
    return segment


def make_template(
    session: Session,
    unit: Unit,
    body: str = "您好，请按时参加学习。",
    class_: str = "study",
    name: str | None = None,
    variables: tuple[str, ...] = (),
    fields: list[dict[str, str]] | None = None,
) -> TemplateVersion:
    """A template of `unit` and its version 1, written down unchecked; returns the version."""
    template = Template(unit_id=unit.id, name=name or f"模板{next_number()}", class_=class_)
    session.add(template)
    session.flush()
    version = TemplateVersion(
        template_id=template.id, number=1, body=body, variables=list(variables), fields=fields or []
    )
    session.add(version)
    session.flush()
    return version
