"""docs/auditing.md, from a question to its proof: its lines in a shell, as they stand, beside a service that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from sms_service import console
from sms_service.accounts.passwords import hash_password
from sms_service.audit import chain, trail
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.reports.export_work import ExportDesk, ExportingThread
from sms_service.web.words import find_wording
from tests.applications import lend_app
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, make_run
from tests.factories import make_account, make_person, make_unit
from tests.reports.ledger_rows import add_message, settle_roll_ups

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "auditing.md").read_text(encoding="utf-8")
WALK = DOCUMENT[DOCUMENT.index("\n## From a question") : DOCUMENT.index("\n## The trail")]
LINES = [
    line
    for block in re.findall(r"```console\n(.*?)```", WALK, re.DOTALL)
    for line in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]
DAY = date(2026, 9, 1)
PASSWORD = "correct horse battery"
_HEAD = re.compile(r"\d+:(?:[0-9a-f]{8}-){7}[0-9a-f]{8}")


class Shell:
    """A bash in which one line after the other is run; `after` is called after each."""

    def __init__(self, folder: Path, variables: dict[str, str], after: Callable[[], object]) -> None:
        self._after = after
        self._process = subprocess.Popen(
            ["bash"], cwd=folder, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, line: str) -> str:
        """What the line prints."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{line}\nprintf '\\0\\n'\n".encode())
        stdin.flush()
        printed = b""
        while not printed.endswith(b"\0\n"):
            read = stdout.readline()
            assert read, f"the shell ended: {printed.decode()}"
            printed += read
        self._after()
        return printed.removesuffix(b"\0\n").decode()

    def close(self) -> None:
        """Nothing more is run."""
        self._process.communicate()


@pytest.fixture
def city(database: Database, session: Session) -> None:
    """A city of two districts; a run on 1 September to five people, on a day that is sealed; its auditor."""
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    top = make_unit(session, code="01", name="云州市")
    east, west = (make_unit(session, name=name, parent=top) for name in ("城东区", "城西区"))
    session.execute(select(func.ensure_month(DAY)))
    run = make_run(session, top, day=DAY, month=DAY, status="finished", audience=5)
    outcomes = [(east, "delivered"), (east, "delivered"), (east, "undelivered"), (west, "delivered"), (west, "skipped")]
    for number, (unit, status) in enumerate(outcomes, 1):
        person = make_person(session, unit, phone=f"+861390000{number:04}")
        message = add_message(session, run, unit, status, person=person)
        message.text = None if status == "skipped" else "【云州先锋】今晚七点学习。"
        message.reason = {"undelivered": "switched_off", "skipped": "capped"}.get(status)
    make_account(session, top, "auditor", ("auditor",), password_hash=hash_password(PASSWORD))
    for number in range(2):
        trail.record_act(session, None, "stop.begin", "stop", number, top.path, why="错字")
    session.commit()
    settle_roll_ups(database, seal=True)
    settle_roll_ups(database)
    chain.link_entries(database)


@pytest.fixture
def shell(city: None, database: Database, redis_url: str, tmp_path: Path) -> Iterator[Shell]:
    """A shell beside the service's web process and a worker's thread for exports; the clock links after each line."""
    app = lend_app({}, tmp_path, database, (console.blueprint,))
    worker = ExportingThread(
        database, ExportDesk(app.extensions["sms_service"].settings.exports_dir, 7, {}, find_wording)
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    variables = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "ENV_FILE": os.devnull,
        "DATABASE_URL": database.url,
        "REDIS_URL": redis_url,
        "PORT": str(server.port),
        "PASSWORD": PASSWORD,
    }
    serving.start()
    worker.start()
    made = Shell(tmp_path, variables, lambda: chain.link_entries(database))
    try:
        yield made
    finally:
        made.close()
        worker.close()
        server.shutdown()
        serving.join()
        server.server_close()


def test_the_lines_print_what_stands_below_them(shell: Shell) -> None:
    assert len(LINES) >= 30
    for line, printed in LINES:
        assert _HEAD.sub("…", shell.run(line)) == _HEAD.sub("…", printed), line
