"""A process that imports one uploaded file and says what it took: `python -m benchmarks.importing URL ID`."""

from __future__ import annotations

import json
import sys
import time

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from benchmarks.usage import read_children_peak_kb, read_peak_kb, read_processor_s
from sms_service.accounts.actors import SYSTEM
from sms_service.audience.import_work import work_on_import
from sms_service.db.engine import Database
from sms_service.directory import drafts
from sms_service.directory.import_models import Import


def import_uploaded(database: Database, import_id: int) -> dict[str, float]:
    """Check and apply the import as a worker does."""
    started, cpu = time.perf_counter(), read_processor_s()
    work_on_import(database.session, import_id)
    with database.session() as session:
        drafts.request_apply(session, SYSTEM, session.get_one(Import, import_id))
    work_on_import(database.session, import_id)
    seconds = time.perf_counter() - started
    with database.session() as session:
        created = session.get_one(Import, import_id).created
    return {"created": created, "seconds": seconds, "cpu_s": read_processor_s() - cpu, "rss_mb": _largest_mb()}


def _largest_mb() -> float:
    """The largest memory that this process had since it began, or a child of it."""
    return max(read_peak_kb(), read_children_peak_kb()) / 1024


if __name__ == "__main__":
    database = Database(sys.argv[1], application_name="benchmark")
    print(json.dumps(import_uploaded(database, int(sys.argv[2]))))
    database.close()
