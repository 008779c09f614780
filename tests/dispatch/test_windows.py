"""Sending windows, to the microsecond, in the gate's own statement; the process's clock zone plays no part."""

from __future__ import annotations

import time
import uuid

import psycopg
import pytest
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.ledger import protocol
from sms_service.ledger.protocol import Rendered
from tests.dispatch.city import City, make_city, make_dispatcher

DEFAULT = {"window_opens": 480, "window_closes": 1200}


@pytest.fixture
def process_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def gate_at(database: Database, database_url: str, city: City, local: str) -> int:
    """How many rows pass the gate at a local time today, in one round trip: every statement of it sees one moment."""
    hand = make_dispatcher(database, city.gateways)
    with database.transaction() as connection:  # a claim as of now, while the windows are open
        connection.execute(text("UPDATE units SET window_opens = 0, window_closes = 1440"))
    claim = hand.offers()[0].claim(str(uuid.uuid4()))
    with database.transaction() as connection:
        rows = protocol.claim_rows(connection, claim, 10, 3 * 86_400)
        connection.execute(text("UPDATE units SET window_opens = 480, window_closes = 1200"))
        connection.execute(text("UPDATE messages SET expires_at = sms_now() + interval '3 days'"))
    rendered = [Rendered(row.id, "【云州先锋】学习", 1) for row in rows]
    parameters = {
        "run_id": claim.run_id,
        "month": claim.month,
        "gateway_account_id": claim.gateway_account_id,
        "token": claim.token,
        "ids": [row.id for row in rendered],
        "texts": [row.text for row in rendered],
        "parts": [row.parts for row in rendered],
        "lease_s": 60.0,
        "lock_wait": "3s",
    }
    with psycopg.connect(database_url, cursor_factory=psycopg.ClientCursor) as connection:
        offset = (
            "SELECT set_config('sms.clock_offset', (((statement_timestamp() AT TIME ZONE 'Asia/Shanghai')::date"
            " + %(local)s::time) AT TIME ZONE 'Asia/Shanghai' - statement_timestamp())::text, true);"
        )
        cursor = connection.cursor()
        cursor.execute(offset + protocol.GATE.sql, {**parameters, "local": local})
        while cursor.nextset():
            pass
        return cursor.rowcount


@pytest.mark.parametrize(
    ("local", "passes"),
    [
        ("07:59:59", False),
        ("07:59:59.999999", False),
        ("08:00:00", True),
        ("19:59:59", True),
        ("19:59:59.999999", True),
        ("20:00:00", False),
    ],
)
def test_the_window_is_half_open(
    database: Database, database_url: str, process_in_utc: None, local: str, passes: bool
) -> None:
    city = make_city(database, 2)
    assert gate_at(database, database_url, city, local) == (2 if passes else 0)


def test_each_units_own_zone_counts(database: Database, database_url: str) -> None:
    city = make_city(database, 2, timezone="Asia/Urumqi")  # two hours behind
    assert gate_at(database, database_url, city, "09:59:59") == 0
    assert gate_at(database, database_url, make_city(database, 2, timezone="Asia/Urumqi"), "10:00:00") == 2
