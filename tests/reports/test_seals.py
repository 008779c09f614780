"""Sealed days: what was counted stays, what changes is an amendment, and a change behind their back is found."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.ledger.amendment_models import Amendment
from sms_service.reports.roll_up_models import DaySeal, SealedCount
from sms_service.reports.seals import verify_seals
from tests.dispatch.city import make_run
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAYS = (date(2026, 9, 1), date(2026, 9, 2))


@pytest.fixture
def tree(database: Database, session: Session) -> list[Unit]:
    """City, district, district, branch, branch."""
    return make_tree(session, DAYS)


@pytest.fixture
def sealed(database: Database, session: Session, tree: list[Unit]) -> list[int]:
    """Two sealed days with a run of the city each, to two people; the messages' ids."""
    ids = []
    for day in DAYS:
        run = make_run(session, tree[0], day=day, month=day.replace(day=1), status="finished", audience=2)
        ids.append(add_message(session, run, tree[3], "accepted", [("accepted", 2)]).id)
        ids.append(add_message(session, run, tree[2], "unknown", [("unknown", 1)]).id)
    session.commit()
    settle_roll_ups(database, seal=True)
    return ids


def faults(database: Database) -> list[str]:
    """What verifying says."""
    with database.one_snapshot() as connection:
        return [str(fault.said) for fault in verify_seals(connection)]


def change(database: Database, message_id: int, status: str) -> None:
    """What a receipt or a person does to a text."""
    with database.transaction() as connection:
        asked = {"s": status, "id": message_id}
        connection.execute(text("UPDATE attempts SET status = :s WHERE message_id = :id"), asked)
        connection.execute(text("UPDATE messages SET status = :s WHERE id = :id"), asked)


def test_a_sealed_day_keeps_its_counts_and_what_changes_is_amended(
    database: Database, session: Session, tree: list[Unit], sealed: list[int]
) -> None:
    assert session.scalars(select(DaySeal.day).order_by(DaySeal.day)).all() == list(DAYS)
    kept = session.execute(
        select(SealedCount.unit_id, SealedCount.status, SealedCount.messages, SealedCount.parts)
        .where(SealedCount.day == DAYS[0])
        .order_by(SealedCount.unit_id, SealedCount.status)
    ).all()
    city, one, other, branch, _ = (unit.id for unit in tree)
    assert sorted(map(tuple, kept)) == [
        (city, "accepted", 1, 2),
        (city, "unknown", 1, 0),
        (one, "accepted", 1, 2),
        (other, "unknown", 1, 0),
        (branch, "accepted", 1, 2),
    ]
    assert faults(database) == []
    change(database, sealed[0], "delivered")
    change(database, sealed[1], "delivered")
    session.commit()
    amended = session.execute(
        select(
            Amendment.message_id, Amendment.from_status, Amendment.to_status, Amendment.parts, Amendment.cause
        ).order_by(Amendment.id)
    ).all()
    assert sorted(map(tuple, amended), key=repr) == sorted(
        [
            (sealed[0], "accepted", "delivered", 0, "receipt"),
            (sealed[1], None, None, 1, "receipt"),
            (sealed[1], "unknown", "delivered", 0, "receipt"),
        ],
        key=repr,
    )
    assert faults(database) == []


def test_no_run_is_added_to_a_sealed_day(
    database: Database, session: Session, tree: list[Unit], sealed: list[int]
) -> None:
    run = make_run(session, tree[0], day=DAYS[0], month=DAYS[0])
    session.flush()
    run.status, run.audience = "running", 0
    with pytest.raises(DBAPIError, match="is sealed: no run is added to it"):
        session.flush()
    session.rollback()


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE messages SET status = 'delivered' WHERE id = {0}", "of unit {city}, campaign, delivered"),
        ("UPDATE attempts SET parts = 7 WHERE message_id = {0}", "+5 parts of unit {city}, campaign"),
        ("DELETE FROM messages WHERE id = {0}", "-1 messages of unit {city}, campaign, accepted"),
        ("UPDATE sealed_counts SET messages = 9 WHERE day = '2026-09-01'", "the digest of 2026-09-01 does not agree"),
        (
            "UPDATE day_seals SET digest = sha256('x') WHERE day = '2026-09-01'",
            "the digest of 2026-09-02 does not agree",
        ),
        ("DELETE FROM sealed_counts; DELETE FROM day_seals WHERE day = '2026-09-01'", "the digest of 2026-09-02"),
        (
            "INSERT INTO amendments (day, month, message_id, run_id, kind, unit_path, from_status, to_status, cause)"
            " VALUES ('2026-09-01', '2026-09-01', {0}, 1, 'campaign', '/{city}/', 'unknown', 'delivered', 'receipt')",
            "of unit {city}, campaign, delivered",
        ),
    ],
)
def test_a_change_behind_its_back_is_found(
    database: Database, database_url: str, tree: list[Unit], sealed: list[int], tampering: str, found: str
) -> None:
    named = {"city": tree[0].id}
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(tampering.format(*sealed, **named))  # type: ignore[arg-type]
    assert any(found.format(**named) in said for said in faults(database)), faults(database)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE amendments SET to_status = 'accepted'",
        "DELETE FROM amendments",
        "INSERT INTO amendments (day, month, message_id, run_id, kind, unit_path, cause)"
        " VALUES (now(), now(), 1, 1, 'x', '/', 'x')",
        "UPDATE day_seals SET digest = ''",
        "DELETE FROM day_seals",
        "UPDATE sealed_counts SET messages = 0",
        "DELETE FROM sealed_counts",
        "UPDATE counted_days SET day = day + 1",
        "DELETE FROM counted_days",
        "ALTER TABLE messages DISABLE TRIGGER amend",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION amend_messages() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "DROP FUNCTION amend_messages() CASCADE",
    ],
)
def test_the_application_cannot_change_a_seal_or_an_amendment(database: Database, statement: str) -> None:
    with database.transaction() as connection, pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        connection.exec_driver_sql(statement)


def test_a_sealed_day_is_amended_whatever_the_application_says(database: Database, sealed: list[int]) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE counted_days SET sealing = false")
    change(database, sealed[0], "delivered")
    assert faults(database) == []
