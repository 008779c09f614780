"""`python -m sms_service quiz …`, as docs/quiz.md has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_service.cli import main
from sms_service.db.engine import Database
from tests.factories import make_unit


def test_the_bank_from_the_shell(
    database: Database, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    with database.session() as session:
        make_unit(session, code="01", name="云州市")

    def run(line: str) -> str:
        return CliRunner().invoke(main, line.split()).output

    file, refused = tmp_path / "题库.csv", tmp_path / "refused.csv"
    file.write_text("题目,A,B,答案,难度\n甲？,子,丑,B,易\n乙？,子,丑,,易\n", encoding="utf-8")
    assert run("quiz categories") == "there is no category of questions\n"
    told = run(f"quiz import {file} --unit 01 --category 历史 --refused {refused}").splitlines()
    assert told == [
        "created: 1, unchanged: 0, replaced: 0, refused: 1",
        "new categories: 历史",
        "columns that are not read: 难度",
        "refused row 3: 答案 is empty; write the letters of the right options, such as A or AC",
        "refused.csv is written",
    ]
    assert "乙？" in refused.read_text(encoding="utf-8-sig")
    assert run("quiz categories") == "there is no category of questions\n"
    assert "the questions are in the bank" in run(f"quiz import {file} --unit 01 --category 历史 --apply")
    assert run("quiz categories") == "1: 历史, 01 云州市, questions: 1\n"
    assert run("quiz questions 1 --wanted 丑") == "1: 甲？ [B]\n"
    assert run("quiz show 1").splitlines() == ["甲？", "A. 子", "B. 丑", "right: B; parts: 1; category: 历史"]
    assert run("quiz retire 1") == "question 1 is retired\n"
    assert run("quiz show 1").splitlines()[-1] == "retired"
    assert run("quiz questions 1 --ended") == "1: 甲？ [B]\n"
    assert run("quiz restore 1") == "question 1 is in the bank\n"
