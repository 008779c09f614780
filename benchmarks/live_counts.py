"""What a run's counts take while it sends at full speed, and what one reader of them costs the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import Laboratory
from benchmarks.sending import WORKERS, launch, plan, seconds_of, wait_until_sent
from benchmarks.services import GROUP, clock, null_gateway
from sms_service.db.engine import Database
from sms_service.reports.counts import tabulate_counts
from sms_service.reports.filters import Filter

PAIRS = 5
_EVERY_S = 2.0


def _live(laboratory: Laboratory) -> Measured:
    took: dict[str, list[float]] = {"status": [], "unit": []}
    slower = []
    for pair in range(PAIRS):
        seconds = {}
        # Each comes first in its turn, so that a machine that grows slower or faster is not taken for the reader.
        for reads in (False, True)[:: -1 if pair % 2 else 1]:
            seconds[reads] = _send(laboratory, took if reads else None)
        slower.append(100 * (seconds[True] / seconds[False] - 1))
    return {
        "counts_live_status_ms": took["status"],
        "counts_live_unit_ms": took["unit"],
        "counts_live_slow_dispatch_pct": slower,
    }


def _send(laboratory: Laboratory, took: dict[str, list[float]] | None) -> float:
    """Seconds from launch to the last outcome of a run to the whole city, whose counts somebody reads who keeps in
    `took` how many ms each answer needed; None: nobody.
    """
    with laboratory.city() as database:
        gateways = null_gateway(laboratory)
        plan(database, gateways)
        variables = laboratory.variables(database, gateways)
        with laboratory.workers(WORKERS, variables), clock(laboratory, variables):
            run_id = launch(laboratory, database)
            with _reading(database, run_id, took):
                wait_until_sent(database, run_id, city.PEOPLE)
        return seconds_of(database, run_id, city.PEOPLE)


@contextmanager
def _reading(database: Database, run_id: int, took: dict[str, list[float]] | None) -> Iterator[None]:
    if took is None:
        yield
        return
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(_EVERY_S):
            for by, values in took.items():
                with database.session() as session:
                    began = time.monotonic()
                    tabulate_counts(session, Filter(("/1/",), run_id=run_id), (by,))
                    values.append(1_000 * (time.monotonic() - began))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()


LIVE_COUNTS = Benchmark(
    _live,
    {"counts_live_status_ms": "ms", "counts_live_unit_ms": "ms", "counts_live_slow_dispatch_pct": "%"},
    runs=1,
    group=GROUP,
    size=city.PEOPLE,
)
