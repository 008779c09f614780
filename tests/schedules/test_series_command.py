"""A series from the shell: what its walk (docs/study-series.md) does not come to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sms_service.cli import main
from sms_service.db.engine import Database
from sms_service.schedules.series_planning import SeriesRow
from tests.factories import make_account
from tests.schedules.serial import make_study_town, write_series

Shell = Callable[..., Result]


@pytest.fixture
def run(database: Database, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The shell of a branch, whose officer wang has a series of one text, campaign 1."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    town = make_study_town(database)
    with database.session() as session:
        make_account(session, session.merge(town.unit), "wang")
        rows = [SeriesRow({"题目": "待定", "内容": "待定"})]
        assert write_series(session, town, body="{{ 题目 }}：{{ 内容 }}", rows=rows).id == 1
    monkeypatch.setenv("FIRST", f"{town.today:%Y-%m-%d}")
    return lambda *arguments: CliRunner().invoke(main, ["series", *arguments])


def plan(run: Shell, file: Path, written: str, *more: str) -> Result:
    file.write_text(written, encoding="gb18030")
    return run("plan", "1", str(file), "--as", "wang", "--first", os.environ["FIRST"], *more)


def test_a_file_with_a_cell_that_cannot_be_taken_sets_nothing(run: Shell, tmp_path: Path) -> None:
    file = tmp_path / "学习.csv"
    refused = plan(run, file, f"题目,内容\n初心,{'长' * 501}\n使命,\n")
    assert refused.exit_code == 1
    assert refused.output.splitlines() == [
        f"row 2, 内容: {'长' * 50}: must have at most 500 characters",
        "row 3, 内容: —: is empty; the text needs it",
        "2 texts are read; nothing is set",
    ]
    tried = plan(run, file, "题目,内容\n初心,不忘初心\n", "--dry-run")
    assert (tried.exit_code, tried.output) == (0, "1 texts are read; nothing is set\n")
    assert "1 texts" in run("show", "1").output
    unknown = plan(run, file, "内容,备注\n不忘初心,无\n")
    assert (unknown.exit_code, "columns can be: 题目, 内容, 标题, 序号" in unknown.output) == (1, True)


def test_a_text_has_values_by_name_and_can_be_taken_back(run: Shell, tmp_path: Path) -> None:
    first = os.environ["FIRST"]
    made = plan(run, tmp_path / "学习.csv", "题目,内容\n初心,不忘初心\n", "--days", "all", "--at", "9:00")
    assert made.output.splitlines() == [
        f"campaign 1 is draft: one text each day at 09:00 from {first}, 1 texts",
        f"  1. 初心 (item 1): {first} 09:00",
    ]
    values = ("--value", "题目=使命", "--value", "内容=牢记使命")
    assert "  1. 第2篇 (item 2): " in run("insert", "1", "--as", "wang", "--after", "0", *values).output
    wrong = run("correct", "1", "2", "--as", "wang", "--text", "牢记")
    assert (wrong.exit_code, "it has 题目, 内容" in wrong.output) == (1, True)
    assert "  1. 使命 (item 2)" in run("correct", "1", "2", "--as", "wang", "--label", "使命").output
    assert "  1. 使命 (item 2): is skipped" in run("skip", "1", "2", "--as", "wang").output
    assert f"  1. 使命 (item 2): {first}" in run("skip", "1", "2", "--as", "wang", "--take-back").output
    assert run("show", "9").exit_code == 1
