"""Signatures as objects: who owns them, how far the carriers are with them, and which one a unit's forms have already.

A campaign carries the text of its signature, so that what was approved stays readable whatever becomes of the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, false, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSON, JSONB, insert
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.content.compose import check_signature
from sms_service.content.findings import FindingKind, LintFinding, Severity, make_finding
from sms_service.content.models import DefaultSignature, FilingState, OwnedSignature, SignatureFiling
from sms_service.controls.models import AccountState, GatewayAccount, RouteMember
from sms_service.directory.models import Unit
from sms_service.directory.units import usable_from
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import as_said, say


def add_signature(session: Session, actor: Actor, unit_id: int, text: str) -> OwnedSignature:
    """A new signature of a unit; no carrier knows it yet.

    Raises NotFound, Forbidden without `manage_directory` over the unit, Invalid (signature), or Conflict if the unit
    has it.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, path)
    made: OwnedSignature | None = session.scalar(
        insert(OwnedSignature)
        .values(unit_id=unit_id, text=check_signature(text), created_by=actor.account_id)
        .on_conflict_do_nothing()
        .returning(OwnedSignature)
    )
    if made is None:
        raise Conflict("the unit already has this signature")
    trail.record_act(session, actor.account_id, "signature.add", "unit", unit_id, path, signature=text)
    return made


def remove_signature(session: Session, actor: Actor, signature_id: int) -> None:
    """Take a signature away, with its filings; campaigns that carry its text keep it. Raises NotFound or Forbidden."""
    found, path = _own(session, actor, signature_id)
    session.delete(found)
    session.flush()
    trail.record_act(session, actor.account_id, "signature.remove", "unit", found.unit_id, path, signature=found.text)


def set_filing(session: Session, actor: Actor, signature_id: int, account: str, state: FilingState) -> None:
    """Write down how far a gateway account is with a signature.

    Raises NotFound (signature, account), Forbidden, or Invalid for one that is longer than the account registers.
    """
    found, path = _own(session, actor, signature_id)
    gateway = session.scalar(select(GatewayAccount).where(GatewayAccount.name == account))
    if gateway is None:
        raise NotFound("gateway account", account)
    if state != FilingState.draft and len(found.text) > gateway.longest_signature:
        message = "has {number} characters; {account} registers at most {most}"
        most = gateway.longest_signature
        raise Invalid("signature", found.text, say(message, number=len(found.text), account=account, most=most))
    filed = select(SignatureFiling.state).where(
        SignatureFiling.signature_id == signature_id, SignatureFiling.gateway_account_id == gateway.id
    )
    changes = {"state": [session.scalar(filed.with_for_update()), state.value]}
    new = insert(SignatureFiling).values(
        signature_id=signature_id, gateway_account_id=gateway.id, state=state.value, changed_at=func.sms_now()
    )
    session.execute(
        new.on_conflict_do_update(
            index_elements=[SignatureFiling.signature_id, SignatureFiling.gateway_account_id],
            set_={"state": new.excluded.state, "changed_at": new.excluded.changed_at},
        )
    )
    details = {"signature": found.text, "account": account, "state": state, "changes": changes}
    trail.record_act(session, actor.account_id, "signature.file", "unit", found.unit_id, path, **details)


def set_default_signature(session: Session, actor: Actor, unit_id: int, signature_id: int | None) -> None:
    """Which signature the forms of a unit, and of those below without one, have already; None: that of the unit above.

    Raises NotFound, Forbidden without `manage_directory` over the unit, or Invalid for one that it cannot use.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, path)
    before = session.scalar(
        select(DefaultSignature.signature_id).where(DefaultSignature.unit_id == unit_id).with_for_update()
    )
    if signature_id is None:
        session.execute(delete(DefaultSignature).where(DefaultSignature.unit_id == unit_id))
    else:
        owner = session.scalar(
            select(Unit.path)
            .join(OwnedSignature, OwnedSignature.unit_id == Unit.id)
            .where(OwnedSignature.id == signature_id)
        )
        if owner is None:
            raise NotFound("signature", signature_id)
        if not path.startswith(owner):
            raise Invalid("signature_id", signature_id, "belongs to no unit at or above this one")
        new = insert(DefaultSignature).values(unit_id=unit_id, signature_id=signature_id)
        session.execute(new.on_conflict_do_update(index_elements=["unit_id"], set_={"signature_id": signature_id}))
    changes = {"signature_id": [before, signature_id]}
    trail.record_act(session, actor.account_id, "signature.default", "unit", unit_id, path, changes=changes)


def find_signatures(scope: tuple[str, ...]) -> Select[OwnedSignature, Unit, dict[str, str], list[str]]:
    """The signatures that may be used on the unit paths of `scope`, each with its unit, the `filings` by account and
    the names of the units whose default it is (`defaults`); not ordered.
    """
    filings = (
        select(func.coalesce(func.jsonb_object_agg(GatewayAccount.name, SignatureFiling.state), literal({}, JSONB)))
        .select_from(SignatureFiling)
        .join(GatewayAccount, GatewayAccount.id == SignatureFiling.gateway_account_id)
        .where(SignatureFiling.signature_id == OwnedSignature.id)
        .correlate(OwnedSignature)
        .scalar_subquery()
    )
    named = Unit.__table__.alias("named")
    defaults = (
        select(func.coalesce(func.jsonb_agg(named.c.name), literal([], JSONB)))
        .select_from(DefaultSignature)
        .join(named, named.c.id == DefaultSignature.unit_id)
        .where(
            DefaultSignature.signature_id == OwnedSignature.id,
            or_(false(), *(named.c.path.op("^@")(path) for path in scope)),
        )
        .correlate(OwnedSignature)
        .scalar_subquery()
    )
    statement = select(OwnedSignature, Unit, filings.label("filings"), defaults.label("defaults"))
    return statement.join(Unit, Unit.id == OwnedSignature.unit_id).where(usable_from(scope))


def select_offered(ids: Sequence[int]) -> tuple[Select[str, int, int], Select[str, int, int]]:
    """The texts of the signatures that a unit can use, `ids` being its own and those of the units above it, each with
    two numbers to order by: the default first, then the nearest.
    """
    depth = func.length(Unit.path)
    held = (
        select(OwnedSignature.text, literal(1), depth)
        .join(Unit, Unit.id == OwnedSignature.unit_id)
        .where(Unit.id.in_(ids))
    )
    default = (
        select(OwnedSignature.text, literal(0), depth)
        .join(DefaultSignature, DefaultSignature.signature_id == OwnedSignature.id)
        .join(Unit, Unit.id == DefaultSignature.unit_id)
        .where(Unit.id.in_(ids))
        .order_by(depth.desc())
        .limit(1)
    )
    return default, held


def describe_signature(row: Any) -> dict[str, Any]:
    """A row of `find_signatures` as doors show it."""
    names = ("id", "unit_id", "text", "created_at")
    shown = {name: getattr(row.OwnedSignature, name) for name in names}
    return {**shown, "unit": row.Unit.name, "filings": row.filings, "defaults": sorted(row.defaults)}


def select_standing(path: ColumnElement[str], route_id: ColumnElement[int], text: ColumnElement[str]) -> Any:
    """SQL for what is known of a campaign's signature at the unit at `path`, for `lint_signature`: the accounts of the
    route, each with the longest it registers and its state, and whether the unit can use this or any signature.
    """
    owner = aliased(Unit)
    usable = (
        select(OwnedSignature.id, OwnedSignature.text)
        .join(owner, owner.id == OwnedSignature.unit_id)
        .where(path.op("^@", is_comparison=True)(owner.path))
    )
    mine = (
        usable.where(OwnedSignature.text == text)
        .with_only_columns(OwnedSignature.id)
        .correlate_except(OwnedSignature, owner)
    )
    state = select(SignatureFiling.state).where(
        SignatureFiling.gateway_account_id == GatewayAccount.id,
        SignatureFiling.signature_id == mine.order_by(func.length(owner.path).desc()).limit(1).scalar_subquery(),
    )
    entry = func.json_build_array(GatewayAccount.name, GatewayAccount.longest_signature, state.scalar_subquery())
    accounts = (
        select(func.json_agg(entry))
        .select_from(RouteMember)
        .join(GatewayAccount, GatewayAccount.id == RouteMember.gateway_account_id)
        .where(
            RouteMember.route_id == route_id,
            GatewayAccount.state != AccountState.removed,
            GatewayAccount.simulated.is_(False),  # no carrier registers anything with a simulator
        )
        .scalar_subquery()
    )
    some = usable.with_only_columns(OwnedSignature.id).correlate_except(OwnedSignature, owner).exists()
    return func.json_build_object("accounts", accounts, "known", mine.exists(), "some", some, type_=JSON)


def load_standing(session: Session, path: str, route_id: int, text: str) -> Mapping[str, Any]:
    """What `select_standing` asks, by a statement of its own."""
    asked = select_standing(literal(path), literal(route_id), literal(text))
    return session.scalars(select(asked)).one()  # type: ignore[no-any-return]


def lint_signature(standing: Mapping[str, Any], text: str) -> list[LintFinding]:
    """Of a campaign's signature: longer than an account of its route registers, none of the unit's where it has some,
    or one that an account of its route has not let through yet.
    """
    place, found = as_said("the signature"), []
    accounts = sorted(standing["accounts"] or [])
    for name, most, _ in accounts:
        if len(text) > most:
            message = "the signature has {number} characters; {account} registers at most {most}"
            said = say(message, number=len(text), account=name, most=most)
            remedy = as_said("take a shorter one")
            found.append(make_finding(FindingKind.signature, Severity.refused, name, place, said, remedy))
    if standing["some"] and not standing["known"]:
        said = say("【{signature}】 is none of the unit's signatures", signature=text)
        remedy = as_said("take one of them, or have it added")
        found.append(make_finding(FindingKind.signature, Severity.tick, "", place, said, remedy))
    waiting = [name for name, _, state in accounts if standing["known"] and state != FilingState.usable]
    if waiting:
        said = say("【{signature}】 is not usable yet at {accounts}", signature=text, accounts=waiting)
        remedy = as_said("wait until the carrier has let it through, or write that down")
        found.append(make_finding(FindingKind.signature, Severity.tick, "filing", place, said, remedy))
    return found


def _own(session: Session, actor: Actor, signature_id: int) -> tuple[OwnedSignature, str]:
    found = session.get(OwnedSignature, signature_id)
    if found is None:
        raise NotFound("signature", signature_id)
    path = unit_path(session, found.unit_id)
    actor.require(Permission.manage_directory, path)
    return found, path
