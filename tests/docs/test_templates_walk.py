"""docs/templates.md: its commands print what stands below them, and its tables are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_service.cli import main
from sms_service.content.fields import FieldKind
from sms_service.content.filters import FILTERS
from sms_service.content.findings import FindingKind
from sms_service.db.engine import Database
from tests.factories import make_person, make_unit

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", DOCUMENT, re.DOTALL)
COMMANDS = [
    (command, printed)
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
    for command, printed in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.fixture
def city(database: Database) -> None:
    """A city with two people."""
    with database.session() as session:
        unit = make_unit(session, code="01", name="云州市")
        make_person(session, unit, name="王五", attributes={"党龄": "3"})
        make_person(session, unit, name="欧阳震华", attributes={"党龄": "55"})


def test_the_commands_print_what_stands_below_them(
    city: None, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    for name, content in FILES:
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert len(COMMANDS) >= 5
    for command, printed in COMMANDS:
        piped, _, acting = command.rpartition(" | ")
        words = shlex.split(acting)
        assert words[:3] == ["python", "-m", "sms_service"]
        typed = shlex.split(piped)[1].replace("\\n", "\n") if piped else None  # of printf '…' |
        assert CliRunner().invoke(main, words[3:], input=typed).output == printed, command


def test_the_findings_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| (?:refused|tick|note)[a-z ]* \|", DOCUMENT, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(FindingKind)


def test_the_kinds_and_filters_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", DOCUMENT, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)(?:\([^`]*\))?`", row)}
    assert set(FieldKind) <= named
    assert set(FILTERS) <= named
