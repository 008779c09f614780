"""Only the ledger writes the status of a run, a message or an attempt; the rooms above call its functions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import sms_service

PACKAGE = Path(sms_service.__file__).parent
TABLES, MODELS = "runs|messages|attempts", {"Run", "Message", "Attempt"}

_NOISE = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
_INSERT = re.compile(rf"\bINSERT INTO (?:{TABLES})\b", re.IGNORECASE)
# The assignments of an UPDATE end where its next clause begins; CASE … END has none of these words.
_UPDATE = re.compile(
    rf"\bUPDATE (?:ONLY )?(?:{TABLES})\b.*?\bSET\b(.*?)(?:\bFROM\b|\bWHERE\b|\bRETURNING\b|$)",
    re.DOTALL | re.IGNORECASE,
)
_STATUS = re.compile(r"(?:^|,)\s*\(?\s*(?:\w+\s*,\s*)*status\b(?:\s*,\s*\w+)*\s*\)?\s*=", re.DOTALL)


def writes(sql: str) -> bool:
    """Whether a statement writes one of these statuses."""
    plain = _NOISE.sub(" ", sql)
    return bool(_INSERT.search(plain)) or any(_STATUS.search(found[1]) for found in _UPDATE.finditer(plain))


def written(tree: ast.AST) -> list[int]:
    """The lines of a module that write one, by SQLAlchemy or as SQL in a string."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"update", "insert"}:
            if {name.id for name in ast.walk(node) if isinstance(name, ast.Name)} & MODELS:
                lines.append(node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MODELS:
            lines.append(node.lineno)  # a new row
        elif isinstance(node, ast.Attribute) and node.attr == "status" and isinstance(node.ctx, ast.Store):
            if re.search("run|message|attempt", ast.unparse(node.value), re.IGNORECASE):
                lines.append(node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and writes(node.value):
            lines.append(node.lineno)
    return lines


def outside(ending: str) -> list[Path]:
    """Files that may not. Migrations are the schema's own; the simulator has no database."""
    return [
        path
        for path in sorted(PACKAGE.rglob(f"*{ending}"))
        if path.relative_to(PACKAGE).parts[0] not in {"ledger", "simulator"} and "migrations" not in path.parts
    ]


def test_no_sql_outside_the_ledger_writes_a_status() -> None:
    assert [path.name for path in outside(".sql") if writes(path.read_text(encoding="utf-8"))] == []


def test_no_python_outside_the_ledger_writes_a_status() -> None:
    found = {path: written(ast.parse(path.read_text(encoding="utf-8"))) for path in outside(".py")}
    assert {str(path.relative_to(PACKAGE)): lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE runs r SET canary = NULL, status = 'held' FROM x", True),
        ("UPDATE messages SET status = 'pending'", True),
        ("UPDATE runs SET look_at = 'epoch' WHERE status = 'finished'", False),
        ("UPDATE attempts a SET looked_up_at = sms_now() FROM free WHERE a.status = 'unknown'", False),
        ("UPDATE gateway_accounts SET status = 'x'", False),
        ("UPDATE runs SET n = CASE WHEN a.status = 'x' THEN 1 END", False),
        ("SELECT 1 -- UPDATE runs SET status = 'x'", False),
        ("WITH r AS (SELECT 1) INSERT INTO messages (month) SELECT 1", True),
    ],
)
def test_the_search_itself(sql: str, found: bool) -> None:
    assert writes(sql) is found


def test_the_ledger_does() -> None:
    """Else the search would find nothing anywhere."""
    files = {path.stem for path in (PACKAGE / "ledger").glob("*.sql") if writes(path.read_text(encoding="utf-8"))}
    assert {
        "begin_freeze",
        "freeze",
        "trip_run",
        "judge_canary",
        "hold_for_cluster",
        "gate",
        "claim",
        "settle",
    } <= files
    assert written(ast.parse((PACKAGE / "ledger" / "runs.py").read_text(encoding="utf-8")))
