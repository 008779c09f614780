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
    # A seed whose first seconds hold a killed worker, a gateway that takes texts and answers 500, FLUSHALL, and the end
    # of every session.
    command = [sys.executable, "-m", "chaos", "--minutes", "0.15", "--seed", "1177"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert said["chaos"] == "held"
    assert said["seed"] == 1177
    assert said["identity"] is True
    assert said["runs"] >= 1
    assert said["messages"] >= 6000
    kinds = {"launch_city", "worker_killed", "gateway_fails_after_accepting", "redis_flushed", "sessions_terminated"}
    assert kinds <= said["faults"].keys()
    assert {said[name] for name in ("lost", "duplicated", "contradicted", "unknown_after_look_up", "caps_off")} == {0}


def test_it_says_what_is_wrong_with_how_it_was_called() -> None:
    command = [sys.executable, "-m", "chaos", "--minutes", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--minutes is 0; it must be more than 0" in done.stderr
