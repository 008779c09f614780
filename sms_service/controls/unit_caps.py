"""Caps of units: people of a unit's subtree get fewer texts of a class a day than others. The smallest cap counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import and_, delete, func, select, values
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.types import SmallInteger, Text

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.controls.caps import LARGEST
from sms_service.controls.models import UnitCap
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Invalid
from sms_service.said import say
from sms_service.vocabulary import TextClass


class CapOfUnit(NamedTuple):
    """How many texts of a class a phone of the unit gets on a local day at most. `own`: by the unit's own cap;
    `per_day`: by the smallest of all that hold for it, its own, those of units above and the city's. None: any number.
    """

    class_: str
    own: int | None
    per_day: int | None


def list_unit_caps(session: Session, actor: Actor, unit_id: int) -> list[CapOfUnit]:
    """The caps that hold for people of the unit, one for each class. Raises NotFound or Forbidden."""
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    classes = values(sql_column("name", Text), sql_column("place", SmallInteger), name="classes").data(
        [(class_.value, place) for place, class_ in enumerate(TextClass)]
    )
    rows = session.execute(
        select(classes.c.name, UnitCap.per_day, func.find_cap(path, classes.c.name))
        .select_from(classes)
        .outerjoin(UnitCap, and_(UnitCap.class_ == classes.c.name, UnitCap.unit_id == unit_id))
        .order_by(classes.c.place)
    )
    return [CapOfUnit(*row) for row in rows]


def set_unit_caps(
    session: Session, actor: Actor, unit_id: int, caps: Mapping[str, int | None], why: str
) -> Sequence[str]:
    """Let each phone of the unit's subtree get at most so many texts of these classes on a local day; None: the unit
    has no cap of its own. Returns the classes for which that was not so before. It counts at once for texts that have
    not left.

    Raises NotFound, Forbidden without `manage_directory` over the unit, or Invalid naming the class.
    """
    unit = session.get(Unit, unit_id, with_for_update={"key_share": True}, populate_existing=True)
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, path)
    why = required_line("why", why, LONGEST_WHY)
    for class_, per_day in caps.items():
        if class_ not in list(TextClass):
            raise Invalid(class_, per_day, say("is no class; these are: {classes}", classes=tuple(TextClass)))
        if per_day is not None and not 1 <= per_day <= LARGEST:
            raise Invalid(class_, per_day, say("must be from 1 to {most}, or empty", most=LARGEST))
    before = dict(session.execute(select(UnitCap.class_, UnitCap.per_day).where(UnitCap.unit_id == unit_id)).all())
    changed = {class_: per_day for class_, per_day in caps.items() if before.get(class_) != per_day}
    for class_, per_day in changed.items():
        if per_day is None:
            session.execute(delete(UnitCap).where(UnitCap.unit_id == unit_id, UnitCap.class_ == class_))
        else:
            new = insert(UnitCap).values(unit_id=unit_id, class_=class_, per_day=per_day)
            session.execute(
                new.on_conflict_do_update(index_elements=[UnitCap.unit_id, UnitCap.class_], set_={"per_day": per_day})
            )
    if changed and unit is not None:
        changes = {class_: [before.get(class_), per_day] for class_, per_day in changed.items()}
        trail.record_act(session, actor.account_id, "unit.caps", "unit", unit_id, path, changes=changes, why=why)
    return list(changed)
