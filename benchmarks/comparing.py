"""Compares the service with RQ and one job for each text, in one run and with the same simulator."""

from __future__ import annotations

import psycopg
from rq import Queue

from benchmarks import peers
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import SECRET, BenchmarkError, Laboratory, wait_for
from benchmarks.sending import WORKERS, texts_per_s
from benchmarks.services import GROUP, simulator, simulator_gateway
from sms_service.db.engine import Database

TEXTS = 20_000
# Texts of a peer: enough for some seconds.
FORKED_TEXTS, SIMPLE_TEXTS = 400, 4_000
_PATIENCE_S = 180.0

_TEXTS = """
DROP TABLE IF EXISTS peer_texts;
CREATE TABLE peer_texts (
    id BIGINT PRIMARY KEY,
    phone TEXT NOT NULL,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    text TEXT,
    provider_id TEXT,
    sent_at TIMESTAMP WITH TIME ZONE
);
INSERT INTO peer_texts (id, phone, name, unit)
SELECT p.id, p.phone, p.name, u.name FROM people p JOIN units u ON u.id = p.unit_id ORDER BY p.id LIMIT {texts};
ANALYZE peer_texts
"""
_DONE = "SELECT count(*) FILTER (WHERE status = 'accepted'), count(*), max(sent_at) FROM peer_texts"


def _ratios(laboratory: Laboratory) -> Measured:
    with laboratory.city(TEXTS) as database, simulator(laboratory) as provider:
        forked = _peer_per_s(laboratory, database, provider.url, "Worker", FORKED_TEXTS)
        simple = _peer_per_s(laboratory, database, provider.url, "SimpleWorker", SIMPLE_TEXTS)
        ours = texts_per_s(laboratory, database, simulator_gateway(laboratory, provider.url), TEXTS)
        provider.check(FORKED_TEXTS + SIMPLE_TEXTS + TEXTS)
    return {
        "ratio_fork": ours / forked,
        "ratio_simple": ours / simple,
        "peer_fork_per_s": forked,
        "peer_simple_per_s": simple,
    }


def _peer_per_s(laboratory: Laboratory, database: Database, url: str, worker: str, texts: int) -> float:
    """Texts per second, from the moment when their jobs are enqueued, all at once, to the last accepted."""
    variables = {**laboratory.variables(database, laboratory.folder), "SIMULATOR_URL": url, "SIMULATOR_SECRET": SECRET}
    # The tables' owner, since the service's role makes none.
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(_TEXTS.format(texts=texts))
        ids = [row[0] for row in connection.execute("SELECT id FROM peer_texts ORDER BY id")]
        with laboratory.workers(WORKERS, variables, ("-m", "benchmarks.peer_worker", worker)):
            started = connection.execute("SELECT clock_timestamp()").fetchone()
            jobs = [Queue.prepare_data(peers.send, (text_id,)) for text_id in ids]
            Queue(peers.QUEUE, connection=laboratory.redis).enqueue_many(jobs)

            def done() -> bool:
                query = "SELECT NOT EXISTS (SELECT FROM peer_texts WHERE status = 'pending')"
                row = connection.execute(query).fetchone()
                return bool(row and row[0])

            wait_for(done, f"{texts} texts of the peer", _PATIENCE_S)
        ended = connection.execute(_DONE).fetchone()
    if started is None or ended is None or ended[:2] != (texts, texts):
        raise BenchmarkError(f"the peer's gateway took {ended and ended[0]} texts; expected {texts}")
    return float(texts / (ended[2] - started[0]).total_seconds())


COMPARISON = Benchmark(
    _ratios,
    {"ratio_fork": "times", "ratio_simple": "times", "peer_fork_per_s": "texts/s", "peer_simple_per_s": "texts/s"},
    runs=3,
    group=GROUP,
    size=TEXTS,
)
