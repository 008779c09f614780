"""A walk of the documentation whose headings say when it is: its commands are run at these times."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from sms_service.cli import main
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.ledger.sweeps import finish_runs
from sms_service.schedules.firing import fire_due_items
from tests.clocks import ahead_by
from tests.dispatch.city import ScriptedGateways, drain
from tests.schedules.recurrence import ZONE

_MONTHS = {"March": 3, "April": 4}
_HEADING = re.compile(r"^## (\d+) (\w+) (\d{4}), (\d\d):(\d\d): .*$", re.MULTILINE)

Commands = list[tuple[str, str]]


def read_parts(document: str) -> list[tuple[datetime, str, Commands]]:
    """Each part of the walk: when it is, its heading, and its commands with what they print."""
    found = []
    headings = list(_HEADING.finditer(document))
    for number, heading in enumerate(headings):
        end = headings[number + 1].start() if number + 1 < len(headings) else len(document)
        text = document[heading.end() : end]
        day, month, year, hour, minute = heading.groups()
        at = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), tzinfo=ZONE)
        commands = [
            command
            for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
            for command in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
        ]
        found.append((at, heading[0], commands))
    return found


def walk_through(
    document: str, database: Database, gateways: ScriptedGateways, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Database, str, Commands]]:
    """Turn the clock to each part of the walk and let clock and workers do what is due then: the database as of that
    time, which the commands are to use, the heading and the commands.
    """
    with database.session() as session:
        now: datetime = session.scalars(select(func.sms_now())).one()
    for at, heading, commands in read_parts(document):
        with ahead_by(database.url, f"{int((at - now).total_seconds()) + 2} seconds") as later:
            fire_due_items(later)
            for run_id in freeze.begin_due_runs(later):
                freeze.freeze_run(later, run_id)
            drain(later, gateways)
            with later.transaction() as connection:
                finish_runs(connection)
            monkeypatch.setenv("DATABASE_URL", later.url)
            yield later, heading, commands


def run_commands(heading: str, commands: Commands) -> None:
    """Run them in this process; each prints what stands below it."""
    for command, printed in commands:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "sms_service"]
        done = CliRunner().invoke(main, words[3:])
        assert done.output == printed, (heading, command, done.output)
