"""Imports on their way: who is at them, what happens when that one dies, and what is left when they are over."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text, update

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.import_work import ImportingThread, work_on_import
from sms_service.clock import tick
from sms_service.directory import checking, drafts
from sms_service.directory.drafts import LostImport, hold_import, take_import
from sms_service.directory.erasing import drop_drafts_about
from sms_service.directory.import_models import (
    Import,
    ImportFile,
    ImportOutcome,
    ImportProblem,
    ImportRow,
    ImportState,
)
from sms_service.directory.models import Person
from sms_service.directory.short_files import MAX_BYTES
from sms_service.errors import Conflict, Invalid
from sms_service.gateways.config import GatewayConfig
from sms_service.gateways.registry import Gateways
from tests.factories import make_actor, make_person, make_unit

ROWS = "编号,姓名,手机号,组织编码\n1,林一,13900000001,01\n2,,13900000002,01\n"


@pytest.fixture
def city(session):
    city = make_unit(session, code="01")
    session.commit()
    return city


def upload(database, content=ROWS, **given):
    with database.session() as session:
        actor = given.pop("actor", SYSTEM)
        return drafts.upload_import(session, actor, "people", content.encode(), "people.csv", **given).id


def read(database, import_id):
    with database.session() as session:
        return session.get_one(Import, import_id)


def request(database, import_id, actor=SYSTEM):
    with database.session() as session:
        drafts.request_apply(session, actor, session.get_one(Import, import_id))


def count(database, table):
    with database.session() as session:
        return session.scalar(select(func.count()).select_from(table))


def let_leases_end(database):
    with database.session() as session:
        session.execute(update(Import).values(lease_until=func.sms_now() - text("interval '1 second'")))


def test_of_two_workers_one_takes_it_and_the_one_that_lost_it_writes_nothing(database, city):
    import_id = upload(database)
    with database.session() as session:
        first = take_import(session)
        assert (first.id, first.state) == (import_id, "checking")
    with database.session() as session:
        assert take_import(session) is None
    let_leases_end(database)
    with database.session() as session:
        second = take_import(session)
    with pytest.raises(LostImport), database.session() as session:
        hold_import(session, first)
    with pytest.raises(LostImport):
        checking.check_import(database.session, first)
    assert count(database, ImportRow) == 0
    checking.check_import(database.session, second)
    assert read(database, import_id).state == ImportState.checked


def test_while_one_writes_no_other_takes_it_however_long(database, city):
    import_id = upload(database)
    work_on_import(database.session)
    request(database, import_id)
    with database.session() as session:
        taken = take_import(session)
        let_leases_end_of = update(Import).values(lease_until=func.sms_now() - text("interval '1 second'"))
        session.execute(let_leases_end_of)
    with database.session() as session:
        hold_import(session, taken)
        session.flush()
        with database.session() as other:
            assert take_import(other) is None


def test_a_file_that_ends_its_workers_is_given_up(database, city):
    import_id = upload(database)
    for _ in range(drafts.MOST_TRIES):
        with database.session() as session:
            assert take_import(session) is not None
        let_leases_end(database)
    assert work_on_import(database.session) is None
    record = read(database, import_id)
    assert (record.state, "was begun 3 times" in record.said_notice) == ("failed", True)


def test_a_check_that_was_cut_off_begins_anew(database, city, monkeypatch):
    import_id = upload(database)
    monkeypatch.setattr(checking, "decide_outcomes", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work_on_import(database.session)
    assert (count(database, ImportRow), read(database, import_id).progress) == (2, 2)
    monkeypatch.undo()
    let_leases_end(database)
    work_on_import(database.session)
    record = read(database, import_id)
    assert (record.state, record.rows, record.created, record.refused) == ("checked", 2, 1, 1)
    assert (count(database, ImportRow), count(database, ImportOutcome), count(database, ImportProblem)) == (2, 2, 1)


def test_what_changed_meanwhile_is_not_written_but_shown(database, session, city):
    import_id = upload(database)
    work_on_import(database.session)
    person = make_person(session, city, number="1", name="林壹")
    session.commit()
    request(database, import_id)
    work_on_import(database.session)
    record = read(database, import_id)
    assert (record.state, "the register has changed" in record.said_notice) == ("uploaded", True)
    work_on_import(database.session)
    record = read(database, import_id)
    assert (record.state, record.version, record.created, record.changed) == ("checked", 2, 0, 1)
    session.refresh(person)
    assert person.name == "林壹"
    person.name = "林二"  # the row would still change them: nothing else than was shown
    session.commit()
    request(database, import_id)
    work_on_import(database.session)
    session.refresh(person)
    assert (read(database, import_id).state, person.name) == ("applied", "林一")


def test_who_lost_the_right_meanwhile_writes_nothing(database, session, city):
    officer = make_actor(session, city, roles=("officer",))
    session.commit()
    import_id = upload(database, actor=officer)
    work_on_import(database.session)
    request(database, import_id, officer)
    session.execute(text("DELETE FROM role_grants"))
    session.commit()
    work_on_import(database.session)
    assert (read(database, import_id).state, count(database, Person)) == ("failed", 0)


def test_only_what_is_checked_can_be_applied(database, city):
    nothing = upload(database, "编号,姓名,手机号,组织编码\n1,,13900000001,01\n")
    with pytest.raises(Conflict):
        request(database, nothing)
    work_on_import(database.session)
    with pytest.raises(Conflict, match="no row of the file"):
        request(database, nothing)
    for content in ("", "x" * (MAX_BYTES + 1)):
        with pytest.raises(Invalid):
            upload(database, content)


def test_the_file_and_its_rows_are_deleted_and_the_history_stays(database, session, city):
    applied, left = upload(database), upload(database)
    for _ in range(2):
        work_on_import(database.session)
    request(database, applied)
    work_on_import(database.session)
    tick(database, None, Gateways(GatewayConfig({}, {}), ""))
    assert count(database, ImportFile) == 2
    session.execute(update(Import).values(expires_at=func.sms_now() - text("interval '1 second'")))
    session.commit()
    for _ in range(3):
        tick(database, None, Gateways(GatewayConfig({}, {}), ""))
    for table in (ImportFile, ImportRow, ImportOutcome):
        assert count(database, table) == 0
    assert [read(database, one).state for one in (applied, left)] == ["applied", "expired"]
    assert set(session.scalars(select(ImportProblem.import_id))) == {applied}
    assert read(database, applied).created == 1


def test_a_workers_thread_finds_imports_by_itself(database, city):
    importing = ImportingThread(database)
    importing.start()
    try:
        import_id = upload(database)
        importing.wake()
        while read(database, import_id).state != ImportState.checked:
            pass
    finally:
        importing.close()


def test_a_refused_row_with_a_quotation_mark_in_the_name_is_found_for_an_erasure(database, city):
    import_id = upload(database, '编号,姓名,手机号,组织编码\n1,"阿""依",,99\n2,林一,13900000001,01\n')
    work_on_import(database.session)
    with database.session() as session:
        assert drop_drafts_about(session, 0, {"阿依"}, set()) == 0
        assert drop_drafts_about(session, 0, {'阿"依'}, set()) == 1
    assert read(database, import_id).state == ImportState.expired
