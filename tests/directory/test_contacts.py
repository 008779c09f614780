"""Roles given and taken one at a time: who may, twice is once, and what the trail says."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.directory import contacts, people
from sms_service.directory.models import Contact, Unit
from sms_service.directory.people_rows import MAX_WORDS
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.factories import make_actor, make_person, make_unit


@pytest.fixture
def branches(session: Session) -> tuple[Unit, Unit, Unit]:
    """A city and two branches."""
    city = make_unit(session)
    return city, *(make_unit(session, parent=city, level="branch") for _ in range(2))


def test_one_person_for_two_branches_and_a_role_that_ends(session: Session, branches: tuple[Unit, Unit, Unit]) -> None:
    city, one, two = branches
    actor = make_actor(session, city, ("administrator",))
    person = make_person(session, one)
    first, made = contacts.give_contact_role(session, actor, person.id, one.id, " 书记 ")
    assert (made, first.role) == (True, "书记")
    assert contacts.give_contact_role(session, actor, person.id, one.id, "书记") == (first, False)
    second, _ = contacts.give_contact_role(session, actor, person.id, two.id, "书记")
    taken = contacts.take_contact_role(session, actor, first.id)
    assert (taken.unit_id, taken.role) == (one.id, "书记")
    assert session.scalars(select(Contact.id)).all() == [second.id]
    acts = session.scalars(select(TrailEntry).order_by(TrailEntry.id)).all()
    assert [(entry.act, entry.unit_path, entry.details) for entry in acts] == [
        ("contact.give", one.path, {"unit_id": one.id, "role": "书记"}),
        ("contact.give", two.path, {"unit_id": two.id, "role": "书记"}),
        ("contact.take", one.path, {"unit_id": one.id, "role": "书记"}),
    ]
    with pytest.raises(NotFound):
        contacts.take_contact_role(session, actor, first.id)


def test_both_units_are_asked_when_it_begins_and_its_own_when_it_ends(
    session: Session, branches: tuple[Unit, Unit, Unit]
) -> None:
    city, one, two = branches
    person = make_person(session, one)
    of_one, of_two = (make_actor(session, unit, ("administrator",)) for unit in (one, two))
    for actor, unit in ((of_one, two), (of_two, two), (make_actor(session, city), one)):
        with pytest.raises(Forbidden, match="manage_directory"):
            contacts.give_contact_role(session, actor, person.id, unit.id, "书记")
    held, _ = contacts.give_contact_role(session, SYSTEM, person.id, two.id, "书记")
    with pytest.raises(Forbidden):
        contacts.take_contact_role(session, of_one, held.id)
    contacts.take_contact_role(session, of_two, held.id)


def test_what_cannot_be_given(session: Session, branches: tuple[Unit, Unit, Unit]) -> None:
    _, one, _ = branches
    person, gone = make_person(session, one), make_person(session, one)
    people.change_person(session, SYSTEM, gone.id, left=True)
    for word in (" ", "长" * 51):
        with pytest.raises(Invalid, match="role"):
            contacts.give_contact_role(session, SYSTEM, person.id, one.id, word)
    with pytest.raises(Conflict, match="has left"):
        contacts.give_contact_role(session, SYSTEM, gone.id, one.id, "书记")
    for person_id, unit_id in ((10**9, one.id), (person.id, 10**9)):
        with pytest.raises(NotFound):
            contacts.give_contact_role(session, SYSTEM, person_id, unit_id, "书记")
    session.add_all(Contact(unit_id=one.id, person_id=person.id, role=f"委员{i}") for i in range(MAX_WORDS))
    session.flush()
    with pytest.raises(Invalid, match="at most"):
        contacts.give_contact_role(session, SYSTEM, person.id, one.id, "书记")


def test_two_at_once_give_it_once(database: Database, session: Session, branches: tuple[Unit, Unit, Unit]) -> None:
    _, one, _ = branches
    person = make_person(session, one)
    session.commit()
    together = threading.Barrier(2)

    def give(_: int) -> bool:
        with database.session() as own:
            together.wait(30)
            return contacts.give_contact_role(own, SYSTEM, person.id, one.id, "书记")[1]

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(give, range(2))) == [False, True]


def test_the_words_in_use_come_by_how_often_and_within_ones_units(
    session: Session, branches: tuple[Unit, Unit, Unit]
) -> None:
    city, one, two = branches
    for unit, role in ((one, "书记"), (one, "组织委员"), (two, "书记"), (two, "联络员")):
        contacts.give_contact_role(session, SYSTEM, make_person(session, unit).id, unit.id, role)
    assert contacts.list_role_words(session, [city.path])[0] == "书记"
    assert sorted(contacts.list_role_words(session, [one.path])) == ["书记", "组织委员"]
    assert contacts.list_role_words(session, []) == []
