"""The operator's commands say what is wrong in one line, and never in a stack trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sms_service.db import migrate

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sms_service", *arguments],
        cwd=ROOT,
        env={"PATH": os.defpath, "ENV_FILE": os.devnull, **variables},
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        (["run"], {"PORT": "http"}, "PORT is 'http'; it must be a whole number from 1 to 65535"),
        (["run"], {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "REDIS_URL": "redis://x"}, "PostgreSQL: "),
        (["run"], {"DATA_DIR": "/proc/none"}, "cannot create /proc/none"),
        (["demo"], {"DATABASE_URL": "mysql://x"}, "DATABASE_URL must start with postgresql://"),
        (["clock"], {}, "no service runs on"),
        (["migrate"], {}, "no service runs on"),
        (["doctor"], {}, "checks found something to mend"),
    ],
)
def test_one_line_and_exit_code_1(tmp_path: Path, arguments: list[str], variables: dict[str, str], says: str) -> None:
    ended = command(*arguments, **{"DATA_DIR": str(tmp_path), "PORT": "18", "SIMULATOR_PORT": "19", **variables})
    assert ended.returncode == 1
    lines = ended.stderr.strip().splitlines()
    assert [line for line in lines if says in line] == lines[-1:]
    assert "Traceback" not in ended.stderr


def test_migrate_goes_up_and_down(empty_database_url: str, redis_url: str) -> None:
    named = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url}
    ended = command("migrate", **named)
    assert (ended.returncode, ended.stderr) == (0, f"the schema is at {migrate.head_revision()}\n")
    ended = command("migrate", "--down-to", "base", **named)
    assert (ended.returncode, ended.stderr) == (0, "the schema is at nothing\n")
    ended = command("migrate", "--down-to", "none", **named)
    assert ended.returncode == 1
    assert "none" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_help_names_every_command() -> None:
    answer = command("--help")
    assert answer.returncode == 0
    for name in ("run", "demo", "clock", "migrate", "doctor"):
        assert f"  {name} " in answer.stdout
