"""Receipts: pushed one per POST to the web process, stored, acknowledged, applied by a worker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import SECRET, BenchmarkError, Laboratory, wait_for
from benchmarks.sending import plan, simulator_gateway
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.simulator.adapter import SIGNATURE_HEADER, sign
from sms_service.ops.supervisor import free_port

RECEIPTS = 20_000
CONNECTIONS = 32
_WEB = ("--worker-class", "gthread", "--workers", "2", "--threads", "8")  # as the supervisor starts it
_PATIENCE_S = 120.0

# The ledger as it stands when a simulator has taken every text.
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
    port = free_port()
    with laboratory.city() as database:
        bodies = _accepted(database, gateways)
        variables = laboratory.variables(database, gateways, PUBLIC_URL=f"http://127.0.0.1:{port}")
        web = ["-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *_WEB, "wsgi:app"]
        with laboratory.process(web, variables) as server, laboratory.workers(1, variables):
            url = f"http://127.0.0.1:{port}/callbacks/simulator"
            wait_for(lambda: server.poll() is not None or _answers(url), "the web process", 60.0)
            started = time.monotonic()
            asyncio.run(_push(url, bodies))
            stored_s = time.monotonic() - started
            wait_for(lambda: _count(database, _PARKED) == 0, "the receipts to be applied", _PATIENCE_S, every_s=0.05)
            applied_s = time.monotonic() - started
            stored, delivered = (
                _count(database, f"SELECT count(*) FROM {table}")
                for table in ("receipts", "messages WHERE status = 'delivered'")
            )
    if not stored == delivered == RECEIPTS:
        raise BenchmarkError(f"{stored} receipts were stored and {delivered} texts delivered; expected {RECEIPTS}")
    return {"receipts_stored_per_s": RECEIPTS / stored_s, "receipts_per_s": RECEIPTS / applied_s}


def _accepted(database: Database, gateways: Path) -> list[bytes]:
    """Set the ledger up; the bodies of the receipts that will come, ready to send."""
    plan(database, gateways, RECEIPTS)
    freeze.freeze(database, city.launch(database))
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(_ACCEPTED).all()
    now = time.time()
    return [
        json.dumps(
            {
                "receipts": [
                    {"id": r.provider_id, "reference": r.reference, "to": r.phone, "code": "DELIVRD", "time": now}
                ]
            }
        ).encode()
        for r in rows
    ]


def _answers(url: str) -> bool:
    async def ask() -> bool:
        async with aiohttp.ClientSession() as client:
            try:
                async with client.post(url, data=b"{}") as answer:  # not signed, so it is refused
                    return answer.status == 403
            except aiohttp.ClientConnectionError:
                return False

    return asyncio.run(ask())


async def _push(url: str, bodies: Iterable[bytes]) -> None:
    """POST every body, one after the other on each of CONNECTIONS connections that stay open."""
    waiting = iter([(body, sign(SECRET, body)) for body in bodies])

    async def sender(client: aiohttp.ClientSession) -> None:
        for body, signature in waiting:
            async with client.post(url, data=body, headers={SIGNATURE_HEADER: signature}) as answer:
                if answer.status != 204:
                    raise BenchmarkError(f"a receipt was answered {answer.status}: {(await answer.text())[:200]}")

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as client, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(sender(client))


def _count(database: Database, query: str) -> int:
    with database.transaction() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


RECEIVING = Benchmark(
    _receipts,
    {"receipts_stored_per_s": "receipts/s", "receipts_per_s": "receipts/s"},
    runs=3,
    group=1,
    size=RECEIPTS,
)
