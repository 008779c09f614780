"""Ledger exports: the rows of a filter as a file, written once by one worker, seen by whom it concerns, and over in
time.
"""

from __future__ import annotations

import csv
import hashlib
import io
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.ledger.models import Message
from sms_service.personal.erasure import erase_person
from sms_service.reports import exports
from sms_service.reports.export_models import Export
from sms_service.reports.export_rows import DEFAULT_COLUMNS, dump_filter, load_filter
from sms_service.reports.export_work import ExportDesk, work_on_export
from sms_service.reports.exports import ExportChoice, LostExport
from sms_service.reports.filters import Filter
from sms_service.web.words import find_wording
from tests.clocks import ahead_by
from tests.dispatch.city import make_run
from tests.factories import make_actor
from tests.reports.ledger_rows import add_message, make_tree

DAY = date(2026, 9, 1)


@dataclass
class Ledger:
    """A tree with three rows, two of the first branch, an auditor of the city and where the files are."""

    city: Unit
    branch: Unit
    auditor: Actor
    folder: Path
    database: Database

    def ask(self, session: Session, actor: Actor | None = None, path: str = "", **choice: Any) -> Export:
        rows = Filter([path or self.city.path])
        export = exports.request_export(session, actor or self.auditor, rows, {"unit": "1"}, ExportChoice(**choice))
        session.commit()
        return export

    def work(self, **desk: Any) -> int | None:
        made = ExportDesk(self.folder, **{"days": 7, "prices": {"main": 5.5}, "wording": find_wording, **desk})
        return work_on_export(self.database, made)

    def path(self, session: Session, export: Export) -> Path:
        session.refresh(export)
        return self.folder / export.file_name

    def cells(self, session: Session, export: Export) -> list[list[str]]:
        self.work()
        content = self.path(session, export).read_text("utf-8-sig" if export.bom else "utf-8")
        return list(csv.reader(io.StringIO(content)))


@pytest.fixture
def ledger(database: Database, session: Session, tmp_path: Path) -> Ledger:
    city, _, other, branch, _ = make_tree(session, [DAY])
    run = make_run(session, city, day=DAY, month=DAY, status="finished", audience=3)
    add_message(session, run, branch, "delivered", [("delivered", 2)])
    add_message(session, run, branch, "skipped")
    add_message(session, run, other, "unknown")
    auditor = make_actor(session, city, ("auditor",))
    session.commit()
    return Ledger(city, branch, auditor, tmp_path / "exports", database)


def acts(session: Session) -> list[tuple[str, str, str | None]]:
    rows = session.scalars(select(TrailEntry).order_by(TrailEntry.id))
    return [(row.act, row.target_id, row.details.get("why")) for row in rows if row.target_kind == "export"]


def test_the_rows_of_the_filter_in_the_columns_of_offices(session: Session, ledger: Ledger) -> None:
    export = ledger.ask(session, format="csv", bom=True)
    headers, first, skipped, unknown = ledger.cells(session, export)
    assert headers == [
        *("序号", "单位", "单位编码", "姓名", "手机号", "活动", "批次", "类别", "发送时间", "状态", "原因"),
        *("运营商", "计费条数", "费用（元）", "送达时间"),
    ]
    message = session.scalars(select(Message).order_by(Message.id)).first()
    person = session.get_one(Person, message.person_id)
    assert message.phone is not None
    assert first[:3] == ["1", ledger.branch.name, ledger.branch.code]
    assert first[3:5] == [person.name, f"139****{message.phone[-4:]}"]
    assert first[12:14] == ["2", "0.11"]
    assert (skipped[9], skipped[10], skipped[12]) == ("未发送", "已达当日频次上限", "0")
    assert unknown[0] == "3"
    session.refresh(export)
    assert (export.state, export.rows_done, export.rows_total) == ("ready", 3, 3)
    path = ledger.folder / export.file_name
    assert (export.digest, export.size) == (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_size)
    assert export.as_of is not None
    assert acts(session) == [("export.create", str(export.id), None)]


def test_columns_and_their_order_are_a_choice(session: Session, ledger: Ledger) -> None:
    export = ledger.ask(session, columns=("parts", "day", "message", "kind", "code", "text"), language="en")
    ledger.work()
    sheet = openpyxl.load_workbook(ledger.path(session, export)).worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0] == ["Parts", "Day of launch", "Number in the ledger", "What it is", "Code of the provider", "Text"]
    assert [rows[1][0], rows[1][1].date(), rows[1][3]] == [2, DAY, "Campaign"]
    for columns in ((), ("parts", "parts"), ("secret",)):
        with pytest.raises(Invalid, match="columns"):
            ledger.ask(session, columns=columns)


def test_files_are_nobody_elses(session: Session, ledger: Ledger) -> None:
    export = ledger.ask(session)
    ledger.work()
    assert stat.S_IMODE(ledger.path(session, export).stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger.folder.stat().st_mode) == 0o700
    other = make_actor(session, ledger.city, ("administrator",))
    with pytest.raises(NotFound):
        exports.open_export(session, other, export.id)


def test_whole_numbers_need_a_right_and_a_reason_that_the_trail_keeps(session: Session, ledger: Ledger) -> None:
    officer = make_actor(session, ledger.city, ("officer",))
    with pytest.raises(Forbidden):
        ledger.ask(session, whole_phones=True, why="核对")
    with pytest.raises(Invalid, match="why"):
        ledger.ask(session, officer, whole_phones=True)
    with pytest.raises(Invalid, match="columns"):
        ledger.ask(session, officer, whole_phones=True, why="核对", columns=("unit",))
    export = ledger.ask(session, officer, whole_phones=True, why="核对", format="csv", bom=False)
    phones = session.scalars(select(Message.phone).order_by(Message.id)).all()
    assert [row[4] for row in ledger.cells(session, export)[1:]] == [str(phone)[3:] for phone in phones]
    assert acts(session) == [("export.create", str(export.id), None), ("people.see_phones", str(export.id), "核对")]
    session.execute(text("UPDATE role_grants SET role = 'auditor'"))
    with pytest.raises(Forbidden):
        exports.open_export(session, make_again(session, officer), export.id)


def make_again(session: Session, actor: Actor) -> Actor:
    """The actor with the rights it has by now."""
    from sms_service.accounts.actors import load_actor

    assert actor.account_id is not None
    return load_actor(session, actor.account_id)


def test_outside_of_the_scope_nothing_is_exported(session: Session, ledger: Ledger) -> None:
    secretary = make_actor(session, ledger.branch, ("auditor",))
    with pytest.raises(Forbidden):
        ledger.ask(session, secretary)
    export = ledger.ask(session, secretary, ledger.branch.path, format="csv")
    assert len(ledger.cells(session, export)) == 3


def test_whom_a_unit_texted_before_it_moved_away_is_not_shown(session: Session, ledger: Ledger) -> None:
    district = session.get_one(Unit, ledger.branch.parent_id)
    auditor = make_actor(session, district, ("auditor",))
    export = ledger.ask(session, auditor, district.path, format="csv")
    session.execute(
        update(Unit).where(Unit.id == ledger.branch.id).values(path=f"{ledger.city.path}{ledger.branch.id}/")
    )
    session.commit()
    rows = ledger.cells(session, export)[1:]
    assert [row[3:5] for row in rows] == [["", ""], ["", ""]]


def test_rights_that_were_lost_meanwhile_end_it(session: Session, ledger: Ledger) -> None:
    export = ledger.ask(session)
    session.execute(text("DELETE FROM role_grants"))
    session.commit()
    ledger.work()
    session.refresh(export)
    assert (export.state, list(ledger.folder.iterdir())) == ("failed", [])
    assert "does not hold the permission read" in str(export.said_reason)


def test_no_two_workers_write_one_export_and_one_that_is_silent_loses_it(
    session: Session, ledger: Ledger, database_url: str
) -> None:
    ledger.ask(session)
    with ledger.database.transaction() as connection:
        taken = exports.take_export(connection)
    assert taken is not None
    assert ledger.work() is None, "it has its worker"
    with ahead_by(database_url, "121 seconds") as ahead:
        assert work_on_export(ahead, ExportDesk(ledger.folder, 7, {}, find_wording)) == taken["id"]
    with ledger.database.transaction() as connection, pytest.raises(LostExport):
        exports.finish_export(connection, taken["id"], taken["token"], 7, digest=b"", size=0)


def test_what_is_begun_three_times_and_never_ends_has_failed(session: Session, ledger: Ledger) -> None:
    export = ledger.ask(session)
    for _ in range(3):
        with ledger.database.transaction() as connection:
            assert exports.take_export(connection) is not None
            connection.execute(text("UPDATE exports SET lease_until = sms_now() - interval '1 s'"))
    assert ledger.work() is None
    session.refresh(export)
    assert export.state == "failed"


def test_a_worker_that_is_asked_to_end_puts_it_back(
    session: Session, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_service.reports.export_work.HOLD_EVERY_S", 0.0)
    export = ledger.ask(session)
    desk = ExportDesk(ledger.folder, 7, {}, find_wording)
    work_on_export(ledger.database, desk, lambda: True)
    session.refresh(export)
    assert (export.state, export.tries, list(ledger.folder.iterdir())) == ("queued", 0, [])


def test_an_account_has_three_under_way_at_most(session: Session, ledger: Ledger) -> None:
    for _ in range(3):
        ledger.ask(session)
    with pytest.raises(Conflict, match="3 exports of yours"):
        ledger.ask(session)
    session.rollback()
    ledger.ask(session, make_actor(session, ledger.city, ("auditor",)))
    ledger.work()
    ledger.ask(session)


def test_downloads_go_into_the_trail_and_what_is_over_has_none(
    session: Session, ledger: Ledger, database_url: str
) -> None:
    export = ledger.ask(session)
    with pytest.raises(Conflict, match="queued"):
        exports.open_export(session, ledger.auditor, export.id)
    ledger.work()
    path = ledger.path(session, export)
    exports.open_export(session, ledger.auditor, export.id)
    session.commit()
    assert acts(session)[-1][0] == "export.download"
    stray = ledger.folder / "99-x.csv"
    stray.write_bytes(b"of no export")
    assert exports.end_exports(ledger.database, ledger.folder) == 1
    assert path.exists()
    assert not stray.exists()
    session.commit()
    with ahead_by(database_url, "8 days") as ahead:
        assert exports.end_exports(ahead, ledger.folder) == 1
    session.refresh(export)
    assert (export.state, path.exists()) == ("expired", False)
    session.commit()
    with ahead_by(database_url, "98 days") as ahead:
        exports.end_exports(ahead, ledger.folder)
    assert session.scalars(select(Export.id)).all() == []


def test_one_that_is_deleted_is_gone_with_its_file(session: Session, ledger: Ledger) -> None:
    export = ledger.ask(session)
    ledger.work()
    path = ledger.path(session, export)
    exports.delete_export(session, ledger.auditor, export.id)
    session.commit()
    exports.end_exports(ledger.database, ledger.folder)
    assert not path.exists()
    assert acts(session)[-1][0] == "export.delete"


def test_an_erasure_ends_every_file_that_may_name_the_person(session: Session, ledger: Ledger) -> None:
    named, nameless, waiting = (ledger.ask(session), ledger.ask(session, columns=("unit", "status")), None)
    ledger.work()
    ledger.work()
    waiting = ledger.ask(session)
    with ledger.database.transaction() as connection:
        taken = exports.take_export(connection)
    assert taken is not None
    administrator = make_actor(session, ledger.city, ("administrator",))
    message = session.scalars(select(Message).order_by(Message.id)).first()
    assert message is not None
    person_id, phone = message.person_id, str(message.phone)
    erase_person(session, administrator, person_id, "本人要求")
    session.commit()
    for export, state in ((named, "expired"), (nameless, "ready"), (waiting, "queued")):
        session.refresh(export)
        assert export.state == state
    with ledger.database.transaction() as connection, pytest.raises(LostExport):
        exports.hold_export(connection, taken["id"], taken["token"])
    exports.end_exports(ledger.database, ledger.folder)
    assert [path.name for path in ledger.folder.iterdir()] == [nameless.file_name]
    ledger.work()
    assert phone[-4:] not in ledger.path(session, waiting).read_bytes().decode("latin-1")


def test_a_filter_is_stored_as_it_is() -> None:
    rows = Filter(
        ["/1/"], since=DAY, until=DAY, changed_since=None, status="unknown", subtree=False, item=3, sender="/1/2/"
    )
    assert load_filter(dump_filter(rows)) == rows
    assert len(DEFAULT_COLUMNS) == 15
