"""Creating, changing and disabling accounts, and giving and taking roles.

Nobody acts on an account with more rights than their own (`require_power`). Otherwise a district's administrator could
take over an account with power over the city by setting its password.
"""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import Select, exists, false, func, literal, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts import sessions, tokens
from sms_service.accounts.actors import Actor, Grant, load_grants, require_power, unit_path, units
from sms_service.accounts.guessable import check_unguessable
from sms_service.accounts.models import ROLES, Account, RoleGrant
from sms_service.accounts.passwords import check_password, hash_made_password, hash_password
from sms_service.accounts.permissions import PERMISSIONS, Permission
from sms_service.audit import trail
from sms_service.db.locks import LockKey, take_lock
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.said import as_said, say

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
LOGIN_RULE = as_said("must be 2 to 64 characters of a-z, 0-9, '.', '_', '@', '-', the first a-z or 0-9")
_TOP = re.compile(r"/[0-9]+/")  # the path of a unit without a parent


def is_login(login: str) -> bool:
    """Whether an account may have this login; if not, LOGIN_RULE says what may."""
    return _LOGIN.fullmatch(login) is not None


def create_account(
    session: Session,
    actor: Actor,
    *,
    unit_id: int,
    login: str,
    name: str,
    password: str | None = None,
    made: bool = False,
) -> Account:
    """A new account of the unit, without a role. Without a password it can only use tokens issued from the shell.

    `made`: the password is of `make_password`, so that its person has to choose another, whoever set it.

    Raises NotFound or Forbidden (the unit), Invalid (`login`, `password`), Conflict (the login is taken).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_accounts, path)
    if not is_login(login):
        raise Invalid("login", login, LOGIN_RULE)
    if session.scalar(select(Account.id).where(Account.login == login)) is not None:
        raise Conflict("the login is taken; choose another")
    password_hash = None
    if password is not None and made:
        password_hash = hash_made_password(password)
    elif password is not None:
        check_unguessable(password, login, name)
        password_hash = hash_password(password)
    account = Account(
        unit_id=unit_id,
        login=login,
        name=name,
        password_hash=password_hash,
        created_by=actor.account_id,
        password_set_by=actor.account_id if password is not None else None,
        password_due=password is not None and (made or actor.account_id is not None),
    )
    session.add(account)
    session.flush()
    trail.record_act(session, actor.account_id, "account.create", "account", account.id, path, login=login)
    return account


def find_account(session: Session, actor: Actor, account_id: int) -> Account:
    """The account: the actor's own, or one of a unit in the actor's scope. Raises NotFound or Forbidden."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("account", account_id)
    if account.id != actor.account_id:
        actor.require(Permission.manage_accounts, unit_path(session, account.unit_id))
    return account


def change_account(
    session: Session,
    actor: Actor,
    account_id: int,
    *,
    now: datetime,
    name: str | None = None,
    unit_id: int | None = None,
    password: str | None = None,
    disabled: bool | None = None,
) -> Account:
    """Change what is given. A disabled account's tokens stop working at once, and work again when it is enabled; a new
    password ends them for good.

    Raises NotFound, Forbidden, Invalid (`password`), Conflict (it is the last administrator of its whole tree).
    """
    if disabled:
        _removing_power(session)
    account = _account_in_power(session, actor, account_id)
    path = unit_path(session, account.unit_id)
    if unit_id is not None and unit_id != account.unit_id:
        new_path = unit_path(session, unit_id)
        actor.require(Permission.manage_accounts, new_path)
        moved = {"unit_id": [account.unit_id, unit_id]}
        account.unit_id = unit_id
        trail.record_act(session, actor.account_id, "account.move", "account", account.id, new_path, changes=moved)
        path = new_path
    if name is not None and name != account.name:
        renamed = {"name": [account.name, name]}
        account.name = name
        trail.record_personal_act(session, actor.account_id, "account.rename", "account", account.id, path, renamed)
    if password is not None:
        check_unguessable(password, account.login, account.name)
        account.password_hash = hash_password(password)
        if account.id != actor.account_id:  # otherwise whoever set it could log in as the account and erase that
            account.password_set_by = actor.account_id
            account.password_due = actor.account_id is not None
        tokens.revoke_all(session, actor, account.id)
        sessions.end_all_sessions(session, actor, account.id)
        trail.record_act(session, actor.account_id, "account.set_password", "account", account.id, path)
    if disabled is not None and disabled != (account.disabled_at is not None):
        if disabled:
            for grant in load_grants(session, account.id):
                if grant.role == "administrator":
                    _require_another_administrator(session, account.id, grant.path)
        account.disabled_at = now if disabled else None
        if disabled:
            sessions.end_all_sessions(session, actor, account.id)
        act = "account.disable" if disabled else "account.enable"
        trail.record_act(session, actor.account_id, act, "account", account.id, path)
    session.flush()
    return account


def change_own_password(
    session: Session, actor: Actor, *, current: str, new: str, keep_session: int | None = None
) -> None:
    """Replace the actor's own password. All the account's tokens end, and all its sessions except `keep_session`.

    Raises Invalid (`current_password`; `password`, also if the new one is the old one).
    """
    account = session.get_one(Account, actor.account_id, with_for_update=True)
    if not check_password(account.password_hash, current):
        raise Invalid("current_password", None, "is not the password of this account")
    if new == current:
        raise Invalid("password", None, "is the one you have; choose another")
    check_unguessable(new, account.login, account.name)
    account.password_hash, account.password_due = hash_password(new), False
    tokens.revoke_all(session, actor, account.id)
    sessions.end_all_sessions(session, actor, account.id, keep=keep_session)
    session.flush()
    path = unit_path(session, account.unit_id)
    trail.record_act(session, actor.account_id, "account.set_password", "account", account.id, path)


def grant_role(session: Session, actor: Actor, account_id: int, *, role: str, unit_id: int) -> RoleGrant:
    """Give the account a role on a unit; a role it holds there already is returned as it is.

    Nobody grants a role to their own account: an administrator could otherwise approve what they wrote.
    Raises NotFound, Forbidden or Invalid (`role`).
    """
    if role not in ROLES:
        raise Invalid("role", role, say("must be one of {roles}", roles=ROLES))
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_accounts, path)
    if account_id == actor.account_id:
        raise Forbidden("nobody grants a role to their own account; another administrator can")
    account = _account_in_power(session, actor, account_id)
    held = session.scalar(select(RoleGrant).filter_by(account_id=account.id, role=role, unit_id=unit_id))
    if held is not None:
        return held
    grant = RoleGrant(account_id=account.id, role=role, unit_id=unit_id)
    session.add(grant)
    session.flush()
    trail.record_act(
        session, actor.account_id, "role.grant", "account", account.id, path, role=role, unit_id=unit_id, grant=grant.id
    )
    return grant


def revoke_role(session: Session, actor: Actor, account_id: int, grant_id: int) -> None:
    """Take away a role on a unit in the actor's scope, whichever unit the account itself belongs to.

    Raises NotFound, Forbidden (also if another role of the account reaches that unit from above the actor's scope) or
    Conflict (it is the last administrator of its whole tree).
    """
    _removing_power(session)
    grant = session.scalar(select(RoleGrant).filter_by(id=grant_id, account_id=account_id))
    if grant is None:
        raise NotFound("role of account {account} with the id", grant_id, account=account_id)
    path = unit_path(session, grant.unit_id)
    actor.require(Permission.manage_accounts, path)
    if any(_is_above(actor, other, path) for other in load_grants(session, account_id)):
        raise Forbidden(
            say("account {account} holds a role above {login}'s on that unit", account=account_id, login=actor.login)
        )
    if grant.role == "administrator":
        _require_another_administrator(session, account_id, path)
    session.delete(grant)
    session.flush()
    trail.record_act(
        session,
        actor.account_id,
        "role.revoke",
        "account",
        account_id,
        path,
        role=grant.role,
        unit_id=grant.unit_id,
        grant=grant_id,
    )


def accounts_in(scope: tuple[str, ...], *, role: str | None = None, disabled: bool | None = None) -> Select[Account]:
    """The accounts of units within the paths of `scope`, to be ordered and paged by the caller; of those only the ones
    that hold `role` somewhere, and that are disabled or not.
    """
    within = or_(false(), *(units.c.path.op("^@")(path) for path in scope))
    statement = select(Account).join(units, units.c.id == Account.unit_id).where(within)
    if role is not None:
        statement = statement.where(exists().where(RoleGrant.account_id == Account.id, RoleGrant.role == role))
    if disabled is not None:
        statement = statement.where(Account.disabled_at.is_not(None) if disabled else Account.disabled_at.is_(None))
    return statement


def find_administrators(session: Session, unit_id: int, most: int = 3) -> list[str]:
    """The names of enabled administrators of the unit, the nearest first: the people to ask for a permission."""
    path = unit_path(session, unit_id)
    return list(
        session.scalars(
            select(Account.name)
            .join(RoleGrant, RoleGrant.account_id == Account.id)
            .join(units, units.c.id == RoleGrant.unit_id)
            .where(
                RoleGrant.role == "administrator", Account.disabled_at.is_(None), literal(path).op("^@")(units.c.path)
            )
            .order_by(func.length(units.c.path).desc(), Account.id)
            .limit(most)
        )
    )


def select_holders(permission: Permission, path: str) -> Select[int, str, int]:
    """The enabled accounts that hold the permission over the unit at `path`: id, name, and the length of the path of
    the unit where they hold it, which is greater the nearer they are. Several rows where an account holds it several
    times.
    """
    roles = [role for role, permissions in PERMISSIONS.items() if permission in permissions]
    return (
        select(Account.id, Account.name, func.length(units.c.path))
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .join(units, units.c.id == RoleGrant.unit_id)
        .where(RoleGrant.role.in_(roles), Account.disabled_at.is_(None), literal(path).op("^@")(units.c.path))
    )


def _account_in_power(session: Session, actor: Actor, account_id: int) -> Account:
    """The account, locked, if the actor may change it. Raises NotFound or Forbidden."""
    account = session.get(Account, account_id, with_for_update=True, populate_existing=True)
    if account is None:
        raise NotFound("account", account_id)
    require_power(session, actor, account)
    return account


def _is_above(actor: Actor, grant: Grant, path: str) -> bool:
    """Whether the role reaches the unit at `path` and is held on a unit whose accounts the actor does not manage."""
    return path.startswith(grant.path) and not actor.can(Permission.manage_accounts, grant.path)


def _require_another_administrator(session: Session, account_id: int, path: str) -> None:
    """Raises Conflict if `path` is the top of a tree and no other enabled account administers it."""
    if not _TOP.fullmatch(path):
        return
    others = (
        select(Account.id)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .join(units, units.c.id == RoleGrant.unit_id)
        .where(
            RoleGrant.role == "administrator",
            units.c.path == path,
            Account.disabled_at.is_(None),
            Account.id != account_id,
        )
    )
    if session.scalar(others.limit(1)) is None:
        raise Conflict("this is the last administrator of the whole tree; make another one first")


def _removing_power(session: Session) -> None:
    """Let one transaction at a time remove administrators: two who remove each other must not both succeed.

    Take this lock before any row, so that nobody holds a row while waiting for it.
    """
    take_lock(session, LockKey.remove_power)
