"""Whoever sees whole phone numbers of others says what for, and the trail keeps it: on every way that leads to them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import sms_service

PACKAGE = Path(sms_service.__file__).parent
LOOKS = ("people.see_phones", "person.export")
# Each only asks; who goes on notes the look: (function, who does).
ASKS_ONLY = {
    "reports/exports.py check_choice": "request_export, as `people.see_phones` with its reason",
    "reports/exports.py require_rights": "the same, before; each download is an act of its own",
}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(PACKAGE).as_posix()} {node.name}", node


def calls(function: ast.FunctionDef) -> list[ast.Call]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Call)]


def looks(function: ast.FunctionDef) -> list[ast.Call]:
    """The calls that note a look."""
    return [
        call
        for call in calls(function)
        if any(isinstance(value, ast.Constant) and value.value in LOOKS for value in call.args)
    ]


def test_each_look_has_a_reason_that_is_required() -> None:
    found = {name: function for name, function in functions() if looks(function)}
    assert len(found) >= 6
    for name, function in found.items():
        assert all("why" in {keyword.arg for keyword in call.keywords} for call in looks(function)), name
        assert any(ast.unparse(call.func) == "required_line" for call in calls(function)), name


def test_each_use_of_the_right_notes_the_look() -> None:
    demanded = [
        (name, function)
        for name, function in functions()
        if any(
            ast.unparse(call.func).endswith(".require") and "Permission.see_phones" in ast.unparse(call)
            for call in calls(function)
        )
    ]
    assert len(demanded) >= 5
    assert {name for name, _ in demanded} >= ASKS_ONLY.keys()
    for name, function in demanded:
        if name in ASKS_ONLY:
            continue
        noted = looks(function) or any(ast.unparse(call.func) == "_record_look" for call in calls(function))
        assert noted, name
