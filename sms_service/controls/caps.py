"""Frequency caps: how many texts of a class one phone may get on one local day. The gate reserves the places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import Connection, Select, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.controls.models import Cap, CapUse
from sms_service.db.statements import Statement
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import require_everywhere
from sms_service.errors import Invalid, NotFound
from sms_service.said import say
from sms_service.vocabulary import TextClass

COUNT_CAPPED = Statement(__file__, "count_capped")

LARGEST = 100
# A text is valid for three days at most, and a local day may begin up to a day before or after the server's.
KEPT_DAYS = 8


def find_caps() -> Select[Cap]:
    """The caps, to be ordered. A class without one is not capped."""
    return select(Cap)


def set_cap(session: Session, actor: Actor, class_: str, per_day: int, why: str) -> Cap:
    """Let a phone get at most `per_day` texts of the class on a local day. This holds at once for texts that have not
    left.

    Raises NotFound for an unknown class, Invalid, or Forbidden.
    """
    path, why = _require(session, actor, class_), required_line("why", why, LONGEST_WHY)
    if not 1 <= per_day <= LARGEST:
        raise Invalid(
            "per_day", per_day, say("must be from 1 to {most}; remove the cap to send without one", most=LARGEST)
        )
    before = session.scalar(select(Cap.per_day).where(Cap.class_ == class_).with_for_update())
    session.execute(
        insert(Cap)
        .values(class_=class_, per_day=per_day)
        .on_conflict_do_update(index_elements=[Cap.class_], set_={"per_day": per_day})
    )
    changes = {"per_day": [before, per_day]}
    trail.record_act(
        session, actor.account_id, "cap.set", "cap", class_, path, changes=changes, per_day=per_day, why=why
    )
    return session.get_one(Cap, class_, populate_existing=True)


def remove_cap(session: Session, actor: Actor, class_: str, why: str) -> None:
    """Send texts of the class without a cap. Raises NotFound if there is none, Invalid or Forbidden."""
    path, why = _require(session, actor, class_), required_line("why", why, LONGEST_WHY)
    before = session.scalar(delete(Cap).where(Cap.class_ == class_).returning(Cap.per_day))
    if before is None:
        raise NotFound("cap of the class", class_)
    changes = {"per_day": [before, None]}
    trail.record_act(session, actor.account_id, "cap.remove", "cap", class_, path, changes=changes, why=why)


def set_caps(session: Session, actor: Actor, wanted: Mapping[str, int | None], why: str) -> list[str]:
    """The caps of several classes at once, None: no cap; returns the classes whose cap is another one now.

    Each change is an entry of the trail with this reason. Raises the same errors as `set_cap`.
    """
    required_line("why", why, LONGEST_WHY)
    require_everywhere(session, actor, Permission.operate_service)
    held = {cap.class_: cap.per_day for cap in session.scalars(select(Cap).order_by(Cap.class_).with_for_update())}
    changed = [class_ for class_, per_day in sorted(wanted.items()) if per_day != held.get(class_)]
    for class_ in changed:
        per_day = wanted[class_]
        if per_day is None:
            remove_cap(session, actor, class_, why)
        else:
            set_cap(session, actor, class_, per_day, why)
    return changed


def count_capped(session: Session, recipients: Iterable[tuple[int, int]], class_: str, day: date) -> int:
    """How many of these recipients (person and unit, by id) would get no further text of the class on the local day,
    since they have had as many as the caps allow.
    """
    pairs = list(recipients)
    person_ids, unit_ids = [person for person, _ in pairs], [unit for _, unit in pairs]
    counted = COUNT_CAPPED(session.connection(), person_ids=person_ids, unit_ids=unit_ids, class_=class_, day=day)
    return int(counted.scalar_one())


def forget_old_cap_uses(connection: Connection) -> int:
    """Delete the counts of days on which no text can leave any more; returns how many rows."""
    oldest = text(f"sms_now()::date - {KEPT_DAYS}")
    return connection.execute(delete(CapUse).where(CapUse.day < oldest)).rowcount


def _require(session: Session, actor: Actor, class_: str) -> str:
    path = require_everywhere(session, actor, Permission.operate_service)
    if class_ not in list(TextClass):
        raise NotFound("class", class_)
    return path
