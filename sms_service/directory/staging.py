"""Writes the rows of a file and what was found in them beside their import, thousands at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from sms_service.directory.people_rows import PersonRow
from sms_service.directory.problems import Problem
from sms_service.directory.reading import Cells
from sms_service.said import to_json

_ROW = (
    "import_id", "row", "cells", "is_refused", "words", "digest", "number", "name", "unit_id", "kind", "phone",
    "phone_problem", "phone_problem_message", "born_on", "roles", "tags", "attributes",
)  # fmt: skip
_PROBLEM = ("import_id", "row", '"column"', "value", "reason", "message", "values", "refused")
_NOTHING_READ = (None,) * (len(_ROW) - 5)


def stage_row(
    import_id: int,
    row: int,
    cells: Cells,
    person: PersonRow | None,
    *,
    is_refused: bool,
    words: Iterable[str] | None = None,
) -> tuple[Any, ...]:
    """A row as `copy_rows` takes it."""
    kept = json.dumps(cells, ensure_ascii=False).replace("\\u0000", "")
    start = (import_id, row, kept, is_refused, None if words is None else _array(words))
    if person is None:
        return (*start, *_NOTHING_READ)
    message = None if person.phone_problem is None else json.dumps(to_json(person.phone_problem), ensure_ascii=False)
    return (
        *start,
        person.digest().hex,
        person.number,
        person.name,
        person.unit_id,
        person.kind,
        person.phone,
        person.phone_problem,
        message,
        person.born_on,
        None if person.roles is None else _array(sorted(person.roles)),
        None if person.tags is None else _array(person.tags),
        json.dumps(dict(person.attributes), ensure_ascii=False),
    )


def copy_rows(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write rows made by `stage_row`."""
    _copy(connection, "import_rows", _ROW, rows)


def copy_problems(connection: Connection, import_id: int, problems: Iterable[Problem]) -> None:
    """Write findings."""
    _copy(connection, "import_problems", _PROBLEM, (_problem(import_id, problem) for problem in problems))


def copy_outcomes(connection: Connection, import_id: int, outcomes: Iterable[tuple[int, str]]) -> None:
    """Write what rows would do: number and outcome."""
    rows = ((import_id, *outcome) for outcome in outcomes)
    _copy(connection, "import_outcomes", ("import_id", "row", "outcome"), rows)


def read_cells(cells: str) -> Cells:
    """The cells of a row that `stage_row` kept."""
    read: Cells = json.loads(cells)
    return read


def _problem(import_id: int, problem: Problem) -> tuple[Any, ...]:
    said = to_json(problem.reason)
    values = json.dumps(said["values"], ensure_ascii=False)
    return (
        import_id,
        problem.row,
        problem.column,
        problem.value,
        str(problem.reason),
        said["message"],
        values,
        problem.refused,
    )


def _copy(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _array(words: Iterable[str]) -> str:
    """The words as PostgreSQL writes an array."""
    quoted = (word.replace("\\", "\\\\").replace('"', '\\"') for word in words)
    return "{" + ",".join(f'"{word}"' for word in quoted) + "}"
