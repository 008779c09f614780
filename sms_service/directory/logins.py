"""Many log-ins at once: of the people in a file, or of those who hold a role in the units below one.

`plan_logins` says of every row what would become of it and changes nothing; `make_logins` does just that, all at once,
and refuses if something else would come of it by now.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts import services
from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.models import ROLES_OF_MANY, Account
from sms_service.accounts.passwords import make_password
from sms_service.accounts.permissions import Permission
from sms_service.db.locks import LockKey, take_lock
from sms_service.directory.columns import Column
from sms_service.directory.importing import any_of
from sms_service.directory.models import Contact, Person, Unit
from sms_service.directory.people_rows import LONGEST_NAME
from sms_service.directory.short_files import read_short_file
from sms_service.directory.text import person_name, plain_text
from sms_service.errors import Conflict, Invalid
from sms_service.said import Said, as_said, say

MOST_LOGINS = 300  # at once; a street has about a hundred branches
LOGIN_COLUMNS: Mapping[str, Column] = {
    "name": Column("姓名", ("名字", "name"), required=True),
    "unit": Column("组织编码", ("组织代码", "所在组织编码", "单位编码", "unit", "unitcode"), required=True),
    "login": Column("登录名", ("账号", "用户名", "登录账号", "login", "account")),
}
_FEWEST, _MOST_SAME = 2, 9  # characters of a login; people of one unit whose login is made of its code
_UNFIT = re.compile(r"[^a-z0-9._@-]+")


class LoginState(StrEnum):
    """What becomes of a row."""

    create = "create"
    exists = "exists"
    refused = "refused"


class LoginRow(NamedTuple):
    """Somebody who is to log in: the row that names them, their unit by its code, and the login if one was chosen."""

    row: int
    name: str
    unit: str
    login: str | None


@dataclass(frozen=True, slots=True)
class PlannedLogin:
    """What becomes of a row. `why`: why it is refused. `login`: the one it gets or has."""

    row: int
    name: str
    unit_code: str
    unit_id: int | None
    unit: str | None
    login: str | None
    state: LoginState
    why: Said | None = None


@dataclass(frozen=True, slots=True)
class LoginPlan:
    """All rows, in their order, and a digest of what would be made."""

    role: str
    rows: tuple[PlannedLogin, ...]

    @property
    def to_create(self) -> list[PlannedLogin]:
        """The rows of which a login would be made."""
        return [row for row in self.rows if row.state == LoginState.create]

    @property
    def digest(self) -> str:
        """Names just what `make_logins` would do."""
        return digest_logins(self.role, [(row.login, row.name, row.unit_id) for row in self.to_create])


@dataclass(frozen=True, slots=True)
class MadeLogin:
    """A new login with its first password, which is kept nowhere."""

    account_id: int
    login: str
    name: str
    unit: str
    password: str


def digest_logins(role: str, logins: Sequence[tuple[str | None, str, int | None]]) -> str:
    """The digest of these logins (login, name, unit) with the role."""
    return hashlib.sha256(json.dumps([role, logins]).encode()).hexdigest()


def read_login_rows(data: bytes) -> list[LoginRow]:
    """The people of a file with the columns 姓名, 组织编码 and, if the office chose them, 登录名.

    Raises Invalid (`file`).
    """
    rows = read_short_file(data, LOGIN_COLUMNS, MOST_LOGINS)
    return [
        LoginRow(number, cells.get("name") or "", cells.get("unit") or "", cells.get("login")) for number, cells in rows
    ]


def list_contact_rows(session: Session, actor: Actor, unit_id: int, contact_role: str) -> list[LoginRow]:
    """The people who hold the role in a unit of the subtree, once for each unit; those who have left are not there.

    Raises NotFound, Forbidden without manage_accounts over the unit, or Invalid (`unit_id`: more than 300).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_accounts, path)
    statement = (
        select(Person.name, Unit.code)
        .join(Contact, Contact.person_id == Person.id)
        .join(Unit, Unit.id == Contact.unit_id)
        .where(Unit.path.op("^@")(path), Contact.role == contact_role, Person.left_at.is_(None))
        .order_by(Unit.code, Person.name, Contact.id)
        .limit(MOST_LOGINS + 1)
    )
    found = session.execute(statement).all()
    if len(found) > MOST_LOGINS:
        raise Invalid("unit_id", unit_id, say("has more than {most} of them; go by parts of it", most=MOST_LOGINS))
    return [LoginRow(number, row.name, row.code, None) for number, row in enumerate(found, 1)]


def plan_logins(session: Session, actor: Actor, unit_id: int, rows: Sequence[LoginRow], role: str) -> LoginPlan:
    """What would become of each row of people in the unit's subtree; changes nothing.

    Raises Invalid (`role`, `rows`), NotFound, or Forbidden without manage_accounts over the unit.

    Somebody who has a login in that unit is `exists`: whoever has the same name there is taken for the same. A login
    that is not given is made of the unit's code.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_accounts, path)
    if role not in ROLES_OF_MANY:
        raise Invalid("role", role, say("must be one of {roles}", roles=ROLES_OF_MANY))
    if len(rows) > MOST_LOGINS:
        raise Invalid("rows", None, say("must be at most {most}", most=MOST_LOGINS))
    read = [_Read.of(row) for row in rows]
    units = {
        unit.code: unit for unit in session.scalars(select(Unit).where(Unit.code == any_of({one.code for one in read})))
    }
    held = session.scalars(select(Account).where(Account.unit_id.in_([unit.id for unit in units.values()]))).all()
    known = {(account.unit_id, account.name): account for account in reversed(held)}
    wanted = {one.login for one in read if one.login} | {
        login for unit in units.values() for login in _own_logins(unit)
    }
    taken = set(session.scalars(select(Account.login).where(Account.login == any_of(wanted))))
    planned: list[PlannedLogin] = []
    seen: dict[tuple[int, str], int] = {}
    for one in read:
        row = _plan(path, one, units.get(one.code), known, seen, taken)
        if row.state == LoginState.create and row.login is not None:
            taken.add(row.login)
        planned.append(row)
    return LoginPlan(role, tuple(planned))


def make_logins(
    session: Session,
    actor: Actor,
    unit_id: int,
    rows: Sequence[LoginRow],
    role: str,
    digest: str,
    random_bytes: Callable[[int], bytes],
) -> list[MadeLogin]:
    """Make the logins that `plan_logins` named by this digest, each with the role on its unit and a first password that
    has to be changed at the first log-in.

    Raises Conflict if other logins would be made by now, and what `plan_logins` raises.
    """
    take_lock(session, LockKey.make_logins)  # two at once would find the same logins free
    plan = plan_logins(session, actor, unit_id, rows, role)
    if plan.digest != digest:
        raise Conflict("other logins would be made now than were shown; check the list again")
    made = []
    for row in plan.to_create:
        assert row.unit_id is not None
        assert row.login is not None
        password = make_password(random_bytes)
        account = services.create_account(
            session, actor, unit_id=row.unit_id, login=row.login, name=row.name, password=password, made=True
        )
        services.grant_role(session, actor, account.id, role=role, unit_id=row.unit_id)
        made.append(MadeLogin(account.id, row.login, row.name, row.unit or "", password))
    return made


@dataclass(frozen=True, slots=True)
class _Read:
    """A row as it is understood."""

    row: int
    name: str
    code: str
    login: str

    @staticmethod
    def of(row: LoginRow) -> _Read:
        return _Read(row.row, person_name(row.name), plain_text(row.unit), plain_text(row.login or "").lower())


def _plan(
    path: str,
    one: _Read,
    unit: Unit | None,
    known: Mapping[tuple[int, str], Account],
    seen: dict[tuple[int, str], int],
    taken: set[str],
) -> PlannedLogin:
    refused = PlannedLogin(one.row, one.name, one.code, None, None, one.login or None, LoginState.refused)
    if not 1 <= len(one.name) <= LONGEST_NAME:
        return replace(refused, why=say("must be a name of 1 to {most} characters", most=LONGEST_NAME))
    if not one.code:
        return replace(refused, why=as_said("is missing: it says which unit the person belongs to"))
    if unit is None:
        return replace(refused, why=as_said("there is no unit with this code"))
    if not unit.path.startswith(path):
        return replace(refused, why=as_said("is no unit of those for which the list is"))
    row = replace(refused, unit_id=unit.id, unit=unit.name)
    first = seen.setdefault((unit.id, one.name), one.row)
    if first != one.row:
        return replace(row, why=say("row {row} has the same person in the same unit", row=first))
    account = known.get((unit.id, one.name))
    if account is not None:
        return replace(row, login=account.login, state=LoginState.exists)
    if one.login and not services.is_login(one.login):
        return replace(row, why=services.LOGIN_RULE)
    if one.login and one.login in taken:
        return replace(row, why=as_said("the login is taken; choose another"))
    login = one.login or next((login for login in _own_logins(unit) if login not in taken), None)
    if login is None:
        return replace(row, why=as_said("too many people of the unit have a login made of its code; choose one"))
    return replace(row, login=login, state=LoginState.create)


def _own_logins(unit: Unit) -> list[str]:
    """The logins that somebody of the unit may get: its code, then with a number, since a unit may have several."""
    base = _UNFIT.sub("", unit.code.lower()).lstrip("._@-")[:50]
    base = base if len(base) >= _FEWEST else f"unit{unit.id}"
    return [base, *(f"{base}-{number}" for number in range(2, _MOST_SAME + 1))]
