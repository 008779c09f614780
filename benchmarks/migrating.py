"""How long migrations delay sessions that write at the same time: from the last revision before the rule of online
migrations to the newest, over a month's rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg

from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import Laboratory
from sms_service.db import migrate

BEFORE = "0006"  # tests/db/test_online_migrations.py has the rule for those that came after
ROWS = 1_000_000  # texts, and as many attempts and receipts

# Foreign keys of these rows are not checked: the rows that they name do not exist.
_ALONE = "SET session_replication_role = replica"
_MONTH = "date_trunc('month', now())::date"
_FILL = (
    f"SELECT ensure_month({_MONTH})",
    f"""
    INSERT INTO messages (
        month, id, run_id, person_id, unit_id, unit_path, class, template_version_id, route_id, status, not_before,
        expires_at, attempts, changed_at, phone)
    SELECT {_MONTH}, n, 1 + n %% 100, n, 1, '/1/', 'study', 1, 1, 'accepted', now(), now(), 1, now(),
        '+86139' || lpad(n::text, 8, '0')
    FROM generate_series(1, %(rows)s) AS n
    """,
    f"""
    INSERT INTO attempts (
        month, id, message_id, run_id, number, account_id, claim_token, status, parts, started_at, provider_id)
    SELECT {_MONTH}, n, n, 1 + n %% 100, 1, 1, gen_random_uuid(), 'accepted', 1, now(), 'p' || n
    FROM generate_series(1, %(rows)s) AS n
    """,
    """
    INSERT INTO receipts (account_id, received_at, part, status, next_try_at, provider_id, applied_at)
    SELECT 1, now(), 1, 'delivered', 'infinity', 'p' || n, now() FROM generate_series(1, %(rows)s) AS n
    """,
)
# Writes of the kinds that gates, outcomes and callbacks make, in columns that every revision has.
_WRITES = (
    f"UPDATE messages SET changed_at = now() WHERE month = {_MONTH} AND id = 1 + (%(n)s * 7919) %% %(rows)s",
    f"UPDATE attempts SET outcome_at = now() WHERE month = {_MONTH} AND id = 1 + (%(n)s * 7919) %% %(rows)s",
    """
    INSERT INTO receipts (account_id, received_at, part, status, next_try_at, provider_id)
    VALUES (1, now(), 1, 'delivered', 'infinity', 'new' || %(n)s)
    """,
)


def _migrate(laboratory: Laboratory) -> Measured:
    with laboratory.schema_at(BEFORE) as url:
        with psycopg.connect(url) as connection:
            connection.execute(_ALONE)
            for statement in _FILL:
                connection.execute(statement, {"rows": ROWS})
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        writing, done = threading.Barrier(len(_WRITES) + 1), threading.Event()
        with ThreadPoolExecutor(len(_WRITES)) as threads:
            writers = [threads.submit(_write, url, statement, writing.wait, done) for statement in _WRITES]
            try:
                writing.wait(60)
                began = time.monotonic()
                migrate.upgrade_schema(url)
                seconds = time.monotonic() - began
            finally:
                done.set()
            longest_s = max(writer.result() for writer in writers)
    return {"migration_s": seconds, "migration_longest_wait_ms": longest_s * 1000}


def _write(url: str, statement: str, ready: Callable[[], object], done: threading.Event) -> float:
    """Write until `done`; the longest that one write took, in seconds."""
    longest_s, number = 0.0, 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ALONE)
        connection.execute(statement, {"n": number, "rows": ROWS})
        ready()
        while not done.is_set():
            number += 1
            began = time.monotonic()
            connection.execute(statement, {"n": number, "rows": ROWS})
            longest_s = max(longest_s, time.monotonic() - began)
    return longest_s


MIGRATION = Benchmark(_migrate, {"migration_s": "s", "migration_longest_wait_ms": "ms"}, runs=3, group=1, size=ROWS)
