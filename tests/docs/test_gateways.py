"""docs/gateways.md shows the example's files, the error classes, the options and the scenarios as they are."""

from __future__ import annotations

import inspect
import re
import textwrap
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from sms_service.gateways import base, discovery
from sms_service.gateways.base import ErrorClass
from sms_service.gateways.conformance import Conformance

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "gateways.md").read_text(encoding="utf-8")
LANGUAGES = {".py": "python", ".csv": "csv", ".toml": "toml"}
FILES = re.findall(r"<!-- file: (\S+) -->", DOCUMENT)


def _between(kind: str, name: str) -> str:
    """What stands between two marks, without the indentation of the list that it is in."""
    found = re.search(
        rf"^( *)<!-- {kind}: {re.escape(name)} -->\n(.*?)^ *<!-- end -->", DOCUMENT, re.DOTALL | re.MULTILINE
    )
    assert found is not None, f"docs/gateways.md has no marks of {name!r}"
    return textwrap.dedent(found[2]).strip()


def _file(name: str) -> str:
    path = ROOT / name
    return f"```{LANGUAGES[path.suffix]}\n{path.read_text(encoding='utf-8').rstrip()}\n```"


def _error_classes() -> str:
    meanings = dict(re.findall(r'^    (\w+) = "\w+"  # (.+)$', inspect.getsource(ErrorClass), re.MULTILINE))
    assert set(meanings) == set(ErrorClass), "each class has its meaning behind it, on its line"
    return "\n".join(["| Class | Meaning |", "|---|---|", *(f"| `{name}` | {meanings[name]} |" for name in ErrorClass)])


def _scenarios() -> str:
    lines = ["| Scenario | What must hold |", "|---|---|"]
    for kind in reversed(Conformance.__mro__):
        for name, function in vars(kind).items():
            if name.startswith("test_"):
                said = " ".join((function.__doc__ or "").split())
                lines.append(f"| `{name.removeprefix('test_')}` | {said} |")
    return "\n".join(lines)


def _options(adapter: str) -> str:
    module: Any = discovery.find_adapter(adapter)
    lines = ["| Option | Default |", "|---|---|"]
    for declared in fields(module.Options):
        default = declared.default
        if default is MISSING:
            shown = "must be given" + (", a secret" if declared.metadata["secret"] else "")
        else:
            shown = f'`"{default}"`' if isinstance(default, str) else f"`{str(default).lower()}`"
        lines.append(f"| `{declared.name}` | {shown} |")
    return "\n".join(lines) + "\n\n" + inspect.cleandoc(module.Options.__doc__)


GENERATED = {
    "error classes": _error_classes,
    "scenarios": _scenarios,
    **{f"{name} options": lambda name=name: _options(name) for name in ("twilio", "smpp", "simulator")},
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_shown_of_the_example_is_the_example(name: str) -> None:
    assert _between("file", name) == _file(name), f"write {name} between its marks in docs/gateways.md"


@pytest.mark.parametrize("name", GENERATED)
def test_the_tables_are_those_of_the_code(name: str) -> None:
    wanted = GENERATED[name]()
    assert _between("generated", name) == wanted, f"write this between the marks of {name!r}:\n{wanted}"


def test_every_adapter_is_named() -> None:
    table = DOCUMENT.split("| `adapter` |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(discovery.BUILT_IN)


def test_every_outcome_is_explained() -> None:
    table = DOCUMENT.split("| Outcome |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(base.OutcomeKind)


def test_the_accounts_that_are_shown_can_be_used() -> None:
    for block in re.findall(r"^```toml\n(\[accounts.*?)```", DOCUMENT, re.DOTALL | re.MULTILINE):
        for account in tomllib.loads(block)["accounts"].values():
            module: Any = discovery.find_adapter(account["adapter"])
            if module is None:  # Pigeon's package need not be installed here
                continue
            own = account.keys() - {"adapter", "max_group", "rate", "in_flight", "receipt_parts"}
            known = {declared.name for declared in fields(module.Options)}
            needed = {declared.name for declared in fields(module.Options) if declared.default is MISSING}
            assert needed <= own <= known
