"""docs/import.md: its commands print what stands below them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from sms_service.cli import main
from tests.factories import make_person, make_unit

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
COMMANDS = [
    (command, printed)
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
    for command, printed in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]
FILE = "编号,姓名,手机号,组织编码\nM1,王伟,13900000001,0101001\nM2,,13900000002,0101001\nM9,吴九,13900000009,0101001\n"


def test_the_commands_print_what_stands_below_them(
    session: Session, tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = make_unit(session, code="0101001", name="第一党支部", parent=make_unit(session, code="01"))
    for number, name in enumerate(("王伟", "李四", "赵六", "孙七", "周八"), 1):
        phone = f"+861390000000{number}" if number < 4 else None
        make_person(session, branch, name, phone, number=f"M{number}")
    session.commit()
    (tmp_path / "花名册.csv").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert len(COMMANDS) >= 6
    for command, printed in COMMANDS:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "sms_service"]
        assert CliRunner().invoke(main, words[3:]).output == printed, command
