"""Migrations change tables while people work on them.

The rule, for every revision after 0006 (those before it stand as they are): on a table that grows, unless the same
revision made it,
- an index is built CONCURRENTLY, or ON ONLY a partitioned parent (`sms_service.db.online.create_index` does both);
- ALTER TABLE reads no row and writes none: columns without a default that differs from row to row, constraints NOT
  VALID or by an index that is there, no other type, no SET NOT NULL;
- no UPDATE or DELETE, no LOCK TABLE, TRUNCATE, CLUSTER, VACUUM FULL or REINDEX;
and every statement waits for a lock only for a time, which is longer than deadlock_timeout, so that an autovacuum is
sent away; only CONCURRENTLY waits without end, since nobody waits for it.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from sms_service.db import migrate
from sms_service.db.engine import Database
from sms_service.gateways.base import OutcomeKind
from sms_service.ledger import protocol
from sms_service.ledger.protocol import Claim, Recorded, Rendered
from tests.dispatch.city import make_city, statuses

LAST_WITHOUT_RULE = "0006"
# A city has few of these, however long it sends. What is not named here grows.
SMALL = {"units", "accounts", "role_grants", "tokens", "gateway_accounts", "routes", "route_members", "caps", "stops"}
SMALL |= {"cluster", "leaderships", "templates", "template_versions", "segments", "alembic_version"}

_PLAIN = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
_TABLE = r"(?:IF EXISTS )?(?:ONLY )?(?:public\.)?(\w+)"
_CHANGES_DEPEND = re.compile(r"\b(random|clock_timestamp|nextval|gen_random_uuid)\s*\(", re.IGNORECASE)


def statements_of(text: str) -> Iterator[str]:
    """Each statement of a string, in one line, without comments and functions' bodies."""
    for statement in _BODY.sub("''", _PLAIN.sub(" ", text)).split(";"):
        if line := " ".join(statement.split()):
            yield line


def forbidden(statement: str, made: set[str]) -> str | None:
    """Why a migration may not run this; `made`: the tables that the same revision has made."""

    def grows(table: str) -> bool:
        return table.lower() not in SMALL | made

    if found := re.match(
        rf"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*? ON (ONLY )?{_TABLE}", statement, re.IGNORECASE
    ):
        if found[1] is None and grows(found[2]):
            return "an index that stops all who write"
    elif found := re.match(
        rf"(?:UPDATE|DELETE FROM|TRUNCATE(?: TABLE)?|LOCK(?: TABLE)?) {_TABLE}", statement, re.IGNORECASE
    ):
        if grows(found[1]):
            return "rows of a table that grows, all in one transaction"
    elif re.match(r"CLUSTER|VACUUM FULL|REINDEX (?!.*CONCURRENTLY)", statement, re.IGNORECASE):
        return "a whole table under a lock that stops everybody"
    elif (found := re.match(rf"ALTER TABLE {_TABLE} (.*)", statement, re.IGNORECASE)) and grows(found[1]):
        return _scans(found[2])
    return None


def _scans(actions: str) -> str | None:
    said = actions.upper()
    if re.search(r"\bTYPE\b", said) and re.search(r"\bALTER\b", said):
        return "another type, which writes the table anew"
    if "SET NOT NULL" in said:
        return "NOT NULL, which reads the table"
    if re.search(r"GENERATED ALWAYS AS \(", said) or ("DEFAULT" in said and _CHANGES_DEPEND.search(actions)):
        return "a value for each row, which writes the table anew"
    if re.search(r"ADD (CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY|EXCLUDE)", said) and not re.search(
        r"NOT VALID|USING INDEX", said
    ):
        return "a constraint that reads the table"
    if re.search(r"ADD COLUMN [^,]*\b(REFERENCES|UNIQUE|PRIMARY KEY|CHECK)\b", said):
        return "a constraint that reads the table"
    return None


@contextmanager
def recorded() -> Iterator[list[tuple[str, int, int]]]:
    """What is run meanwhile: each statement, its lock_timeout and the server's deadlock_timeout (ms)."""
    seen: list[tuple[str, int, int]] = []

    def before(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        asked = cursor.connection.execute(
            "SELECT name, setting::int FROM pg_settings WHERE name IN ('lock_timeout', 'deadlock_timeout')"
        )
        settings = dict(asked.fetchall())
        seen.extend((one, settings["lock_timeout"], settings["deadlock_timeout"]) for one in statements_of(statement))

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", before)


def revisions() -> list[str]:
    """All revisions, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(migrate._config()).walk_revisions()][::-1]


def test_no_migration_stops_people(empty_database_url: str) -> None:
    all_ = revisions()
    migrate.upgrade_schema(empty_database_url, LAST_WITHOUT_RULE)
    with psycopg.connect(empty_database_url) as connection:  # with a month there, so that its indexes are built too
        connection.execute("SELECT ensure_month(date_trunc('month', now())::date)")
    steps = [(migrate.upgrade_schema, revision) for revision in all_[all_.index(LAST_WITHOUT_RULE) + 1 :]]
    steps += [(migrate.downgrade_schema, revision) for revision in all_[all_.index(LAST_WITHOUT_RULE) : -1][::-1]]
    for step, revision in steps:
        with recorded() as ran:
            step(empty_database_url, revision)
        made = {name for one, *_ in ran for name in re.findall(r"CREATE TABLE (?:public\.)?(\w+)", one)}
        for statement, lock_timeout, deadlock_timeout in ran:
            what = f"{step.__name__} to {revision}: {statement}"
            assert (why := forbidden(statement, made)) is None, f"{why}: {what}"
            if re.match(r"(CREATE|ALTER|DROP|UPDATE|DELETE|INSERT)\b(?!.*CONCURRENTLY)", statement):
                assert lock_timeout > deadlock_timeout, f"no time-out that sends autovacuum away: {what}"


@pytest.mark.parametrize(
    ("statement", "is_forbidden"),
    [
        ("CREATE INDEX ix ON messages (id)", True),
        ("CREATE UNIQUE INDEX ix ON public.receipts (id)", True),
        ("CREATE INDEX CONCURRENTLY ix ON receipts (id)", False),
        ("CREATE INDEX ix ON ONLY messages (id)", False),
        ("CREATE INDEX ix ON units (id)", False),
        ("CREATE INDEX ix ON made_here (id)", False),
        ("ALTER TABLE messages ADD COLUMN n INT DEFAULT 1 NOT NULL", False),
        ("ALTER TABLE messages ADD COLUMN n BIGINT DEFAULT nextval('s')", True),
        ("ALTER TABLE runs ALTER COLUMN day SET NOT NULL", True),
        ("ALTER TABLE runs ALTER COLUMN lane TYPE VARCHAR(10)", True),
        ("ALTER TABLE people ADD CONSTRAINT c CHECK (id > 0)", True),
        ("ALTER TABLE people ADD CONSTRAINT c CHECK (id > 0) NOT VALID", False),
        ("ALTER TABLE people VALIDATE CONSTRAINT c", False),
        ("ALTER TABLE trail DROP COLUMN act", False),
        ("UPDATE runs SET lane = 'bulk'", True),
        ("DELETE FROM tallies", True),
        ("LOCK TABLE messages", True),
        ("REINDEX TABLE messages", True),
    ],
)
def test_the_rule_itself(statement: str, is_forbidden: bool) -> None:
    assert (forbidden(statement, {"made_here"}) is not None) is is_forbidden


def test_an_index_on_months_that_are_there_is_valid(empty_database_url: str) -> None:
    """`create_index` is used by migrations; here by one that was cut off and is begun again."""
    migrate.upgrade_schema(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("SELECT ensure_month(date_trunc('month', now())::date)")
        month = connection.execute("SELECT to_char(now(), 'YYYYMM')").fetchone()
    assert month is not None
    index = f"ix_probe_{month[0]}"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(f"CREATE INDEX {index} ON messages_{month[0]} (changed_at)")  # type: ignore[arg-type]
    _migrate_by(empty_database_url, lambda online: online.create_index("ix_probe", "messages", "(run_id) WHERE id > 0"))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("SELECT ensure_month((date_trunc('month', now()) + interval '1 month')::date)")
        rows = connection.execute(
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
            " WHERE pg_get_indexdef(indexrelid) LIKE '%(run_id) WHERE (id > 0)' ORDER BY 1"
        ).fetchall()
    assert len(rows) == 3
    assert dict(rows)[index] is True
    assert all(valid for _, valid in rows)


def _migrate_by(url: str, act: Any) -> None:
    """Run a migration's step on the connection that migrations have."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    from sms_service.db import online

    with migrate._locked_connection(url) as connection:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with Operations.context(context), context.begin_transaction(_per_migration=True):
            act(online)


def test_migrations_go_down_and_up_while_texts_leave(database: Database, database_url: str) -> None:
    """As far down as the hand-over's own statements can be run. Texts are throttled, and so go again, until the schema
    is back; no hand-over fails, and then all are accepted.
    """
    city = make_city(database, 20)
    oldest = _oldest_for_the_hand_over(database, database_url)
    with database.transaction() as connection:
        gateway_account_id = connection.exec_driver_sql("SELECT id FROM gateway_accounts").scalar_one()
    begun, done = threading.Event(), threading.Event()

    def send() -> None:
        while True:
            last = done.is_set()
            kind = OutcomeKind.accepted if last else OutcomeKind.throttled
            claim = Claim(city.run_id, city.month, gateway_account_id, str(uuid.uuid4()))
            with database.transaction() as connection:
                rows = protocol.claim_rows(connection, claim, 5, 60)
            if last and not rows:
                return
            with database.transaction() as connection:
                passed = protocol.pass_gate(connection, claim, [Rendered(row.id, "学习", 1) for row in rows], 60)
            assert len(passed) == len(rows)
            with database.transaction() as connection:
                said = [Recorded(row.attempt_id, kind, f"p{row.attempt_id}", retry_after_s=0.0) for row in passed]
                protocol.record_outcomes(connection, claim.month, said, claim)
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            assert begun.wait(30)
            migrate.downgrade_schema(database_url, oldest, pause_s=0.1)
            begun.clear()
            assert begun.wait(30) or sending.done()
        finally:
            migrate.upgrade_schema(database_url, pause_s=0.1)
            done.set()
        sending.result(60)
    assert statuses(database, city.run_id) == {"accepted": 20}


def _oldest_for_the_hand_over(database: Database, url: str) -> str:
    """The oldest revision on which claim, gate and outcomes can still be planned; the schema is at the newest after."""
    oldest = migrate.head_revision()
    try:
        for revision in revisions()[:-1][::-1]:
            migrate.downgrade_schema(url, revision)
            with database.transaction() as connection:
                for statement in (protocol.CLAIM, protocol.GATE, protocol.RECORD_OUTCOMES, protocol.FREE_CAPS):
                    statement.prepare(connection)
            oldest = revision
    except DBAPIError:
        pass
    finally:
        migrate.upgrade_schema(url)
    return oldest
