"""The calendar of working days from the shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sms_service.cli import main
from sms_service.db.engine import Database
from tests.factories import make_account, make_unit

Shell = Callable[..., Result]


@pytest.fixture
def run(database: Database, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The shell of a city with the code 01; wang is an officer."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    with database.session() as session:
        make_account(session, make_unit(session, code="01", name="云州市"), "wang")
    return lambda *arguments: CliRunner().invoke(main, ["calendar-days", *arguments])


def test_a_year_from_the_library_and_a_correction_of_it(run: Shell, tmp_path: Path) -> None:
    assert run("take-over", "2026", "--unit", "01").output == "39 days are set\n"
    assert run("take-over", "2003", "--unit", "01").exit_code == 1
    lines = run("list", "2026", "--unit", "01").output.splitlines()
    assert lines[0].endswith(": 2026-01-01 元旦 放假, 01 云州市")
    assert lines[-1] == "2026: 248 working days"
    correction = tmp_path / "更正.txt"
    correction.write_text("1月5日 元旦 放假\n1月4日 元旦调休 上班\n", encoding="gb18030")
    planned = run("import", str(correction), "--unit", "01", "--year", "2026").output
    assert planned == "added: 1, changed: 0, same: 1\nadded 2026-01-05 元旦 放假\n"
    assert run("list", "2026", "--unit", "01").output.splitlines()[-1] == "2026: 248 working days"
    applied = run("import", str(correction), "--unit", "01", "--year", "2026", "--apply")
    assert applied.output.endswith("2 days are set\n")
    assert run("list", "2026", "--unit", "01").output.splitlines()[-1] == "2026: 247 working days"
    id_ = lines[0].partition(":")[0]
    refused = run("remove", id_, "--as", "wang")
    assert (refused.exit_code, "manage_directory" in refused.output) == (1, True)
    assert run("remove", id_).output == "2026-01-01 元旦 is removed\n"
    assert run("clear", "2026", "--unit", "01").output == "39 days are removed\n"
    assert "no holidays are known for 2026" in run("list", "2026", "--unit", "01").output


def test_a_file_with_a_row_that_cannot_be_read_sets_nothing(run: Shell, tmp_path: Path) -> None:
    file = tmp_path / "日历.csv"
    file.write_text("日期,名称,安排\n2027-02-05,春节,放假\n2027-02-20,元宵节,调休\n", encoding="utf-8")
    answer = run("import", str(file), "--unit", "01", "--apply")
    assert answer.exit_code == 1
    assert answer.output.splitlines()[0].startswith("refused row 3, 2027-02-20 元宵节 调休: says neither")
    assert "mend these rows" in answer.output
    assert run("list", "2027", "--unit", "01").output.splitlines()[0] == "2027: 261 working days"
