"""The whole of `make chaos`, for a few seconds: it starts, breaks, mends, compares, and says so in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_short_attack_is_held() -> None:
    # A seed whose first seconds hold an opt-out, a promotion and a killed worker.
    command = [sys.executable, "-m", "chaos", "--minutes", "0.18", "--seed", "8556"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert said["chaos"] == "held"
    assert said["seed"] == 8556
    assert said["identity"] is True
    assert said["runs"] >= 1
    assert said["messages"] >= 6000
    assert {"launch_city", "opted_out", "postgres_promoted", "worker_killed"} <= said["faults"].keys()
    nothing = ("lost", "duplicated", "contradicted", "unknown_after_look_up", "caps_off", "sent_after_opt_out")
    assert {said[name] for name in (*nothing, "replies_lost")} == {0}


def test_it_says_what_is_wrong_with_how_it_was_called() -> None:
    command = [sys.executable, "-m", "chaos", "--minutes", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--minutes is 0; it must be more than 0" in done.stderr
