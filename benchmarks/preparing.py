"""What happens before a launch: files are imported, texts are rendered."""

from __future__ import annotations

import time

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import ROOT, BenchmarkError, Laboratory
from benchmarks.machine import TEXTS, measure_rendering_us
from sms_service.accounts.actors import SYSTEM
from sms_service.audience import intake
from sms_service.directory import units_import

DATA = ROOT / "sms_service" / "ops" / "demonstration_data"
LEAST_TAKEN = 10_000  # the file has 11,000 rows, of which some are refused


def _import(laboratory: Laboratory) -> Measured:
    units, people = (DATA / name for name in ("units.csv", "members_district.xlsx"))
    with laboratory.empty() as database:
        with database.session() as session:
            units_import.import_units(session, SYSTEM, units.read_bytes(), units.name)
        data = people.read_bytes()
        started = time.perf_counter()
        with database.session() as session:
            taken = intake.take_in_import(session, SYSTEM, data, people.name).record.created
        seconds = time.perf_counter() - started
    if taken < LEAST_TAKEN:
        raise BenchmarkError(f"only {taken} people of {people.name} were imported; expected {LEAST_TAKEN} or more")
    return {"import_11k_s": seconds}


def _render(laboratory: Laboratory) -> Measured:
    return {"template_render_us": measure_rendering_us(TEXTS)}


IMPORT = Benchmark(_import, {"import_11k_s": "s"}, runs=3, group=11_000, size=11_000)
RENDER = Benchmark(_render, {"template_render_us": "µs"}, runs=7, group=1, size=TEXTS)
