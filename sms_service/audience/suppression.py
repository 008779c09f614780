"""Suppression: phones that must not be texted. The gate asks this table when a text leaves: an entry counts at once.

An entry belongs to the phone and holds for every text, or for those of one unit and all units below it (in the tree as
it is), of one class, with one signature. Adding one cannot do harm, so everybody who may choose recipients may add one.
Lifting one needs manage_directory over everybody who has the phone; one for a unit may also be lifted by whoever has it
over that unit, and what an officer decided for a unit (`manual`) by whoever may decide it there. A lift keeps it.
`stopping.py` makes and lifts entries by what replies say, `suppression_list.py` reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Row, Table, and_, delete, func, literal, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.covering import EVERY_TEXT, LONGEST_SIGNATURE, TextKind, is_about, kind_of
from sms_service.audience.models import StopRequest, Suppression
from sms_service.audit import trail
from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.importing import any_of
from sms_service.directory.models import Person, Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import require_open_unit, top_paths
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.said import say
from sms_service.vocabulary import MessageReason, TextClass

# That people give; `manual` is an officer's own word, who says why in the note.
REASONS = (MessageReason.opted_out, MessageReason.wrong_person, MessageReason.complaint, MessageReason.manual)
ALL_REASONS = (*REASONS, MessageReason.blacklisted)
# What `proof_id` names, by the source: the reply, the import, or the message after which the provider said it.
PROOFS: Mapping[str, str] = {"reply": "reply", "import": "import", "gateway": "message"}


class Holder(NamedTuple):
    """Somebody who has the phone: person and the path of their unit."""

    person_id: int
    path: str


def suppress_phones(
    session: Session,
    phones: Collection[str],
    reason: str,
    source: str,
    account_id: int | None,
    *,
    proof_id: int | None = None,
) -> int:
    """Suppress these phones (E.164) for every text; returns for how many that is new. An entry that is there stays as
    it is; if a reply made it, it is confirmed.

    `reason` is one of ALL_REASONS, `source` says where it came from ("import", "reply", "api", "gateway"), `proof_id`
    names the row of PROOFS, `account_id` who did it.
    The caller has checked the scope and writes the trail. Raises Invalid for an unknown reason.
    """
    if reason not in ALL_REASONS:
        raise Invalid("reason", reason, say("must be one of {reasons}", reasons=REASONS))
    if not phones:
        return 0
    same = {"reason": reason, "source": source, "created_by": account_id, "proof_id": proof_id}
    return sum(row.is_new for row in _add_or_confirm(session, [{"phone": one, **same} for one in sorted(set(phones))]))


def _add_or_confirm(session: Session, rows: Sequence[dict[str, Any]]) -> Sequence[Row[bool]]:
    """Write these entries. One that a reply made is confirmed, in the same statement: the reply's may be narrowed or
    lifted at this moment. Returns those that are new, and those confirmed.
    """
    new = insert(cast(Table, Suppression.__table__))  # the table, since rows have its names
    by_reply = Suppression.source == "reply", Suppression.created_by.is_(None), Suppression.confirmed_at.is_(None)
    statement = new.on_conflict_do_update(
        index_elements=["phone", "unit_id", "class", "signature"],
        index_where=Suppression.lifted_at.is_(None),
        set_={"confirmed_at": func.now()},
        where=and_(*by_reply, new.excluded.source != "reply"),
    )
    return session.execute(statement.returning(literal_column("xmax = 0").label("is_new")), rows).all()


def suppress_by_itself(session: Session, phone: str, reason: str, source: str, proof_id: int | None = None) -> bool:
    """Suppress one phone (E.164) for every text because a person who has it, or a provider, said so; `proof_id` names
    the row of PROOFS. Writes an entry in the trail for everybody who has the phone. Returns False if it was suppressed
    before.
    """
    if not suppress_phones(session, [phone], reason, source, None, proof_id=proof_id):
        return False
    details: dict[str, str | int] = {"reason": reason, "source": source}
    if proof_id is not None:
        details[PROOFS[source]] = proof_id
    record_for_holders(session, None, "suppression.add", phone, **details)
    return True


def record_for_holders(session: Session, account_id: int | None, act: str, phone: str, **details: str | int) -> None:
    """Write an act into the trail for everybody who has the phone; where nobody has it, for the whole tree."""
    record_for_phones(session, account_id, act, [(phone, details)])


def record_for_phones(
    session: Session, account_id: int | None, act: str, told: Sequence[tuple[str, Mapping[str, str | int]]]
) -> None:
    """The same of an act that was done to many phones, with the details of each."""
    having = select(Person.phone, Person.id, Unit.path).join(Unit, Unit.id == Person.unit_id)
    holders = defaultdict[str | None, list[tuple[int, str]]](list)
    rows = session.execute(having.where(Person.phone == any_of({phone for phone, _ in told})).order_by(Person.id))
    for phone, person_id, path in rows:
        holders[phone].append((person_id, path))
    nobody = [(0, top_paths(session)[0])] if any(phone not in holders for phone, _ in told) else []
    entries = [(*holder, details) for phone, details in told for holder in holders.get(phone, nobody)]
    trail.record_each(session, account_id, act, "person", entries)


def suppress_phone(
    session: Session,
    actor: Actor,
    phone: str,
    reason: str,
    *,
    unit_id: int | None = None,
    kind: TextKind = EVERY_TEXT,
    note: str | None = None,
) -> Suppression:
    """Suppress one phone (E.164) because the actor says so, for every text or for those of the unit and all below it,
    and of this kind; returns the old entry if there is one, confirmed if a reply made it. `note`: how it is known.

    Raises Forbidden unless the actor has manage_segments over that unit, or over at least one person who has the phone
    (over the whole tree, if nobody has); Invalid for an unknown reason or class, a closed unit, a signature that no
    text can have, or `manual` without a note; NotFound for the unit.
    """
    if reason not in ALL_REASONS:
        raise Invalid("reason", reason, say("must be one of {reasons}", reasons=REASONS))
    if kind.class_ is not None and kind.class_ not in list(TextClass):
        raise Invalid("class", kind.class_, say("must be one of {classes}", classes=tuple(TextClass)))
    if kind.signature is not None:
        kind = kind._replace(signature=required_line("signature", kind.signature, LONGEST_SIGNATURE))
    note = None if note is None else required_line("note", note, LONGEST_WHY)
    if reason == MessageReason.manual and note is None:
        raise Invalid("note", None, "is needed with this reason: say why the phone is not to be texted")
    holders = list_phone_holders(session, phone)
    paths = [holder.path for holder in holders] or top_paths(session)
    if unit_id is not None:
        paths = [unit_path(session, unit_id), *paths]
    allowed = [path for path in paths if actor.can(Permission.manage_segments, path)]
    if not allowed:
        raise Forbidden(
            say(
                "{login} does not hold the permission {permission} over anybody with it",
                login=actor.login,
                permission=Permission.manage_segments,
            )
        )
    if unit_id is not None:
        require_open_unit(session, "unit_id", unit_id)
    lock_name(session, LockedName.stopped_phone, phone)  # a reply of this phone may be narrowing an entry to this one
    entry = {"phone": phone, "reason": reason, "source": "api", "created_by": actor.account_id, "note": note}
    entry |= {"unit_id": unit_id, "class": kind.class_, "signature": kind.signature}
    for row in _add_or_confirm(session, [entry]):
        person = next((holder.person_id for holder in holders if actor.can(Permission.read, holder.path)), 0)
        who, path = actor.account_id, allowed[0]
        details = {"reason": reason, "source": "api", **_say_which(unit_id, kind)}
        if row.is_new:
            trail.record_act(session, who, "suppression.add", "person", person, path, **details)
        else:
            trail.record_act(session, who, "suppression.confirm", "person", person, path, **details)
    found = find_active(session, phone, unit_id, kind)
    if found is None:
        raise NotFound("suppression of this phone", "")  # it was lifted at this moment
    return found


def _say_which(unit_id: int | None, kind: TextKind) -> dict[str, str | int]:
    """Of which texts an entry speaks, for the trail."""
    which = {"unit_id": unit_id, "class": kind.class_, "signature": kind.signature}
    return {name: value for name, value in which.items() if value is not None}


def find_active(
    session: Session, phone: str, unit_id: int | None = None, kind: TextKind = EVERY_TEXT
) -> Suppression | None:
    """The active entry of the phone (E.164) that is about exactly these texts; None: about all."""
    entry = select(Suppression).where(Suppression.phone == phone, is_about(kind, unit_id))
    return session.scalar(entry.execution_options(populate_existing=True))


def lift_suppression(
    session: Session, actor: Actor, phone: str, why: str, unit_id: int | None = None, kind: TextKind = EVERY_TEXT
) -> None:
    """Lift the phone's (E.164) entry about exactly these texts: of the unit, of this kind. Other entries of the phone
    stay.

    Raises NotFound if there is none, Forbidden unless the actor may lift it, Invalid without a reason.
    """
    why = required_line("why", why, LONGEST_WHY)
    _lift(session, actor, phone, unit_id, find_active(session, phone, unit_id, kind), why)


def lift_entry(session: Session, actor: Actor, entry: Suppression, why: str) -> None:
    """Lift this entry, if it holds still; `why` is kept with it, and goes into the trail. Raises as `lift_suppression`
    does.
    """
    why = required_line("why", why, LONGEST_WHY)
    _lift(session, actor, entry.phone, entry.unit_id, entry, why)


def _lift(session: Session, actor: Actor, phone: str, unit_id: int | None, entry: Suppression | None, why: str) -> None:
    """Lift the phone's entry for the unit, None if it has none: who may not lift it does not learn that."""
    holders = list_phone_holders(session, phone)
    if not _may_lift(session, actor, holders, unit_id, entry.reason if entry else None):
        raise Forbidden(
            say(
                "{login} does not hold the permission {permission} over everybody with it",
                login=actor.login,
                permission=Permission.manage_directory,
            )
        )
    if entry is None or not _mark_lifted(session, actor, entry, why):
        raise NotFound("suppression of this phone", "")
    details = {"reason": entry.reason, "why": why, **_say_which(unit_id, kind_of(entry))}
    record_for_holders(session, actor.account_id, "suppression.lift", phone, **details)


def _mark_lifted(session: Session, actor: Actor, entry: Suppression, why: str) -> bool:
    """Lift it, and end the stops that it stands for: what the phone said before does not bring it back. Returns False
    if it does not hold any more.
    """
    lock_name(session, LockedName.stopped_phone, entry.phone)
    lifted = update(Suppression).where(Suppression.id == entry.id, Suppression.lifted_at.is_(None))
    values = {"lifted_at": func.now(), "lifted_by": actor.account_id, "lift_why": why}
    row = session.execute(
        lifted.values(values).returning(Suppression.class_, Suppression.signature, Suppression.unit_id)
    ).one_or_none()
    if row is not None and row.unit_id is None:
        requests = update(StopRequest).where(
            StopRequest.phone == entry.phone,
            ~StopRequest.resumes,
            StopRequest.ended_at.is_(None),
            StopRequest.class_.is_not_distinct_from(row.class_),
            StopRequest.signature.is_not_distinct_from(row.signature),
        )
        session.execute(requests.values(ended_at=func.sms_now()))
    return row is not None


def may_lift_entry(session: Session, actor: Actor, entry: Suppression) -> bool:
    """Whether `lift_entry` would let the actor."""
    return _may_lift(session, actor, list_phone_holders(session, entry.phone), entry.unit_id, entry.reason)


def _may_lift(
    session: Session, actor: Actor, holders: Collection[Holder], unit_id: int | None, reason: str | None
) -> bool:
    if unit_id is not None:
        needed = Permission.manage_segments if reason == MessageReason.manual else Permission.manage_directory
        if actor.can(needed, unit_path(session, unit_id)):
            return True
    paths = [holder.path for holder in holders] or top_paths(session)
    return all(actor.can(Permission.manage_directory, path) for path in paths)


def list_phone_holders(session: Session, phone: str) -> list[Holder]:
    """Everybody who has the phone (E.164)."""
    statement = select(Person.id, Unit.path).join(Unit, Unit.id == Person.unit_id).where(Person.phone == phone)
    return [Holder(*row) for row in session.execute(statement.order_by(Person.id))]


def suppressed_among(session: Session, phones: Collection[str], *, for_some: bool = False) -> set[str]:
    """Those of these phones (E.164) that get no text at all; `for_some`: and those that get none of some unit, class or
    signature.
    """
    wanted = Suppression.lifted_at.is_(None) if for_some else is_about(EVERY_TEXT)
    return set(session.scalars(select(Suppression.phone).where(Suppression.phone == any_of(phones), wanted)))


def hand_suppressions_on(session: Session, unit_id: int, into_id: int) -> int:
    """What holds for a unit's texts holds for those of the unit that it is merged into; returns how many entries. The
    unit's own stay.
    """
    kept = ("phone", "class", "signature", "reason", "source", "proof_id", "note", "created_by", "created_at")
    own = select(*(Suppression.__table__.c[name] for name in kept), literal(into_id)).where(
        Suppression.unit_id == unit_id, Suppression.lifted_at.is_(None)
    )
    statement = insert(Suppression).from_select([*kept, "unit_id"], own.order_by(Suppression.phone))
    return len(session.execute(statement.on_conflict_do_nothing().returning(Suppression.id)).all())


def strip_suppressions(session: Session, phones: Collection[str]) -> None:
    """Of these phones (E.164) only the number stays, and only where it must not be texted: notes and proofs are
    emptied, lifted entries deleted, and what its replies said about stopping.
    """
    session.execute(delete(StopRequest).where(StopRequest.phone == any_of(phones)))
    own = Suppression.phone == any_of(phones)
    session.execute(delete(Suppression).where(own, Suppression.lifted_at.is_not(None)))
    session.execute(update(Suppression).where(own).values(note=None, proof_id=None, lift_why=None))
