"""5,000 Chinese texts of two parts through a link to an SMSC that we did not write: the npm package `smpp`.

It cuts the session, throttles, and reports before it answers. In the end its own record and our ledger must agree.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.registry import Gateways
from sms_service.reports.counts import check_identity
from tests.dispatch.city import ALL_DAY, make_run, statuses
from tests.examples import count_examples
from tests.factories import make_unit
from tests.system.link_service import LinkService

PEERS = Path(__file__).resolve().parents[1] / "peers"
PEOPLE = count_examples(5_000)
BODY = (
    "{{ name }}同志：您好！本周学习内容：坚持理论联系实际，把学习成果转化为服务群众的实际行动𠮷。" + "请抽空学习😀" * 6
)
_PEOPLE = """
INSERT INTO people (unit_id, number, name, phone)
SELECT %(unit)s, 'P' || n, '张' || n, '+86139' || lpad(n::text, 8, '0') FROM generate_series(1, %(people)s) AS n
"""
# A part of an unknown text that had failed by another part before this one's receipt came is only listed.
WAITING = "SELECT count(*) FROM receipts WHERE applied_at IS NULL AND phone NOT LIKE '%%77'"


@pytest.fixture(scope="module")
def smsc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The SMSC's port and the file of what it took."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not here (Debian: apt-get install nodejs npm)")
    if not (PEERS / "node_modules").exists():
        got = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=PEERS, capture_output=True, text=True)
        if got.returncode:
            pytest.skip(f"the npm package smpp cannot be had: {got.stderr[-300:]}")
    record = tmp_path_factory.mktemp("smsc") / "record.jsonl"
    process = subprocess.Popen(["node", PEERS / "smsc.js", record, str(2 * PEOPLE)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        yield int(process.stdout.readline()), record
    process.kill()
    process.wait()


@pytest.mark.slow
def test_an_smsc_that_we_did_not_write(
    smsc: tuple[int, Path], database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    port, record = smsc
    with LinkService(database, database_url, redis_url, tmp_path, port, receipt_ids="hex", answer_ids="hex") as service:
        run_id = _launch(database, service.gateways)
        service.wait(lambda: _settled(database, run_id) == PEOPLE)
        # What the SMSC took and was not told to be stored comes again; all of it has been applied in the end.
        service.wait(lambda: _all_acknowledged(_events(record)))
        service.wait(lambda: not service.count(WAITING))
    events = _events(record)
    _compare(database, run_id, events)
    assert sum(event["event"] == "bound" for event in events) >= 5  # it was cut, again and again


def _launch(database: Database, gateways: Gateways) -> int:
    with database.session() as session:
        synchronise_gateways(session, gateways)
        unit = make_unit(session, **ALL_DAY)
        session.connection().exec_driver_sql(_PEOPLE, {"unit": unit.id, "people": PEOPLE})
        run_id = make_run(session, unit, body=BODY).id
    freeze.begin_due_runs(database)
    return run_id


def _settled(database: Database, run_id: int) -> int:
    found = statuses(database, run_id)
    return sum(found.get(status, 0) for status in ("delivered", "undelivered", "unknown", "refused"))


def _events(record: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in record.read_bytes().split(b"\n")[:-1]]


def _all_acknowledged(events: list[dict[str, object]]) -> bool:
    return {e["id"] for e in events if e["event"] == "part"} == {
        e["id"] for e in events if e["event"] == "acknowledged"
    }


def _compare(database: Database, run_id: int, events: list[dict[str, object]]) -> None:
    """The SMSC's record against the ledger, phone by phone."""
    parts = [event for event in events if event["event"] == "part"]
    assert all(part["registered"] == 1 for part in parts)
    handed = Counter((part["to"], part["seq"]) for part in parts)
    assert set(handed.values()) == {1}  # no part of a text was taken twice
    taken: dict[str, dict[int, str]] = defaultdict(dict)
    for part in parts:
        taken[f"+{part['to']}"][int(str(part["seq"]))] = str(part["text"])
    failed = {f"+{part['to']}" for part in parts if (str(part["to"])[-2:], part["seq"]) == ("77", 2)}
    with database.session() as session:
        found = check_identity(session, run_id)
        assert found.holds
        rows = session.connection().exec_driver_sql("SELECT phone, status, text FROM messages").all()
    assert len(rows) == PEOPLE
    for phone, status, text in rows:
        whole = len(taken[phone]) == 2
        expected = "undelivered" if phone in failed else "delivered" if whole else None
        if expected:
            assert (phone, status) == (phone, expected)
            assert not whole or "".join(taken[phone][seq] for seq in (1, 2)) == text
        else:  # a part was written and never taken: nobody can tell, and nothing says more
            assert (phone, status) == (phone, "unknown")
    assert found.statuses["delivered"] > PEOPLE * 0.95
