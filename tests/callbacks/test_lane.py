"""The short way past the framework answers like the framework, and nothing is taken twice."""

from __future__ import annotations

import io
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.gateways.simulator.signature import signature_headers
from tests.callbacks.test_callbacks import ACCOUNT, SECRET, application, receipt, stored


@pytest.fixture
def client(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    with database.transaction() as connection:
        connection.execute(ACCOUNT, {"name": "simulator", "simulated": True})
    return application(tmp_path, monkeypatch, database, TRUSTED_PROXIES="1").test_client()


def send(client: FlaskClient, body: bytes, *, short: bool, account: str = "simulator", secret: str = SECRET) -> Any:
    """Push a body whose length is announced, which is the short way, or in chunks as gunicorn hands them on."""
    headers = signature_headers(secret, body, time.time())
    if short:
        return client.post(f"/callbacks/{account}", data=body, headers=headers)
    chunked = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    return client.post(f"/callbacks/{account}", headers=headers, environ_overrides=chunked)


@pytest.mark.parametrize(
    ("document", "sent"),
    [
        ({"receipts": [receipt()]}, {}),
        ({"receipts": []}, {}),
        ({"receipts": [receipt()]}, {"secret": "forged"}),
        ({"receipts": [receipt()]}, {"account": "nobody"}),
        ({"receipts": [receipt()]}, {"account": "unregistered"}),
        ({"receipts": [receipt(code=7)]}, {}),
        ({"receipts": [[[[]]]] * 9}, {}),
    ],
)
def test_both_ways_answer_alike(
    client: FlaskClient, database: Database, document: Any, sent: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sms_service.callbacks")
    answers, kept, said = [], [], []
    for short in (True, False):
        caplog.clear()
        answer = send(client, json.dumps(document).encode(), short=short, **sent)
        detail = answer.json and {**answer.json, "request_id": ""}
        answers.append((answer.status_code, answer.content_type, detail or answer.data))
        kept.append(len(stored(database)))
        said.append([record.getMessage() for record in caplog.records if record.name == "sms_service.callbacks"])
    assert answers[0] == answers[1]
    assert kept[1] == 2 * kept[0] <= 2
    assert said[0] == said[1]
    assert len(said[0]) <= 1


def test_behind_a_proxy_the_short_way_knows_the_provider_by_its_address(
    client: FlaskClient, database: Database
) -> None:
    seen: list[tuple[str, str]] = []
    adapter = client.application.extensions["sms_service"].gateways.adapter("simulator")
    adapter.verify = lambda request: seen.append((request.remote_address, request.path)) or True
    for short in (True, False):
        body = json.dumps({"receipts": [receipt()]}).encode()
        chunked: dict[str, Any] = {}
        if not short:
            chunked = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
        answer = client.post(
            "/callbacks/simulator/receipts/secret/",
            data=body if short else None,
            headers={"X-Forwarded-For": "198.51.100.7, 192.0.2.1"},
            environ_overrides=chunked,
        )
        assert answer.status_code == 204
    assert seen == [("192.0.2.1", "receipts/secret")] * 2


def test_a_body_that_ends_too_early_is_not_taken(client: FlaskClient, database: Database) -> None:
    body = json.dumps({"receipts": [receipt()]}).encode()
    cut = {"wsgi.input": io.BytesIO(body[:-5]), "CONTENT_LENGTH": str(len(body))}
    answer = client.post(
        "/callbacks/simulator", headers=signature_headers(SECRET, body, time.time()), environ_overrides=cut
    )
    assert answer.status_code == 400
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM receipts")).scalar_one() == 0
