"""The schema goes up, down and up again, is what the models say, and changes while people work."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from sms_service.db import migrate
from sms_service.db.engine import Database, sqlalchemy_url
from sms_service.tables import METADATA

# Everything that a migration can leave behind, in words that do not depend on ids.
CATALOG = """
SELECT 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(relacl::text, '') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull
    || ' ' || coalesce(pg_get_expr(adbin, adrelid), '')
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'function ' || pg_get_functiondef(oid) || coalesce(proacl::text, '') FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
ORDER BY 1
"""


def catalog(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [line for (line,) in connection.execute(CATALOG).fetchall()]


def without_version_table(lines: list[str]) -> list[str]:
    return [line for line in lines if "alembic_version" not in line]


def test_up_down_up(empty_database_url: str) -> None:
    before = catalog(empty_database_url)
    assert migrate.current_revision(empty_database_url) is None
    migrate.upgrade_schema(empty_database_url)
    first = catalog(empty_database_url)
    assert migrate.current_revision(empty_database_url) == migrate.head_revision()
    assert len(first) > len(before) + 100
    migrate.downgrade_schema(empty_database_url, "base")
    assert without_version_table(catalog(empty_database_url)) == before
    migrate.upgrade_schema(empty_database_url)
    assert catalog(empty_database_url) == first
    migrate.upgrade_schema(empty_database_url)
    assert catalog(empty_database_url) == first


def test_the_models_say_what_the_database_holds(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        partitions = {
            name for (name,) in connection.execute("SELECT relname FROM pg_class WHERE relispartition").fetchall()
        }

    def ours(name: str | None, kind: str, parents: object) -> bool:
        return not (kind == "table" and name in partitions)

    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "include_name": ours}
        )
        differences = compare_metadata(context, METADATA)
    engine.dispose()
    assert differences == []


def test_every_table_belongs_to_the_owner(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        owners = connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert owners == [("sms_owner",)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (n INT)",
        "ALTER TABLE units ADD COLUMN n INT",
        "DROP TABLE units",
        "DELETE FROM messages",
        "UPDATE trail SET act = 'x'",
        "DELETE FROM trail",
        "UPDATE template_versions SET body = 'x'",
        "TRUNCATE units CASCADE",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET ROLE sms_owner",
    ],
)
def test_the_processes_role_cannot(database_url: str, pg_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET SESSION AUTHORIZATION sms_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)  # type: ignore[arg-type]


def test_a_session_works_as_the_processes_role(database: Database) -> None:
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == "sms_app"
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"


def test_a_migration_gives_up_rather_than_queue_people_behind_it(empty_database_url: str) -> None:
    migrate.upgrade_schema(empty_database_url)
    migrate.downgrade_schema(
        empty_database_url, "0001"
    )  # each revision is a transaction of its own; one is enough here
    before = catalog(empty_database_url)
    with psycopg.connect(empty_database_url) as reader:
        reader.execute("SELECT FROM units")  # a transaction that somebody left open
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate.downgrade_schema(empty_database_url, "base", attempts=1)
        with psycopg.connect(empty_database_url) as other:
            assert other.execute("SELECT count(*) FROM units").fetchone() == (0,)
    assert catalog(empty_database_url) == before


def test_it_tries_again_until_the_table_is_free(empty_database_url: str) -> None:
    migrate.upgrade_schema(empty_database_url)
    with psycopg.connect(empty_database_url) as reader:
        reader.execute("SELECT FROM units")

        class LetGo(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                reader.rollback()

        handler = LetGo()
        migrate.log.addHandler(handler)
        try:
            migrate.downgrade_schema(empty_database_url, "base", attempts=3, pause_s=0.0)
        finally:
            migrate.log.removeHandler(handler)
    assert migrate.current_revision(empty_database_url) is None


def test_two_at_once_take_turns(empty_database_url: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(migrate.upgrade_schema, empty_database_url) for _ in range(3)]:
            done.result()
    assert migrate.current_revision(empty_database_url) == migrate.head_revision()


def test_who_made_an_account_before_is_taken_from_the_trail(empty_database_url: str) -> None:
    migrate.upgrade_schema(empty_database_url)
    migrate.downgrade_schema(empty_database_url, "0008")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(
            """
            INSERT INTO units (id, code, name, level, path) VALUES (1, '01', '市', 'city', '/1/');
            INSERT INTO accounts (id, login, name, unit_id) SELECT n, 'a' || n, 'x', 1 FROM generate_series(1, 4) n;
            INSERT INTO trail (account_id, act, target_kind, target_id, unit_path) VALUES
                (NULL, 'account.create', 'account', '1', '/1/'),
                (1, 'account.create', 'account', '2', '/1/'), (1, 'account.create', 'account', '3', '/1/'),
                (2, 'account.set_password', 'account', '3', '/1/'), (3, 'account.set_password', 'account', '3', '/1/'),
                (1, 'account.create', 'account', '4', '/1/'), (NULL, 'account.set_password', 'account', '4', '/1/');
            """
        )
    migrate.upgrade_schema(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        makers = connection.execute("SELECT created_by, password_set_by FROM accounts ORDER BY id").fetchall()
    assert makers == [(None, None), (1, 1), (1, 2), (1, None)]


_COME_IN = """
INSERT INTO gateway_accounts (id, name, adapter, simulated) VALUES (1, 'main', 'null', true);
SELECT ensure_month((date_trunc('month', now()) - make_interval(months => n))::date) FROM generate_series(-2, 1) AS n;
INSERT INTO receipts (account_id, received_at, part, status, next_try_at)
    SELECT 1, now() - n * interval '1 month', 0, 'delivered', now() FROM generate_series(0, 2) AS n;
INSERT INTO replies (account_id, received_at, part, parts, joined_to)
    SELECT 1, now() - n * interval '1 month', 1, 1, nullif(n, 0) FROM generate_series(0, 2) AS n;
INSERT INTO attempt_parts
    SELECT (date_trunc('month', now()) - make_interval(months => n))::date, n + 2, 1, 1, 'p'
    FROM generate_series(-1, 1) AS n;
"""
_CAME_IN = (
    "SELECT id, received_at, status, tries FROM receipts ORDER BY id",
    "SELECT id, received_at, joined_to, repeated FROM replies ORDER BY id",
    "SELECT month, attempt_id, part, account_id, provider_id FROM attempt_parts ORDER BY attempt_id",
)


def test_what_came_in_stays_when_its_tables_get_months(empty_database_url: str) -> None:
    """No row is written, ids go on, later months are there, and all come back."""
    migrate.upgrade_schema(empty_database_url, "0013")
    plain = catalog(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(_COME_IN)
        before = [connection.execute(query).fetchall() for query in _CAME_IN]  # type: ignore[call-overload]
        files = connection.execute(
            "SELECT pg_relation_filepath('receipts'), pg_relation_filepath('replies')"
        ).fetchone()
    assert [len(rows) for rows in before] == [3, 3, 3]
    migrate.upgrade_schema(empty_database_url, "0014")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        assert [connection.execute(query).fetchall() for query in _CAME_IN] == before  # type: ignore[call-overload]
        suffix = connection.execute("SELECT to_char(now(), 'YYYYMM')").fetchone()
        assert suffix is not None
        same = "SELECT pg_relation_filepath('receipts_' || %s), pg_relation_filepath('replies_' || %s)"
        assert connection.execute(same, (suffix[0], suffix[0])).fetchone() == files
        # A later month, and one that is made from now on; a process of before names no month.
        connection.execute("SELECT ensure_month((date_trunc('month', now()) + interval '3 months')::date)")
        connection.execute(
            "INSERT INTO receipts (account_id, received_at, part, status, next_try_at, in_month) SELECT 1, now(), 0,"
            " 'interim', now(), (date_trunc('month', now()) + make_interval(months => n))::date"
            " FROM generate_series(0, 3) AS n"
        )
        connection.execute("INSERT INTO replies (account_id, received_at, part, parts) VALUES (1, now(), 1, 1)")
        connection.execute(
            "INSERT INTO attempt_parts SELECT (date_trunc('month', now()) + interval '3 months')::date, 9, 1, 1, 'p'"
        )
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO attempt_parts SELECT * FROM attempt_parts LIMIT 1")
        more = [connection.execute(query).fetchall() for query in _CAME_IN]  # type: ignore[call-overload]
    assert [[row[0] for row in rows] for rows in more[:2]] == [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4]]
    migrate.downgrade_schema(empty_database_url, "0013")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        assert [connection.execute(query).fetchall() for query in _CAME_IN] == more  # type: ignore[call-overload]
        connection.execute("INSERT INTO replies (account_id, received_at, part, parts) VALUES (1, now(), 1, 1)")
        assert connection.execute("SELECT max(id) FROM replies").fetchone() == (5,)
    after = catalog(empty_database_url)
    months = re.compile(r"_20\d{4}(?!\d)")  # made meanwhile
    assert {line for line in after if not months.search(line)} == {line for line in plain if not months.search(line)}
    migrate.upgrade_schema(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        assert len(connection.execute(_CAME_IN[0]).fetchall()) == 7  # type: ignore[call-overload]
