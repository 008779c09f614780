"""A process that imports one uploaded file and says what it took: `python -m benchmarks.importing URL ID`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from sms_service.accounts.actors import SYSTEM
from sms_service.audience.import_work import work_on_import
from sms_service.db.engine import Database
from sms_service.directory import drafts
from sms_service.directory.import_models import Import

OWN, CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN


def import_uploaded(database: Database, import_id: int) -> dict[str, float]:
    """Check and apply the import as a worker does."""
    started, cpu = time.perf_counter(), _cpu_s()
    work_on_import(database.session, import_id)
    with database.session() as session:
        drafts.request_apply(session, SYSTEM, session.get_one(Import, import_id))
    work_on_import(database.session, import_id)
    seconds = time.perf_counter() - started
    with database.session() as session:
        created = session.get_one(Import, import_id).created
    return {"created": created, "seconds": seconds, "cpu_s": _cpu_s() - cpu, "rss_mb": _largest_mb()}


def _largest_mb() -> float:
    """The largest memory that this process had since it began, or a child of it. Of itself getrusage would tell that of
    the process that started it, if that was larger.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return max(int(own), resource.getrusage(CHILDREN).ru_maxrss) / 1024


def _cpu_s() -> float:
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (OWN, CHILDREN)))


if __name__ == "__main__":
    database = Database(sys.argv[1], application_name="benchmark")
    print(json.dumps(import_uploaded(database, int(sys.argv[2]))))
    database.close()
