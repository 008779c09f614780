"""How the doors write people: the directory's acts, and in the same transaction the tag that means "no texts".

When a door gives a person the tag 不接收短信, or a phone to a person who has the tag, `_suppress_tagged` suppresses
the phone. So doors write people through this module only (tests/audience/test_intake.py). Removing the tag does not
lift the suppression: only a person does that (`lift_suppression`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.audience import suppression
from sms_service.audience.recipient_lists import make_list
from sms_service.audit import trail
from sms_service.directory import applying, people
from sms_service.directory.import_models import Import, ImportOutcome, RowOutcome
from sms_service.directory.importing import scope_path_of
from sms_service.directory.models import Person
from sms_service.vocabulary import MessageReason

OPTED_OUT_TAG = "不接收短信"
# Only these changes can suppress the phone of a person who has the tag. After another change nothing is suppressed: the
# person has not asked again, and somebody may have lifted the suppression.
_TELLING = frozenset({"tags", "phone"})


def apply_import(session: Session, record: Import, *, demonstration: bool = False) -> None:
    """Write a checked import as `directory.applying.write_import` does, and suppress the phones that the file gives to
    people who have the tag, whether from this file or from before; of a list for one campaign, make the list. Raises
    what the directory's apply raises.
    """
    applying.write_import(session, record, demonstration=demonstration)
    actor = applying.actor_of(session, record)
    if record.kind == "recipients":
        make_list(session, actor, record)
    if record.kind != "people":
        return
    taken = select(ImportOutcome.person_id).where(
        ImportOutcome.import_id == record.id, ImportOutcome.outcome != RowOutcome.refused
    )
    record.suppressed = _suppress_tagged(session, Person.id.in_(taken), "import", actor, record.id)
    if record.suppressed:
        path, suppressed = scope_path_of(session, record), record.suppressed
        trail.record_act(
            session, actor.account_id, "suppression.import", "import", record.id, path, suppressed=suppressed
        )
    session.flush()


def take_in_person(
    session: Session, actor: Actor, unit_id: int, name: str, number: str | None = None, **changes: Any
) -> Person:
    """Create a person as `directory.people.create_person` does; with the tag, their phone is suppressed."""
    person = people.create_person(session, actor, unit_id, name, number, **changes)
    _honour_tag(session, actor, person)
    return person


def change_taken_in_person(session: Session, actor: Actor, person_id: int, **changes: Any) -> Person:
    """Change a person as `directory.people.change_person` does. If they have the tag, and the tag or the phone is new,
    the phone is suppressed.
    """
    person = people.change_person(session, actor, person_id, **changes)
    if _TELLING & set(changes):
        _honour_tag(session, actor, person)
    return person


def _honour_tag(session: Session, actor: Actor, person: Person) -> None:
    if _suppress_tagged(session, Person.id == person.id, "api", actor):
        path = unit_path(session, person.unit_id)
        details = {"reason": MessageReason.opted_out, "source": "api"}
        trail.record_act(session, actor.account_id, "suppression.add", "person", person.id, path, **details)


def _suppress_tagged(
    session: Session, who: ColumnElement[bool], source: str, actor: Actor, proof_id: int | None = None
) -> int:
    """Suppress the phones of the people in `who` who have the tag; returns how many were not suppressed before."""
    tagged = select(Person.phone).where(who, Person.phone.is_not(None), Person.tags.contains([OPTED_OUT_TAG]))
    phones = {phone for phone in session.scalars(tagged) if phone}
    reason = MessageReason.opted_out
    return suppression.suppress_phones(session, phones, reason, source, actor.account_id, proof_id=proof_id)
