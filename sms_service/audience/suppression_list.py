"""The opt-out list to be read: entries within a scope, and all entries that a phone ever had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.models import Suppression
from sms_service.audience.suppression import list_phone_holders
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import top_paths
from sms_service.errors import Forbidden, NotFound
from sms_service.said import say

STATES = ("active", "lifted", "all")
SCOPES = ("everywhere", "unit", "kind")  # of every text; of one unit's; of a class or with a signature


def may_read_all_suppressions(session: Session, actor: Actor) -> bool:
    """Whether the actor may read entries of phones that nobody has: whoever may read everything."""
    return all(actor.can(Permission.read, path) for path in top_paths(session))


def find_suppressions(
    paths: Sequence[str],
    *,
    everything: bool = False,
    reason: str | None = None,
    scope: str | None = None,
    kind: TextKind = EVERY_TEXT,
    state: str = "active",
    phone: str | None = None,
) -> Select[*tuple[Any, ...]]:
    """The entries of phones that people within the subtrees at `paths` have, and those for texts of units there, to be
    ordered and paged; `everything`: also those of phones that nobody has.

    Rows (Suppression, person_id, name, home_id, home, home_path, holders, unit, unit_path, login, lifted_login). The
    person is the first within the paths who has the phone, of `holders` (0: nobody there); `home` is their unit, `unit`
    that for whose texts the entry holds, `login` who added it. Phones are whole: whoever shows them masks them.
    `reason`, `scope` of SCOPES, the class and signature of `kind`, `state` of STATES and `phone` (E.164) choose among
    them.
    """
    unit, adder, lifter = aliased(Unit), aliased(Account), aliased(Account)
    holder = (
        select(
            Person.id, Person.name, Person.unit_id, Unit.name.label("home"), Unit.path, func.count().over().label("n")
        )
        .join(Unit, Unit.id == Person.unit_id)
        .where(Person.phone == Suppression.phone, _lies_within(Unit.path.expression, paths))
        .order_by(Person.id)
        .limit(1)
        .lateral("holder")
    )
    own = holder.c
    statement: Select[*tuple[Any, ...]] = (
        select(Suppression, own.id.label("person_id"), own.name, own.unit_id.label("home_id"), own.home)
        .add_columns(own.path.label("home_path"), func.coalesce(own.n, 0).label("holders"))
        .add_columns(unit.name.label("unit"), unit.path.label("unit_path"))
        .add_columns(adder.login.label("login"), lifter.login.label("lifted_login"))
        .select_from(Suppression)
        .outerjoin(holder, true())
        .outerjoin(unit, unit.id == Suppression.unit_id)
        .outerjoin(adder, adder.id == Suppression.created_by)
        .outerjoin(lifter, lifter.id == Suppression.lifted_by)
    )
    if not everything:
        statement = statement.where(or_(own.id.is_not(None), _lies_within(unit.path, paths)))
    if reason is not None:
        statement = statement.where(Suppression.reason == reason)
    of_unit = Suppression.unit_id.is_not(None)
    of_kind = or_(Suppression.class_.is_not(None), Suppression.signature.is_not(None))
    if scope is not None:
        statement = statement.where({"unit": of_unit, "kind": of_kind}.get(scope, ~or_(of_unit, of_kind)))
    if kind.class_ is not None:
        statement = statement.where(Suppression.class_ == kind.class_)
    if kind.signature is not None:
        statement = statement.where(Suppression.signature == kind.signature)
    if state != "all":
        lifted = Suppression.lifted_at.is_not(None)
        statement = statement.where(lifted if state == "lifted" else ~lifted)
    return statement if phone is None else statement.where(Suppression.phone == phone)


def get_suppression(session: Session, actor: Actor, suppression_id: int) -> Suppression:
    """An entry that the actor may read, with the history of its phone: within their scope lies somebody who has the
    phone, or the unit for whose texts it holds. Raises NotFound or Forbidden.
    """
    found = session.get(Suppression, suppression_id)
    if found is None:
        raise NotFound("suppression", suppression_id)
    holders = list_phone_holders(session, found.phone)
    unit = None if found.unit_id is None else session.get_one(Unit, found.unit_id)
    paths = [*(holder.path for holder in holders), *([] if unit is None else [unit.path])]
    if not may_read_all_suppressions(session, actor) and not any(actor.can(Permission.read, path) for path in paths):
        raise Forbidden(say("{login} may not read this entry of the opt-out list", login=actor.login))
    return found


def list_history(session: Session, actor: Actor, phone: str) -> Sequence[Any]:
    """All entries that the phone (E.164) ever had, as rows of `find_suppressions`, newest first, as far as the actor
    may read them: all, if somebody in their scope has the phone.
    """
    paths, everything = actor.scope(Permission.read), may_read_all_suppressions(session, actor)
    statement = find_suppressions(paths, everything=everything, state="all", phone=phone)
    return session.execute(statement.order_by(Suppression.created_at.desc(), Suppression.id.desc())).all()


def _lies_within(path: ColumnElement[str] | Any, paths: Sequence[str]) -> ColumnElement[bool]:
    return or_(false(), *(path.op("^@", is_comparison=True)(one) for one in paths))
