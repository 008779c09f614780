"""The inbox of a web process: many requests in one COMMIT, each with its own answer; and a process that is killed."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.delivery.inbox import Inbox
from sms_service.embedded import PostgresServer
from sms_service.gateways.base import Receipt, ReceiptStatus
from sms_service.gateways.simulator.signature import signature_headers
from sms_service.ops.supervisor import free_port
from tests.delivery.poison import refusing
from tests.dispatch.city import make_city, statuses
from tests.ledger.outcomes import hand_over, reference
from tests.waiting import wait_until_blocked

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def receipt(name: str, part: int = 0) -> Receipt:
    return Receipt(ReceiptStatus.delivered, name, "{}", part=part)


def stored(database: Database) -> list[str]:
    with database.transaction() as connection:
        return sorted(
            connection.execute(text("SELECT provider_id FROM receipts WHERE provider_id IS NOT NULL")).scalars()
        )


@contextmanager
def together(database: Database, waiting: Inbox) -> Iterator[None]:
    """What is stored inside comes in one batch: the table is locked until all have come, behind one that waits."""
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as blocker:
            blocker.execute(text("LOCK TABLE receipts"))
            first = pool.submit(waiting.store, "main", [receipt("first")])
            assert wait_until_blocked(database, unless=first.done)
            yield
        first.result(timeout=PATIENCE_S)


def store_at_once(database: Database, pushes: list[tuple[str, Receipt]]) -> list[Future[None]]:
    waiting = Inbox(database)
    with ThreadPoolExecutor(len(pushes)) as pool, together(database, waiting):
        futures = [pool.submit(waiting.store, account, [one]) for account, one in pushes]
        while waiting._gatherer._arrived.qsize() < len(pushes):
            assert not any(future.done() for future in futures)
    return futures


def test_requests_that_come_together_share_a_commit(database: Database) -> None:
    make_city(database, 0)
    for future in store_at_once(database, [("main", receipt(f"r{number}")) for number in range(6)]):
        future.result(timeout=PATIENCE_S)
    with database.transaction() as connection:
        commits = connection.execute(text("SELECT count(DISTINCT xmin::text), count(*) FROM receipts")).one()
    assert tuple(commits) == (2, 7)


def test_what_cannot_be_stored_fails_alone(database: Database) -> None:
    make_city(database, 0)
    pushes = [
        ("main", receipt("a")),
        ("main", receipt("bad")),
        ("nobody", receipt("of no account")),
        ("main", receipt("b")),
    ]
    with refusing(database.url, "receipts", "provider_id IN ('bad', 'worse') OR raw = 'worse'"):
        answers = [future.exception(timeout=PATIENCE_S) for future in store_at_once(database, pushes)]
        assert [type(answer) for answer in answers] == [type(None), type(None), IntegrityError, type(None)]
        assert stored(database) == ["a", "b", "first"], "each once"
        both = [receipt("c"), replace(receipt("worse"), raw="worse"), receipt("d")]
        with pytest.raises(IntegrityError):  # not even its record can be stored, so its provider keeps it
            Inbox(database).store("main", both)
    assert stored(database) == ["a", "b", "c", "d", "first"]
    with database.transaction() as connection:
        records = connection.execute(text("SELECT count(*) FROM receipts WHERE provider_id IS NULL")).scalar_one()
    assert records == 1, "the bad one's own record, listed with those that match nothing"


def test_without_the_database_nobody_is_told_that_it_was_stored(own_postgres: PostgresServer) -> None:
    database = Database(own_postgres.url)
    own_postgres.kill()
    waiting = Inbox(database)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(waiting.store, "main", [receipt("a")]) for _ in range(4)]
        assert {type(future.exception(timeout=PATIENCE_S)) for future in futures} == {OperationalError}
    database.close()


def test_applying_gives_way_after_its_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A steady stream of receipts never keeps a worker from handing texts over."""
    make_city(database, 0)
    monkeypatch.setattr(inbox, "BATCH", 2)
    Inbox(database).store("main", [receipt(str(number)) for number in range(5)])
    seen = text("SELECT count(*) FROM receipts WHERE tries > 0")
    for left, expected in ((True, 2), (True, 4), (False, 5)):
        assert inbox.apply_waiting_receipts(database, job_s=0) is left
        with database.transaction() as connection:
            assert connection.execute(seen).scalar_one() == expected


# A web process that dies after the COMMIT and before the answer, as often as there are files to take away.
_DIES = """
import os, pathlib, signal
from sms_service.delivery.inbox import Inbox

stored = Inbox.store

def store_and_die(self, account, receipts):
    stored(self, account, receipts)
    flag = pathlib.Path(os.environ["DIES_WHILE"])
    if flag.exists():
        flag.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

Inbox.store = store_and_die
from wsgi import app
"""


def test_a_process_killed_before_it_answers_has_stored_and_twice_is_as_good_as_once(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    city = make_city(database, 1)
    hand_over(database, city, "accepted")
    port, flag, gateways = free_port(), tmp_path / "die", tmp_path / "gateways.toml"
    (tmp_path / "dies.py").write_text(_DIES)
    account = '[accounts.main]\nadapter = "simulator"\nurl = "http://127.0.0.1:1"\nsecret = "${SIMULATOR_SECRET}"\n'
    gateways.write_text(f'{account}[routes]\ndefault = ["main"]\n')
    variables = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAYS_FILE": str(gateways),
        "SIMULATOR_SECRET": "secret",
        "ENV_FILE": os.devnull,
        "DIES_WHILE": str(flag),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
    }
    with database.transaction() as connection:
        message_id = connection.execute(text("SELECT id FROM messages")).scalar_one()
    name = reference(database, city, message_id)
    body = json.dumps(
        {"receipts": [{"id": "s1", "reference": name, "to": "+8613800138000", "code": "DELIVRD", "time": 1.0}]}
    ).encode()

    def push() -> int | None:
        """The answer's status; None if the connection broke before one."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/callbacks/main", body, signature_headers("secret", body, time.time()))
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def push_until_answered() -> None:
        give_up = time.monotonic() + PATIENCE_S
        while push() != 204:
            assert time.monotonic() < give_up, "the web process does not answer"

    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "dies:app"]
    server = subprocess.Popen(command, cwd=ROOT, env=variables, stderr=subprocess.DEVNULL)
    try:
        push_until_answered()
        flag.touch()
        before = len(stored(database))
        assert push() is None, "killed before it could answer"
        assert not flag.exists()
        assert len(stored(database)) == before + 1
        push_until_answered()  # as the provider does
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE_S)
    assert len(stored(database)) >= before + 2
    inbox.apply_waiting_receipts(database)
    assert statuses(database, city.run_id) == {"delivered": 1}
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM receipts WHERE applied_at IS NULL")).scalar_one() == 0
        changed = connection.execute(text("SELECT changed_at FROM messages")).scalar_one()
        connection.execute(text("UPDATE receipts SET applied_at = NULL, next_try_at = sms_now()"))
    inbox.apply_waiting_receipts(database)
    with database.transaction() as connection:
        assert connection.execute(text("SELECT changed_at FROM messages")).scalar_one() == changed
