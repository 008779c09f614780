"""Suppression: phones that must not be texted. The gate asks this table when a text leaves: an opt-out counts at once.

An opt-out belongs to the phone and holds for the whole city. Adding one cannot do harm, so everybody who may choose
recipients may add one. Lifting one needs manage_directory over everybody who has the phone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, delete, false, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.models import Suppression
from sms_service.audit import trail
from sms_service.directory.importing import any_of
from sms_service.directory.models import Person, Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import top_paths
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.said import say
from sms_service.vocabulary import MessageReason

REASONS = (MessageReason.opted_out, MessageReason.wrong_person, MessageReason.complaint)  # that people give
ALL_REASONS = (*REASONS, MessageReason.blacklisted)


class Holder(NamedTuple):
    """Somebody who has the phone: person and the path of their unit."""

    person_id: int
    path: str


class Suppressed(NamedTuple):
    """A suppressed phone of one person. `phone` is whole: whoever shows it masks it."""

    person: Person
    phone: str
    reason: str
    source: str
    created_at: datetime


def suppress_phones(session: Session, phones: Collection[str], reason: str, source: str, account_id: int | None) -> int:
    """Suppress these phones (E.164); returns how many were not suppressed before. The others stay as they are.

    `reason` is one of REASONS or `blacklisted`, `source` says where it came from ("import", "reply", "api", "gateway"),
    `account_id` who did it.
    The caller has checked the scope and writes the trail. Raises Invalid for an unknown reason.
    """
    if reason not in ALL_REASONS:
        raise Invalid("reason", reason, say("must be one of {reasons}", reasons=REASONS))
    if not phones:
        return 0
    rows = [
        {"phone": phone, "reason": reason, "source": source, "created_by": account_id} for phone in sorted(set(phones))
    ]
    statement = insert(Suppression).on_conflict_do_nothing().returning(Suppression.phone)
    return len(session.execute(statement, rows).all())


def suppress_by_itself(session: Session, phone: str, reason: str, source: str, **details: int) -> bool:
    """Suppress one phone (E.164) because a person who has it, or a provider, said so. Writes an entry in the trail for
    everybody who has the phone. Returns False if it was suppressed before. `details` are ids for the trail.
    """
    if not suppress_phones(session, [phone], reason, source, None):
        return False
    for holder in _holders(session, phone) or [Holder(0, top_paths(session)[0])]:
        trail.record_act(
            session,
            None,
            "suppression.add",
            "person",
            holder.person_id,
            holder.path,
            reason=reason,
            source=source,
            **details,
        )
    return True


def suppress_phone(session: Session, actor: Actor, phone: str, reason: str) -> Suppression:
    """Suppress one phone (E.164) because the actor says so; returns the old suppression if there was one.

    Raises Forbidden unless the actor has manage_segments over at least one person who has the phone (over the whole
    tree, if nobody has), Invalid for an unknown reason.
    """
    holders = _holders(session, phone)
    paths = [holder.path for holder in holders] or top_paths(session)
    allowed = [path for path in paths if actor.can(Permission.manage_segments, path)]
    if not allowed:
        raise Forbidden(
            say(
                "{login} does not hold the permission {permission} over anybody with it",
                login=actor.login,
                permission=Permission.manage_segments,
            )
        )
    if suppress_phones(session, [phone], reason, "api", actor.account_id):
        person = next((holder.person_id for holder in holders if holder.path in allowed), 0)
        trail.record_act(
            session, actor.account_id, "suppression.add", "person", person, allowed[0], reason=reason, source="api"
        )
    return session.get_one(Suppression, phone)


def lift_suppression(session: Session, actor: Actor, phone: str, why: str) -> None:
    """Let a suppressed phone (E.164) be texted again; `why` goes into the trail.

    Raises NotFound if it is not suppressed, Forbidden unless the actor has manage_directory over everybody who has the
    phone (over the whole tree, if nobody has), Invalid without a reason.
    """
    why = required_line("why", why, LONGEST_WHY)
    holders = _holders(session, phone)
    paths = [holder.path for holder in holders] or top_paths(session)
    for path in paths:
        actor.require(Permission.manage_directory, path)
    gone = session.execute(delete(Suppression).where(Suppression.phone == phone).returning(Suppression.reason)).scalar()
    if gone is None:
        raise NotFound("suppression of this phone", "")
    for holder in holders or [Holder(0, paths[0])]:
        trail.record_act(
            session, actor.account_id, "suppression.lift", "person", holder.person_id, holder.path, reason=gone, why=why
        )


def may_lift_suppression(session: Session, actor: Actor, phone: str) -> bool:
    """Whether `lift_suppression` would let the actor."""
    paths = [holder.path for holder in _holders(session, phone)] or top_paths(session)
    return all(actor.can(Permission.manage_directory, path) for path in paths)


def find_suppression_of_nobody(session: Session, actor: Actor, phone: str) -> Suppression | None:
    """The suppression of a phone (E.164) that no person has, for whoever may read everything; None otherwise."""
    if _holders(session, phone) or not all(actor.can(Permission.read, path) for path in top_paths(session)):
        return None
    return session.get(Suppression, phone)


def find_suppressed(
    paths: Sequence[str], *, reason: str | None = None, phone: str | None = None
) -> Select[Person, str, str, str, datetime]:
    """The suppressed phones of people within the subtrees at `paths`, one row (as `Suppressed`) a person.

    `reason`: only those with this reason. `phone` (E.164): only the people who have it.
    """
    # Begin with the suppressed phones: beginning with the people of the units would read all of them to compare phones.
    unit_of_person = Person.unit_id + 0
    statement = (
        select(Person, Suppression.phone, Suppression.reason, Suppression.source, Suppression.created_at)
        .join(Suppression, Suppression.phone == Person.phone)
        .join(Unit, Unit.id == unit_of_person)
        .where(or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
    )
    if reason is not None:
        statement = statement.where(Suppression.reason == reason)
    return statement if phone is None else statement.where(Suppression.phone == phone)


def _holders(session: Session, phone: str) -> list[Holder]:
    statement = select(Person.id, Unit.path).join(Unit, Unit.id == Person.unit_id).where(Person.phone == phone)
    return [Holder(*row) for row in session.execute(statement.order_by(Person.id))]


def suppressed_among(session: Session, phones: Collection[str]) -> set[str]:
    """Those of these phones (E.164) that are suppressed."""
    wanted = Suppression.phone == any_of(phones)
    return set(session.scalars(select(Suppression.phone).where(wanted)))
