"""A month in files: only once it is sealed and redacted, all its rows, and whatever is changed in them is found."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.errors import Conflict, Forbidden, NotFound
from sms_service.ledger.models import Attempt, Message
from sms_service.ops.archiving import MANIFEST, check_archive, read_manifest, write_archive
from tests.dispatch.city import make_run
from tests.factories import make_actor
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAY = date(2026, 9, 30)
MONTH = DAY.replace(day=1)


@pytest.fixture
def month(database: Database, session: Session) -> date:
    """A sealed month with three texts, which have their phones."""
    tree = make_tree(session, [DAY])
    run = make_run(session, tree[0], day=DAY, month=MONTH, status="closed", audience=3)
    for unit in tree[2:]:
        add_message(session, run, unit, "delivered", [("delivered", 2)])
    session.commit()
    settle_roll_ups(database, seal=True)
    return MONTH


def empty(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE messages SET phone = NULL, reason = '二,\"三\"\n四' WHERE month = '2026-09-01'")
        )


def test_a_month_is_archived_once_it_is_sealed_and_redacted(
    database: Database, session: Session, month: date, tmp_path: Path
) -> None:
    with pytest.raises(Conflict, match="3 rows of messages still have a phone"):
        write_archive(database, SYSTEM, month, tmp_path)
    empty(database)
    with pytest.raises(Conflict, match="2026-11-30 is not sealed"):
        write_archive(database, SYSTEM, date(2026, 11, 1), tmp_path)
    with pytest.raises(Forbidden):
        write_archive(database, make_actor(session, make_tree(session, [])[1]), month, tmp_path)
    folder = write_archive(database, SYSTEM, month, tmp_path)
    assert folder == tmp_path / "archives" / "2026-09"
    assert check_archive(folder) == []
    manifest = read_manifest(folder)
    assert {one["table"]: one["rows"] for one in manifest["tables"]} == {
        "messages": 3, "attempts": 3, "attempt_parts": 0, "receipts": 0, "replies": 0,
    }  # fmt: skip
    assert manifest["last_seal"]["day"] == "2026-09-30"
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "archive.write")).one()
    assert entry.details["month"] == manifest["month"] == "2026-09"
    for table, model in (("messages", Message), ("attempts", Attempt)):
        with gzip.open(folder / f"{table}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        kept = session.execute(select(model.id, model.status).where(model.month == month).order_by(model.id))
        assert [(int(row["id"]), row["status"]) for row in rows] == [tuple(row) for row in kept]
    with pytest.raises(Conflict, match="archived already"):
        write_archive(database, SYSTEM, month, tmp_path)


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def change(file: Path) -> None:
    lines = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(lines.replace(b"delivered", b"undelivered", 1)))


@pytest.mark.parametrize("harm", [shorten, change, Path.unlink])
def test_whatever_is_changed_in_a_file_is_found(
    database: Database, month: date, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    empty(database)
    folder = write_archive(database, SYSTEM, month, tmp_path)
    harm(folder / "messages.csv.gz")
    assert [fault.split(":")[0] for fault in check_archive(folder)] == ["messages.csv.gz"]
    (folder / MANIFEST).unlink()
    with pytest.raises(NotFound):
        check_archive(folder)
