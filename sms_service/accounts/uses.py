"""When accounts were last used, by browser or by token, and the end of their sessions by somebody who may."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_grants, require_power
from sms_service.accounts.models import Account, BrowserSession, RoleGrant, Token
from sms_service.accounts.permissions import Permission
from sms_service.accounts.sessions import end_all_sessions
from sms_service.errors import NotFound


class HeldRole(NamedTuple):
    """A role that an account holds on a unit; `grant_id` is what `revoke_role` takes."""

    grant_id: int
    role: str
    unit_id: int


def find_last_uses(session: Session, account_ids: Collection[int]) -> dict[int, datetime]:
    """When each of these accounts last logged in with a browser or used a token, by id; sessions are kept 30 days."""
    used = union_all(
        select(BrowserSession.account_id, BrowserSession.seen_at.label("at")),
        select(Token.account_id, Token.last_used_at.label("at")).where(Token.last_used_at.is_not(None)),
    ).subquery()
    statement = select(used.c.account_id, func.max(used.c.at)).where(used.c.account_id.in_(account_ids))
    return {row[0]: row[1] for row in session.execute(statement.group_by(used.c.account_id))}


def list_held_roles(session: Session, account_ids: Collection[int]) -> dict[int, list[HeldRole]]:
    """The roles of each of these accounts, by its id, in the order in which they were given."""
    found: dict[int, list[HeldRole]] = {account_id: [] for account_id in account_ids}
    statement = select(RoleGrant).where(RoleGrant.account_id.in_(account_ids)).order_by(RoleGrant.id)
    for grant in session.scalars(statement):
        found[grant.account_id].append(HeldRole(grant.id, grant.role, grant.unit_id))
    return found


def is_in_power(session: Session, actor: Actor, account: Account, path: str) -> bool:
    """Whether the actor may change the account, whose unit is at `path`; see `actors.require_power`."""
    paths = [path, *(grant.path for grant in load_grants(session, account.id))]
    return all(actor.can(Permission.manage_accounts, held) for held in paths)


def end_sessions_of(session: Session, actor: Actor, account_id: int) -> int:
    """Log the account out of every browser; returns of how many. Raises NotFound or Forbidden."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("account", account_id)
    require_power(session, actor, account)
    return end_all_sessions(session, actor, account_id)
