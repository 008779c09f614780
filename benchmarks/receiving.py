"""Receipts: pushed one per POST to the web process, stored, acknowledged, applied by a worker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Row

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import SECRET, BenchmarkError, Laboratory, wait_for
from benchmarks.sending import plan
from benchmarks.services import simulator_gateway, web
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.simulator.signature import signature_headers

RECEIPTS = city.PEOPLE
CONNECTIONS = 32
_PATIENCE_S = 120.0

# The state of the ledger when a simulator has taken every text.
_ACCEPTED = """
WITH taken AS (
    UPDATE messages SET status = 'accepted', attempts = 1, text = '学习内容', parts = 1, changed_at = sms_now(),
        account_id = (SELECT id FROM gateway_accounts WHERE name = 'simulator')
    WHERE status = 'pending'
    RETURNING month, id, run_id, account_id, phone
), attempt AS (
    INSERT INTO attempts (
        month, message_id, run_id, number, account_id, claim_token, status, parts, provider_id, started_at, outcome_at)
    SELECT month, id, run_id, 1, account_id, gen_random_uuid(), 'accepted', 1, 's' || id, sms_now(), sms_now()
    FROM taken
    RETURNING month, id, message_id, provider_id
)
SELECT to_char(attempt.month, 'YYYYMM') || '-' || attempt.id AS reference, provider_id, phone
FROM attempt JOIN taken ON taken.id = attempt.message_id
"""
_PARKED = "SELECT count(*) FROM receipts WHERE applied_at IS NULL"


def _receipts(laboratory: Laboratory) -> Measured:
    gateways = simulator_gateway(laboratory, "http://127.0.0.1:1")
    with laboratory.city() as database:
        requests = _accepted(database, gateways)
        variables = laboratory.variables(database, gateways)
        with web(laboratory, variables) as port, laboratory.workers(1, variables):
            started = time.monotonic()
            asyncio.run(push_all(port, iter(requests)))
            stored_s = time.monotonic() - started
            wait_for(
                lambda: count_rows(database, _PARKED) == 0, "the receipts to be applied", _PATIENCE_S, every_s=0.05
            )
            applied_s = time.monotonic() - started
            stored, delivered = (
                count_rows(database, f"SELECT count(*) FROM {table}")
                for table in ("receipts", "messages WHERE status = 'delivered'")
            )
    if not stored == delivered == RECEIPTS:
        raise BenchmarkError(f"{stored} receipts were stored and {delivered} texts delivered; expected {RECEIPTS}")
    return {"receipts_stored_per_s": RECEIPTS / stored_s, "receipts_per_s": RECEIPTS / applied_s}


def _accepted(database: Database, gateways: Path) -> list[bytes]:
    """Set the ledger up; the requests with the receipts that will come, ready to send."""
    rows, now = accept_all(database, gateways), time.time()
    return [_request(r.provider_id, r.reference, r.phone, now) for r in rows]


def accept_all(database: Database, gateways: Path) -> Sequence[Row[Any]]:
    """A run to the whole city whose texts were all accepted; reference, provider's id and phone of each."""
    plan(database, gateways)
    freeze.freeze_run(database, city.launch(database))
    return mark_accepted(database)


def mark_accepted(database: Database) -> Sequence[Row[Any]]:
    """Write down that the simulator has taken every text; reference, provider's id and phone of each."""
    with database.transaction() as connection:
        return connection.exec_driver_sql(_ACCEPTED).all()


def _request(provider_id: str, reference: str, phone: str, now: float) -> bytes:
    receipt = {"id": provider_id, "reference": reference, "to": phone, "code": "DELIVRD", "time": now}
    body = json.dumps({"receipts": [receipt]}).encode()
    signature = "".join(f"{name}: {value}\r\n" for name, value in signature_headers(SECRET, body, now).items())
    head = (
        "POST /callbacks/simulator HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{signature}\r\n"
    )
    return head.encode() + body


async def push_all(port: int, requests: Iterator[bytes]) -> None:
    """Send every request, one after the other on each of CONNECTIONS connections that stay open."""
    loop = asyncio.get_running_loop()
    senders = [await loop.create_connection(lambda: _Sender(requests), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(sender.done for _, sender in senders))


class _Sender(asyncio.Protocol):
    """One connection: the next request goes when the answer to the last one has come.

    Written by hand, because an HTTP client would take processor time from the service on the same two cores.
    """

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        # 204 has no body, and its head fits into one packet of the loopback.
        if data.startswith(b"HTTP/1.1 204 ") and data.endswith(b"\r\n\r\n"):
            self._send()
        else:
            self._end(BenchmarkError(f"a receipt was answered: {data[:300]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(BenchmarkError(f"a connection was closed: {error}"))

    def _send(self) -> None:
        if request := next(self._requests, None):
            self._transport.write(request)
        else:
            self._end(None)

    def _end(self, error: BenchmarkError | None) -> None:
        self._transport.close()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


def count_rows(database: Database, query: str) -> int:
    """What a query that counts says."""
    with database.transaction() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


RECEIVING = Benchmark(
    _receipts,
    {"receipts_stored_per_s": "receipts/s", "receipts_per_s": "receipts/s"},
    runs=3,
    group=1,
    size=RECEIPTS,
)
