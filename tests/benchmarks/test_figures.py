"""What a figure's line says, and what the benchmarks count with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy.orm import Session

from benchmarks import city
from benchmarks.costing import Cost, processor_s
from benchmarks.counting_worker import counted
from benchmarks.figures import Benchmark, Measured, measure
from benchmarks.machine import REFERENCE_US, Machine
from sms_service.db.engine import Database
from tests.reports.test_exports import Ledger, ledger  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]
LABORATORY: Any = SimpleNamespace(versions={"postgresql": "0"}, folder=Path(tempfile.gettempdir()))


def lines(runs: list[Measured], figures: dict[str, str], number: int | None = None) -> list[dict[str, Any]]:
    """The lines printed for procedures that measured these runs one after the other."""
    each: Iterator[Measured] = iter(runs)
    benchmark = Benchmark(lambda _: next(each), figures, runs=3, group=7, size=9)
    return [json.loads(line) for line in measure(benchmark, LABORATORY, number)]


def test_a_line_has_the_median_and_the_range_of_all_runs() -> None:
    (line,) = lines([{"a": 3.0}, {"a": 1.0}, {"a": 2.0}], {"a": "s"})
    assert (line["figure"], line["value"], line["unit"]) == ("a", 2.0, "s")
    assert (line["lowest"], line["highest"], line["runs"], line["values"]) == (1.0, 3.0, 3, 3)
    assert (line["group"], line["size"]) == (7, 9)


def test_runs_that_measure_several_times_give_the_median_of_all_values() -> None:
    (line,) = lines([{"a": [9.0, 1.0, 1.0]}, {"a": [1.0, 1.0, 8.0]}], {"a": "s"}, number=2)
    assert (line["value"], line["highest"], line["runs"], line["values"]) == (1.0, 9.0, 2, 6)


def test_a_line_says_what_the_machine_was_like() -> None:
    (line,) = lines([{"a": 3.0}], {"a": "texts/s"}, number=1)
    assert line["machine"].keys() == {"template_render_us", "fdatasync_ms"}
    assert line["machine"]["template_render_us"] > 0
    assert line["scaled"] > 0


def test_rates_and_times_are_scaled_by_the_machine_and_nothing_else_is() -> None:
    half_as_fast = Machine(template_render_us=2 * REFERENCE_US, fdatasync_ms=1.0)
    assert half_as_fast.scale(4000.0, "texts/s") == 8000.0
    assert half_as_fast.scale(3.0, "s") == 1.5
    assert half_as_fast.scale(90.0, "MB") is None


def test_a_cost_is_what_was_used_meanwhile_for_a_thousand_texts() -> None:
    before, after = Cost(1.0, 10.0, 100), Cost(3.0, 14.0, 600)
    assert after.since(before, people=10_000) == (200.0, 400.0, 50.0)


def test_a_process_counts_the_statements_that_it_sends(database_url: str, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.counting_worker import count_in\n"
        "from sms_service.db.engine import Database\n"
        "count_in(Path(sys.argv[1])); database = Database(sys.argv[2])\n"
        "for _ in range(5):\n"
        "    with database.transaction() as connection: connection.exec_driver_sql('SELECT 1')\n"
    )
    path = tmp_path / "statements"
    command = [sys.executable, "-c", code, str(path), database_url]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    of_its_own = counted(path) - 5  # what SQLAlchemy asks a server at the first connection
    assert 0 <= of_its_own <= 3


def test_a_family_of_processes_is_counted_with_those_that_have_ended() -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys\n"
         "subprocess.run([sys.executable, '-c', 'sum(range(20_000_000))'])\n"
         "print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout is not None
    server.stdout.readline()
    alone, whole = (processor_s(server.pid, family=family) for family in (False, True))
    server.communicate()
    assert whole > alone


def test_the_city_that_is_measured_has_statistics(database: Database) -> None:
    """As a directory that is not new; without them the planner guesses, and the figures are another database's."""
    city.build(database, people=300, branches=100)
    with database.transaction() as connection:
        known = "SELECT relname, reltuples FROM pg_class WHERE relname IN ('people', 'units')"
        assert dict(connection.exec_driver_sql(known).all()) == {"people": 300, "units": 150}
        assert connection.exec_driver_sql("SELECT current_user").scalar_one() == "sms_app"


def test_a_process_writes_an_export_and_says_in_what_memory(session: Session, ledger: Ledger) -> None:  # noqa: F811
    export = ledger.ask(session, format="csv")
    command = [sys.executable, "-m", "benchmarks.export_process", ledger.database.url, str(ledger.folder)]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    session.refresh(export)
    assert (export.state, export.rows_done) == ("ready", 3)
    measured = json.loads(done.stdout)
    assert measured["s"] > 0
    assert 10 < measured["mib"] < 1_000
