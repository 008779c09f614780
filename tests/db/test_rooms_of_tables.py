"""A statement reads tables of its own room and of rooms below it, as imports do (docs/architecture.md, *Layers*).

The rooms' order is that of pyproject.toml; a table belongs to the room whose model it is. What SQLAlchemy builds needs
the model, so import-linter holds that; here every .sql file and every string of SQL in a module is read.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import sms_service
from sms_service.db.base import Base
from sms_service.tables import METADATA

PACKAGE = Path(sms_service.__file__).parent

# Each exception with its reason: (where, table).
LOOKS_UP = {
    ("accounts/actors.py", "units"): "an account's scope is the path of a unit, which it knows by id and path only",
}
# Foreign keys that point up, likewise: (table, table it points at).
POINTS_UP = {
    ("runs", "campaigns"): "a run is unique by campaign, item and firing; the ledger never reads the campaign",
    ("questions", "campaigns"): "a question is unique by campaign, item and firing, likewise",
    ("runs", "template_versions"): "what a run says never changes under it; the ledger never reads the text",
    ("template_bindings", "template_versions"): "the gate asks whether one is usable; controls never read the text",
    ("accounts", "units"): "a login has a home unit, which accounts know by id and path only",
    ("role_grants", "units"): "a role holds for a unit, likewise",
    ("delegations", "units"): "and so does a right that is lent",
    ("trail", "accounts"): "an act has who did it; the trail never reads the login",
}

_NOISE = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING|ONLY)\s+(?:ONLY\s+)?(?:public\.)?(\w+)", re.IGNORECASE)
_LISTED = re.compile(r"\bFROM\b((?:[^()]|\([^()]*\))*?)(?:\bWHERE\b|\bORDER\b|\bGROUP\b|\bRETURNING\b|\)|$)", re.DOTALL)
_IS_SQL = re.compile(r"\s*(SELECT|WITH|INSERT INTO|UPDATE|DELETE FROM)\s", re.DOTALL)


def ranks() -> dict[str, int]:
    """Each package or module by its layer; higher is further up."""
    file = PACKAGE.parent / "pyproject.toml"
    contract = tomllib.loads(file.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    layers = contract["layers"][::-1]
    return {
        name.strip().removeprefix("sms_service."): rank for rank, row in enumerate(layers) for name in row.split("|")
    }


def rooms() -> dict[str, str]:
    """Each table's room."""
    found = {mapper.local_table.name: mapper.class_.__module__.split(".")[1] for mapper in Base.registry.mappers}
    assert set(found) == set(METADATA.tables)
    return found


def tables_in(sql: str) -> set[str]:
    """The tables of the schema that a statement names as tables."""
    plain = _NOISE.sub(" ", sql).replace("%%", "%")
    plain = re.sub(r"%\(\w+\)s", "?", plain)
    words = set(_NAMED.findall(plain))
    for found in _LISTED.finditer(plain):  # FROM a, b
        words |= set(re.findall(r"(?:^|,)\s*(\w+)", found[1]))
    own = set(re.findall(r"\b(\w+)(?:\s*\([^()]*\))?\s+AS\s+(?:NOT\s+)?(?:MATERIALIZED\s*)?\(", plain))  # of WITH
    return (words - own) & set(rooms())


def statements() -> Iterator[tuple[str, str]]:
    """Every statement of ours, and the file it stands in."""
    for path in sorted(PACKAGE.rglob("*.sql")):
        if "migrations" not in path.parts:
            yield path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for sql in _inline(ast.parse(path.read_text(encoding="utf-8"))):
            yield path.relative_to(PACKAGE).as_posix(), sql


def _inline(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.JoinedStr):
            text = "?".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        if isinstance(text, str) and _IS_SQL.match(text):
            yield text
        elif (
            isinstance(node, ast.Call) and ast.unparse(node.func) == "table" and isinstance(node.args[0], ast.Constant)
        ):
            yield f"SELECT FROM {node.args[0].value}"  # a table named without its model


def looked_up() -> set[tuple[str, str]]:
    rank, room = ranks(), rooms()
    return {
        (file, table)
        for file, sql in statements()
        for table in tables_in(sql)
        if rank[room[table]] > rank[file.split("/")[0].removesuffix(".py")]
    }


def test_no_statement_looks_up() -> None:
    assert looked_up() == set(LOOKS_UP), "a statement reads a table of a room above its own, or does so no more"


def test_no_foreign_key_points_up() -> None:
    rank, room = ranks(), rooms()
    up = {
        (table.name, key.column.table.name)
        for table in METADATA.tables.values()
        for key in table.foreign_keys
        if rank[room[key.column.table.name]] > rank[room[table.name]]
    }
    assert up == set(POINTS_UP)


def test_what_the_gate_reads_is_found() -> None:
    gate = (PACKAGE / "ledger" / "gate.sql").read_text(encoding="utf-8")
    assert tables_in(gate) == {
        *("runs", "messages", "attempts", "gateway_accounts", "stops", "units", "caps", "cap_uses", "suppressions"),
        "people",
        "quiet_days",
        "unit_caps",
        "template_bindings",
    }


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT 1 FROM runs r, units u WHERE r.unit_id = u.id", {"runs", "units"}),
        ("SELECT 1 FROM (SELECT FROM stops) s JOIN caps c ON true", {"stops", "caps"}),
        ("WITH stops AS MATERIALIZED (SELECT 1) SELECT 1 FROM stops", set()),
        ("DELETE FROM tallies USING runs -- units", {"tallies", "runs"}),
        ("SELECT 'FROM runs'", set()),
    ],
)
def test_the_search_itself(sql: str, found: set[str]) -> None:
    assert tables_in(sql) == found
