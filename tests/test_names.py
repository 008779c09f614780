"""Public names can be searched for: one name stands in one module, a function says verb and noun, and an id is named
after its table.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "sms_service"
# Nobody calls what stands in these: routes, commands, and what RQ runs by its name.
DOORS = ("api", "cli", "jobs.py")
# What every adapter has by contract, and what every program begins with.
CONTRACTS = {"Options", "create", "read_pushed_receipts", "read_pushed_replies", "main"} | {
    # and every kind of schedule
    "read_rule", "plan_times", "find_following",
}  # fmt: skip
# One word is enough where the word is the field's own, or the module says the rest and is always named with it.
ONE_WORD = {
    "say", "translate", "sign", "signed", "always", "unwritten", "option", "marked", "between", "e164", "throwaway",
    "texts", "using", "within", "check", "joined", "pushed", "pulled", "tick", "receive", "bare", "field", "scalar",
    "raw", "place", "networks", "outcome", "outcomes", "finding", "cut", "head", "numbered", "disagreements", "garbled",
    "pack", "cstring", "tlv", "header", "deliver", "refusal",
}  # fmt: skip
# Rooms that know gateway accounts. Of log-ins they know the actor alone, who has an `account_id`.
OF_GATEWAY_ACCOUNTS = (
    *("controls", "ledger", "delivery", "replies", "dispatch", "gateways"),
    *("links.py", "clock.py", "pulls.py", "inbound.py"),
)


def public(kinds: tuple[type[ast.stmt], ...]) -> Iterator[tuple[str, str]]:
    """The module and the name of each public definition of these kinds, but those of doors."""
    for path in sorted(SOURCES.rglob("*.py")):
        module = path.relative_to(SOURCES)
        if module.parts[0] in DOORS or "migrations" in module.parts:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, kinds) and not node.name.startswith("_"):  # type: ignore[attr-defined]
                yield str(module), node.name  # type: ignore[attr-defined]


def test_a_public_name_stands_in_one_module() -> None:
    modules = defaultdict(list)
    for module, name in public((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        modules[name].append(module)
    assert {name: found for name, found in modules.items() if len(found) > 1 and name not in CONTRACTS} == {}


def test_a_public_function_says_verb_and_noun() -> None:
    functions = {name for _, name in public((ast.FunctionDef, ast.AsyncFunctionDef))}
    assert {name for name in functions if "_" not in name} - CONTRACTS == ONE_WORD


def test_the_id_of_a_gateway_account_is_named_after_its_table() -> None:
    """`account_id` is a log-in. For a gateway account only a column has that name: older processes read it."""
    loose = []
    for path in sorted(SOURCES.rglob("*.py")):
        module = path.relative_to(SOURCES)
        if module.parts[0] not in OF_GATEWAY_ACCOUNTS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            of_actor = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "actor"
            names = {getattr(node, part, None) for part in ("id", "arg", "attr")}
            if not of_actor and names & {"account_id", "_account_id"}:
                loose.append(f"{module}:{getattr(node, 'lineno', 0)}")
    assert loose == []


def test_a_statement_is_given_the_id_of_a_gateway_account_by_its_name() -> None:
    statements = [path for path in sorted(SOURCES.rglob("*.sql")) if "migrations" not in path.parts]
    assert [path.name for path in statements if "%(account_id)s" in path.read_text(encoding="utf-8")] == []
