"""The migration that says who paused an account, for accounts of before."""

from __future__ import annotations

import psycopg

from sms_service.db import migrate


def test_accounts_of_before_are_told_apart(empty_database_url: str) -> None:
    migrate.upgrade_schema(empty_database_url, "0015")
    with psycopg.connect(empty_database_url) as connection:
        for name, state, reason, reopens in (
            ("open", "open", None, None),
            ("person", "paused", "the link is down: 检修", None),
            ("breaker", "paused", "60 of its last 100 texts were unknown or refused", "now"),
            ("link", "paused", "the link is down: no answer", "now"),
        ):
            connection.execute(
                "INSERT INTO gateway_accounts (name, adapter, simulated, state, reason, reopens_at)"
                " VALUES (%s, 'smpp', false, %s, %s, %s::timestamptz)",
                (name, state, reason, reopens),
            )
    migrate.upgrade_schema(empty_database_url, "0016")
    with psycopg.connect(empty_database_url) as connection:
        found = dict(connection.execute("SELECT name, paused_by FROM gateway_accounts").fetchall())
    assert found == {"open": None, "person": "person", "breaker": "breaker", "link": "link"}
    migrate.downgrade_schema(empty_database_url, "0015")
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM gateway_accounts WHERE state = 'paused'").fetchone() == (3,)
