"""What a reply answers: found after it was stored, by any worker, in batches."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection

from sms_service.db.engine import Database
from sms_service.db.statements import Statement

TAKE_REPLIES = Statement(__file__, "take_replies")
MATCH_REPLIES = Statement(__file__, "match_replies")
MARK_MATCHED = Statement(__file__, "mark_matched")

BATCH = 100
# How long one job matches before it gives way to receipts and texts, in seconds; it ends between batches.
JOB_S = 0.5


def match_waiting(database: Database, stopping: Callable[[], bool] = lambda: False, *, job_s: float = JOB_S) -> bool:
    """Match waiting replies, oldest first, for at most `job_s` seconds; returns whether some are left."""
    end = time.monotonic() + job_s
    while True:
        with database.transaction() as connection:
            matched = _match(connection)
        if matched < BATCH:
            return False
        if stopping() or time.monotonic() >= end:
            return True


def _match(connection: Connection) -> int:
    ids = [row.id for row in TAKE_REPLIES(connection, size=BATCH)]
    if ids:
        found = MATCH_REPLIES(connection, ids=ids).all()
        MARK_MATCHED(
            connection,
            ids=[row.id for row in found],
            months=[row.month for row in found],
            message_ids=[row.message_id for row in found],
            person_ids=[row.person_id for row in found],
            unit_paths=[row.unit_path for row in found],
        )
    return len(ids)
