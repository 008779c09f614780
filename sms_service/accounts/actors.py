"""The actor: an account's roles, resolved to the subtrees they reach. Only this module decides what is allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Select,
    Text,
    cast,
    column,
    func,
    literal,
    null,
    select,
    table,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.models import Account, Delegation, RoleGrant
from sms_service.accounts.permissions import DELEGATE_ROLE, PERMISSIONS, SYSTEM_ROLE, Permission
from sms_service.errors import Forbidden, NotFound
from sms_service.said import Said, say

# Of units this room reads only these; the directory, which owns the table, lies above this room.
units = table("units", column("id", BigInteger), column("path", Text), column("timezone", Text))


@dataclass(frozen=True, slots=True)
class Grant:
    """A role held on a unit; `path` is the unit's place in the tree ("/1/5/"). The role reaches that whole subtree.

    `lender_id`: the account that lent it, where it is held by delegation.
    """

    role: str
    unit_id: int
    path: str
    lender_id: int | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """An account and its roles at the moment they were loaded. `account_id` is None only for the service itself."""

    account_id: int | None
    login: str
    grants: tuple[Grant, ...]

    def scope(self, permission: Permission) -> tuple[str, ...]:
        """The unit paths, sorted, on which a role with this permission is held; none lies within another."""
        paths = sorted({grant.path for grant in self.grants if permission in PERMISSIONS[grant.role]})
        outermost: list[str] = []
        for path in paths:  # sorted: an ancestor comes right before its descendants
            if not outermost or not path.startswith(outermost[-1]):
                outermost.append(path)
        return tuple(outermost)

    def can(self, permission: Permission, path: str) -> bool:
        """Whether the actor may do this to the whole subtree at `path`."""
        return any(path.startswith(held) for held in self.scope(permission))

    def may_use(self, path: str) -> bool:
        """Whether the actor may read and use what the unit at `path` keeps for itself and all below it."""
        return any(path.startswith(held) or held.startswith(path) for held in self.scope(Permission.read))

    def require_use(self, path: str, what: Said) -> None:
        """Raises Forbidden unless the actor may read and use `what` the unit at `path` keeps."""
        if not self.may_use(path):
            raise Forbidden(
                say(
                    "{login} holds no role on the unit to which {what} belongs, nor above or below it",
                    login=self.login,
                    what=what,
                )
            )

    def require(self, permission: Permission, path: str) -> None:
        """Raises Forbidden unless the actor may do this to the whole subtree at `path`."""
        if not self.can(permission, path):
            # The message does not name the unit: the caller may know only an id, and must not learn where it lies.
            raise Forbidden(
                say(
                    "{login} does not hold the permission {permission} over the unit concerned",
                    login=self.login,
                    permission=permission,
                )
            )

    def require_somewhere(self, permission: Permission) -> None:
        """Raises Forbidden unless the actor holds the permission over at least one unit."""
        if not self.scope(permission):
            raise Forbidden(
                say(
                    "{login} does not hold the permission {permission} over any unit",
                    login=self.login,
                    permission=permission,
                )
            )


@dataclass(frozen=True, slots=True)
class RecordingActor(Actor):
    """An actor that remembers what it was allowed: `asked` holds pairs (permission, path), so that the same questions
    can be asked again later.
    """

    asked: set[tuple[Permission, str]] = field(default_factory=set)

    def scope(self, permission: Permission) -> tuple[str, ...]:
        """As Actor's."""
        paths = Actor.scope(self, permission)
        self.asked.update((permission, path) for path in paths)
        return paths

    def can(self, permission: Permission, path: str) -> bool:
        """As Actor's."""
        allowed = any(path.startswith(held) for held in Actor.scope(self, permission))
        if allowed:
            self.asked.add((permission, path))
        return allowed


def require_again(session: Session, actor: Actor, asked: Iterable[tuple[str, str]]) -> None:
    """Raises Forbidden unless the actor may still do what was `asked`, pairs (permission, path), at the present places
    of those units.
    """
    for permission, path in asked:
        unit_id = path.strip("/").rpartition("/")[2]
        actor.require(Permission(permission), unit_path(session, int(unit_id)) if unit_id else path)


# The service itself: the shell of the machine it runs on, the clock, the demonstration.
SYSTEM = Actor(account_id=None, login="system", grants=(Grant(role=SYSTEM_ROLE, unit_id=0, path="/"),))


def load_actor(session: Session, account_id: int) -> Actor:
    """The account's actor with the roles and paths it has now, and what others have lent it.

    Raises NotFound if there is no such account, Forbidden if it is disabled.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("account", account_id)
    if account.disabled_at is not None:
        raise Forbidden(say("account {login} is disabled", login=account.login))
    return Actor(account_id=account.id, login=account.login, grants=load_held(session, account.id))


def load_grants(session: Session, account_id: int) -> tuple[Grant, ...]:
    """The account's roles with the present paths of their units, ordered by path and role."""
    rows = session.execute(
        select(RoleGrant.role, RoleGrant.unit_id, units.c.path)
        .join(units, units.c.id == RoleGrant.unit_id)
        .where(RoleGrant.account_id == account_id)
        .order_by(units.c.path, RoleGrant.role)
    )
    return tuple(Grant(role=row.role, unit_id=row.unit_id, path=row.path) for row in rows)


def load_held(session: Session, account_id: int) -> tuple[Grant, ...]:
    """The same, with what the account holds by delegation now."""
    own = (
        select(RoleGrant.role, RoleGrant.unit_id, units.c.path, cast(null(), BigInteger).label("lender_id"))
        .join(units, units.c.id == RoleGrant.unit_id)
        .where(RoleGrant.account_id == account_id)
    )
    lent = select_lent(Delegation.account_id == account_id).with_only_columns(
        literal(DELEGATE_ROLE), Delegation.unit_id, units.c.path, Delegation.lender_id
    )
    rows = session.execute(own.union_all(lent)).all()
    grants = (Grant(row.role, row.unit_id, row.path, row.lender_id) for row in rows)
    return tuple(sorted(grants, key=lambda one: (one.path, one.role, one.lender_id or 0)))


def select_lent(*where: ColumnElement[bool]) -> Select[Delegation]:
    """The delegations of which something is held now, joined with `units`: neither over nor ended, and their lender,
    who is enabled, may still approve what the unit sends.
    """
    roles = [role for role, permissions in PERMISSIONS.items() if Permission.approve_campaigns in permissions]
    above, lender = units.alias("above"), aliased(Account)
    holds = (
        select(RoleGrant.id)
        .join(above, above.c.id == RoleGrant.unit_id)
        .where(
            RoleGrant.account_id == Delegation.lender_id,
            RoleGrant.role.in_(roles),
            units.c.path.op("^@")(above.c.path),
        )
        .correlate(Delegation, units)
        .exists()
    )
    return (
        select(Delegation)
        .join(units, units.c.id == Delegation.unit_id)
        .join(lender, lender.id == Delegation.lender_id)
        .where(
            *where,
            Delegation.ended_at.is_(None),
            cast(func.timezone(units.c.timezone, func.sms_now()), Date) <= Delegation.until,
            lender.disabled_at.is_(None),
            holds,
        )
    )


def require_power(session: Session, actor: Actor, account: Account) -> None:
    """Raises Forbidden unless the actor manages accounts over the account's unit and over every unit on which it holds
    a role, whatever the role, so that nobody acts on an account with more rights than their own.
    """
    actor.require(Permission.manage_accounts, unit_path(session, account.unit_id))
    if not all(actor.can(Permission.manage_accounts, grant.path) for grant in load_grants(session, account.id)):
        raise Forbidden(
            say(
                "account {account} holds a role on a unit over which {login} manages no accounts",
                account=account.id,
                login=actor.login,
            )
        )


def people_behind(session: Session, account_ids: Collection[int]) -> dict[int, set[int]]:
    """For each of these accounts, itself and all that could have logged in as it: who created it, who last set its
    password, and who created or set the password of those.
    """
    makers = union_all(
        *(
            select(Account.id, maker.label("maker")).where(maker.is_not(None))
            for maker in (Account.created_by, Account.password_set_by)
        )
    ).subquery("makers")
    own = select(Account.id.label("account_id"), Account.id.label("maker")).where(Account.id.in_(account_ids))
    behind = own.cte("behind", recursive=True)
    behind = behind.union(select(behind.c.account_id, makers.c.maker).join(makers, makers.c.id == behind.c.maker))
    found = {account_id: {account_id} for account_id in account_ids}
    for account_id, maker in session.execute(select(behind.c.account_id, behind.c.maker)):
        found[account_id].add(maker)
    return found


def unit_path(session: Session, unit_id: int) -> str:
    """The unit's present path. Raises NotFound if there is no such unit."""
    path = session.scalar(select(units.c.path).where(units.c.id == unit_id))
    if path is None:
        raise NotFound("unit", unit_id)
    return str(path)
