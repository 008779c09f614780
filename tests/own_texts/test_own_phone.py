"""An account's own phone: confirmed by a code that nobody but its receiver reads, and gone when it ends."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.accounts.models import Account
from sms_service.audience.measuring import measure_reach
from sms_service.audience.suppression import suppress_phone
from sms_service.db.engine import Database
from sms_service.directory.models import GUEST, Person, Unit
from sms_service.directory.people import change_person, find_people
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Message, Run
from sms_service.own_texts import phones
from sms_service.own_texts.models import OwnPhone
from sms_service.personal.erasure import erase_person
from sms_service.personal.own_data import collect_own_data
from sms_service.personal.own_phone_endings import erase_ended_phone
from sms_service.reports.messages import get_message
from tests.dispatch.city import City, drain, make_city
from tests.factories import fictional_phone, make_account, make_actor, make_unit
from tests.own_texts.own_phones import numbered


@pytest.fixture
def city(database: Database) -> City:
    return make_city(database, 1)


@pytest.fixture
def actor(session: Session, city: City) -> Actor:
    found = make_actor(session, session.get_one(Unit, city.unit.id), ("officer", "administrator"), login="lin")
    session.commit()
    return found


def handed(city: City) -> list[Any]:
    return [one for one in city.adapter.handed if "code" in one.body or "验证码" in one.body]


def ask(session: Session, actor: Actor, phone: str, code: int = 123456) -> Any:
    written = phones.send_code(session, actor, phone, numbered(code))
    session.commit()
    return written


def test_a_code_confirms_it(database: Database, session: Session, city: City, actor: Actor) -> None:
    phone = fictional_phone()
    written = ask(session, actor, phone, 42)
    known = phones.find_own_phone(session, actor.account_id)
    assert (known.phone, known.confirmed_at) == (phone, None)
    assert known.code_until is not None
    run = session.get_one(Run, written.run_id)
    assert (run.kind, run.status, run.lane, run.campaign_id, run.audience) == ("test", "running", "urgent", None, 1)
    drain(database, city.gateways)
    (sent,) = handed(city)
    assert sent.phone == phone
    assert "000042" in sent.body
    with pytest.raises(Invalid) as refused:
        phones.confirm_own_phone(database, session, actor, "000043")
    session.rollback()
    assert "4 more" in str(refused.value)
    assert phones.confirm_own_phone(database, session, actor, " 000042 ").confirmed_at is not None
    session.commit()
    with pytest.raises(Conflict):
        phones.confirm_own_phone(database, session, actor, "000042")
    with pytest.raises(Conflict, match="confirmed already"):
        phones.send_code(session, actor, phone, numbered(1))


def test_tries_count_though_their_transaction_is_undone(
    database: Database, session: Session, city: City, actor: Actor
) -> None:
    ask(session, actor, fictional_phone())
    for _ in range(phones.MOST_TRIES):
        with pytest.raises(Invalid):
            phones.confirm_own_phone(database, session, actor, "000000")
        session.rollback()
    with pytest.raises(Conflict):
        phones.confirm_own_phone(database, session, actor, "123456")


def test_an_old_code_confirms_nothing(database: Database, session: Session, city: City, actor: Actor) -> None:
    phone = fictional_phone()
    ask(session, actor, phone, 111111)
    ask(session, actor, phone, 222222)
    with pytest.raises(Invalid):
        phones.confirm_own_phone(database, session, actor, "111111")
    session.rollback()
    session.execute(text("UPDATE own_phones SET code_until = sms_now()"))
    session.commit()
    with pytest.raises(Conflict):
        phones.confirm_own_phone(database, session, actor, "222222")


def test_anothers_code_confirms_nothing(database: Database, session: Session, city: City, actor: Actor) -> None:
    """Of the same phone, said by two accounts, each needs its own code; that of a phone before is good no more."""
    phone = fictional_phone()
    other = make_actor(session, session.get_one(Unit, city.unit.id))
    ask(session, other, phone, 111111)
    ask(session, actor, phone, 222222)
    with pytest.raises(Invalid):
        phones.confirm_own_phone(database, session, actor, "111111")
    session.rollback()
    ask(session, actor, fictional_phone(), 333333)
    with pytest.raises(Invalid):
        phones.confirm_own_phone(database, session, actor, "222222")


def test_codes_are_bounded_by_account_and_by_phone(session: Session, city: City, actor: Actor) -> None:
    for _ in range(phones.MOST_CODES):
        ask(session, actor, fictional_phone())
    with pytest.raises(Conflict, match="5 codes"):
        ask(session, actor, fictional_phone())
    session.rollback()
    unit, phone = session.get_one(Unit, city.unit.id), fictional_phone()
    for _ in range(phones.MOST_CODES_OF_PHONE):
        ask(session, make_actor(session, unit), phone)
    with pytest.raises(Conflict, match="3 codes went"):
        ask(session, make_actor(session, unit), phone)
    session.rollback()
    session.execute(text("UPDATE own_texts SET created_at = created_at - interval '1 day'"))
    ask(session, actor, phone)


def test_nobody_reads_the_code_but_its_receiver(session: Session, city: City, actor: Actor) -> None:
    written = ask(session, actor, fictional_phone(), 987654)
    row, _ = get_message(session, actor, written.message_id)
    assert (row.text, row.hides_text, row.kind) == (None, True, "test")
    person = session.scalars(select(OwnPhone.person_id)).one()
    held = collect_own_data(session, actor, person, "x")
    assert "987654" not in str(held)
    assert held["own_phones"][0]["login"] == "lin"
    assert held["texts"][0]["kind"] == "test"
    assert not re.search("987654", str([dict(one) for one in session.execute(text("SELECT * FROM trail")).mappings()]))


def test_it_is_nobody_of_the_register(session: Session, city: City, actor: Actor) -> None:
    ask(session, actor, phone := fictional_phone())
    person = session.scalars(select(Person).where(Person.phone == phone)).one()
    assert (person.kind, person.name) == (GUEST, "@lin")
    assert person.left_at is not None
    assert phone not in [one.phone for one in session.scalars(find_people(("/",), left=None))]
    reach = measure_reach(session, {"everyone": True}, city.unit.path, [], [])
    assert reach.people == 1
    with pytest.raises(Conflict, match="nobody of the register"):
        change_person(session, actor, person.id, phone=fictional_phone())


def test_the_service_itself_has_none(session: Session, city: City, database: Database) -> None:
    for act in (
        lambda: phones.send_code(session, SYSTEM, fictional_phone(), numbered(1)),
        lambda: phones.confirm_own_phone(database, session, SYSTEM, "1"),
        lambda: phones.end_own_phone(session, SYSTEM),
    ):
        with pytest.raises(Forbidden):
            act()


def test_another_phone_ends_the_first(database: Database, session: Session, city: City, actor: Actor) -> None:
    first, second = fictional_phone(), fictional_phone()
    ask(session, actor, first)
    ask(session, actor, second)
    drain(database, city.gateways)
    assert [one.phone for one in handed(city)] == [second]
    skipped = session.scalars(select(Message).where(Message.phone == first)).one()
    assert (skipped.status, skipped.reason) == ("skipped", "no_phone")
    assert erase_ended_phone(database)
    assert not erase_ended_phone(database)
    session.expire_all()
    assert session.get_one(Message, (skipped.month, skipped.id)).phone is None
    assert session.scalars(select(OwnPhone)).one().ended_at is None


def test_an_ended_phone_is_erased_once_nothing_is_awaited(
    database: Database, session: Session, city: City, actor: Actor
) -> None:
    written = ask(session, actor, fictional_phone())
    drain(database, city.gateways)
    phones.end_own_phone(session, actor)
    session.commit()
    assert phones.find_own_phone(session, actor.account_id) is None
    with pytest.raises(Conflict):
        phones.end_own_phone(session, actor)
    assert not erase_ended_phone(database)  # its receipt is awaited
    session.execute(text("UPDATE messages SET status = 'delivered' WHERE id = :id"), {"id": written.message_id})
    session.execute(text("UPDATE own_phones SET look_at = sms_now()"))
    session.commit()
    assert erase_ended_phone(database)
    assert session.scalars(select(OwnPhone)).all() == []
    left = text("SELECT phone, text FROM messages WHERE id = :id")
    assert session.execute(left, {"id": written.message_id}).one() == (None, None)


def test_erasing_the_person_ends_it(session: Session, city: City, actor: Actor) -> None:
    ask(session, actor, fictional_phone())
    erase_person(session, SYSTEM, session.scalars(select(OwnPhone.person_id)).one(), "本人要求")
    assert phones.find_own_phone(session, actor.account_id) is None


@pytest.mark.parametrize("phone", ["", "12345", "02512345678", "13800000000/13900000000"])
def test_only_a_mobile_number(session: Session, city: City, actor: Actor, phone: str) -> None:
    with pytest.raises(Invalid) as refused:
        phones.send_code(session, actor, phone, numbered(1))
    assert refused.value.field == "phone"


def test_what_keeps_a_code_back_is_said_at_once(session: Session, city: City, actor: Actor) -> None:
    phone = fictional_phone()
    suppressed = suppress_phone(session, SYSTEM, phone, "opted_out")
    with pytest.raises(Conflict, match="opt-out"):
        phones.send_code(session, actor, phone, numbered(1))
    session.execute(text("UPDATE suppressions SET lifted_at = now() WHERE id = :id"), {"id": suppressed.id})
    session.execute(text("UPDATE units SET window_opens = 0, window_closes = 1, timezone = 'Etc/GMT+0'"))
    session.execute(
        text(
            "UPDATE units SET window_opens = o, window_closes = o + 1 FROM (SELECT (extract(hour FROM sms_now() AT TIME"
            " ZONE 'UTC')::int + 12) % 24 * 60 AS o) AS x"
        )
    )
    session.expire_all()
    with pytest.raises(Conflict, match="leave from"):
        phones.send_code(session, actor, phone, numbered(1))
    session.execute(text("UPDATE units SET window_opens = 0, window_closes = 1440"))
    session.execute(text("UPDATE gateway_accounts SET needs_binding = true"))
    session.expire_all()
    with pytest.raises(Conflict, match="registered"):
        phones.send_code(session, actor, phone, numbered(1))


def test_a_unit_without_a_signature_sends_none(session: Session, city: City) -> None:
    lonely = make_unit(session, window_opens=0, window_closes=1440)
    actor = load_actor(session, make_account(session, lonely).id)
    with pytest.raises(Conflict, match="no signature"):
        phones.send_code(session, actor, fictional_phone(), numbered(1))
    assert session.get_one(Account, actor.account_id)
