"""Replies at the callbacks' door, and what it refuses and counts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.delivery.refusals import Refusals
from sms_service.gateways.simulator.signature import OLDEST_S, signature_headers
from sms_service.wake import APPLY_REPLIES, QUEUE
from tests.callbacks.test_callbacks import ACCOUNT, SECRET, application, receipt
from tests.factories import fictional_phone

PHONE = fictional_phone(7)


@pytest.fixture
def app(
    database: Database, redis_url: str, redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    with database.transaction() as connection:
        connection.execute(ACCOUNT, {"name": "simulator", "simulated": True})
    app = application(tmp_path, monkeypatch, database, REDIS_URL=redis_url)
    yield app
    app.extensions["sms_service.refusals"].close()


def reply(**fields: Any) -> dict[str, Any]:
    return {"id": "IN1", "from": PHONE, "to": "10690001", "text": "参加", "time": 1769850000.5, **fields}


def push(app: Flask, document: Any, path: str = "/replies", *, secret: str = SECRET, at: float | None = None) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = signature_headers(secret, body, time.time() if at is None else at)
    return app.test_client().post(f"/callbacks/simulator{path}", data=body, headers=headers)


def rows(database: Database, query: str) -> list[Any]:
    with database.transaction() as connection:
        return list(connection.execute(text(query)).all())


def test_a_reply_is_stored_raw_and_then_acknowledged(app: Flask, database: Database, redis_client: redis.Redis) -> None:
    assert push(app, {"replies": [reply()]}).status_code == 204
    [row] = rows(database, "SELECT * FROM replies")
    assert (row.provider_id, row.phone, row.sent_to, row.text) == ("IN1", PHONE, "10690001", "参加")
    assert json.loads(row.raw) == reply()
    assert (row.occurred_at.timestamp(), row.matched_at, row.meaning) == (1769850000.5, None, None)
    assert rows(database, "SELECT * FROM receipts") == []
    [job] = redis_client.lrange(f"rq:queue:{QUEUE}", 0, -1)
    assert APPLY_REPLIES.encode() in redis_client.hget(b"rq:job:" + job, "description")


def test_below_the_address_for_replies_there_may_be_something_secret(app: Flask, database: Database) -> None:
    assert push(app, {"replies": [reply()]}, "/replies/k3y/").status_code == 204
    assert push(app, {"receipts": [receipt()]}, "/receipts/k3y").status_code == 204
    assert len(rows(database, "SELECT FROM replies")) == len(rows(database, "SELECT FROM receipts")) == 1


def test_one_item_that_cannot_be_read_refuses_the_whole(app: Flask, database: Database) -> None:
    assert push(app, {"replies": [reply(), reply(id="IN2", text=7)]}).status_code == 400
    assert rows(database, "SELECT FROM replies") == []


def test_what_a_handset_sent_is_mended_and_never_refused(app: Flask, database: Database) -> None:
    assert push(app, {"replies": [reply(text="收到\0", id=None), reply(text="\ud83d", id=None)]}).status_code == 204
    assert {row.text for row in rows(database, "SELECT text FROM replies")} == {"收到\ufffd", "\ufffd"}


def test_an_account_that_the_database_does_not_know_keeps_its_replies(app: Flask, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM gateway_accounts"))
    assert push(app, {"replies": [reply()]}).status_code == 503


def test_what_is_refused_is_counted_by_account_day_and_reason(app: Flask, database: Database) -> None:
    for secret, at, body, status in [
        ("forged", None, {"receipts": []}, 403),
        ("forged", None, {"receipts": []}, 403),
        (SECRET, time.time() - OLDEST_S - 60, {"receipts": []}, 403),
        (SECRET, None, b"{", 400),
        (SECRET, None, {"receipts": []}, 204),
    ]:
        assert push(app, body, "", secret=secret, at=at).status_code == status
    assert rows(database, "SELECT FROM refused_callbacks") == [], "a flood of them is no flood of writes"
    app.extensions["sms_service.refusals"].flush()
    counted = rows(database, "SELECT reason, number FROM refused_callbacks ORDER BY reason")
    assert [tuple(row) for row in counted] == [("forged", 2), ("malformed", 1), ("replayed", 1)]


def test_processes_add_up_and_nothing_is_counted_twice(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(ACCOUNT, {"name": "simulator", "simulated": True})
    many = [Refusals(database, every_s=3600) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(25):
            for refusals in many:
                pool.submit(refusals.count, "simulator", "forged")
                pool.submit(refusals.count, "simulator", "malformed")
                pool.submit(refusals.flush)
    for refusals in many:
        refusals.close()
        refusals.close()
    counted = rows(database, "SELECT reason, number FROM refused_callbacks ORDER BY reason")
    assert [tuple(row) for row in counted] == [("forged", 100), ("malformed", 100)]


def test_what_cannot_be_written_down_now_is_written_later(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(ACCOUNT, {"name": "simulator", "simulated": True})
    away = Database("postgresql:///nothing?host=/nowhere")
    refusals = Refusals(away, every_s=3600)
    refusals.count("simulator", "forged")
    refusals.flush()
    refusals._database = database
    refusals.close()
    assert [row.number for row in rows(database, "SELECT number FROM refused_callbacks")] == [1]
    away.close()
