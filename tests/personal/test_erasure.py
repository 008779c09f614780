"""A person is erased: nothing of theirs is found in any table afterwards, and no count has changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, LargeBinary, select, text, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.accounts.stored_responses import keep_response, reserve_response
from sms_service.audience.models import Suppression
from sms_service.audience.suppression import lift_suppression, suppress_phone
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.delivery.inbox import Inbox
from sms_service.delivery.models import CheckCause
from sms_service.directory.import_models import Import, ImportFile, ImportOutcome, ImportProblem, ImportRow
from sms_service.directory.models import Person
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.gateways.base import Receipt, ReceiptStatus, Reply
from sms_service.ledger import receipts
from sms_service.ledger.models import Message
from sms_service.personal.erasure import erase_person, foresee_erasure
from sms_service.replies.storing import store_replies
from sms_service.reports.counts import tabulate_counts
from sms_service.reports.filters import Filter
from sms_service.tables import METADATA
from tests.dispatch.city import City, drain, make_city, make_run, messages, statuses
from tests.factories import make_actor, make_person, make_unit
from tests.ledger.races import while_open

NAME, PHONE, NUMBER, OWN = "欧阳测试", "+8613900001234", "NO-77-测", "只有本人的事"
TRACES = (NAME, PHONE, PHONE[3:], NUMBER, OWN)


def found_anywhere(database: Database, words: Iterable[str] = TRACES) -> set[tuple[str, str]]:
    """In which tables, whatever their columns, which of these words stand: as text, in JSON, or in bytes."""
    found = set()
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        for table in METADATA.sorted_tables:
            columns = ", ".join(
                f"encode({column.name!r}, 'escape')".replace("'", '"', 2)
                if isinstance(column.type, LargeBinary)
                else f'"{column.name}"'
                for column in table.columns
            )
            rows = connection.exec_driver_sql(f"SELECT CAST(ROW({columns}) AS text) FROM {table.name}").scalars().all()
            whole = "\n".join(rows)
            for word in words:
                escaped = "".join(f"\\{byte:03o}" for byte in word.encode())
                spellings = {word, json.dumps(word)[1:-1], escaped, json.dumps(word)[1:-1].replace("\\", "\\\\")}
                if any(spelling in whole for spelling in spellings):
                    found.add((table.name, word))
    return found


def make_full_city(database: Database) -> tuple[City, int]:
    """A city in which every table that may have something of a person has it; returns it and the person's id."""
    own = {"name": NAME, "phone": PHONE, "number": NUMBER, "tags": [OWN], "attributes": {"备注": OWN}}
    city = make_city(database, 2, more=[own])
    drain(database, city.gateways)
    with database.session() as session:
        person = session.scalars(select(Person).where(Person.name == NAME)).one()
        read_in = Import(
            unit_id=city.unit.id, kind="people", file_name="党员.csv", digest=b"", rows=2, created=1, changed=0,
            unchanged=0, refused=1,
        )  # fmt: skip
        session.add(read_in)
        session.flush()
        for row, value in ((2, NAME), (2, "x"), (3, "１３９-0000 1234"), (4, "无关")):
            session.add(
                ImportProblem(import_id=read_in.id, row=row, column="姓名", value=value, reason=f"{value} is odd",
                              message="{value} is odd", values={"value": value}, refused=False)
            )  # fmt: skip
        draft = Import(
            unit_id=city.unit.id, kind="people", file_name="又一份.csv", digest=b"",
            rows=1, created=0, changed=0, unchanged=1, refused=0, state="checked", expires_at=read_in.created_at,
        )  # fmt: skip
        session.add(draft)
        session.flush()
        cells = json.dumps([NAME, PHONE[3:]])
        session.add_all(
            (
                ImportFile(import_id=draft.id, content=f"{NAME},{PHONE[3:]}".encode()),
                ImportRow(import_id=draft.id, row=2, cells=cells, is_refused=False, name=NAME, phone=PHONE),
                ImportOutcome(import_id=draft.id, row=2, outcome="unchanged", person_id=person.id),
            )
        )
        officer = make_actor(session, city.unit)
        assert officer.account_id is not None
        for key, body in (("a", json.dumps({"name": NAME})), ("b", json.dumps({"n": NUMBER}, ensure_ascii=False))):
            assert reserve_response(session, officer.account_id, key, b"") is None
            keep_response(session, officer.account_id, key, 201, {"said": NAME, "Location": "/x"}, body.encode())
        session.execute(
            text(
                "UPDATE attempts a SET phone = :p, detail = :p FROM messages m"
                " WHERE m.month = a.month AND m.id = a.message_id AND m.phone = :p"
            ),
            {"p": PHONE},
        )
        session.execute(
            text(
                "INSERT INTO phone_reports (phone, kind, run_id, message_id, unit_path, at)"
                " SELECT phone, 'blacklisted', run_id, id, unit_path, now() FROM messages WHERE phone = :p"
            ),
            {"p": PHONE},
        )
        session.execute(
            text("INSERT INTO lost_checks (person_id, cause, campaigns, opened_at) VALUES (:id, :cause, 2, now())"),
            {"id": person.id, "cause": next(iter(CheckCause)).value},
        )
        session.execute(text("INSERT INTO missed_texts VALUES (:id, 1, 1, now())"), {"id": person.id})
        session.execute(text("INSERT INTO cap_uses VALUES (:p, 'study', current_date, 1)"), {"p": PHONE})
        person_id = person.id
    row = next(row for row in messages(database, city.run_id) if row.person_id == person_id)
    raw = json.dumps({"to": PHONE})
    Inbox(database).store("main", [Receipt(ReceiptStatus.delivered, "?", raw, phone=PHONE)])
    with database.session() as session:
        reference = session.scalar(text("SELECT provider_id FROM attempts WHERE message_id = :id"), {"id": row.id})
    receipt = Receipt(ReceiptStatus.delivered, str(reference), raw, phone=PHONE)
    Inbox(database).store("main", [receipt])
    with database.transaction() as connection:
        receipts.apply_receipts(connection, 10)
    return city, person_id


def officer_of(database: Database, city: City, role: str = "administrator") -> Actor:
    with database.session() as session:
        return make_actor(session, city.unit, (role,))


def counted(database: Database) -> object:
    with database.session() as session:
        table = tabulate_counts(session, Filter(("/",)), ("status", "reason", "unit", "account"))
        return table.lines, table.total


def test_nothing_of_a_person_is_found_after_an_erasure(database: Database) -> None:
    city, person_id = make_full_city(database)
    store_replies(database, "main", [Reply(PHONE, f"{OWN}，收到", "{}")])
    tables = {table for table, _ in found_anywhere(database)}
    assert tables >= {
        *("people", "messages", "attempts", "receipts", "replies", "import_problems", "stored_answers"),
        *("phone_reports", "cap_uses", "import_rows", "import_files"),
    }
    before = counted(database)
    administrator = officer_of(database, city)
    with database.session() as session:
        outlook = foresee_erasure(session, administrator, person_id)
        assert (outlook.texts, outlook.waiting, outlook.awaited, outlook.stays_suppressed) == (1, 0, 0, False)
        done = erase_person(session, administrator, person_id, "本人要求")
    assert (done.texts, done.cancelled, done.replies) == (1, 0, 1)
    # What stays, as docs/erasure.md says: the number alone, of a phone that wants no texts.
    assert found_anywhere(database) == {("suppressions", PHONE), ("suppressions", PHONE[3:])}
    assert counted(database) == before
    with database.session() as session:
        assert session.get(Person, person_id) is None
        entry = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
        assert (entry.act, entry.target_id, entry.account_id) == (
            "person.erase", str(person_id), administrator.account_id,
        )  # fmt: skip
        assert entry.details == {"texts": 1, "cancelled": 0, "replies": 1, "why": "本人要求"}
        kept = session.scalars(select(ImportProblem.value).where(ImportProblem.value.is_not(None))).all()
        assert kept == ["无关"]
        assert session.execute(select(Import.state, Import.expires_at).order_by(Import.id)).all() == [
            ("applied", None), ("expired", None),
        ]  # fmt: skip
        with pytest.raises(NotFound):
            erase_person(session, administrator, person_id, "再来")


def test_texts_that_wait_are_cancelled_and_those_under_way_refuse_it(database: Database) -> None:
    city = make_city(database, 1)
    administrator = officer_of(database, city)
    (row,) = messages(database, city.run_id)
    for status, match in (("claimed", "being handed over"), ("accepted", "on their way")):
        with database.session() as session:
            lease = {"claim_token": "0" * 32, "lease_until": row.expires_at} if status == "claimed" else {}
            session.execute(update(Message).values(status=status, attempts=1, **lease))
        with pytest.raises(Conflict, match=match), database.session() as session:
            erase_person(session, administrator, row.person_id, "本人要求")
        with database.session() as session:
            session.execute(update(Message).values(status="pending", claim_token=None, lease_until=None))
    with database.session() as session:
        assert erase_person(session, administrator, row.person_id, "本人要求").cancelled == 1
    assert statuses(database, city.run_id) == {"cancelled": 1}
    drain(database, city.gateways)
    assert city.adapter.handed == []


def test_what_a_relative_has_stays(database: Database) -> None:
    """Two people with one phone: the phone, its replies and reports are the other's too."""
    city, person_id = make_full_city(database)
    with database.session() as session:
        other = make_person(session, city.unit, name="家属", phone=PHONE)
        suppress_phone(session, SYSTEM, PHONE, "opted_out")
    with database.session() as session:
        erase_person(session, officer_of(database, city), person_id, "本人要求")
    with database.session() as session:
        assert session.get_one(Person, other.id).phone == PHONE
        assert session.scalar(text("SELECT count(*) FROM phone_reports")) == 1
    assert {word for _, word in found_anywhere(database)} == {PHONE, PHONE[3:]}


def test_an_opt_out_outlives_its_person(database: Database) -> None:
    city, person_id = make_full_city(database)
    with database.session() as session:
        suppress_phone(session, SYSTEM, PHONE, "complaint", note=f"{NAME}来信")
        lift_suppression(session, SYSTEM, PHONE, "本人来电")
        suppress_phone(session, SYSTEM, PHONE, "manual", unit_id=city.unit.id, note=f"{NAME}来电")
        assert foresee_erasure(session, SYSTEM, person_id).stays_suppressed
        suppress_phone(session, SYSTEM, PHONE, "opted_out", note=f"{NAME}来电")
    with database.session() as session:
        erase_person(session, SYSTEM, person_id, "本人要求")
    assert found_anywhere(database) == {("suppressions", PHONE), ("suppressions", PHONE[3:])}
    with database.session() as session:
        kept = session.execute(select(Suppression.reason, Suppression.note, Suppression.lifted_at)).all()
        assert sorted(kept) == [("manual", None, None), ("opted_out", None, None)]
        make_person(session, city.unit, name=NAME, phone=PHONE)  # as an import brings them back
        run = make_run(session, city.unit)
        run_id = run.id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    with database.session() as session:
        skipped = session.execute(select(Message.status, Message.reason).where(Message.phone == PHONE)).all()
    assert skipped == [("skipped", "opted_out")]


def test_who_may_erase(database: Database) -> None:
    city, person_id = make_full_city(database)
    with database.session() as session:
        stranger = make_actor(session, make_unit(session), ("administrator",))
        for actor in (officer_of(database, city, "officer"), officer_of(database, city, "auditor"), stranger):
            for act in (
                lambda who=actor: erase_person(session, who, person_id, "本人要求"),
                lambda who=actor: foresee_erasure(session, who, person_id),
            ):
                with pytest.raises(Forbidden):
                    act()
        with pytest.raises(Invalid, match="why"):
            erase_person(session, SYSTEM, person_id, " ")
    assert statuses(database, city.run_id)


def test_no_freeze_copies_a_person_who_is_being_erased(database: Database) -> None:
    """Two real sessions: the freeze that begins before the erasure has committed waits for it."""
    city = make_city(database, 2)
    with database.session() as session:
        session.execute(update(Message).values(status="delivered", attempts=1))
        run_id = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    person_id = messages(database, city.run_id)[0].person_id
    started = threading.Event()

    def erase(connection: Connection) -> object:
        return erase_person(Session(connection), SYSTEM, person_id, "本人要求")

    def frozen() -> int | None:
        started.set()
        return freeze.freeze_run(database, run_id)

    with ThreadPoolExecutor(1) as pool:
        with while_open(database, erase):
            freezing = pool.submit(frozen)
            assert started.wait(10)
        assert freezing.result(timeout=30) == 1
    assert person_id not in {row.person_id for row in messages(database, run_id)}


def test_an_import_that_is_being_read_is_waited_for(database: Database) -> None:
    city, person_id = make_full_city(database)
    with database.session() as session:
        session.execute(update(Import).where(Import.state == "checked").values(state="checking"))
    with pytest.raises(Conflict, match="is being read"), database.session() as session:
        erase_person(session, SYSTEM, person_id, "本人要求")
    assert statuses(database, city.run_id)
