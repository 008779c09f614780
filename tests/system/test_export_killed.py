"""A worker that is killed in the middle of an export: another one begins anew, and the file is whole."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.embedded.process import die_with_parent
from sms_service.reports import exports
from sms_service.reports.export_models import Export
from sms_service.reports.export_work import ExportDesk, work_on_export
from sms_service.reports.exports import ExportChoice
from sms_service.reports.filters import Filter
from sms_service.web.words import find_wording
from tests.clocks import ahead_by
from tests.dispatch.city import make_run
from tests.factories import make_actor
from tests.reports.ledger_rows import add_message, make_tree

DAY = date(2026, 9, 1)
# A worker's work, which says when it is in the middle and then writes no more.
WORK = """
import sys
from pathlib import Path
import sms_service.tables
from sms_service.db.engine import Database
from sms_service.reports import export_work
from sms_service.web.words import find_wording
def stop_in_the_middle(done, total):
    if done:
        print(done, flush=True)
        sys.stdin.read()
write = export_work.write_ledger
export_work.write_ledger = lambda *given: write(*given[:-1], stop_in_the_middle)
desk = export_work.ExportDesk(Path(sys.argv[2]), 7, {}, find_wording)
export_work.work_on_export(Database(sys.argv[1]), desk)
"""


def test_a_killed_workers_export_begins_anew(
    session: Session, database: Database, database_url: str, tmp_path: Path
) -> None:
    city, *_ = make_tree(session, [DAY])
    run = make_run(session, city, day=DAY, month=DAY, status="finished", audience=1)
    message = add_message(session, run, city, "skipped")
    columns = "month, run_id, unit_id, unit_path, class, route_id, status, reason, not_before, expires_at, changed_at"
    session.execute(
        text(
            f"INSERT INTO messages (person_id, {columns}) SELECT 1000000 + n, {columns} FROM messages,"
            " generate_series(1, 2499) n WHERE id = :id AND month = :month"
        ),
        {"id": message.id, "month": message.month},
    )
    auditor = make_actor(session, city, ("auditor",))
    choice = ExportChoice(columns=("number", "unit"), format="csv", bom=False)
    export = exports.request_export(session, auditor, Filter([city.path]), {}, choice)
    session.commit()
    folder = tmp_path / "exports"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORK, database_url, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"1000\n"
    worker.kill()
    worker.communicate()
    [left] = folder.iterdir()
    desk = ExportDesk(folder, 7, {}, find_wording)
    assert work_on_export(database, desk) is None, "its lease is not over"
    with ahead_by(database_url, "121 seconds") as ahead:
        assert work_on_export(ahead, desk) == export.id
        exports.end_exports(ahead, folder)
    session.expire_all()
    done = session.get_one(Export, export.id)
    assert (done.state, done.rows_done, done.tries) == ("ready", 2500, 2)
    [kept] = folder.iterdir()
    assert (kept.name, left.exists()) == (done.file_name, False)
    rows = list(csv.reader(io.StringIO(kept.read_text("utf-8"))))
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(1, 2501)]
