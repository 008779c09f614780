"""docs/lists.md: its commands print what stands below them, and its numbers are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from sms_service.cli import main
from sms_service.directory.recipient_columns import MOST_VARIABLES
from sms_service.directory.recipient_rows import LONGEST_LISTED
from sms_service.personal.list_endings import LIST_DAYS
from sms_service.settings import load_settings
from tests.factories import make_person, make_unit

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "lists.md").read_text(encoding="utf-8")
COMMANDS = [
    (command, printed)
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
    for command, printed in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]
[FILE] = re.findall(r"```csv\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture
def city(session: Session) -> None:
    """The city of the page."""
    top = make_unit(session, code="01", name="云州市")
    first, second = (make_unit(session, name=name, parent=top) for name in ("第一支部", "第二支部"))
    make_person(session, first, "王五", number="0017")
    make_person(session, first, "赵六")
    make_person(session, second, "赵六")
    session.commit()


def test_the_commands_print_what_stands_below_them(
    city: None, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "座谈会.csv").write_text(FILE, encoding="utf-8")
    assert len(COMMANDS) >= 5
    for command, printed in COMMANDS:
        command, _, head = command.partition(" | head -")
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "sms_service"]
        output = CliRunner().invoke(main, words[3:]).output
        assert "".join(output.splitlines(keepends=True)[: int(head) if head else None]) == printed, command


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"more than {MOST_VARIABLES} columns, a value of more than {LONGEST_LISTED} characters" in DOCUMENT
    assert load_settings({}).list_days == LIST_DAYS
    assert f"`LIST_DAYS` ({LIST_DAYS}) days after the last run" in DOCUMENT
