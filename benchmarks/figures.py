"""What a figure is, and how one is printed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.laboratory import Laboratory
from benchmarks.machine import Machine, look_at_machine

_PACKAGES = ("sqlalchemy", "psycopg", "rq", "gunicorn", "aiohttp", "jinja2")

# One run's value of each figure by its name, or its values where one run measures it several times.
Measured = Mapping[str, float | Sequence[float]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A procedure that yields one or more values for each of its figures.

    `figures`: name -> unit. `group`: how much is done at once: texts of one hand-over, receipts of one POST, rows of
    one statement. `size`: how many texts, receipts or rows one run has.
    """

    measure: Callable[[Laboratory], Measured]
    figures: dict[str, str]
    runs: int
    group: int
    size: int


def measure(benchmark: Benchmark, laboratory: Laboratory, runs: int | None) -> Iterator[str]:
    """Run it `runs` times (by default as often as it says) and yield the median of each figure as a line of JSON.

    `machine` is what the machine was like between the runs (the median), `scaled` the value by its rendering: see
    benchmarks/machine.py.
    """
    number = runs or benchmark.runs
    results: dict[str, list[float]] = {name: [] for name in benchmark.figures}
    looks = [look_at_machine(laboratory.folder)]
    for turn in range(1, number + 1):
        began = time.monotonic()
        for name, found in benchmark.measure(laboratory).items():
            values = [found] if isinstance(found, float) else list(found)
            results[name] += values
            said = ", ".join(f"{value:.6g}" for value in values)
            print(f"run {turn} of {number}: {name} {said}", file=sys.stderr)
        print(f"run {turn} of {number} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        looks.append(look_at_machine(laboratory.folder))
    machine = Machine(
        statistics.median(look.template_render_us for look in looks),
        statistics.median(look.fdatasync_ms for look in looks),
    )
    for name, unit in benchmark.figures.items():
        values = results[name]
        scaled = machine.scale(statistics.median(values), unit)
        yield json.dumps(
            {
                "figure": name,
                "value": _rounded(statistics.median(values)),
                "unit": unit,
                "scaled": None if scaled is None else _rounded(scaled),
                "machine": machine.as_json(),
                "runs": number,
                "values": len(values),
                "lowest": _rounded(min(values)),
                "highest": _rounded(max(values)),
                "group": benchmark.group,
                "size": benchmark.size,
                "cores": len(os.sched_getaffinity(0)),
                "load": round(os.getloadavg()[0], 1),
                "versions": _versions(laboratory, _PACKAGES),
            },
            ensure_ascii=False,
        )


def _rounded(value: float) -> float:
    """The value with three significant digits."""
    return float(f"{value:.3g}")


def _versions(laboratory: Laboratory, packages: Sequence[str]) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **laboratory.versions,
        **{package: importlib.metadata.version(package) for package in packages},
    }
