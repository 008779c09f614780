"""A ledger export: a million rows written by the worker's own function, in a process of its own, and in what memory.

It is a memory that does not grow with the rows: a tenth of them is written, too, and the difference is a figure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

from dateutil.relativedelta import relativedelta
from sqlalchemy import select

from benchmarks import city
from benchmarks.auditing import fill_ledger
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import ROOT, BenchmarkError, Laboratory
from benchmarks.sending import plan
from benchmarks.services import simulator_gateway
from sms_service.accounts.actors import load_actor
from sms_service.accounts.models import Account, RoleGrant
from sms_service.db.engine import Database
from sms_service.reports.export_models import Export, ExportState
from sms_service.reports.export_rows import AT_ONCE
from sms_service.reports.exports import ExportChoice, request_export
from sms_service.reports.filters import Filter

RUNS = 10  # to the whole city
ROWS = RUNS * city.PEOPLE
# What a hand-over and its receipt leave; two columns of the file are read from there.
_ATTEMPTS = """
INSERT INTO attempts (
    month, message_id, run_id, number, account_id, claim_token, status, parts, provider_id, started_at, outcome_at,
    final_at
)
SELECT month, id, run_id, 1, account_id, gen_random_uuid(), status, parts, 'p' || id, changed_at, changed_at,
       changed_at + interval '9 s'
FROM messages WHERE attempts = 1
"""


def _exporting(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database:
        plan(database, simulator_gateway(laboratory, "http://127.0.0.1:1"))
        first = date.today().replace(day=1) - relativedelta(months=1)
        days = [first + relativedelta(days=number) for number in range(RUNS)]
        fill_ledger(database, days)
        _add_attempts(database)
        account_id = _add_auditor(database)
        found: dict[str, float] = {}
        peaks: dict[int, float] = {}
        for last, rows in ((days[0], city.PEOPLE), (days[-1], ROWS)):
            for kind in ("xlsx", "csv"):
                asked = Filter(("/1/",), since=days[0], until=last)
                seconds, mib = _write(laboratory, database, account_id, asked, kind, rows)
                peaks[rows] = max(peaks.get(rows, 0.0), mib)
                if rows == ROWS:
                    found["export_1m_s" if kind == "xlsx" else "export_1m_csv_s"] = seconds
    grown = peaks[ROWS] - peaks[city.PEOPLE]
    return {**found, "export_1m_rss_mib": peaks[ROWS], "export_rss_growth_mib": grown}


def _add_attempts(database: Database) -> None:
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql("SET session_replication_role = replica")  # nothing of it is news
        connection.exec_driver_sql(_ATTEMPTS)
        connection.exec_driver_sql("SET session_replication_role = origin")
        connection.exec_driver_sql("VACUUM ANALYZE attempts")
        connection.exec_driver_sql("RESET ROLE")


def _add_auditor(database: Database) -> int:
    with database.session() as session:
        account = Account(login="auditor", name="市审计", unit_id=1)
        session.add(account)
        session.flush()
        session.add(RoleGrant(account_id=account.id, role="auditor", unit_id=1))
        return account.id


def _write(
    laboratory: Laboratory, database: Database, account_id: int, rows: Filter, kind: str, number: int
) -> tuple[float, float]:
    """Seconds until the file was there, and the MiB that its process had at most. Raises BenchmarkError unless it has
    so many rows.
    """
    with database.session() as session:
        choice = ExportChoice(format=kind)
        export_id = request_export(session, load_actor(session, account_id), rows, {}, choice).id
    folder = laboratory.folder / "exports"
    command = [sys.executable, "-m", "benchmarks.export_process", database.url, str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    with database.session() as session:
        export = session.scalars(select(Export).where(Export.id == export_id)).one()
        if (export.state, export.rows_done) != (ExportState.ready, number):
            raise BenchmarkError(f"the export is {export.state} with {export.rows_done} rows of {number}")
        (folder / export.file_name).unlink()
    measured = json.loads(done.stdout)
    said = f"{kind}, {number:,} rows: {measured['s']:.1f} s, {measured['mib']:.1f} MiB, {export.size:,} bytes"
    print(said, file=sys.stderr, flush=True)
    return measured["s"], measured["mib"]


EXPORT = Benchmark(
    _exporting,
    {"export_1m_s": "s", "export_1m_csv_s": "s", "export_1m_rss_mib": "MiB", "export_rss_growth_mib": "MiB"},
    runs=1,
    group=AT_ONCE,
    size=ROWS,
)
