"""People one at a time: create, change, find. Whole files come by import (`people_import`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from sqlalchemy import Select, exists, false, func, insert, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import compare_before_after
from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.consent import BASIS, ConsentBasis
from sms_service.directory.models import GUEST, Contact, Person, Unit
from sms_service.directory.people_rows import LONGEST_ATTRIBUTE, LONGEST_NAME, MAX_WORDS, required_word
from sms_service.directory.phones import parse_phone
from sms_service.directory.text import LONGEST_WHY, person_name, required_line, visible_text
from sms_service.directory.units import require_open_unit
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say

KINDS = ("member", "contact")


class Role(TypedDict):
    """A role held in a unit."""

    unit_id: int
    role: str


class Changes(TypedDict, total=False):
    """What can be changed about a person; what is not given stays. `roles`, `tags`, `attributes` replace the old ones.

    `left` True: the person has left, and no segment finds them; False: they are back. `lost_contact`: known to be out
    of reach.
    """

    unit_id: int
    name: str
    kind: str
    phone: str | None
    tags: Sequence[str]
    attributes: Mapping[str, str]
    roles: Sequence[Role]
    lost_contact: bool
    left: bool


def find_people(
    paths: Sequence[str],
    *,
    name: str | None = None,
    number: str | None = None,
    phone: str | None = None,
    kind: str | None = None,
    tag: str | None = None,
    role: str | None = None,
    lost_contact: bool | None = None,
    left: bool | None = False,
    has_phone: bool | None = None,
    suspect: bool | None = None,
) -> Select[Person]:
    """The people of the units within the subtrees at `paths`, to be ordered and paged by the caller; no guests.

    `name`: the beginning of the name. `phone` is E.164. `role`: held in any unit. `left` None: also people who left.
    `suspect`: whether the phone seems dead. The others must be equal.
    """
    statement = select(Person).join(Unit, Unit.id == Person.unit_id)
    statement = statement.where(or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
    if name is not None:
        statement = statement.where(Person.name.startswith(name, autoescape=True))
    if tag is not None:
        statement = statement.where(Person.tags.contains([tag]))
    if role is not None:
        statement = statement.where(exists().where(Contact.person_id == Person.id, Contact.role == role))
    if left is not False:  # a guest has left from the beginning
        statement = statement.where(Person.kind != GUEST)
    if left is not None:
        statement = statement.where(Person.left_at.is_not(None) if left else Person.left_at.is_(None))
    if has_phone is not None:
        statement = statement.where(Person.phone.is_not(None) if has_phone else Person.phone.is_(None))
    if suspect is not None:
        statement = statement.where(Person.suspect_since.is_not(None) if suspect else Person.suspect_since.is_(None))
    for column, wanted in (
        (Person.number, number),
        (Person.phone, phone),
        (Person.kind, kind),
        (Person.lost_contact, lost_contact),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


def get_person(session: Session, actor: Actor, person_id: int) -> Person:
    """The person. Raises NotFound, or Forbidden if the actor may not read the person's unit."""
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound("person", person_id)
    actor.require(Permission.read, unit_path(session, person.unit_id))
    return person


def reveal_phone(session: Session, actor: Actor, person_id: int, why: str) -> str | None:
    """The person's whole phone, in E.164, for whoever says what for; the look and its reason go into the trail.

    Raises NotFound, Forbidden without see_phones over the person's unit, or Invalid (`why`).
    """
    person = get_person(session, actor, person_id)
    path = unit_path(session, person.unit_id)
    actor.require(Permission.see_phones, path)
    why = required_line("why", why, LONGEST_WHY)
    trail.record_act(
        session, actor.account_id, "people.see_phones", "person", person.id, path, people=[person.id], why=why
    )
    return person.phone


def roles_of(session: Session, person_ids: Sequence[int]) -> dict[int, list[Contact]]:
    """The roles of each of these people, by person id, in the order of unit and role."""
    found: dict[int, list[Contact]] = {person_id: [] for person_id in person_ids}
    statement = select(Contact).where(Contact.person_id.in_(person_ids)).order_by(Contact.unit_id, Contact.role)
    for contact in session.scalars(statement):
        found[contact.person_id].append(contact)
    return found


def create_person(
    session: Session, actor: Actor, unit_id: int, name: str, number: str | None = None, **changes: Any
) -> Person:
    """A new person of the unit; `changes` as in `Changes`. `number` is the office's own number, unique.

    Raises Invalid (field named), NotFound (unit), Forbidden (no manage_directory over the unit), Conflict (the number
    is taken).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, path)
    require_open_unit(session, "unit_id", unit_id)
    if number is not None:
        number = required_word("number", number)
        lock_name(session, LockedName.person_number, number)
        if session.scalar(select(Person.id).where(Person.number == number)) is not None:
            raise Conflict("the number belongs to another person; choose another")
    person = Person(unit_id=unit_id, name=_name(name), number=number, tags=[], attributes={})
    session.add(person)
    session.flush()
    _apply(session, actor, person, changes)
    session.flush()
    session.refresh(person)
    values = {field: value for field, value in _values(session, person).items() if value}
    made, fields = compare_before_after(dict.fromkeys(values), values), sorted(changes)
    trail.record_personal_act(
        session, actor.account_id, "person.create", "person", person.id, path, made, fields=fields
    )
    return person


def change_person(session: Session, actor: Actor, person_id: int, **changes: Any) -> Person:
    """Change what is given; `changes` as in `Changes`. A new phone clears what was wrong with the old one.

    Raises Conflict (a guest), Invalid (field named), NotFound, or Forbidden without manage_directory over the person's
    unit, over the one they move to, and over each unit in which a role begins or ends.
    """
    person = session.get(Person, person_id, with_for_update=True, populate_existing=True)
    if person is None:
        raise NotFound("person", person_id)
    path = unit_path(session, person.unit_id)
    actor.require(Permission.manage_directory, path)
    if person.kind == GUEST:
        raise Conflict("this is nobody of the register; import the person instead")
    before = _values(session, person)
    with session.no_autoflush:  # a flush would hide from the code below what has changed
        other_roles = _apply(session, actor, person, changes)
    if other_roles or session.is_modified(person):
        person.updated_at = session.scalar(select(func.now())) or person.updated_at
    session.flush()
    session.refresh(person)
    if changes:
        changed, fields = compare_before_after(before, _values(session, person)), sorted(changes)
        trail.record_personal_act(
            session, actor.account_id, "person.change", "person", person.id, path, changed, fields=fields
        )
    return person


def _values(session: Session, person: Person) -> dict[str, Any]:
    """What can be changed about the person, as the trail keeps it."""
    names = ("unit_id", "name", "kind", "phone", "lost_contact")
    return {name: getattr(person, name) for name in names} | {
        "tags": list(person.tags),
        "attributes": dict(person.attributes),
        "roles": [[held.unit_id, held.role] for held in roles_of(session, [person.id])[person.id]],
        "left": person.left_at is not None,
    }


def _apply(session: Session, actor: Actor, person: Person, changes: Mapping[str, Any]) -> bool:
    """Set what is given; returns whether roles began or ended."""
    unknown = set(changes) - set(Changes.__annotations__)
    if unknown:
        raise TypeError(f"people have no {', '.join(sorted(unknown))}")
    if "unit_id" in changes:
        actor.require(Permission.manage_directory, unit_path(session, changes["unit_id"]))
        if changes["unit_id"] != person.unit_id:
            require_open_unit(session, "unit_id", changes["unit_id"])
        person.unit_id = changes["unit_id"]
    if "name" in changes:
        person.name = _name(changes["name"])
    if "kind" in changes:
        if changes["kind"] not in KINDS:
            raise Invalid("kind", changes["kind"], say("must be one of {kinds}", kinds=KINDS))
        person.kind = changes["kind"]
    if "phone" in changes:
        phone = None if changes["phone"] is None else parse_phone("phone", changes["phone"])
        if phone != person.phone:
            person.suspect_since = None
        person.phone, person.phone_problem, person.phone_problem_message = phone, None, None
    if "tags" in changes:
        person.tags = _words("tags", changes["tags"])
    if "attributes" in changes:
        person.attributes = _attributes(changes["attributes"])
    if "lost_contact" in changes:
        person.lost_contact = changes["lost_contact"]
    if "left" in changes and changes["left"] != (person.left_at is not None):
        person.left_at = session.scalar(select(func.now())) if changes["left"] else None
    return "roles" in changes and _set_roles(session, actor, person, changes["roles"])


def _set_roles(session: Session, actor: Actor, person: Person, roles: Sequence[Role]) -> bool:
    held = {(contact.unit_id, contact.role): contact for contact in roles_of(session, [person.id])[person.id]}
    wanted = {(role["unit_id"], required_word("roles", role["role"])) for role in roles}
    if len(wanted) > MAX_WORDS:
        raise Invalid("roles", None, say("must be at most {most}", most=MAX_WORDS))
    for unit_id in {unit_id for unit_id, _ in wanted ^ set(held)}:
        actor.require(Permission.manage_directory, unit_path(session, unit_id))
    for key in set(held) - wanted:
        session.delete(held[key])
    new = [{"person_id": person.id, "unit_id": unit, "role": role} for unit, role in sorted(wanted - set(held))]
    if new:
        session.execute(insert(Contact), new)
    return wanted != set(held)


def _name(value: str) -> str:
    name = person_name(value)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid("name", value[:LONGEST_NAME], say("must have 1 to {most} characters", most=LONGEST_NAME))
    return name


def _words(field: str, values: Sequence[str]) -> list[str]:
    words = list(dict.fromkeys(required_word(field, value) for value in values))
    if len(words) > MAX_WORDS:
        raise Invalid(field, None, say("must be at most {most}", most=MAX_WORDS))
    return words


def _attributes(values: Mapping[str, str]) -> dict[str, str]:
    if len(values) > MAX_WORDS:
        raise Invalid("attributes", None, say("must be at most {most}", most=MAX_WORDS))
    cleaned = {required_word("attributes", name): visible_text(value) for name, value in values.items()}
    if cleaned.get(BASIS) and cleaned[BASIS] not in list(ConsentBasis):
        reason = say("must be one of {words}", words=tuple(ConsentBasis))
        raise Invalid(f"attributes.{BASIS}", cleaned[BASIS], reason)
    for name, value in cleaned.items():
        if len(value) > LONGEST_ATTRIBUTE:
            raise Invalid(
                f"attributes.{name}", None, say("must have at most {most} characters", most=LONGEST_ATTRIBUTE)
            )
    return {name: value for name, value in cleaned.items() if value}
