"""What a reply answers: found after it was stored, by any worker, in batches."""

from __future__ import annotations

import time
from collections.abc import Callable

from sms_service.db.engine import Database
from sms_service.db.statements import Statement

MATCH_REPLIES = Statement(__file__, "match_replies")

BATCH = 100
# How long one job matches before it gives way to receipts and texts, in seconds; it ends between batches.
JOB_S = 0.5


def match_waiting(database: Database, stopping: Callable[[], bool] = lambda: False, *, job_s: float = JOB_S) -> bool:
    """Match waiting replies, oldest first, for at most `job_s` seconds; returns whether some are left."""
    end = time.monotonic() + job_s
    while True:
        with database.transaction() as connection:
            matched = MATCH_REPLIES(connection, size=BATCH).rowcount
        if matched < BATCH:
            return False
        if stopping() or time.monotonic() >= end:
            return True
