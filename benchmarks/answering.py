"""Replies: pushed one per POST to the web process, stored, acknowledged, matched and read by a worker."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks import city
from benchmarks.answers import DirtyReply, make_answers
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import SECRET, BenchmarkError, Laboratory, wait_for
from benchmarks.receiving import accept_all, count_rows, push_all
from benchmarks.services import simulator_gateway, web
from sms_service.db.engine import Database
from sms_service.gateways.simulator.signature import signature_headers
from sms_service.ledger.runs import OPEN_QUESTIONS

REPLIES = 5_000
_PATIENCE_S = 120.0
_ASK = """UPDATE runs SET asks = '{"kind": "rsvp", "hours": 72}' RETURNING id"""
_WAITING = "SELECT count(*) FROM replies WHERE matched_at IS NULL"
_READ = "SELECT meaning, count(*) AS number FROM replies WHERE joined_to IS NULL GROUP BY meaning"


def _replies(laboratory: Laboratory) -> Measured:
    gateways = simulator_gateway(laboratory, "http://127.0.0.1:1")
    with laboratory.city() as database:
        phones = [row.phone for row in accept_all(database, gateways)]
        with database.transaction() as connection:
            OPEN_QUESTIONS(connection, run_ids=connection.exec_driver_sql(_ASK).scalars().all())
        said = list(make_answers(phones[:: city.PEOPLE // REPLIES][:REPLIES]))
        requests = [request for number, one in enumerate(said) for request in _requests(number, one)]
        variables = laboratory.variables(database, gateways)
        with web(laboratory, variables) as port, laboratory.workers(1, variables):
            started = time.monotonic()
            asyncio.run(push_all(port, iter(requests)))
            stored_s = time.monotonic() - started
            wait_for(lambda: count_rows(database, _WAITING) == 0, "the replies to be read", _PATIENCE_S, every_s=0.05)
            read_s = time.monotonic() - started
        _check(database, said)
    return {"replies_stored_per_s": len(requests) / stored_s, "replies_per_s": len(requests) / read_s}


def _requests(number: int, reply: DirtyReply) -> list[bytes]:
    now, pieces = time.time(), reply.pieces
    made = []
    for part, piece in enumerate(pieces, start=1):
        said = {"id": f"r{number}-{part}", "from": reply.phone, "to": "10690000", "text": piece, "time": now}
        if len(pieces) > 1:
            said |= {"part": part, "parts": len(pieces), "series": str(number)}
        body = json.dumps({"replies": [said]}).encode()
        signature = "".join(f"{name}: {value}\r\n" for name, value in signature_headers(SECRET, body, now).items())
        head = (
            "POST /callbacks/simulator/replies HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{signature}\r\n"
        )
        made.append(head.encode() + body)
    return made


def _check(database: Database, said: Sequence[DirtyReply]) -> None:
    with database.transaction() as connection:
        read = {row.meaning: row.number for row in connection.exec_driver_sql(_READ)}
    if read != (truth := Counter(reply.meaning for reply in said)):
        raise BenchmarkError(f"the replies were read as {read}; the truth is {dict(truth)}")


ANSWERS = Benchmark(
    _replies,
    {"replies_stored_per_s": "replies/s", "replies_per_s": "replies/s"},
    runs=2,
    group=1,
    size=REPLIES,
)
