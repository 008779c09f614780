"""0038 while people work: what a process of the release before sends goes on working, and no opt-out is lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from sms_service.db import migrate

PHONE, OTHER = "+8613900000001", "+8613900000002"
# As the release before sends them.
ADD = "INSERT INTO suppressions (phone, reason, source, created_by) VALUES (%s, %s, %s, NULL)"
ADD += " ON CONFLICT DO NOTHING RETURNING phone"
LIFT = "DELETE FROM suppressions WHERE phone = %s RETURNING reason"
GATE = "SELECT EXISTS (SELECT FROM suppressions s WHERE s.phone = %s)"
READ = "SELECT phone, reason, source, created_by, created_at FROM suppressions WHERE phone = %s"
NOW = "SELECT find_suppression(%s, %s)"


@contextmanager
def as_app(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
        connection.execute("SET SESSION AUTHORIZATION sms_app")
        yield connection


def one(connection: psycopg.Connection, statement: str, *values: object) -> object:
    row = connection.execute(statement, values).fetchone()  # type: ignore[arg-type]
    return None if row is None else row[0]


@pytest.fixture
def old_url(empty_database_url: str) -> str:
    """The schema of the release before, with a phone that opted out, and units."""
    migrate.upgrade_schema(empty_database_url, "0037")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO units (id, code, name, level, path) VALUES (1, '01', '市', 'city', '/1/')")
        connection.execute(
            "INSERT INTO units (id, code, name, level, path) VALUES (2, '02', '区', 'district', '/1/2/')"
        )
    with as_app(empty_database_url) as old:
        one(old, ADD, PHONE, "opted_out", "reply")
    return empty_database_url


def test_an_older_process_goes_on_beside_the_new_table(old_url: str) -> None:
    with as_app(old_url) as old, as_app(old_url) as new:
        for statement in (GATE, READ, LIFT):
            old.execute(statement, (OTHER,))  # type: ignore[arg-type]
        before = old.execute(READ, (PHONE,)).fetchone()
        migrate.upgrade_schema(old_url, "0038")
        assert old.execute(READ, (PHONE,)).fetchone() == before
        assert one(old, ADD, PHONE, "complaint", "api") is None, "it is there already"
        assert one(old, ADD, OTHER, "complaint", "api") == OTHER
        assert one(new, NOW, OTHER, "/1/") == "complaint"
        # It lifts what holds everywhere; that is kept, and what holds for a unit stays.
        new.execute("INSERT INTO suppressions (phone, unit_id, source) VALUES (%s, 2, 'api')", (OTHER,))
        assert one(old, LIFT, OTHER) == "complaint"
        assert (one(new, NOW, OTHER, "/1/"), one(new, NOW, OTHER, "/1/2/")) == (None, "opted_out")
        assert one(old, GATE, OTHER), "of a unit's entry it makes one for every text"
        assert one(old, ADD, OTHER, "opted_out", "reply") == OTHER, "and a stop is written down beside it"
        assert one(new, NOW, OTHER, "/1/") == "opted_out"
        rows = new.execute("SELECT reason, unit_id, lifted_at IS NULL FROM suppressions WHERE phone = %s", (OTHER,))
        assert sorted(rows.fetchall(), key=str) == [
            ("complaint", None, False),
            ("opted_out", 2, True),
            ("opted_out", None, True),
        ]


def test_who_waits_while_the_table_is_made_anew_finds_the_new_one(old_url: str) -> None:
    """A stop word and a gate that come in the middle of it."""
    with ThreadPoolExecutor(3) as pool, as_app(old_url) as old, as_app(old_url) as gate:
        for connection in (old, gate):
            connection.execute(GATE, (OTHER,))
        with psycopg.connect(old_url) as reader, psycopg.connect(old_url, autocommit=True) as watch:
            reader.execute("SELECT FROM suppressions")  # keeps the migration waiting, and all behind it
            migrating = pool.submit(migrate.upgrade_schema, old_url, "0038", pause_s=0.0)
            _wait_for(watch, 1)
            adding = pool.submit(one, old, ADD, OTHER, "opted_out", "reply")
            asking = pool.submit(one, gate, GATE, PHONE)
            _wait_for(watch, 3)
            reader.rollback()
        migrating.result(30)
        assert (adding.result(30), asking.result(30)) == (OTHER, True)
    with as_app(old_url) as new:
        assert one(new, "SELECT count(*) FROM suppressions WHERE lifted_at IS NULL") == 2


def _wait_for(watch: psycopg.Connection, waiting: int) -> None:
    """Until so many sessions wait for a lock on a table."""
    for _ in range(20_000):
        if one(watch, "SELECT count(*) >= %s FROM pg_locks WHERE NOT granted AND locktype = 'relation'", waiting):
            return
    raise AssertionError("nobody waits")


def test_going_back_keeps_every_phone_from_texts(old_url: str) -> None:
    migrate.upgrade_schema(old_url, "0038")
    with as_app(old_url) as new:
        new.execute(
            """
            INSERT INTO suppressions (phone, unit_id, reason, source, note, lifted_at) VALUES
                ('+8613900000002', 2, 'manual', 'api', '住院', NULL),
                ('+8613900000002', 1, 'complaint', 'api', NULL, NULL),
                ('+8613900000001', 2, 'complaint', 'api', NULL, NULL),
                ('+8613900000003', NULL, 'opted_out', 'api', NULL, now())
            """
        )
    migrate.downgrade_schema(old_url, "0037")
    with as_app(old_url) as old:
        found = old.execute("SELECT phone, reason FROM suppressions ORDER BY phone").fetchall()
        assert found == [(PHONE, "opted_out"), (OTHER, "complaint")]
        assert one(old, LIFT, PHONE) == "opted_out"
        assert one(old, GATE, PHONE) is False
    migrate.upgrade_schema(old_url, "0038")
    with as_app(old_url) as new:
        assert one(new, NOW, OTHER, "/1/") == "complaint"


def test_a_process_that_knows_no_classes_takes_an_opt_out_from_some_texts_for_one_from_all(old_url: str) -> None:
    migrate.upgrade_schema(old_url, "0052")
    with as_app(old_url) as old:
        for phone in (OTHER, "+8613900000003"):
            old.execute("INSERT INTO suppressions (phone, class, source) VALUES (%s, 'study', 'reply')", (phone,))
        assert one(old, NOW, OTHER, "/1/") == "opted_out"
        asked = "SELECT find_suppression(%s, '/1/', %s, '云州先锋')"
        assert [one(old, asked, OTHER, class_) for class_ in ("study", "notice")] == ["opted_out", None]
        assert one(old, ADD, OTHER, "opted_out", "reply") == OTHER, "what it writes is for every text"
        assert one(old, ADD, OTHER, "opted_out", "reply") is None
    migrate.downgrade_schema(old_url, "0051")
    with as_app(old_url) as old:
        found = old.execute("SELECT phone FROM suppressions WHERE lifted_at IS NULL ORDER BY phone").fetchall()
        assert found == [(PHONE,), (OTHER,), ("+8613900000003",)], "a phone has one entry, for every text"
