"""SQL in files: bound by name, and checked at start."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy.exc import ProgrammingError

from sms_service.db import statements
from sms_service.db.engine import Database
from sms_service.db.statements import Statement, check_all
from sms_service.ops.doctor import STATEMENT_USERS

PACKAGE = Path(statements.__file__).parents[1]


@pytest.fixture
def make_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes statements that only this test knows."""
    monkeypatch.setattr(statements, "_ALL", [])

    def make(sql: str) -> Statement:
        (tmp_path / "one.sql").write_text(sql)
        return Statement(str(tmp_path / "module.py"), "one")

    return make


def test_every_shipped_statement_is_loaded_and_can_be_planned(database: Database) -> None:
    for module in STATEMENT_USERS:
        import_module(module)
    shipped = {path for path in PACKAGE.rglob("*.sql") if "migrations" not in path.parts}
    with database.transaction() as connection:
        assert set(check_all(connection).values()) == shipped


def test_parameters_are_bound_by_name_and_a_percent_sign_is_doubled(database: Database, make_statement) -> None:
    statement = make_statement("SELECT %(a)s::text, %(b)s::int, %(a)s::text, '100%%'")
    with database.transaction() as connection:
        assert statement(connection, a="甲", b=2).one() == ("甲", 2, "甲", "100%")
        statement.prepare(connection)


def test_a_bad_statement_stops_the_start(database: Database, make_statement) -> None:
    make_statement("SELECT no_such_column FROM units WHERE id = %(id)s")
    with pytest.raises(ProgrammingError, match="no_such_column"), database.transaction() as connection:
        check_all(connection)
