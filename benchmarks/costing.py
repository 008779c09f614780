"""What a thousand texts cost in processor time and SQL statements, and what a worker needs of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import city
from benchmarks.counting_worker import counted
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import Laboratory
from benchmarks.sending import WORKERS, launch, plan, seconds_of, wait_until_sent
from benchmarks.services import GROUP, clock, null_gateway
from benchmarks.usage import read_peak_kb

MEGABYTE = 10**6
_EARLY = 100_000  # texts after which a worker's memory is measured for the first time


@dataclass(frozen=True, slots=True)
class Cost:
    """What has been used so far: processor seconds (user and system) and statements."""

    workers_s: float
    server_s: float
    statements: int

    def since(self, before: Cost, people: int) -> tuple[float, float, float]:
        """Milliseconds of the workers and of PostgreSQL, and statements, for a thousand texts of `people`."""
        per_thousand = 1000 / people
        return (
            (self.workers_s - before.workers_s) * 1000 * per_thousand,
            (self.server_s - before.server_s) * 1000 * per_thousand,
            (self.statements - before.statements) * per_thousand,
        )


@dataclass(frozen=True, slots=True)
class Meter:
    """Reads what the workers `pids`, whose statements are counted in `counts`, and PostgreSQL (`server_pid`) used."""

    pids: Sequence[int]
    counts: Sequence[Path]
    server_pid: int

    def read(self) -> Cost:
        """Everything since the processes started; PostgreSQL's with background processes and those that have ended."""
        return Cost(
            workers_s=sum(processor_s(pid) for pid in self.pids),
            server_s=processor_s(self.server_pid, family=True),
            statements=sum(counted(path) for path in self.counts),
        )

    def memory(self) -> float:
        """Bytes of memory that the largest worker has now."""
        return float(max(psutil.Process(pid).memory_info().rss for pid in self.pids))

    def most_memory(self) -> float:
        """Bytes of memory that the largest worker has ever had."""
        return max(read_peak_kb(pid) for pid in self.pids) * 1024.0


def processor_s(pid: int, *, family: bool = False) -> float:
    """Seconds on the processor, user and system; with `family` those of all its children, also of those that ended."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    own = float(times.user + times.system)
    if not family:
        return own
    return own + times.children_user + times.children_system + sum(processor_s(c.pid) for c in process.children())


def _cost(people: int, label: str, *, memory: bool) -> Callable[[Laboratory], Measured]:
    def measure(laboratory: Laboratory) -> Measured:
        gateways = null_gateway(laboratory)
        early: list[float] = []
        with laboratory.city(people) as database, ExitStack() as stack:
            plan(database, gateways)
            variables = laboratory.variables(database, gateways)
            counts = [laboratory.folder / f"statements-{number}" for number in range(WORKERS)]
            pids: list[int] = []
            for path in counts:
                command = ("-m", "benchmarks.counting_worker", str(path))
                pids += stack.enter_context(laboratory.workers(1, variables, command))
            stack.enter_context(clock(laboratory, variables))
            meter = Meter(pids, counts, laboratory.server_pid)

            def look(attempts: int) -> None:
                if attempts >= _EARLY and not early:
                    early.append(meter.memory())

            before = meter.read()
            run_id = launch(laboratory, database)
            wait_until_sent(database, run_id, people, look)
            cost = meter.read().since(before, people)
            memory_now, memory_most = meter.memory(), meter.most_memory()
            seconds_of(database, run_id, people)
        found = dict(zip(_names(label), cost, strict=True))
        if memory:
            found["worker_rss_mb"] = memory_most / MEGABYTE
            found["worker_rss_100k_mb"] = early[0] / MEGABYTE
            found["worker_rss_end_mb"] = memory_now / MEGABYTE
        return found

    return measure


def _names(label: str) -> tuple[str, str, str]:
    return f"cost_cpu_ms_{label}", f"cost_server_cpu_ms_{label}", f"cost_statements_{label}"


def _benchmark(people: int, label: str, *, memory: bool = False) -> Benchmark:
    units = ("ms/1000 texts", "ms/1000 texts", "statements/1000 texts")
    figures = dict(zip(_names(label), units, strict=True))
    if memory:
        figures |= dict.fromkeys(("worker_rss_mb", "worker_rss_100k_mb", "worker_rss_end_mb"), "MB")
    return Benchmark(_cost(people, label, memory=memory), figures, runs=3, group=GROUP, size=people)


COSTS = (
    _benchmark(10_000, "10k"),
    _benchmark(city.PEOPLE, "100k"),
    _benchmark(city.MANY_PEOPLE, "1m", memory=True),
)
