"""Units are closed and merged: people go along, past counts stay, and what is known of phones is not lost."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.contacts import count_unreached
from sms_service.audience.suppression import suppress_phone, suppressed_among
from sms_service.audit.models import TrailEntry
from sms_service.controls import stops
from sms_service.controls.mergers import close_unit, foresee_closing, reopen_unit
from sms_service.db.engine import Database
from sms_service.directory import people, units
from sms_service.directory.models import Contact, Person, Unit
from sms_service.directory.places import Places
from sms_service.directory.problems import Findings
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.ledger.models import Message
from sms_service.reports.counts import check_identity, tabulate_counts
from sms_service.reports.filters import Filter
from tests.dispatch.city import drain, make_city, make_run
from tests.factories import make_actor, make_person, make_unit


def street(session: Session) -> tuple[Unit, Unit, Unit]:
    """A street with two branches."""
    city = make_unit(session, level="city")
    above = make_unit(session, parent=city, level="street")
    return above, make_unit(session, parent=above, level="branch"), make_unit(session, parent=above, level="branch")


def lines(session: Session, path: str) -> object:
    table = tabulate_counts(session, Filter((path,)), ("unit", "status"))
    return table.lines, table.total


def test_past_counts_stay_and_the_phones_story_goes_along(database: Database) -> None:
    city = make_city(database, 0)
    with database.session() as session:
        one = make_unit(session, parent=city.unit, level="branch", code="0101")
        two = make_unit(session, parent=city.unit, level="branch", code="0102")
        for _ in range(2):
            make_person(session, one)
        opted, dead = make_person(session, one), make_person(session, one)
        session.execute(text("UPDATE people SET suspect_since = now() WHERE id = :id"), {"id": dead.id})
        suppress_phone(session, SYSTEM, opted.phone, "opted_out")
        run_id = make_run(session, city.unit).id
        ids = one.id, two.id, opted.phone
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, city.gateways)
    with database.session() as session:
        one_path, two_path = (session.get_one(Unit, id_).path for id_ in ids[:2])
        before = lines(session, one_path), lines(session, two_path), lines(session, "/")
        close_unit(session, SYSTEM, ids[0], "支部合并", ids[1])
    with database.session() as session:
        assert (lines(session, one_path), lines(session, two_path), lines(session, "/")) == before
        assert check_identity(session, run_id).holds
        here = session.scalars(select(Person).where(Person.unit_id == ids[1])).all()
        assert (len(here), sum(person.suspect_since is not None for person in here)) == (4, 1)
        assert suppressed_among(session, [person.phone for person in here if person.phone]) == {ids[2]}
        run_id = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    with database.session() as session:
        found = session.execute(
            select(Message.unit_id, Message.reason, func.count())
            .where(Message.run_id == run_id)
            .group_by(Message.unit_id, Message.reason)
            .order_by(Message.reason)
        ).all()
        assert found == [(ids[1], "opted_out", 1), (ids[1], None, 3)]


def test_people_roles_and_units_below_go_along(session: Session) -> None:
    above, one, two = street(session)
    left = make_person(session, one)
    people.change_person(session, SYSTEM, left.id, left=True)
    head, both = make_person(session, one), make_person(session, two)
    session.add_all(
        (
            Contact(unit_id=one.id, person_id=head.id, role="书记"),
            Contact(unit_id=one.id, person_id=both.id, role="书记"),
            Contact(unit_id=two.id, person_id=both.id, role="书记"),
        )
    )
    session.flush()
    found = foresee_closing(session, SYSTEM, one.id)
    assert (found.people, found.units, found.roles, found.needs_another) == (1, 0, 2, True)
    with pytest.raises(Conflict, match="has 1 people and 0 units below"):
        close_unit(session, SYSTEM, one.id, "合并")
    closed = close_unit(session, SYSTEM, one.id, "合并", two.id)
    assert (closed.closed_at is not None, closed.merged_into) == (True, two.id)
    session.expire_all()
    assert {person.unit_id for person in session.scalars(select(Person))} == {two.id}
    assert session.execute(select(Contact.unit_id, Contact.person_id).order_by(Contact.person_id)).all() == [
        (two.id, head.id),
        (two.id, both.id),
    ]
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "unit.merge")).one()
    assert entry.details == {"people": 2, "units": 0, "roles": 2, "why": "合并", "unit_id": two.id}
    with pytest.raises(Conflict, match="closed already"):
        close_unit(session, SYSTEM, one.id, "再来")
    other = make_unit(session, parent=session.get_one(Unit, above.parent_id), level="street")
    close_unit(session, SYSTEM, above.id, "撤街道", other.id)
    session.expire_all()
    assert [session.get_one(Unit, id_).path for id_ in (one.id, two.id)] == [
        f"{other.path}{one.id}/",
        f"{other.path}{two.id}/",
    ]
    assert {unit.id for unit in session.scalars(units.find_units([other.path]))} == {other.id, two.id}
    assert {unit.id for unit in session.scalars(units.find_units([other.path], closed=True))} == {one.id}
    assert count_unreached(session, [session.get_one(Unit, other.id)]) == {other.id: 0}


def test_nobody_comes_to_a_closed_unit(session: Session) -> None:
    above, one, two = street(session)
    person = make_person(session, two)
    close_unit(session, SYSTEM, one.id, "撤销")
    with pytest.raises(Invalid, match="was closed"):
        people.create_person(session, SYSTEM, one.id, "甲")
    with pytest.raises(Invalid, match="was closed"):
        people.change_person(session, SYSTEM, person.id, unit_id=one.id)
    close_unit(session, SYSTEM, two.id, "合并", above.id)
    findings = Findings()
    places = Places(session, "/", None)
    assert [places.locate(row, code, None, findings) for row, code in ((2, one.code), (3, two.code))] == [None, None]
    said = [str(problem.reason) for problem in findings.problems]
    assert said == ["is a unit that was closed", f"is a unit that was merged into the one with the code {above.code}"]
    reopened = reopen_unit(session, SYSTEM, one.id, "恢复")
    assert reopened.closed_at is None
    assert people.create_person(session, SYSTEM, one.id, "甲").unit_id == one.id
    with pytest.raises(Conflict, match="is not closed"):
        reopen_unit(session, SYSTEM, one.id, "再来")


def test_what_cannot_be_closed_or_take_another(session: Session) -> None:
    above, one, two = street(session)
    make_person(session, one)
    with pytest.raises(Conflict, match="top of a tree"):
        close_unit(session, SYSTEM, above.parent_id or 0, "撤销")
    with pytest.raises(Invalid, match="outside the unit"):
        close_unit(session, SYSTEM, above.id, "撤销", one.id)
    with pytest.raises(Invalid, match="higher"):
        close_unit(session, SYSTEM, above.id, "撤销", make_unit(session, level="branch").id)
    with pytest.raises(NotFound):
        close_unit(session, SYSTEM, one.id, "撤销", 10**9)
    with pytest.raises(Invalid, match="why"):
        close_unit(session, SYSTEM, one.id, " ", two.id)
    stop_id, _ = stops.stop_unit(session, SYSTEM, one.id, "查错")
    assert foresee_closing(session, SYSTEM, one.id).is_stopped
    with pytest.raises(Conflict, match="a stop stands"):
        close_unit(session, SYSTEM, one.id, "撤销", two.id)
    stops.release_stop(session, SYSTEM, stop_id, "查完")
    for actor in (make_actor(session, one, ("administrator",)), make_actor(session, above, ("officer",))):
        with pytest.raises(Forbidden):
            close_unit(session, actor, one.id, "撤销", two.id)
