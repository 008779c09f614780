"""The right to approve, lent to another account until the end of a day. What it gives is asked anew each time
(`accounts.actors.select_lent`): it ends by itself, and with the lender's own right.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Date, Row, Select, cast, false, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from sms_service.accounts.actors import Actor, Grant, select_lent, unit_path
from sms_service.accounts.models import Account, Delegation
from sms_service.accounts.permissions import PERMISSIONS, Permission
from sms_service.audit import trail
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.said import say
from sms_service.vocabulary import Words

LONGEST_DAYS = 60  # ahead
MOST_SUGGESTED = 50


class DelegationState(Words):
    """What becomes of a delegation."""

    active = "active"  # the delegate may approve
    idle = "idle"  # its lender may not approve any more, so it gives nothing
    over = "over"  # its last day is over
    ended = "ended"  # somebody ended it


class NamedDelegation(NamedTuple):
    """A delegation with the names of its two people and of its unit, and whether it holds now."""

    delegation: Delegation
    lender: str
    delegate: str
    unit: str
    state: DelegationState


def lend_approval(
    session: Session, actor: Actor, *, unit_id: int, login: str, until: date, why: str
) -> NamedDelegation:
    """Let the account with this login approve what the unit and all below it send, to the end of the day `until`.

    Only who holds the right by a role lends it: nobody lends on what was lent to them. Raises NotFound (the unit, the
    account), Forbidden, Invalid (`login`, `until`, `why`), or Conflict where that account has it already.
    """
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound("unit", unit_id)
    actor.require(Permission.approve_campaigns, unit.path)
    if actor.account_id is None or not _holds_own(actor, unit.path):
        raise Forbidden(say("{login} does not hold the right by a role, and cannot lend it", login=actor.login))
    why = required_line("why", why, LONGEST_WHY)
    delegate = session.scalar(select(Account).where(Account.login == login.strip()))
    if delegate is None or delegate.disabled_at is not None:
        raise Invalid("login", login, "is the login of no account that is in use")
    if delegate.id == actor.account_id:
        raise Invalid("login", login, "is your own; lend it to somebody else")
    today = session.scalars(select(_today_of(unit.timezone))).one()
    if not today <= until <= today + timedelta(days=LONGEST_DAYS):
        last = today + timedelta(days=LONGEST_DAYS)
        reason = say("must be a day from {first} to {last}", first=today, last=last)
        raise Invalid("until", until.isoformat(), reason)
    # Locked, so that two presses of one button do not lend it twice.
    session.execute(select(Account.id).where(Account.id == actor.account_id).with_for_update())
    same = select_lent(
        Delegation.lender_id == actor.account_id, Delegation.account_id == delegate.id, Delegation.unit_id == unit.id
    )
    held = session.scalar(same.limit(1))
    if held is not None:
        message = "{name} may approve for {unit} until {day} already; end that first to change it"
        raise Conflict(say(message, name=delegate.name, unit=unit.name, day=held.until))
    made = Delegation(unit_id=unit.id, lender_id=actor.account_id, account_id=delegate.id, until=until, why=why)
    session.add(made)
    session.flush()
    lender = session.get_one(Account, actor.account_id)
    details = _tell_delegation(made)
    trail.record_act(session, actor.account_id, "delegation.begin", "account", delegate.id, unit.path, **details)
    return NamedDelegation(made, lender.name, delegate.name, unit.name, DelegationState.active)


def end_delegation(session: Session, actor: Actor, delegation_id: int) -> None:
    """End a delegation at once: its lender, who holds it, or who manages accounts over its unit may.

    Raises NotFound, Forbidden, or Conflict if it is over.
    """
    found = session.get(Delegation, delegation_id)
    if found is None:
        raise NotFound("delegation", delegation_id)
    path = unit_path(session, found.unit_id)
    if actor.account_id is None or actor.account_id not in (found.lender_id, found.account_id):
        actor.require(Permission.manage_accounts, path)
    zone = session.get_one(Unit, found.unit_id).timezone
    ended = session.scalar(
        update(Delegation)
        .where(Delegation.id == delegation_id, Delegation.ended_at.is_(None), Delegation.until >= _today_of(zone))
        .values(ended_at=func.sms_now(), ended_by=actor.account_id)
        .returning(Delegation.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(found)
    if ended is None:
        raise Conflict("the delegation is over already")
    details = _tell_delegation(found)
    trail.record_act(session, actor.account_id, "delegation.end", "account", found.account_id, path, **details)


def find_delegations(paths: Iterable[str], account_id: int | None) -> Select[*tuple[Any, ...]]:
    """Delegations over units within the subtrees at `paths`, and all that the account lent or got, as rows for
    `name_delegation`; to be ordered and paged.
    """
    lender, delegate = aliased(Account), aliased(Account)
    in_force = select_lent().with_only_columns(Delegation.id).subquery()
    own = [] if account_id is None else [Delegation.lender_id == account_id, Delegation.account_id == account_id]
    return (
        select(
            Delegation,
            lender.name.label("lender"),
            delegate.name.label("delegate"),
            Unit.name.label("unit"),
            (_today_of(Unit.timezone) > Delegation.until).label("is_over"),
            Delegation.id.in_(select(in_force.c.id)).label("is_in_force"),
            delegate.disabled_at.label("disabled_at"),
        )
        .join(Unit, Unit.id == Delegation.unit_id)
        .join(lender, lender.id == Delegation.lender_id)
        .join(delegate, delegate.id == Delegation.account_id)
        .where(or_(false(), *(Unit.path.op("^@")(path) for path in paths), *own))
    )


def name_delegation(row: Row[Any]) -> NamedDelegation:
    """What `find_delegations` found."""
    state = DelegationState.active
    if row.Delegation.ended_at is not None:
        state = DelegationState.ended
    elif row.is_over:
        state = DelegationState.over
    elif not row.is_in_force or row.disabled_at is not None:
        state = DelegationState.idle
    return NamedDelegation(row.Delegation, row.lender, row.delegate, row.unit, state)


def suggest_delegates(session: Session, actor: Actor, unit: Unit) -> list[tuple[str, str]]:
    """Logins and names of some accounts of the unit itself, to whom the right may be lent."""
    actor.require(Permission.approve_campaigns, unit.path)
    rows = session.execute(
        select(Account.login, Account.name)
        .where(Account.unit_id == unit.id, Account.disabled_at.is_(None), Account.id != actor.account_id)
        .order_by(Account.name, Account.id)
        .limit(MOST_SUGGESTED)
    )
    return [(row[0], row[1]) for row in rows]


def list_own_units(session: Session, actor: Actor) -> list[Unit]:
    """The units on which the actor holds the right to approve by a role, so that they may lend it there or below."""
    paths = {grant.path for grant in actor.grants if _is_own(grant)}
    return list(session.scalars(select(Unit).where(Unit.path.in_(paths)).order_by(Unit.path)))


def _holds_own(actor: Actor, path: str) -> bool:
    return any(_is_own(grant) and path.startswith(grant.path) for grant in actor.grants)


def _is_own(grant: Grant) -> bool:
    return grant.lender_id is None and Permission.approve_campaigns in PERMISSIONS[grant.role]


def _today_of(timezone: ColumnElement[str] | InstrumentedAttribute[str] | str) -> ColumnElement[date]:
    return cast(func.timezone(timezone, func.sms_now()), Date)


def _tell_delegation(one: Delegation) -> dict[str, Any]:
    return {"delegation": one.id, "unit_id": one.unit_id, "lender": one.lender_id, "until": one.until.isoformat()}
