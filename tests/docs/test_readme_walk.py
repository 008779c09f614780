"""The walk in README.md does what it says, copied line by line into a shell beside a running service."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sms_service.ops.supervisor import free_port

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WALK = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installation:
    """A service as `make run` starts it."""

    data_dir: Path
    variables: dict[str, str]

    def walk(self, *options: str) -> str:
        """Run the walk in bash; returns what it printed; it must end well."""
        command = ["bash", *options, "-c", WALK]
        done = subprocess.run(command, cwd=ROOT, env=self.variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
        return done.stdout

    def handed_over(self) -> list[dict[str, Any]]:
        """What the simulator was handed for the people of the walk, by its own ledger."""
        lines = (self.data_dir / "simulator.jsonl").read_text(encoding="utf-8").splitlines()
        return [row for row in map(json.loads, lines) if row.get("to", "").startswith("+861390099")]


@pytest.fixture(scope="module")
def installation(engines_dir: Path) -> Iterator[Installation]:
    data_dir = engines_dir / f"walk-{secrets.token_hex(4)}"
    variables = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "PORT": str(free_port()),
        "SIMULATOR_PORT": str(free_port()),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "sms_service", "run"], cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True
    )
    said = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.startswith("serving at"):
                break
        else:
            pytest.fail(f"the service ended: {''.join(said)}")
        yield Installation(data_dir, variables)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 0


def _counts(printed: str) -> dict[tuple[str, str | None], int]:
    """The counts that the walk ends with, by status and reason."""
    answer = json.loads("{" + printed.rsplit("\n{", 1)[1])
    return {(row["by"]["status"], row["by"]["reason"]): row["messages"] for row in answer["items"]}


def test_the_walk_works_and_may_be_repeated(installation: Installation, tmp_path: Path) -> None:
    # Any answer but a success ends the strict walk: curl reads its default options from CURL_HOME.
    (tmp_path / ".curlrc").write_text("fail-with-body\n")
    strict = Installation(installation.data_dir, {**installation.variables, "CURL_HOME": str(tmp_path)})
    counts = _counts(strict.walk("-euo", "pipefail"))

    skipped = {reason: number for (status, reason), number in counts.items() if status == "skipped"}
    assert skipped == {"opted_out": 1, "no_phone": 1, "bad_number": 1, "duplicate_phone": 1}
    left = {status: number for (status, _), number in counts.items() if status != "skipped"}
    assert sum(left.values()) == 5
    assert left.keys() <= {"delivered", "undelivered", "refused"}, "a closed run awaits nothing"
    assert sum(counts.values()) == 9, "the audience that README.md names"
    handed = installation.handed_over()
    assert len({row["to"] for row in handed}) == 5

    assert _counts(installation.walk()) == counts
    assert installation.handed_over() == handed, "the same lines again text nobody"
