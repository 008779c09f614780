"""Guests and lists do not stop an older program that works beside the schema, nor a migration down and up again."""

from __future__ import annotations

import psycopg

from sms_service.db import migrate

BEFORE = "0036"


def test_an_older_program_works_on_and_guests_survive_down_and_up(empty_database_url: str) -> None:
    migrate.upgrade_schema(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO units (id, code, name, level, path) VALUES (1, '01', '市', 'city', '/1/')")
        connection.execute(
            "INSERT INTO people (id, unit_id, name, kind, left_at) VALUES (1, 1, '来宾', 'guest', now())"
        )
        # As a program of before writes people and imports.
        connection.execute("INSERT INTO people (id, unit_id, name) VALUES (2, 1, '党员')")
        connection.execute(
            "INSERT INTO imports (unit_id, kind, file_name, digest, rows, created, changed, unchanged, refused)"
            " VALUES (1, 'people', 'x', '', 0, 0, 0, 0, 0)"
        )
    migrate.downgrade_schema(empty_database_url, BEFORE)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("UPDATE people SET name = '王五' WHERE id = 2")
        kinds = connection.execute("SELECT kind FROM people ORDER BY id").fetchall()
    assert kinds == [("guest",), ("member",)]
    migrate.upgrade_schema(empty_database_url)
