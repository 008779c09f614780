"""docs/auditing.md, the part of counts: its lines print what stands below them, and its digest is ours."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import psycopg
from click.testing import CliRunner
from sqlalchemy import select

from sms_service.cli import main
from sms_service.reports.reconciling import HOUR, RECENT_DAYS, ROUND_NIGHTS
from sms_service.reports.roll_up_models import DaySeal, SealedCount
from sms_service.reports.seals import NO_DIGEST, SEAL_DAYS
from tests.dispatch.city import make_run
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "auditing.md").read_text(encoding="utf-8")
PROSE = " ".join(DOCUMENT.split())
PART = DOCUMENT[DOCUMENT.index("\n## Sealed days") :]
DAY = date(2026, 9, 1)


def test_verifying_prints_what_it_says(database, session, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("REDIS_URL", "redis://localhost/0")  # it is not asked
    city = make_tree(session, [DAY])[0]
    run = make_run(session, city, day=DAY, month=DAY, status="finished", audience=1)
    add_message(session, run, city, "delivered")
    session.commit()
    settle_roll_ups(database, seal=True)
    settle_roll_ups(database)
    ran = 0
    with psycopg.connect(database.url, autocommit=True) as administrator:
        for language, block in re.findall(r"```(console|sql)\n(.*?)```", PART, re.DOTALL):
            if language == "sql":
                administrator.execute(block)
                continue
            (command, printed) = block.removeprefix("$ ").split("\n", 1)
            words = shlex.split(command.removesuffix(" | head -1"))
            output = CliRunner().invoke(main, words[3:]).output.replace(f"of unit {city.id},", "of unit 1,")
            assert output.splitlines()[0] == printed.strip(), command
            ran += 1
    assert ran == 2
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", PART, re.DOTALL)[1], names)
    lines = session.execute(
        select(SealedCount.unit_id, SealedCount.kind, SealedCount.status, SealedCount.messages, SealedCount.parts)
    ).all()
    assert names["digest_of_day"](NO_DIGEST, DAY, lines) == session.scalars(select(DaySeal.digest)).one()


def test_its_numbers_are_those_of_the_code():
    assert (HOUR, RECENT_DAYS, ROUND_NIGHTS, SEAL_DAYS) == (3, 40, 100, 4)
    assert "Each night at 3 the clock compares the roll-ups of the last 40 days" in PROSE
    assert "once in 100 nights" in PROSE
    assert "Four days after a day is over" in PROSE
