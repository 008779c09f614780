"""The indexes that find attempts without an answer are built on the months that are there already."""

from __future__ import annotations

import psycopg

from sms_service.db import migrate


def test_months_that_are_there_get_the_index_and_so_do_those_that_follow(empty_database_url: str) -> None:
    migrate.upgrade_schema(empty_database_url, "0007")
    month = "date_trunc('month', now())::date"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(f"SELECT ensure_month({month})")  # type: ignore[arg-type]
        migrate.upgrade_schema(empty_database_url)
        connection.execute(f"SELECT ensure_month(({month} + interval '1 month')::date)")  # type: ignore[arg-type]
        for name in ("ix_attempts_unanswered", "ix_attempts_phoneless"):
            found = connection.execute(
                "SELECT count(*) FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid"
                " WHERE inhparent = %(name)s::regclass AND indisvalid",
                {"name": name},
            ).fetchone()
            valid = connection.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = %(name)s::regclass", {"name": name}
            ).fetchone()
            assert (found, valid) == ((2,), (True,))
