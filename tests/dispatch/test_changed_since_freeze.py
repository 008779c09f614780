"""What changes between the freeze and the hand-over: the gate asks again whether the person may be texted at the phone,
and by the unit that sends.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.covering import TextKind
from sms_service.audience.measuring import measure_reach
from sms_service.audience.suppression import lift_suppression, suppress_phone
from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.directory.people import change_person
from sms_service.dispatch import freeze
from sms_service.ledger import protocol, runs
from sms_service.ledger.models import Message, Run
from sms_service.ledger.protocol import Claim, Rendered
from sms_service.vocabulary import MessageReason
from tests.dispatch.city import ALL_DAY, City, drain, make_city, make_run, messages, statuses
from tests.factories import fictional_phone, make_person, make_unit

_CHANGES: dict[MessageReason, Callable[[Session, int], object]] = {
    MessageReason.lost_contact: lambda session, id_: change_person(session, SYSTEM, id_, lost_contact=True),
    MessageReason.left: lambda session, id_: change_person(session, SYSTEM, id_, left=True),
    MessageReason.new_phone: lambda session, id_: change_person(session, SYSTEM, id_, phone=fictional_phone()),
    MessageReason.no_phone: lambda session, id_: change_person(session, SYSTEM, id_, phone=None),
    MessageReason.bad_number: lambda session, id_: session.execute(
        text("UPDATE people SET phone = NULL, phone_problem = '10 digits' WHERE id = :id"), {"id": id_}
    ),
}


@pytest.mark.parametrize("reason", _CHANGES)
def test_who_must_not_be_texted_any_more_is_not(database: Database, reason: MessageReason) -> None:
    city = make_city(database, 2)
    first = messages(database, city.run_id)[0]
    with database.session() as session:
        _CHANGES[reason](session, first.person_id)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 1, "skipped": 1}
    assert [handed.phone for handed in city.adapter.handed] != [first.phone]
    assert {row.id: row.reason for row in messages(database, city.run_id) if row.status == "skipped"} == {
        first.id: reason
    }


def claimed(database: Database, city: City) -> tuple[Claim, list[Rendered]]:
    with database.transaction() as connection:
        gateway_account_id = connection.scalars(select(GatewayAccount.id)).one()
        claim = Claim(city.run_id, city.month, gateway_account_id, str(uuid.uuid4()))
        rows = protocol.claim_rows(connection, claim, 10, 60)
    return claim, [Rendered(row.id, "学习", 1) for row in rows]


def pass_some(connection: Connection, claim: Claim, some: list[Rendered]) -> list[int]:
    return [row.message_id for row in protocol.pass_gate(connection, claim, some, 60)]


def test_a_mark_counts_from_its_commit_on(database: Database) -> None:
    """An administrator's transaction against gates: while it is open texts leave, and none does after its commit."""
    city = make_city(database, 3)
    claim, rows = claimed(database, city)
    ids = {message.id: message.person_id for message in messages(database, city.run_id)}
    with database.session() as other:
        for row in rows[:2]:
            change_person(other, SYSTEM, ids[row.id], lost_contact=True)
        with database.transaction() as connection:
            assert pass_some(connection, claim, rows[:1]) == [rows[0].id], "it does not wait for who changes people"
        other.commit()
        with database.transaction() as connection:
            assert pass_some(connection, claim, rows[1:]) == [rows[2].id]
    with database.transaction() as connection:
        protocol.release_rows(connection, claim, [rows[1].id])
    assert [(row.status, row.reason) for row in messages(database, city.run_id)] == [
        ("submitting", None),
        ("skipped", "lost_contact"),
        ("submitting", None),
    ]


def two_runs(database: Database) -> tuple[City, Person, Unit, int, int]:
    """A district's run and the city's, each to the same two people, frozen."""
    city = make_city(database, 0)
    with database.session() as session:
        district = make_unit(session, parent=session.merge(city.unit), **ALL_DAY)
        branch = make_unit(session, parent=district, **ALL_DAY)
        person = make_person(session, branch)
        make_person(session, branch)
        ids = make_run(session, branch).id, make_run(session, session.get_one(Unit, city.unit.id)).id
    freeze.begin_due_runs(database)
    for run_id in ids:
        freeze.freeze_run(database, run_id)
    return city, person, district, *ids


def test_an_entry_for_a_unit_holds_for_its_runs_and_not_for_the_citys(database: Database) -> None:
    city, person, district, own, of_city = two_runs(database)
    with database.session() as session:  # between freeze and gate
        suppress_phone(session, SYSTEM, person.phone or "", "complaint", unit_id=district.id)
    drain(database, city.gateways)
    assert statuses(database, own) == {"accepted": 1, "skipped": 1}
    assert statuses(database, of_city) == {"accepted": 2}
    with database.session() as session:
        skipped = select(Message.person_id, Message.reason).where(Message.status == "skipped")
        assert session.execute(skipped).all() == [(person.id, "complaint")]
        # The same when the list is made after it.
        ids = make_run(session, district).id, make_run(session, session.get_one(Unit, city.unit.id)).id
    freeze.begin_due_runs(database)
    for run_id in ids:
        freeze.freeze_run(database, run_id)
    assert [statuses(database, run_id) for run_id in ids] == [{"pending": 1, "skipped": 1}, {"pending": 2}]


def test_of_several_entries_the_one_for_every_text_names_the_reason_and_lifted_ones_do_nothing(
    database: Database,
) -> None:
    city, person, district, own, of_city = two_runs(database)
    phone = person.phone or ""
    with database.session() as session:
        suppress_phone(session, SYSTEM, phone, "complaint", unit_id=district.id)
        suppress_phone(session, SYSTEM, phone, "opted_out", unit_id=city.unit.id)
        suppress_phone(session, SYSTEM, phone, "wrong_person")
        for unit_id in (None, district.id, city.unit.id):
            if unit_id != city.unit.id:
                lift_suppression(session, SYSTEM, phone, "试", unit_id)
                suppress_phone(session, SYSTEM, phone, "wrong_person", unit_id=unit_id)
    drain(database, city.gateways)
    with database.session() as session:
        skipped = select(Message.run_id, Message.reason).where(Message.status == "skipped").order_by(Message.run_id)
        assert session.execute(skipped).all() == [(own, "wrong_person"), (of_city, "wrong_person")]
        for unit_id in (None, district.id, city.unit.id):
            lift_suppression(session, SYSTEM, phone, "试", unit_id)
        run_id = make_run(session, district).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, city.gateways)
    assert statuses(database, run_id) == {"accepted": 2}


def test_a_canary_takes_no_row_that_the_gate_would_skip(database: Database) -> None:
    city = make_city(database, 5)
    rows = messages(database, city.run_id)
    with database.session() as session:
        run = session.get_one(Run, city.run_id)
        run.canary, run.canary_since = [rows[0].id, rows[1].id], session.scalar(select(func.sms_now()))
        change_person(session, SYSTEM, rows[2].person_id, lost_contact=True)
        suppress_phone(session, SYSTEM, rows[3].phone or "", "complaint", unit_id=city.unit.id)
        session.execute(text("UPDATE messages SET status = 'cancelled' WHERE id = :id"), {"id": rows[0].id})
    with database.transaction() as connection:
        runs.refill_canary(connection, city.run_id, city.month, 30.0)
    with database.session() as session:
        assert session.get_one(Run, city.run_id).canary == [rows[1].id, rows[4].id]


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        (TextKind("notice"), True),
        (TextKind(signature="云州先锋"), True),
        (TextKind("notice", "云州先锋"), True),
        (TextKind("study"), False),
        (TextKind("notice", "西城区委"), False),
    ],
)
def test_an_entry_for_a_class_or_a_signature_holds_for_runs_that_have_it(
    database: Database, kind: TextKind, holds: bool
) -> None:
    """A notice of 云州先锋: at the gate, when the list is made, and in what is said before."""
    city = make_city(database, 2)
    row = messages(database, city.run_id)[0]
    with database.session() as session:
        suppress_phone(session, SYSTEM, row.phone or "", "opted_out", kind=kind)
        asked = measure_reach(session, {"everyone": True}, city.unit.path, kind=TextKind("notice", "云州先锋"))
        assert asked.phones == 2 - holds
        assert measure_reach(session, {"everyone": True}, city.unit.path).phones == 2, "the kind is not known"
        later = make_run(session, session.get_one(Unit, city.unit.id)).id
    drain(database, city.gateways)
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, later)
    drain(database, city.gateways)
    expected = {"accepted": 1, "skipped": 1} if holds else {"accepted": 2}
    assert [statuses(database, city.run_id), statuses(database, later)] == [expected] * 2
