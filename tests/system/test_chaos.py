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
    # One of each, however fast the machine is. The district's texts go over the line, and the street that a webhook is
    # told everything of lies in it.
    acts = ("receiver_closes", "launch_district", "opted_out", "phone_replied", "line_cut", "worker_killed")
    acts += ("webhooks_killed", "receiver_killed", "postgres_promoted")
    command = [sys.executable, "-m", "chaos", "--acts", ",".join(acts), "--seed", "123"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert said["chaos"] == "held"
    assert said["seed"] == 123
    assert said["identity"] is True
    assert said["runs"] == 1 + said["answer_texts"]
    assert said["messages"] >= 1200
    assert said["faults"] == dict.fromkeys(acts, 1)
    nothing = ("lost", "duplicated", "contradicted", "unknown_after_look_up", "caps_off", "sent_after_opt_out")
    nothing += ("replies_lost", "replies_unread", "answers_off", "answered_twice")
    nothing += ("webhooks_untold", "webhooks_told_falsely", "webhooks_badly_signed")
    assert {said[name] for name in nothing} == {0}
    assert said["answers"] > 0
    assert said["replies_over_smpp"] > 0
    assert said["webhooks_told"] > 200  # of 136 texts in the street that they are accepted, and delivered


def test_it_says_what_is_wrong_with_how_it_was_called() -> None:
    command = [sys.executable, "-m", "chaos", "--minutes", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--minutes is 0; it must be more than 0" in done.stderr
    done = subprocess.run(
        [*command[:-2], "--acts", "launch_city,fires"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--acts: fires: no such kind; there are launch_city, launch_district" in done.stderr
