"""`python -m sms_service import …` from the shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from factories import make_unit
from sqlalchemy import select

from sms_service.audience.models import Suppression
from sms_service.cli import main
from sms_service.directory.models import Person, Unit

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def run(database_url, redis_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["import", *arguments])

    return command


def test_the_offices_pair_comes_in_and_what_was_wrong_is_said(run, session):
    units = run("units", str(DATA / "units_small.csv"))
    assert (units.exit_code, "80 rows = 80 created" in units.output) == (0, True)
    people = run("people", str(DATA / "members_small_gb18030.csv"))
    assert people.exit_code == 0
    assert "600 rows = 594 created + 0 changed + 0 moved + 0 unchanged + 6 refused" in people.output
    assert "refused row 76 组织编码" in people.output
    assert "1594041974" not in people.output
    suppressed = len(session.scalars(select(Suppression)).all())
    assert f"{suppressed} phone numbers newly suppressed" in people.output
    assert suppressed > 0


def test_a_unit_bounds_it(run, session, tmp_path):
    city = make_unit(session, code="01")
    make_unit(session, code="0101", parent=city)
    make_unit(session, code="0102", parent=city)
    session.commit()
    header = "组织编码,名称,层级,上级编码\n"
    file = tmp_path / "units.csv"
    file.write_text(header + "0101001,甲,街道,0101\n0102001,乙,街道,0102\n", encoding="utf-8")
    assert (
        "1 created + 0 changed + 0 moved + 0 unchanged + 1 refused" in run("units", str(file), "--unit", "0101").output
    )
    assert session.scalars(select(Unit.code).where(Unit.code.like("010_001"))).all() == ["0101001"]
    unknown = run("units", str(file), "--unit", "9")
    assert (unknown.exit_code, unknown.output) == (1, "Error: there is no unit with the code 9\n")


def test_a_file_that_cannot_be_read_gets_one_line_and_writes_nothing(run, session, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("编号,姓名\nM1,王伟\n", encoding="utf-8")
    wrong = run("people", str(file))
    assert wrong.exit_code == 1
    assert wrong.output.startswith("Error: file: lacks the columns 手机号")
    assert wrong.output.count("\n") == 1
    assert session.scalars(select(Person)).all() == []


def test_a_check_alone_writes_nothing(run, session, tmp_path):
    make_unit(session, code="01")
    session.commit()
    file = tmp_path / "people.csv"
    file.write_text("姓名,手机号,组织编码\n王伟,13975840246,01\n", encoding="utf-8")
    shown = run("people", str(file), "--check-only")
    assert "1 rows = would be 1 created" in shown.output
    assert session.scalars(select(Person)).all() == []
    assert "1 rows = 1 created" in run("people", str(file)).output
    assert "1 unchanged" in run("people", str(file)).output
