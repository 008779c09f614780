"""Measures how fast this machine is at the moment, so that figures of different days can be compared.

Machines of one kind differ by a factor of two and more from day to day. So every figure is printed together with what
rendering one text and one `fdatasync` cost in the same minute.
"""

from __future__ import annotations

import os
import statistics
import timeit
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import city
from sms_service.content import language
from sms_service.content.compose import compose_text

TEXTS = 20_000
REFERENCE_US = 5.4  # one text's rendering on the day when docs/performance.md was first written
_BLOCK = b"x" * 8192  # as PostgreSQL writes its log
_SYNCS = 50


@dataclass(frozen=True, slots=True)
class Machine:
    """What one text's rendering takes (microseconds), and one `fdatasync` after 8 KiB were written (milliseconds)."""

    template_render_us: float
    fdatasync_ms: float

    def scale(self, value: float, unit: str) -> float | None:
        """The figure for a machine that renders a text in REFERENCE_US, if it is a rate or a time; None for a figure
        that does not depend on the machine's speed.
        """
        slower = self.template_render_us / REFERENCE_US
        if unit.endswith("/s"):
            return value * slower
        return value / slower if unit in ("s", "ms", "µs") else None

    def as_json(self) -> dict[str, float]:
        """Both with three significant digits."""
        return {name: float(f"{value:.3g}") for name, value in asdict(self).items()}


def look_at_machine(folder: Path) -> Machine:
    """Measure both now, the second on the disk of `folder`; takes about half a second."""
    return Machine(statistics.median(measure_rendering_us(TEXTS // 4) for _ in range(5)), measure_fdatasync_ms(folder))


def measure_rendering_us(texts: int) -> float:
    """Microseconds for one finished text: rendered, signed, with its unsubscribe line, measured in parts."""
    template = language.compile_template(city.BODY)
    people = [{"name": f"王{chr(0x4E00 + n % 90)}", "unit": f"第{n % city.BRANCHES}党支部"} for n in range(texts)]

    def render() -> None:
        for values in people:
            compose_text(template, values, city.SIGNATURE, city.CLASS)

    return timeit.timeit(render, number=1) / texts * 1e6


def measure_fdatasync_ms(folder: Path) -> float:
    """Milliseconds for one durable write of 8 KiB, the median of _SYNCS."""
    path = folder / "fdatasync"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def write() -> None:
        os.pwrite(file, _BLOCK, 0)
        os.fdatasync(file)

    try:
        return statistics.median(timeit.repeat(write, number=1, repeat=_SYNCS)) * 1e3
    finally:
        os.close(file)
        path.unlink()
