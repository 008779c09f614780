"""What the chain over the trail costs: linking acts, which nobody waits for, and verifying all of it."""

from __future__ import annotations

import time

from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory
from sms_service.audit.chain import AT_ONCE, link_entries
from sms_service.audit.verification import verify_trail

ACTS = 100_000

_ACTS = """
INSERT INTO trail (act, target_kind, target_id, unit_path, details, origin)
SELECT 'person.change', 'person', n::text, '/1/5/49/4700/', '{"fields": ["name", "phone"]}', '10.1.2.3'
FROM generate_series(1, %(acts)s) AS n
"""


def _chain(laboratory: Laboratory) -> Measured:
    with laboratory.empty() as database:
        with database.transaction() as connection:
            connection.exec_driver_sql(_ACTS, {"acts": ACTS})
        began = time.perf_counter()
        linked = link_entries(database, ACTS)
        linking_s = time.perf_counter() - began
        began = time.perf_counter()
        found = verify_trail(database)
        verifying_s = time.perf_counter() - began
    if (linked, found.linked, found.faults) != (ACTS, ACTS, []):
        raise BenchmarkError(f"{linked} acts were linked, {found.linked} verified: {found.faults[:3]}")
    return {"trail_links_per_s": ACTS / linking_s, "trail_verified_per_s": ACTS / verifying_s}


CHAIN = Benchmark(
    _chain, {"trail_links_per_s": "acts/s", "trail_verified_per_s": "acts/s"}, runs=3, group=AT_ONCE, size=ACTS
)
