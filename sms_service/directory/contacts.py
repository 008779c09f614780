"""The roles that people hold in units, one at a time. Whole lists come by import and by `people.change_person`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.directory.models import Contact, Person, Unit
from sms_service.directory.people_rows import MAX_WORDS, required_word
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say


def give_contact_role(session: Session, actor: Actor, person_id: int, unit_id: int, role: str) -> tuple[Contact, bool]:
    """Let the person hold the role in the unit, which need not be their own; also whether they did not before.

    Raises Invalid (`role`), NotFound, Conflict (the person has left), or Forbidden without manage_directory over the
    person's unit and over the one in which the role begins.
    """
    # Locked until the commit, so that two calls at once give it once.
    person = session.get(Person, person_id, with_for_update=True, populate_existing=True)
    if person is None:
        raise NotFound("person", person_id)
    actor.require(Permission.manage_directory, unit_path(session, person.unit_id))
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, path)
    word = required_word("role", role)
    if person.left_at is not None:
        raise Conflict("the person has left; say that they are back before they get a role")
    held = session.scalars(select(Contact).where(Contact.person_id == person_id)).all()
    same = next((one for one in held if (one.unit_id, one.role) == (unit_id, word)), None)
    if same is not None:
        return same, False
    if len(held) >= MAX_WORDS:
        raise Invalid("role", None, say("must be at most {most}", most=MAX_WORDS))
    given = Contact(unit_id=unit_id, person_id=person_id, role=word)
    session.add(given)
    person.updated_at = session.scalar(select(func.now())) or person.updated_at
    session.flush()
    trail.record_act(session, actor.account_id, "contact.give", "person", person_id, path, unit_id=unit_id, role=word)
    return given, True


def take_contact_role(session: Session, actor: Actor, contact_id: int) -> Contact:
    """Let the person hold the role in that unit no more. Returns what it was.

    Raises NotFound, or Forbidden without manage_directory over the unit: whose role it is may belong elsewhere.
    """
    held = session.get(Contact, contact_id, with_for_update=True, populate_existing=True)
    if held is None:
        raise NotFound("contact", contact_id)
    path = unit_path(session, held.unit_id)
    actor.require(Permission.manage_directory, path)
    session.delete(held)
    session.flush()
    trail.record_act(
        session,
        actor.account_id,
        "contact.take",
        "person",
        held.person_id,
        path,
        unit_id=held.unit_id,
        role=held.role,
    )
    return held


def list_role_words(session: Session, paths: Sequence[str], most: int = 50) -> list[str]:
    """The roles that are held in units within the subtrees at `paths`, the most common first."""
    statement = (
        select(Contact.role)
        .join(Unit, Unit.id == Contact.unit_id)
        .where(or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
        .group_by(Contact.role)
        .order_by(func.count().desc(), Contact.role)
        .limit(most)
    )
    return list(session.scalars(statement))
