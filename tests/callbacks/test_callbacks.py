"""Callbacks: verified, stored, and only then acknowledged; whatever else comes is answered and stores nothing."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from sms_service import callbacks, settings
from sms_service.api import create_app
from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.delivery.refusals import Refusals
from sms_service.embedded import PostgresServer
from sms_service.gateways.simulator.signature import signature_headers
from sms_service.gateways.words import LONGEST_WORD
from sms_service.wake import QUEUE

PUBLIC = "https://sms.example.gov.cn/texts"
SECRET = "the-simulators-secret"
TOKEN = "the-twilio-token"
GATEWAYS = """
[accounts.simulator]
adapter = "simulator"
url = "http://127.0.0.1:1"
secret = "${SIMULATOR_SECRET}"

[accounts.twilio]
adapter = "twilio"
account_sid = "AC1"
auth_token = "${TWILIO_AUTH_TOKEN}"
messaging_service_sid = "MG1"

[accounts.unregistered]
adapter = "simulator"
url = "http://127.0.0.1:1"
secret = "${SIMULATOR_SECRET}"

[routes]
default = ["simulator", "twilio"]
"""

ACCOUNT = text("INSERT INTO gateway_accounts (name, adapter, simulated) VALUES (:name, :name, :simulated)")


def application(folder: Path, monkeypatch: pytest.MonkeyPatch, database: Database, **environ: str) -> Flask:
    (folder / "gateways.toml").write_text(GATEWAYS)
    monkeypatch.setenv("SIMULATOR_SECRET", SECRET)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    found = settings.load_settings({"PUBLIC_URL": PUBLIC, "ENV_FILE": "/dev/null", **environ}, folder)
    return create_app(found, database, doors=[callbacks.blueprint])


@pytest.fixture
def client(
    database: Database, redis_url: str, redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FlaskClient:
    with database.transaction() as connection:
        for name in ("simulator", "twilio"):
            connection.execute(ACCOUNT, {"name": name, "simulated": name == "simulator"})
    return application(tmp_path, monkeypatch, database, REDIS_URL=redis_url).test_client()


def receipt(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"SIM{number}",
        "reference": f"202601-{number}",
        "to": "+8613800138000",
        "code": "DELIVRD",
        "time": 1769850000.5,
        **fields,
    }


def push(client: FlaskClient, document: Any, *, account: str = "simulator", secret: str = SECRET) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(f"/callbacks/{account}", data=body, headers=signature_headers(secret, body, time.time()))


def stored(database: Database) -> list[Any]:
    with database.transaction() as connection:
        query = "SELECT a.name, r.* FROM receipts r JOIN gateway_accounts a ON a.id = r.account_id ORDER BY r.id"
        return list(connection.execute(text(query)).all())


def test_receipts_are_stored_raw_and_then_acknowledged(client: FlaskClient, database: Database) -> None:
    answer = push(client, {"receipts": [receipt(1), receipt(2, code="EMPTYNUM")]})
    assert (answer.status_code, answer.data) == (204, b"")
    first, second = stored(database)
    assert (first.name, first.reference, first.provider_id, first.status) == (
        "simulator",
        "202601-1",
        "SIM1",
        "delivered",
    )
    assert json.loads(first.raw) == receipt(1)
    assert (second.status, second.error, second.raw_code) == ("undelivered", "bad_number", "EMPTYNUM")
    assert first.applied_at is None


def test_the_applier_is_woken(client: FlaskClient, redis_client: redis.Redis) -> None:
    push(client, {"receipts": [receipt()]})
    assert redis_client.llen(f"rq:queue:{QUEUE}") == 1


def test_twilios_signature_is_checked_over_the_public_url_as_it_was_sent(
    client: FlaskClient, database: Database
) -> None:
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+8613800138000", "New": "值"}
    target = "/callbacks/twilio?reference=202601-7&x=%7e%E5%80%BC+y"  # %7e and + would not survive being decoded
    headers = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(PUBLIC + target, fields)}
    body = urlencode(fields).encode()
    form = "application/x-www-form-urlencoded"
    # The test client writes targets in its own way, so the raw one is put where gunicorn puts it.
    sent = {"data": body, "content_type": form, "environ_overrides": {"RAW_URI": target}}
    assert client.post(target, headers=headers, **sent).status_code == 200
    [row] = stored(database)
    assert (row.name, row.reference, row.provider_id) == ("twilio", "202601-7", "SM1")
    sent["environ_overrides"] = {"RAW_URI": target.replace("202601-7", "202601-8")}
    assert client.post(target, headers=headers, **sent).status_code == 403


def test_an_absolute_request_target_is_understood(client: FlaskClient, database: Database) -> None:
    fields = {"MessageSid": "SM1", "MessageStatus": "sent"}
    target = "/callbacks/twilio?reference=202601-7"
    headers = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(PUBLIC + target, fields)}
    answer = client.post(
        target,
        data=urlencode(fields).encode(),
        content_type="application/x-www-form-urlencoded",
        headers=headers,
        environ_overrides={"RAW_URI": f"http://10.0.0.1:8000{target}"},
    )
    assert (answer.status_code, answer.mimetype) == (200, "text/xml"), "as the provider wants it acknowledged"
    assert len(stored(database)) == 1


def test_what_cannot_be_taken_is_answered_clearly_and_stores_nothing(
    client: FlaskClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    good = {"receipts": [receipt()]}
    cases = [
        (push(client, good, account="nobody"), 404, "nobody"),
        (push(client, good, secret="forged"), 403, "signature"),
        (client.get("/callbacks/simulator"), 403, "signature"),
        (client.put("/callbacks/simulator"), 405, ""),
        (push(client, b"{"), 400, "receipts"),
        (push(client, b"[" * 100_000), 400, "read"),
        (push(client, b'{"receipts": [' + b"9" * 5_000 + b"]}"), 400, "read"),
        (client.post("/callbacks/simulator/a%00"), 400, "control"),
        (push(client, {"receipts": [receipt(), receipt(code=7)]}), 400, "receipts[1].code"),
        (push(client, b"x" * (callbacks.LARGEST_CALLBACK + 1)), 413, ""),
    ]
    for answer, status, named in cases:
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
        assert answer.json["status"] == status
        assert named in answer.json["detail"]
        assert "13800138000" not in answer.text
    assert stored(database) == []
    assert "account=simulator reason=forged" in caplog.text
    assert "account=simulator reason=malformed" in caplog.text
    assert "13800138000" not in caplog.text


def test_whatever_a_provider_says_is_bounded_and_holds_up_nobody(client: FlaskClient, database: Database) -> None:
    said = [
        *(receipt(to="+8613800138000\0"), receipt(reference="\ud800"), receipt(id="号" * 65_536)),
        *(receipt(code="9" * 65_536), receipt(to="1" * 65_536), receipt(reference="r" * 65_536), receipt()),
    ]
    assert push(client, {"receipts": said}).status_code == 204
    rows = stored(database)
    assert len(rows) == len(said)
    for row in rows:
        assert all(len(value or "") <= LONGEST_WORD for value in (row.reference, row.provider_id, row.phone))
    assert inbox.apply_waiting_receipts(database) is False
    with database.transaction() as connection:
        looked_at = connection.execute(text("SELECT count(*) FROM receipts WHERE tries = 1")).scalar_one()
    assert looked_at == len(said)


def test_a_flood_of_forged_callbacks_does_not_fill_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, database: Database
) -> None:
    refusals = Refusals(database, every_s=3600)
    client.application.extensions["sms_service.refusals"] = refusals
    for _ in range(20):
        assert push(client, {"receipts": [receipt()]}, secret="forged").status_code == 403
    refusals.close()
    lines = [message for message in caplog.messages if "refused" in message]
    assert lines == [
        "callback refused: account=simulator reason=forged",
        "callbacks refused: account=simulator reason=forged, 19 more",
    ]


def test_a_body_of_unannounced_length_is_bounded_too(client: FlaskClient, database: Database) -> None:
    class Endless:
        sent = 0

        def read(self, size: int = -1) -> bytes:
            Endless.sent += (size := size if 0 < size < 65536 else 65536)
            return b"x" * size

        readline = read

    # As gunicorn hands on a body in chunks.
    overrides = {"wsgi.input": Endless(), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = client.post("/callbacks/simulator", environ_overrides=overrides)
    assert answer.status_code == 413
    assert Endless.sent <= 2 * callbacks.LARGEST_CALLBACK
    assert stored(database) == []


def test_nothing_to_store_is_acknowledged(client: FlaskClient, database: Database) -> None:
    assert push(client, {"receipts": []}).status_code == 204
    assert stored(database) == []


def test_receipts_that_nobody_can_store_are_not_acknowledged(client: FlaskClient, database: Database) -> None:
    """An account of the file that the database does not know yet: its provider keeps the receipts and comes again."""
    answer = push(client, {"receipts": [receipt()]}, account="unregistered")
    assert answer.status_code == 503
    assert stored(database) == []


def test_the_same_receipt_twice_is_stored_as_it_came(client: FlaskClient, database: Database) -> None:
    for _ in range(2):
        assert push(client, {"receipts": [receipt()]}).status_code == 204
    assert len(stored(database)) == 2, "what it changes is the applier's business"


def test_without_redis_receipts_are_stored_and_acknowledged(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: FlaskClient
) -> None:
    nowhere = f"unix://{tmp_path}/no-redis.sock"
    for environ in ({"REDIS_URL": nowhere}, {}):
        away = application(tmp_path, monkeypatch, database, **environ).test_client()
        assert push(away, {"receipts": [receipt()]}).status_code == 204
    assert len(stored(database)) == 2


def test_while_the_database_is_away_nothing_is_acknowledged(
    own_postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(own_postgres.url)
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute("SELECT 1")
    own_postgres.kill()
    away = application(tmp_path, monkeypatch, database).test_client()
    answer = push(away, {"receipts": [receipt()]})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert "Traceback" not in answer.text
    database.close()
