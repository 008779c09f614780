"""What the documents point at is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(_anchor, headings), target


def test_the_layers_are_those_that_are_checked() -> None:
    """Every package of docs/architecture.md's table is in pyproject.toml's, and the rooms stand in its order."""
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = document.split("## Layers")[1].split("## Processes")[0]
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [name.strip().removeprefix("sms_service.") for row in checked[0]["layers"] for name in row.split("|")]
    named = [name for row in table.splitlines()[4:] for name in re.findall(r"`(\w+)`", row)]
    assert set(named) == set(layers) - {"__main__", "tables"}
    rooms = re.findall(r"`(\w+)`", next(row for row in table.splitlines() if row.startswith("| rooms")))
    assert rooms == [layer for layer in layers if layer in rooms]


def test_the_files_where_a_change_begins_are_there() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = document.split("## Where a change begins")[1].split("\n## ")[0]
    named = set(re.findall(r"`([\w/]+\.(?:py|sql|md))`", section))
    assert len(named) > 20
    assert [name for name in named if not any((at / name).exists() for at in (ROOT, ROOT / "sms_service"))] == []
