"""What happens before a launch: files are imported, texts are rendered."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import ROOT, BenchmarkError, Laboratory
from benchmarks.machine import TEXTS, measure_rendering_us
from sms_service.accounts.actors import SYSTEM
from sms_service.audience.import_work import bring_in
from sms_service.directory import drafts

DATA = ROOT / "sms_service" / "ops" / "demonstration_data"
LEAST_TAKEN = 10_000  # the file has 11,000 rows, of which some are refused
MANY, MOST = 100_000, 1_000_000
DISTRICTS, STREETS, BRANCHES = 5, 44, 4_700
SURNAMES = "王李张刘陈杨赵黄周吴"


def _import(laboratory: Laboratory) -> Measured:
    units, people = (DATA / name for name in ("units.csv", "members_district.xlsx"))
    with laboratory.empty() as database:
        bring_in(database.session, SYSTEM, "units", units.read_bytes(), units.name)
        data = people.read_bytes()
        started = time.perf_counter()
        taken = bring_in(database.session, SYSTEM, "people", data, people.name).created
        seconds = time.perf_counter() - started
    if taken < LEAST_TAKEN:
        raise BenchmarkError(f"only {taken} people of {people.name} were imported; expected {LEAST_TAKEN} or more")
    return {"import_11k_s": seconds}


def _import_many(laboratory: Laboratory) -> Measured:
    seconds, rate, _ = _import_rows(laboratory, MANY)
    return {"import_100k_s": seconds, "import_100k_rows_per_cpu_s": rate}


def _import_most(laboratory: Laboratory) -> Measured:
    seconds, rate, memory = _import_rows(laboratory, MOST)
    return {"import_1m_s": seconds, "import_1m_rows_per_cpu_s": rate, "import_rss_mb": memory}


def _import_rows(laboratory: Laboratory, rows: int) -> tuple[float, float, float]:
    """Seconds of dry run and apply of a CSV with so many people, in a process of its own; rows a second of CPU of that
    process and its children; and the largest memory (MB) of the largest of them.
    """
    with laboratory.empty() as database:
        bring_in(database.session, SYSTEM, "units", _tree(), "units.csv")
        with database.session() as session:
            record = drafts.upload_import(session, SYSTEM, "people", _members(rows), "members.csv")
        command = [sys.executable, "-m", "benchmarks.importing", database.url, str(record.id)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    if found["created"] != rows:
        raise BenchmarkError(f"only {found['created']} of {rows} people were imported")
    return found["seconds"], rows / found["cpu_s"], found["rss_mb"]


def _tree() -> bytes:
    lines = ["组织编码,名称,层级,上级编码", "01,云州市,市,", *(f"D{n},第{n}区,区,01" for n in range(DISTRICTS))]
    lines += [f"S{n},第{n}街道,街道,D{n % DISTRICTS}" for n in range(STREETS)]
    lines += [f"{n},第{n}党支部,支部,S{n % STREETS}" for n in range(BRANCHES)]
    return "\n".join(lines).encode()


def _members(rows: int) -> bytes:
    """A file of a city's size in which a row is short enough for a million of them."""
    lines = (f"{n},{_name(n)},139{n:08d},{n % BRANCHES}\n" for n in range(rows))
    return ("编号,姓名,手机号,组织编码\n" + "".join(lines)).encode("gb18030")


def _name(number: int) -> str:
    return SURNAMES[number % len(SURNAMES)] + chr(0x4E00 + number % 5_000) + chr(0x4E00 + number % 4_999)


def _render(laboratory: Laboratory) -> Measured:
    return {"template_render_us": measure_rendering_us(TEXTS)}


IMPORT = Benchmark(_import, {"import_11k_s": "s"}, runs=3, group=11_000, size=11_000)
MANY_ROWS = {"import_100k_s": "s", "import_100k_rows_per_cpu_s": "rows/s"}
IMPORT_MANY = Benchmark(_import_many, MANY_ROWS, runs=3, group=MANY, size=MANY)
MOST_ROWS = {"import_1m_s": "s", "import_1m_rows_per_cpu_s": "rows/s", "import_rss_mb": "MB"}
IMPORT_MOST = Benchmark(_import_most, MOST_ROWS, runs=1, group=MOST, size=MOST)
RENDER = Benchmark(_render, {"template_render_us": "µs"}, runs=7, group=1, size=TEXTS)
