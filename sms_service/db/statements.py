"""Hand-written SQL beside the module that runs it: one statement per file, found at import, prepared at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult

_PARAMETER = re.compile(r"%\((\w+)\)s")
_ALL: list[Statement] = []


class Statement:
    """One statement from `<folder>/<name>.sql`, with parameters written `%(name)s` and a comment that says why it is
    written so.
    """

    def __init__(self, module_file: str, name: str) -> None:
        self.path = Path(module_file).parent / f"{name}.sql"
        self.name = name
        self.sql = self.path.read_text(encoding="utf-8")
        _ALL.append(self)

    def __call__(self, connection: Connection, /, **parameters: Any) -> CursorResult[Any]:
        """Run it with psycopg's own parameter style; returns a SQLAlchemy result."""
        return connection.exec_driver_sql(self.sql, parameters)

    def prepare(self, connection: Connection) -> None:
        """Let PostgreSQL parse and plan it, so that a bad statement stops the start and not a campaign.

        Raises sqlalchemy.exc.DBAPIError with the server's reason.
        """
        numbers: dict[str, int] = {}
        body = _PARAMETER.sub(lambda m: f"${numbers.setdefault(m[1], len(numbers) + 1)}", self.sql).replace("%%", "%")
        connection.exec_driver_sql(f"PREPARE check_statement AS {body}".replace("%", "%%"), {})
        connection.exec_driver_sql("DEALLOCATE check_statement")


def check_all(connection: Connection) -> Mapping[str, Path]:
    """Prepare every statement loaded so far; returns their names and files."""
    for statement in _ALL:
        statement.prepare(connection)
    return {statement.name: statement.path for statement in _ALL}
