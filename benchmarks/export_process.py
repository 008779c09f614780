"""`python -m benchmarks.export_process URL FOLDER`: writes the export that has waited longest, as a worker does, and
prints as JSON how many seconds that took and how many MiB the process had at most.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from benchmarks.usage import read_peak_kb
from sms_service.db.engine import Database
from sms_service.reports.export_work import ExportDesk, work_on_export
from sms_service.reports.exports import EXPORT_DAYS
from sms_service.web.words import find_wording


def main(url: str, folder: str) -> None:
    """Write it."""
    database = Database(url, application_name="benchmarks export")
    began = time.perf_counter()
    work_on_export(database, ExportDesk(Path(folder), EXPORT_DAYS, {"simulator": 5.5}, find_wording))
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"s": seconds, "mib": read_peak_kb() / 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
