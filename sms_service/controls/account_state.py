"""What people do to a gateway account: pause it, and open it again, also if the breaker paused it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.controls.accounts import id_of
from sms_service.controls.models import AccountState, GatewayAccount, PausedBy
from sms_service.db.locks import close_gate_of_gateway_account
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import require_everywhere
from sms_service.errors import Conflict
from sms_service.said import say


def pause_gateway_account(session: Session, actor: Actor, name: str, why: str) -> GatewayAccount:
    """Hand the account nothing more until a person opens it; texts take the route's other accounts, or wait.

    If the breaker paused the account before, it will not open by itself any more. Raises NotFound, Invalid, Forbidden,
    or Conflict if the account is not in gateways.toml any more.
    """
    why = required_line("why", why, LONGEST_WHY)
    paused = {"state": AccountState.paused.value, "paused_by": PausedBy.person.value}
    changes: dict[str, Any] = {**paused, "reason": why, "reopens_at": None}
    return _move(session, actor, name, (AccountState.open, AccountState.paused), changes, why)


def reopen_gateway_account(session: Session, actor: Actor, name: str, why: str) -> GatewayAccount:
    """Hand a paused account texts again; the breaker forgets what it counted.

    Raises NotFound, Invalid, Forbidden, or Conflict unless it is paused.
    """
    why = required_line("why", why, LONGEST_WHY)
    changes: dict[str, Any] = {"state": AccountState.open.value, "reason": None, "paused_by": None, "reopens_at": None}
    changes |= {"trips": 0, "watched_from": func.sms_now()}
    return _move(session, actor, name, (AccountState.paused,), changes, why)


def _move(
    session: Session, actor: Actor, name: str, sources: tuple[AccountState, ...], changes: dict[str, Any], why: str
) -> GatewayAccount:
    path = require_everywhere(session, actor, Permission.operate_service)
    gateway_account_id = id_of(session, name)
    close_gate_of_gateway_account(session.connection(), gateway_account_id)
    moved = session.scalar(
        update(GatewayAccount)
        .where(GatewayAccount.id == gateway_account_id, GatewayAccount.state.in_(sources))
        # A person's own words are no message of ours.
        .values({**changes, "reason_message": None, "state_since": func.sms_now()})
        .returning(GatewayAccount.id)
        .execution_options(synchronize_session=False)
    )
    account = session.get_one(GatewayAccount, gateway_account_id, populate_existing=True)
    if moved is None:
        refused = "gateway account {name} is {state}; only {sources: or } ones can do this"
        raise Conflict(say(refused, name=name, state=AccountState(account.state), sources=sources))
    trail.record_act(
        session, actor.account_id, f"gateway.{account.state}", "gateway_account", account.id, path, name=name, why=why
    )
    return account
