"""What opt-outs of a class and of a signature cost the gate: everybody it lets pass has one, of something else."""

from __future__ import annotations

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import Laboratory
from benchmarks.services import GROUP
from benchmarks.turns import GROUPS, compare_cost
from sms_service.db.engine import Database

# Of half of them the class is another, of the other half the signature. Only the tables' owner may analyse.
_OPT_OUTS = """
INSERT INTO suppressions (phone, class, signature, source)
SELECT phone,
       CASE WHEN id %% 2 = 0 THEN 'notice' ELSE %(class)s END,
       CASE WHEN id %% 2 = 0 THEN %(signature)s ELSE '别处' END, 'reply'
FROM people
"""


def _measure(laboratory: Laboratory) -> Measured:
    without, with_ = compare_cost(laboratory, "GATE", _opt_out)
    return {
        "opt_outs_slow_gate_pct": 100 * (with_ / without - 1),
        "gate_opt_outs_cpu_ms": with_,
        "gate_cpu_ms": without,
    }


def _opt_out(database: Database) -> None:
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql(_OPT_OUTS, {"class": city.CLASS, "signature": city.SIGNATURE})
        connection.exec_driver_sql("VACUUM ANALYZE suppressions")
        connection.exec_driver_sql("RESET ROLE")


STOPS = Benchmark(
    _measure,
    {"opt_outs_slow_gate_pct": "%", "gate_opt_outs_cpu_ms": "ms/1000 texts", "gate_cpu_ms": "ms/1000 texts"},
    runs=3,
    group=GROUP,
    size=GROUPS * GROUP,
)
