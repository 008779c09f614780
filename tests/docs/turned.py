"""A walk of the documentation whose headings say when it is: its commands are run at these times."""

from __future__ import annotations

import re
import shlex
from datetime import datetime

from click.testing import CliRunner

from sms_service.cli import main
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


def run_commands(heading: str, commands: Commands) -> None:
    """Run them in this process; each prints what stands below it."""
    for command, printed in commands:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "sms_service"]
        done = CliRunner().invoke(main, words[3:])
        assert done.output == printed, (heading, command, done.output)
