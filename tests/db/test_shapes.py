"""No statement has the shape that ends a PostgreSQL 18 server (docs/operating.md, *Versions of PostgreSQL*).

The rule in words: in a statement that changes or locks rows, each partitioned table that it reads or changes is bounded
by `month = <a parameter>` beside its name. So the partition is chosen before the statement runs, and never again when a
row that was changed meanwhile is looked at once more. A statement that only reads may take the month from another row.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from sms_service.db import statements
from sms_service.db.engine import _BY_KEY, Database
from sms_service.ops.doctor import STATEMENT_USERS
from sms_service.tables import METADATA

ROOT = Path(statements.__file__).parents[2]
# Benchmarks and chaos write their own rows; what is asked of the service is asked here.
PACKAGES = ("sms_service",)
# It changes replies by a statement of a time at which they were no partitioned table.
BEFORE_MONTHS = {"0012_heard.py"}

_LOCKS = re.compile(r"\b(UPDATE|DELETE|MERGE|FOR (NO KEY UPDATE|UPDATE|SHARE|KEY SHARE))\b")
_NOISE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
_TOKEN = re.compile(r"%\(\w+\)s(?:::\w+)?|\w+(?:\.\w+)*|\S")
_CLAUSES = {"SELECT", "FROM", "JOIN", "ON", "WHERE", "SET", "RETURNING", "GROUP", "ORDER", "HAVING", "LIMIT", "USING"}
_CLAUSES |= {"UPDATE", "INTO", "VALUES", "FOR", "WITH", "UNION", "OFFSET", "WINDOW"}
_NAMES_A_TABLE = {"FROM", "JOIN", "USING", "UPDATE"}
_NO_ALIAS = _CLAUSES | {"AS", "CROSS", "LEFT", "INNER", "NATURAL", "LATERAL", "SKIP", "AND", "TABLESAMPLE", "ONLY"}


def partitioned() -> dict[str, str]:
    """The partitioned tables, each with its key."""

    def key(table: Table) -> str | None:
        by = table.dialect_options["postgresql"].get("partition_by")
        return re.search(r"\((\w+)\)", by)[1] if by else None  # type: ignore[index]

    return {name: found for name, table in METADATA.tables.items() if (found := key(table))}


def unbounded(sql: str) -> list[str]:
    """The partitioned tables of a statement that changes or locks rows whose partition it does not know beforehand."""
    tokens = _TOKEN.findall(_NOISE.sub(" ", sql))
    if not _LOCKS.search(" ".join(tokens)):
        return []
    keys = partitioned()
    # For each pair of brackets its own tokens, those of inner pairs left out, and the tables it names: (table, alias).
    found: list[str] = []
    open_: list[tuple[list[str], list[tuple[str, str]], list[str]]] = [([], [], [""])]

    def close() -> None:
        own, tables, _ = open_.pop()
        text = " ".join(own)
        for table, alias in tables:
            column = f"{alias}.{keys[table]}" if alias else keys[table]
            if not re.search(rf"(?<![\w.]){re.escape(column)} = %\(\w+\)s::date(?!\w)", text):
                found.append(f"{table} {alias}".strip())

    for place, token in enumerate(tokens):
        if token == "(":
            open_.append(([], [], [""]))
            continue
        if token == ")":
            close()
            continue
        own, tables, clause = open_[-1]
        before = own[-1] if own else ""
        own.append(token)
        if token in _CLAUSES:
            clause[0] = token
        names_a_table = before in _NAMES_A_TABLE | {"ONLY"} or (before == "," and clause[0] in {"FROM", "ON", "USING"})
        if names_a_table and token in keys:
            rest = [word for word in tokens[place + 1 : place + 3] if word != "AS"]
            alias = rest[0] if rest and rest[0].isidentifier() and rest[0] not in _NO_ALIAS else ""
            tables.append((token, alias))
    while open_:
        close()
    return found


def files(ending: str) -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in sorted((ROOT / package).rglob(f"*{ending}")) if path.name not in BEFORE_MONTHS)


def inline(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module that hold SQL, those of f-strings without what is put in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def built(path: Path) -> Iterator[int]:
    """The lines of a module where SQLAlchemy builds a statement that changes or locks rows of a partitioned table."""
    models = {mapper.class_.__name__ for mapper in registry() if mapper.local_table.name in partitioned()}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        locks = name == "with_for_update" or any(word.arg == "with_for_update" for word in node.keywords)
        if locks or (name in {"update", "delete"} and isinstance(node.func, ast.Name)):
            named = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            if named & models:
                yield node.lineno


def registry() -> Any:
    from sms_service.db.base import Base

    return Base.registry.mappers


@pytest.mark.parametrize("path", list(files(".sql")), ids=lambda path: path.stem)
def test_a_sql_file_knows_its_months_beforehand(path: Path) -> None:
    # A migration holds many statements, and grants.
    several = path.read_text(encoding="utf-8").split(";") if "migrations" in path.parts else [path.read_text("utf-8")]
    for sql in several:
        assert "GRANT" in sql or unbounded(sql) == []


def test_no_module_holds_such_a_statement() -> None:
    strings = [
        f"{path.relative_to(ROOT)}:{line}: {unbounded(sql)}"
        for path in files(".py")
        for line, sql in inline(path)
        if unbounded(sql)
    ]
    assert strings == []
    assert [f"{path.relative_to(ROOT)}:{line}" for path in files(".py") for line in built(path)] == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT id FROM messages m JOIN runs r ON m.month = r.month", []),  # it only reads
        ("UPDATE runs r SET n = 1 WHERE EXISTS (SELECT FROM messages m WHERE m.month = r.month)", ["messages m"]),
        ("SELECT id, attempts FROM messages WHERE month = %(month)s::date FOR UPDATE", []),
        ("SELECT id FROM messages WHERE status = 'claimed' FOR NO KEY UPDATE SKIP LOCKED", ["messages"]),
        ("UPDATE messages AS m SET n = 1 FROM e WHERE m.month = e.month AND m.id = e.id", ["messages m"]),
        ("UPDATE messages m SET n = 1 FROM e WHERE m.month = %(month)s::date AND m.id = e.id", []),
        ("UPDATE messages m SET n = 1 FROM e, attempts a WHERE m.month = %(m)s::date AND a.id = e.id", ["attempts a"]),
        ("DELETE FROM attempts a USING messages m WHERE a.month = %(m)s::date", ["messages m"]),
        (
            "WITH a AS (SELECT FROM attempts LIMIT 1) SELECT FROM runs WHERE id IN (SELECT id FROM a) FOR SHARE",
            ["attempts"],
        ),
        ("SELECT 1 FROM messages m -- m.month = %(month)s::date\nFOR UPDATE", ["messages m"]),
    ],
)
def test_the_rule_itself(sql: str, found: list[str]) -> None:
    assert unbounded(sql) == found


def test_no_plan_chooses_a_partition_while_it_changes_rows(database: Database) -> None:
    """The same asked of PostgreSQL: with every join by key, no plan of a statement that changes or locks rows has steps
    by which its executor would choose partitions, beyond those that parameters decide at its start.
    """
    for module in STATEMENT_USERS:
        import_module(module)
    with database.transaction() as connection:
        made = "SELECT ensure_month((date_trunc('month', now()) + make_interval(months => n))::date)"
        connection.exec_driver_sql(f"{made} FROM generate_series(0, 2) AS n")
    for number, statement in enumerate(statements._ALL):
        if not _LOCKS.search(_NOISE.sub(" ", statement.sql)):
            continue
        steps = _pruning_steps(database, statement, number)
        assert steps == [], f"{statement.name}: {steps}"


def _pruning_steps(database: Database, statement: statements.Statement, number: int) -> list[str]:
    """What the plan that is made for any parameters says of `exec_pruning_steps`."""
    notices: list[str] = []
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_detail or ""))
        for option in _BY_KEY.split(" -c ")[1:]:
            connection.exec_driver_sql(f"SET LOCAL {option}")
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        numbers: dict[str, int] = {}
        body = statements._PARAMETER.sub(lambda m: f"${numbers.setdefault(m[1], len(numbers) + 1)}", statement.sql)
        driver.execute(f"PREPARE shape_{number} AS {body.replace('%%', '%')}")
        arguments = f"({', '.join(['NULL'] * len(numbers))})" if numbers else ""
        connection.exec_driver_sql("SET LOCAL debug_print_plan = on")
        connection.exec_driver_sql("SET LOCAL client_min_messages = log")
        driver.execute(f"EXPLAIN EXECUTE shape_{number} {arguments}")
        connection.rollback()
        driver.execute(f"DEALLOCATE shape_{number}")
    plans = "\n".join(notices)
    assert "PLANNEDSTMT" in plans
    return re.findall(r":exec_pruning_steps \((?!<>).{0,60}", plans)
