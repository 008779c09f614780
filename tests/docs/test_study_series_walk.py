"""docs/study-series.md: a walk whose commands print what stands below them, at the times that its headings say."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.schedules.calendar_days import CalendarEntry, set_calendar_days
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.docs.turned import run_commands, walk_through
from tests.factories import make_account, make_person, make_template, make_unit
from tests.schedules.eventful import HOURS

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "study-series.md").read_text(encoding="utf-8")
# By name the first day, and how many they are.
HOLIDAYS = {
    "元旦": (date(2027, 1, 1), 3),
    "春节": (date(2027, 2, 5), 7),
    "清明节": (date(2027, 4, 3), 3),
}


@pytest.fixture
def gateways(database: Database) -> ScriptedGateways:
    """A branch of four in a city with a template and a calendar, its secretary, and who approves."""
    gateways = ScriptedGateways({"main": ScriptedAdapter()})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        top = make_unit(session, code="01", name="云州市", **HOURS)
        branch = make_unit(session, code="0101", name="第一支部", parent=top, level="branch", **HOURS)
        for name in ("王五", "赵六", "孙七", "周八"):
            make_person(session, branch, name)
        make_template(session, top, "每日一学：{{ 内容 }}", name="每日一学", variables=("内容",))
        make_account(session, branch, "secretary")
        make_account(session, top, "approver", ("approver",))
        days = [
            CalendarEntry(first + timedelta(days=number), works=False, name=name)
            for name, (first, count) in HOLIDAYS.items()
            for number in range(count)
        ]
        set_calendar_days(session, SYSTEM, top.id, days)
    return gateways


def test_the_walk_prints_what_it_says(
    gateways: ScriptedGateways, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    (written,) = re.findall(r"```text\n(.*?)```", DOCUMENT, re.DOTALL)
    Path("学习.csv").write_text(written, encoding="gb18030")
    ran = 0
    for later, heading, commands in walk_through(DOCUMENT, database, gateways, monkeypatch):
        run_commands(heading, commands)
        ran += len(commands)
        if "somebody joins" in heading:
            with later.session() as session:
                make_person(session, session.scalars(select(Unit).where(Unit.code == "0101")).one(), "郑九")
    assert ran >= 13
